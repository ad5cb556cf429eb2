import EventLoops
import Glibc

/// A process that this one started: its output line by line, and its end.
final class ChildProcess {
    let name: String
    /// The number that the system knows it by, 0 once it has ended.
    private(set) var pid: pid_t = 0
    private var output: LinePipe?
    private var errors: LinePipe?

    /// Starts `path` with `arguments`; each line of its output, the errors included, goes to `onLine` on `loop`.
    ///
    /// - Parameter environment: variables beside those of this process, or in their place.
    /// - Throws: `CommandFailure` when the system cannot start it.
    init(
        name: String, path: String, arguments: [String], environment: [String: String] = [:], loop: EventLoop,
        onLine: @escaping (String) -> Void
    ) throws {
        self.name = name
        let output = try LinePipe(loop: loop, onLine)
        let errors = try LinePipe(loop: loop, onLine)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, output.writingEnd, 1)
        posix_spawn_file_actions_adddup2(&actions, errors.writingEnd, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own: Ctrl-C reaches the demo alone, which ends its children in order.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        posix_spawnattr_setpgroup(&attributes, 0)
        var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var variables: [UnsafeMutablePointer<CChar>?] = ProcessEnvironment.variables
            .merging(environment) { $1 }.map { strdup("\($0)=\($1)") }
        variables.append(nil)
        defer { for variable in variables { free(variable) } }
        let status = posix_spawn(&pid, path, &actions, &attributes, words, variables)
        output.closeWritingEnd()
        errors.closeWritingEnd()
        guard status == 0 else {
            throw CommandFailure(message: "cannot start \(path): \(String(cString: strerror(status)))", exitCode: 70)
        }
        self.output = output
        self.errors = errors
    }

    /// Asks the process to end.
    func terminate() { if pid > 0 { kill(pid, SIGTERM) } }

    /// Ends the process without asking.
    func killNow() { if pid > 0 { kill(pid, SIGKILL) } }

    /// Whether the process has ended; it is taken from the system's list then. In words how, once.
    func reap() -> String? {
        guard pid > 0 else { return nil }
        var status: CInt = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
        pid = 0
        let signal = status & 0x7F
        return signal == 0 ? "exit code \((status >> 8) & 0xFF)" : "signal \(signal)"
    }
}

/// A pipe whose lines are handed on as they come.
private final class LinePipe: Poll {
    private var readingEnd: CInt
    private(set) var writingEnd: CInt
    private var partial: [UInt8] = []
    private let onLine: (String) -> Void

    private static let longestLine = 65_536

    init(loop: EventLoop, _ onLine: @escaping (String) -> Void) throws {
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw CommandFailure(message: "no pipe could be made: \(String(cString: strerror(errno)))", exitCode: 70)
        }
        readingEnd = ends[0]
        writingEnd = ends[1]
        self.onLine = onLine
        super.init(loop: loop)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        try open(readingEnd)
        watch(.readable)
    }

    deinit {
        closeWritingEnd()
        release()
        if readingEnd >= 0 { close(readingEnd) }
    }

    func closeWritingEnd() {
        if writingEnd >= 0 { close(writingEnd) }
        writingEnd = -1
    }

    override func ready(_ events: Events) {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        let count = buffer.withUnsafeMutableBytes { read(readingEnd, $0.baseAddress, $0.count) }
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        guard count > 0 else {
            release()
            return
        }
        partial += buffer[..<count]
        while let end = partial.firstIndex(of: UInt8(ascii: "\n")) {
            onLine(String(decoding: partial[..<end], as: UTF8.self))
            partial.removeFirst(end + 1)
        }
        if partial.count > Self.longestLine { partial.removeAll() }
    }
}
