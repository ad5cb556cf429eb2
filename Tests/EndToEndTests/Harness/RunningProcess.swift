import Foundation
import Glibc
import Synchronization

/// A process that a test started: its lines as they come, and its end.
final class RunningProcess: Sendable {
    /// Which of a process's outputs.
    enum Output: Sendable { case standard, errors }

    let command: String
    let pid: pid_t
    private let record = Record()

    /// What the threads that watch the process share with it; they do not keep the process itself alive.
    private final class Record: Sendable {
        let state = Mutex(State())
    }

    private struct State {
        var lines: [Output: [String]] = [.standard: [], .errors: []]
        var bytes: [UInt8] = []
        var openPipes = 2
        var exitCode: Int32?
    }

    /// Starts a program; it inherits no descriptor of the tests.
    ///
    /// - Parameters:
    ///   - environment: variables beside those of the tests.
    ///   - plainSide: a socket that is its standard input and output, in place of nothing and of what `lines` gives.
    init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], plainSide: CInt? = nil
    ) throws {
        command = ([program.split(separator: "/").last.map(String.init) ?? program] + arguments).joined(separator: " ")
        let pipes = [try Self.makePipe(), try Self.makePipe()]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let plainSide {
            posix_spawn_file_actions_adddup2(&actions, plainSide, 0)
            posix_spawn_file_actions_adddup2(&actions, plainSide, 1)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
            posix_spawn_file_actions_adddup2(&actions, pipes[0].writing, 1)
        }
        posix_spawn_file_actions_adddup2(&actions, pipes[1].writing, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var variables: [UnsafeMutablePointer<CChar>?] = ProcessInfo.processInfo.environment
            .merging(environment) { $1 }.map { strdup("\($0)=\($1)") }
        variables.append(nil)
        defer { for variable in variables { free(variable) } }
        var pid: pid_t = 0
        let status = Inheritance.lock.withLock { _ in
            Inheritance.forbidAll()
            return posix_spawn(&pid, program, &actions, &attributes, words, variables)
        }
        for pipe in pipes { close(pipe.writing) }
        guard status == 0 else {
            for pipe in pipes { close(pipe.reading) }
            throw ExchangeFailure("cannot start \(program): \(String(cString: strerror(status)))")
        }
        self.pid = pid
        read(pipes[0].reading, as: .standard)
        read(pipes[1].reading, as: .errors)
        Thread { [record, pid] in
            var status: CInt = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            let signal = status & 0x7F
            let code = signal == 0 ? (status >> 8) & 0xFF : -signal
            record.state.withLock { $0.exitCode = code }
        }.start()
    }

    deinit { if exitCode == nil { kill(pid, SIGKILL) } }

    private static func makePipe() throws -> (reading: CInt, writing: CInt) {
        var ends: [CInt] = [-1, -1]
        let status = Inheritance.lock.withLock { _ in
            defer { for end in ends { Inheritance.forbid(end) } }
            return pipe(&ends)
        }
        guard status == 0 else { throw ExchangeFailure("no pipe: \(String(cString: strerror(errno)))") }
        return (ends[0], ends[1])
    }

    // MARK: - What it says

    /// The lines so far.
    func lines(_ output: Output = .standard) -> [String] { record.state.withLock { $0.lines[output] ?? [] } }

    /// All of the standard output so far.
    var bytes: [UInt8] { record.state.withLock { $0.bytes } }

    /// Everything that it said, for a failure.
    var transcript: String {
        "--- \(command): standard output\n\(lines().suffix(60).joined(separator: "\n"))\n"
            + "--- standard error\n\(lines(.errors).suffix(60).joined(separator: "\n"))"
    }

    /// Waits for the first line that fits.
    @discardableResult
    func line(_ what: String, in output: Output = .standard, where fits: (String) -> Bool) throws -> String {
        let deadline = Deadline.patient
        while true {
            let hasEnded = record.state.withLock { $0.openPipes == 0 }
            if let found = lines(output).first(where: fits) { return found }
            if hasEnded || deadline.hasPassed { throw ExchangeFailure("no line came: \(what)", transcript: transcript) }
            Thread.sleep(forTimeInterval: 0.005)
        }
    }

    private func read(_ descriptor: CInt, as output: Output) {
        Thread { [record] in
            var partial: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                if count <= 0 { break }
                partial += buffer[..<count]
                if output == .standard { record.state.withLock { $0.bytes += buffer[..<count] } }
                while let end = partial.firstIndex(of: 10) {
                    let line = String(decoding: partial[..<end], as: UTF8.self)
                    partial.removeFirst(end + 1)
                    record.state.withLock { $0.lines[output]?.append(line) }
                }
            }
            close(descriptor)
            record.state.withLock { $0.openPipes -= 1 }
        }.start()
    }

    // MARK: - Its end

    /// The exit code once it has ended; the negative number of the signal that ended it.
    var exitCode: Int32? { record.state.withLock { $0.exitCode } }

    func signal(_ number: Int32) { if exitCode == nil { kill(pid, number) } }

    /// Waits for the end, and for the last line.
    func end(within deadline: Deadline = .patient) throws -> Int32 {
        while true {
            let (code, pipes) = record.state.withLock { ($0.exitCode, $0.openPipes) }
            if let code, pipes == 0 { return code }
            if deadline.hasPassed { throw ExchangeFailure("\(command) does not end", transcript: transcript) }
            Thread.sleep(forTimeInterval: 0.005)
        }
    }

    // MARK: - What it uses

    /// Processor time so far, in clock ticks (hundredths of a second).
    func processorTicks() throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        // The name of the program stands in parentheses and may contain blanks; what counts comes behind it.
        guard let name = text.lastIndex(of: ")") else { throw ExchangeFailure("no statistics: \(text)") }
        let words = text[text.index(after: name)...].split(separator: " ")
        guard words.count > 12, let user = Int(words[11]), let system = Int(words[12]) else {
            throw ExchangeFailure("no statistics: \(text)")
        }
        return user + system
    }

    /// Whether SIGSTOP has stopped every thread of it.
    func isStopped() throws -> Bool {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task").allSatisfy { thread in
            let text = try String(contentsOfFile: "/proc/\(pid)/task/\(thread)/stat", encoding: .utf8)
            guard let name = text.lastIndex(of: ")") else { return false }
            return text[name...].hasPrefix(") T")
        }
    }

    /// A line of /proc/PID/status such as `VmRSS` or `VmHWM`, in KiB.
    func kibibytes(_ name: String) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("\(name):") }),
            let number = line.split(separator: " ").compactMap({ Int($0) }).first ?? Int(line.filter(\.isNumber))
        else { throw ExchangeFailure("no \(name) in \(text)") }
        return number
    }

    /// How many descriptors it has open.
    func descriptors() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count }
}

/// Keeps descriptors out of children: a child that held a socket of a test would keep open what the test closed.
enum Inheritance {
    /// Held while a child is started, and from the making of a descriptor to its marking.
    static let lock = Mutex(())

    static func forbid(_ descriptor: CInt) { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }

    /// Keeps out of children whatever there is at this moment: libraries, and tests of other rooms, open some, too.
    static func forbidAll() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        for descriptor in names.compactMap({ CInt($0) }) where descriptor > 2 { forbid(descriptor) }
    }
}

/// The programs under test: beside the test bundle, or where `BANYAN_BINARIES` says.
enum Binaries {
    static func path(_ name: String) -> String { "\(folder)/\(name)" }

    /// An optimised gateway, where `BANYAN_OPTIMISED` says; nil in a run that has none.
    static let optimised = ProcessInfo.processInfo.environment["BANYAN_OPTIMISED"].map { "\($0)/banyan" }

    /// Whether the programs run under AddressSanitizer, as this one does: what they free is kept for a while, so that their
    /// memory tells nothing of what they use.
    static let areSanitized = dlsym(dlopen(nil, RTLD_NOW), "__asan_init") != nil

    private static let folder: String =
        ProcessInfo.processInfo.environment["BANYAN_BINARIES"]
        ?? URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
}
