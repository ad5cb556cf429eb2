import ByteBuffers
import HTTPMessage

/// The bytes of a connection of HTTP/1 from the server's side: interim heads, an answer with its body, the next answer.
enum HTTP1ResponseFuzz {
    private static let limits = HeadLimits(head: 1024, fields: 12)

    /// What the answers are to.
    private struct Question {
        var method: Method
        var upgradeAsked: Bool
    }

    private struct Reading: Equatable {
        struct Message: Equatable {
            var version: HTTPVersion
            var status: UInt16
            var framing: BodyFraming
            var contentLength: UInt64?
            var keepsAlive: Bool
            var connection: UInt8
            var fields: [ReadField]
            var body = ReadBody()
            var end = 0
        }

        var messages: [Message] = []
        var failure: ResponseError?
        var hasBegun = false
    }

    static func check(_ input: [UInt8]) throws(BrokenProperty) {
        let splits = Splits.of(input)
        for question in [
            Question(method: .get, upgradeAsked: false), Question(method: .head, upgradeAsked: false),
            Question(method: .get, upgradeAsked: true),
        ] {
            let whole = try read(input, cutAt: splits[0], question, limits)
            for cuts in splits.dropFirst() {
                try requireSame(whole, try read(input, cutAt: cuts, question, limits), "read otherwise at \(cuts)")
            }
            for message in whole.messages {
                try checkFraming(message, question)
                try checkWrittenAnew(message, question)
            }
        }
    }

    private static func read(
        _ input: [UInt8], cutAt cuts: [Int], _ question: Question, _ limits: HeadLimits
    ) throws(BrokenProperty) -> Reading {
        var reading = Reading()
        var parser = HTTP1ResponseParser(limits: limits)
        var head = ResponseHead()
        var decoder = BodyDecoder()
        var isInBody = false
        var position = 0
        for limit in cuts + [input.count] {
            while true {
                if isInBody {
                    let last = reading.messages.count - 1
                    try reading.messages[last].body.take(&decoder, input, &position, to: limit)
                    if reading.messages[last].body.end == .goesOn { break }
                    if reading.messages[last].body.end != .whole { return reading }
                    reading.messages[last].end = position
                    isInBody = false
                    // What follows such a message is no answer of this protocol any more.
                    if reading.messages[last].status == 101 { return reading }
                }
                let left = limit - position
                let progress = parser.consume(
                    input.span.extracting(position..<limit), into: &head, requestMethod: question.method,
                    upgradeAsked: question.upgradeAsked)
                try require(head.bytes.count <= limits.head, "the head is longer than its limit")
                switch progress {
                case .incomplete:
                    position = limit
                case .failed(let error):
                    reading.failure = error
                    return reading
                case .complete(let consumed):
                    try require(consumed > 0 && consumed <= left, "a head ends outside the input")
                    position += consumed
                    reading.messages.append(
                        Reading.Message(
                            version: head.version, status: head.status, framing: head.framing,
                            contentLength: head.contentLength, keepsAlive: head.keepsAlive,
                            connection: head.connection.rawValue,
                            fields: try ReadField.all(of: head.fields, in: head.bytes)))
                    try checkForwarding(head)
                    decoder.begin(head.framing)
                    isInBody = true
                    continue
                }
                break
            }
        }
        reading.hasBegun = parser.hasBegun
        return reading
    }

    /// The body has one end (RFC 9112 §6.3), found here from the fields alone.
    private static func checkFraming(_ message: Reading.Message, _ question: Question) throws(BrokenProperty) {
        try require(message.status >= 100 && message.status <= 599, "the status is none")
        try require(message.status != 101 || question.upgradeAsked, "an upgrade that nobody asked for")
        let lengths = message.fields.filter { $0.key == "content-length" }
        let codings = message.fields.filter { $0.key == "transfer-encoding" }
        try require(lengths.count + codings.count <= 1, "the framing has two readings")
        let hasNone = message.status < 200 || [204, 304].contains(message.status) || question.method == .head
        if hasNone {
            try requireSame(message.framing, .none, "an answer without a body has one")
            try require(
                message.status == 304 || question.method == .head && message.status >= 200 && message.status != 204
                    || !message.keepsAlive
                    || codings.isEmpty && lengths.allSatisfy { $0.value.allSatisfy { $0 == 48 } },
                "a body that must not be there may be taken for the next answer")
        } else if let field = lengths.first {
            let length = UInt64(String(decoding: field.value, as: UTF8.self))
            try requireSame(length.map(BodyFraming.length), message.framing, "the length is not the field's")
            try requireSame(length, message.contentLength, "the length is not the field's")
        } else {
            try requireSame(message.framing, codings.isEmpty ? .untilClose : .chunked, "the framing is another")
        }
        try require(message.framing != .untilClose || !message.keepsAlive, "a connection that ends is kept")
    }

    private static func checkWrittenAnew(_ message: Reading.Message, _ question: Question) throws(BrokenProperty) {
        let line = message.version == .http10 ? "HTTP/1.0 " : "HTTP/1.1 "
        var bytes = Array("\(line)\(message.status) Reason\r\n".utf8)
        for field in message.fields { bytes += field.name + Array(": ".utf8) + field.value + Array("\r\n".utf8) }
        let again = try read(bytes + Array("\r\n".utf8), cutAt: [], question, HTTP1RequestFuzz.wideLimits)
        try require(again.messages.count == 1 && again.failure == nil, "a head written anew is refused")
        var expected = message
        expected.body = again.messages[0].body
        expected.end = again.messages[0].end
        try requireSame(again.messages[0], expected, "a head written anew reads otherwise")
    }

    private static let neverPassed: Set<String> = [
        "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "proxy-authenticate",
        "te", "trailer", "upgrade", "via", "x-request-id",
    ]

    /// What goes to a client is a head, with no field of the connection.
    private static func checkForwarding(_ head: borrowing ResponseHead) throws(BrokenProperty) {
        let read = try ReadField.all(of: head.fields, in: head.bytes)
        var out = ByteBuffer()
        out.append("HTTP/1.1 200 OK\r\n")
        ForwardingHeaders.appendEndToEndFields(of: head, removing: FieldPolicy(), into: &out)
        ForwardingHeaders.appendVia(of: head, into: &out)
        out.append("\r\n")
        var parser = HTTP1ResponseParser(limits: HTTP1RequestFuzz.wideLimits)
        var again = ResponseHead()
        let progress = parser.consume(out.span, into: &again, requestMethod: .get)
        try requireSame(progress, .complete(consumed: out.count), "what is passed on is no head")
        try requireSame(again.framing, .untilClose, "what is passed on has a framing of the server's")
        for field in try ReadField.all(of: again.fields, in: again.bytes).dropLast() {
            try require(!neverPassed.contains(field.key), "\(field.key) is passed on")
            try require(read.contains(field), "a field is passed on that was not there")
        }
    }
}
