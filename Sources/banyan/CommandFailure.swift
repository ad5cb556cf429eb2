import Glibc

/// A command's end without success: what to print, and the exit code (1 the answer is no, 64 usage, 69 a listener could
/// not be bound or reached, 70 internal, 78 configuration).
struct CommandFailure: Error {
    var message: String
    var exitCode: Int32

    /// Prints the message to standard error and ends the process.
    func end() -> Never {
        Output.error(message)
        exit(exitCode)
    }
}

/// Standard output and error, line by line.
enum Output {
    static func line(_ text: String = "") { write(1, text + "\n") }

    static func error(_ text: String) { write(2, text + "\n") }

    private static func write(_ descriptor: CInt, _ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}

/// What the process was started with.
enum ProcessEnvironment {
    /// The environment variables.
    static var variables: [String: String] {
        var found: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                found[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            next += 1
        }
        return found
    }
}
