#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// What the configuration needs of the file system: whether a file can be read, and what is in it. A parameter, so that
/// tests need no disk and `banyan check` sees what `banyan run` would.
package struct FileAccess: Sendable {
    /// What keeps the file at the path from being read; nil where nothing does.
    package var obstacle: @Sendable (_ path: String) -> FileObstacle?
    /// The bytes of the file at the path, or nil where it cannot be read or is larger than ``maximumSize``. What is read
    /// from a pipe has to come at once.
    package var contents: @Sendable (_ path: String) -> [UInt8]?

    /// The largest file that ``contents`` reads: 16 MiB. A configuration of ten thousand routes has 2 MiB.
    package static let maximumSize = 16 << 20

    /// How long a pipe may keep ``contents`` waiting.
    private static let patience = Duration.seconds(2)

    /// File access by these two functions.
    package init(
        obstacle: @escaping @Sendable (String) -> FileObstacle?, contents: @escaping @Sendable (String) -> [UInt8]?
    ) {
        self.obstacle = obstacle
        self.contents = contents
    }

    /// Files held in memory: for tests.
    package init(inMemory files: [String: [UInt8]]) {
        self.init(obstacle: { files[$0] == nil ? .missing : nil }, contents: { files[$0] })
    }

    /// The real file system.
    package static let system = FileAccess(
        obstacle: { path in
            var status = stat()
            guard stat(path, &status) == 0 else { return errno == EACCES ? .forbidden : .missing }
            if status.st_mode & S_IFMT == S_IFDIR { return .folder }
            if access(path, R_OK) != 0 { return .forbidden }
            return status.st_size > maximumSize ? .tooLarge : nil
        },
        contents: readFile)

    @Sendable private static func readFile(_ path: String) -> [UInt8]? {
        // A pipe, too, may be given (`<(command)` of a shell), but whoever does not write to it must not hold the gateway.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let end = ContinuousClock.now + patience
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            // SAFETY: the pointer is used during the call only, and read(2) writes at most the count that it is given.
            let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                guard errno == EAGAIN, ContinuousClock.now < end else { return nil }
                var awaited = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                _ = poll(&awaited, 1, 100)
                continue
            }
            bytes += chunk[..<count]
            if bytes.count > maximumSize { return nil }
        }
    }
}

/// Why a file cannot be read.
package enum FileObstacle: Sendable {
    case missing
    case forbidden
    case folder
    case tooLarge

    /// What is wrong with the file at `path`, in words.
    package func message(_ path: String) -> String {
        let name = ValueProblem.quoted(path)
        return switch self {
        case .missing: "there is no file \(name)"
        case .forbidden: "the file \(name) cannot be read by the user that the gateway runs as"
        case .folder: "\(name) is a folder, not a file"
        case .tooLarge: "the file \(name) is larger than \(FileAccess.maximumSize >> 20) MiB"
        }
    }
}
