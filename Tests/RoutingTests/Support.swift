import ByteBuffers
import HTTPMessage
import Testing

@testable import Routing

/// A generator of test inputs that is the same in every run (splitmix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// A request of a test: `METHOD target`, `host` and more header lines.
struct TestRequest: CustomStringConvertible, Sendable {
    var line: String
    var host: String
    var fields: [String]

    init(_ line: String, host: String = "gateway.test", _ fields: String...) {
        self.line = line
        self.host = host
        self.fields = fields
    }

    var description: String { ([line, host] + fields).joined(separator: " | ") }

    /// Runs `body` with the head that the gateway's own parser makes of this request.
    func withHead<R>(_ body: (borrowing RequestHead) throws -> R) throws -> R {
        let text = "\(line) HTTP/1.1\r\nHost: \(host)\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
        var head = RequestHead()
        var parser = HTTP1RequestParser(limits: HeadLimits())
        let bytes = Array(text.utf8)
        let progress = parser.consume(bytes.span, into: &head)
        guard case .complete = progress else {
            Issue.record("the request does not parse: \(text) \(progress)")
            throw CancellationError()
        }
        return try body(head)
    }
}

/// What a table said about a request, as text.
struct Answer: Equatable, CustomStringConvertible {
    var text: String
    var captures: [String] = []
    var description: String { ([text] + captures).joined(separator: " ") }
}

extension RouteTable {
    /// The answer to `request`: the id of the route with its captures, `404`, or `405` with the value of `Allow`.
    func answer(_ request: TestRequest, _ captures: inout RouteCaptures) throws -> Answer {
        try request.withHead { head in
            switch match(head, captures: &captures) {
            case .route(let id):
                return Answer(
                    text: "\(id)", captures: (0..<captures.count).map { head.span(captures[$0]).text })
            case .notFound:
                return Answer(text: "404")
            case .methodNotAllowed(let allowed):
                var buffer = ByteBuffer()
                appendAllow(allowed, to: &buffer)
                return Answer(text: "405 \(buffer.text)")
            }
        }
    }
}

/// The routes of these patterns.
func definitions(_ patterns: [String]) throws -> [RouteDefinition] {
    try patterns.map { RouteDefinition(try RoutePattern(parsing: $0)) }
}
