import ByteBuffers
import HTTP2Framing
import HTTPMessage

/// The fields of a browser's request in HTTP/2, as they come out of the header block.
struct HTTP2HeadReading: Workload, ~Copyable {
    private var text: [UInt8] = []
    /// Where in the text names and values stand.
    private var fields: [(name: ByteRange, value: ByteRange)] = []
    private var parser = HTTP2RequestParser(limits: HeadLimits())
    private var head = RequestHead()

    /// The bytes of the head.
    private(set) var once: UInt64 = 0

    static func make() throws(WrongResult) -> HTTP2HeadReading {
        HTTP2HeadReading(try Messages.read(Messages.browserRequest))
    }

    private init(_ request: borrowing RequestHead) {
        add(":method", "GET")
        add(":scheme", "https")
        add(":authority", "tasks.example.com")
        add(":path", "/tasks/42/details?expand=comments")
        for index in 0..<request.fields.count {
            let name = request.name(index).text.lowercased()
            if name != "host", name != "connection" { add(name, request.value(index).text) }
        }
    }

    mutating func check() throws(WrongResult) {
        once = run(1)
        try require(head.span(head.path).text, is: "/tasks/42/details")
        try require(head.version == .http2 && head.fields.count >= 10, "\(head.fields.count) fields")
    }

    private mutating func add(_ name: String, _ value: String) {
        let start = text.count
        text += Array(name.utf8) + Array(value.utf8)
        let end = start + name.utf8.count
        fields.append((ByteRange(start: start, count: end - start), ByteRange(start: end, count: text.count - end)))
    }

    mutating func run(_ times: Int) -> UInt64 {
        let (text, fields) = (text, fields)
        var read: UInt64 = 0
        for _ in 0..<times {
            parser.begin(&head)
            for index in fields.indices {
                parser.add(text.span.slice(fields[index].name), text.span.slice(fields[index].value), to: &head)
            }
            if parser.finish(&head, endsStream: true) == .accepted { read &+= UInt64(head.bytes.count) }
        }
        return read
    }
}

/// A request and its answer in HTTP/2 without bodies: both sides of the connection, from one's head to the other's fields,
/// header compression included.
struct HTTP2Exchanging: Workload, ~Copyable {
    private let client: Side
    private let server: Side
    private var list = HTTP2FieldList()
    private var request = ByteBuffer()
    private var answer = ByteBuffer()
    private let requestText = Messages.browserRequest
    private let answerText = Array("200\r\nContent-Type: application/json\r\nETag: \"5d8c72a5edda8d6a\"\r\n\r\n".utf8)

    /// The fields that have come to the two sides, pseudo-fields included.
    let once: UInt64 = 14 + 3

    static func make() throws(WrongResult) -> HTTP2Exchanging {
        HTTP2Exchanging(
            try unwrap(Side(HTTP2Callbacks(.client)), "there is no memory"),
            try unwrap(Side(HTTP2Callbacks(.server)), "there is no memory"))
    }

    private init(_ client: Side, _ server: Side) {
        self.client = client
        self.server = server
        client.submit([HTTP2Setting(.enablePush, 0)], connectionWindow: 1_048_576)
        server.submit([HTTP2Setting(.maxConcurrentStreams, 100)], connectionWindow: 1_048_576)
    }

    mutating func check() throws(WrongResult) {
        pass()
        try require(client.mostStreams, is: 100)
        try require(run(1), is: once)
    }

    mutating func run(_ times: Int) -> UInt64 {
        client.fields = 0
        server.fields = 0
        for _ in 0..<times {
            request.removeAll()
            request.append(requestText)
            // SAFETY: nobody asks for the object of a stream.
            let object = Unmanaged.passUnretained(client).toOpaque()
            let sent = list.readRequest(&request, isSecure: true) { fields in
                client.submitRequest(fields, hasBody: false, object: object)
            }
            guard let stream = sent ?? nil else { continue }
            pass()
            answer.removeAll()
            answer.append(answerText)
            list.readAnswer(&answer) { server.submitAnswer(stream, $0, hasBody: false) }
            pass()
        }
        return client.fields &+ server.fields
    }

    /// Carries what either side has to say to the other, until both are silent.
    private func pass() {
        var isSilent = false
        while !isSilent {
            let (client, server) = (client, server)
            let one = client.next { _ = server.take($0) }
            let other = server.next { _ = client.take($0) }
            isSilent = one != .bytes && other != .bytes
        }
    }
}

/// A side that counts the fields that come.
private final class Side: HTTP2Session {
    var fields: UInt64 = 0

    override func fieldReceived(_ name: Span<UInt8>, _ value: Span<UInt8>) -> Bool {
        fields &+= 1
        return true
    }
}
