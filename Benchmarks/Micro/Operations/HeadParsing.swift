import ByteBuffers
import HTTPMessage

/// The head of a request of HTTP/1.1, which comes in one piece.
struct RequestParsing: Workload, ~Copyable {
    private let text: [UInt8]
    private let fields: Int
    private let path: String
    private let framing: BodyFraming
    private var parser = HTTP1RequestParser(limits: HeadLimits())
    private var head = RequestHead()

    var once: UInt64 { UInt64(text.count) }

    static func small() -> RequestParsing {
        RequestParsing(Messages.smallRequest, fields: 1, path: "/", .none)
    }

    static func browser() -> RequestParsing {
        RequestParsing(Messages.browserRequest, fields: 12, path: "/tasks/42/details", .none)
    }

    static func post() -> RequestParsing {
        RequestParsing(Messages.postRequest, fields: 8, path: "/tasks", .length(182))
    }

    private init(_ text: [UInt8], fields: Int, path: String, _ framing: BodyFraming) {
        self.text = text
        (self.fields, self.path, self.framing) = (fields, path, framing)
    }

    mutating func check() throws(WrongResult) {
        try require(run(1), is: once)
        try require(head.fields.count, is: fields)
        try require(head.span(head.path).text, is: path)
        try require(head.framing, is: framing)
    }

    mutating func run(_ times: Int) -> UInt64 {
        let text = text
        var taken: UInt64 = 0
        for _ in 0..<times {
            if case .complete(let consumed) = parser.consume(text.span, into: &head) { taken &+= UInt64(consumed) }
        }
        return taken
    }
}

/// The head of an answer of HTTP/1.1, which comes in one piece.
struct ResponseParsing: Workload, ~Copyable {
    private let text = Messages.response
    private var parser = HTTP1ResponseParser()
    private var head = ResponseHead()

    var once: UInt64 { UInt64(text.count) }

    mutating func check() throws(WrongResult) {
        try require(run(1), is: once)
        try require(head.status, is: 200)
        try require(head.framing, is: .length(1024))
        try require(head.fields.count, is: 8)
    }

    mutating func run(_ times: Int) -> UInt64 {
        let text = text
        var taken: UInt64 = 0
        for _ in 0..<times {
            if case .complete(let consumed) = parser.consume(text.span, into: &head, requestMethod: .get) {
                taken &+= UInt64(consumed)
            }
        }
        return taken
    }
}
