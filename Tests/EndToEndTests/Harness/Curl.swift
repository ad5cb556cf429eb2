import Foundation

/// What curl, a client that is independent of all our code, made of an answer.
struct Curl {
    /// curl's own exit code: 0 when the whole answer arrived, 18 for one that was cut.
    var exitCode: Int32
    /// The answer, without the interim ones before it; nil where there was none.
    var answer: HTTPText?
    /// What curl said about it.
    var errors: String

    var status: Int { answer?.status ?? 0 }
    var body: String { answer?.text ?? "" }

    /// Runs curl, which prints heads and body.
    init(_ arguments: String..., to place: SocketPlace? = nil) throws { try self.init(words: arguments, to: place) }

    /// Runs curl, which prints heads and body.
    init(words arguments: [String], to place: SocketPlace? = nil) throws {
        var words = ["--silent", "--show-error", "--include", "--http1.1", "--max-time", "60", "--noproxy", "*"]
        if case .unix(let path) = place { words += ["--unix-socket", path] }
        let process = try RunningProcess("/usr/bin/curl", words + arguments)
        exitCode = try process.end(within: Deadline(.seconds(90)))
        errors = process.lines(.errors).joined(separator: "\n")
        var rest = process.bytes[...]
        while let end = rest.firstRange(of: Array("\r\n\r\n".utf8)) {
            var answer = HTTPText(head: rest[..<end.lowerBound])
            rest = rest[end.upperBound...]
            if answer.status >= 200 {
                answer.body = Array(rest)
                self.answer = answer
                return
            }
        }
    }
}
