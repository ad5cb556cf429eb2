import ByteBuffers

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Where the lines of a log go.
package enum LogOutput: Equatable, Sendable {
    /// The standard output of the process.
    case standardOutput
    /// The file at this path, which is appended to, and made where it is missing, readable for owner and group.
    case file(String)
}

/// Why a log file cannot be opened.
package struct LogFileError: Error, Equatable, CustomStringConvertible {
    /// The path that was tried.
    package var path: String
    /// The number of the system's error.
    package var code: Int32

    package var description: String { "cannot open the log file \(path): \(String(cString: strerror(code)))" }
}

/// An open output of a log. It belongs to the thread that writes.
struct LogFile: ~Copyable {
    private let output: LogOutput
    private var descriptor: Int32
    /// Whether what was written last is not the end of a line.
    private var isTorn = false

    init(_ output: LogOutput) throws(LogFileError) {
        self.output = output
        switch output {
        case .standardOutput: descriptor = STDOUT_FILENO
        case .file(let path): descriptor = try Self.open(path)
        }
    }

    deinit {
        if output != .standardOutput { close(descriptor) }
    }

    /// Opens the path anew, where another program may have moved the file away. Where that fails, the old file stays.
    mutating func reopen() throws(LogFileError) {
        guard case .file(let path) = output else { return }
        let fresh = try Self.open(path)
        close(descriptor)
        descriptor = fresh
        isTorn = false
    }

    /// Writes whole lines; blocks until the output has taken them. A line that an earlier failure cut in half is ended
    /// first, so that no line ever continues another.
    ///
    /// - Returns: How many bytes were written, and the number of the system's error where that is not all.
    mutating func write(_ lines: borrowing Span<UInt8>) -> (written: Int, code: Int32) {
        if isTorn {
            let newline: [UInt8] = [UInt8(ascii: "\n")]
            let (written, code) = writeAll(newline.span)
            if written == 0 { return (0, code) }
            isTorn = false
        }
        let (written, code) = writeAll(lines)
        if written > 0 { isTorn = lines[written - 1] != UInt8(ascii: "\n") }
        return (written, code)
    }

    private func writeAll(_ bytes: borrowing Span<UInt8>) -> (written: Int, code: Int32) {
        var written = 0
        while written < bytes.count {
            let left = bytes.extracting(written..<bytes.count)
            // SAFETY: the pointer is used within the call, for as many bytes as the span has.
            let count = left.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                written += count
                continue
            }
            let code = errno
            if count < 0, code == EINTR { continue }
            // A standard output that somebody made non-blocking: wait until it takes more.
            if count < 0, code == EAGAIN || code == EWOULDBLOCK {
                var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&request, 1, -1)
                continue
            }
            return (written, code)
        }
        return (written, 0)
    }

    private static func open(_ path: String) throws(LogFileError) -> Int32 {
        // Without O_NONBLOCK, a named pipe that nobody reads would block here for ever.
        let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK
        var descriptor = systemOpen(path, flags, 0o640)
        while descriptor < 0, errno == EINTR { descriptor = systemOpen(path, flags, 0o640) }
        guard descriptor >= 0 else { throw LogFileError(path: path, code: errno) }
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
        return descriptor
    }
}

// The methods above have the names of system calls.
private func systemOpen(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 { open(path, flags, mode) }

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
