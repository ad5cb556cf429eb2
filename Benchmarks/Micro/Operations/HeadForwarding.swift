import ByteBuffers
import HTTPMessage

/// The fields of a browser's request, as the upstream gets them: what may pass, and what the gateway says of its way.
struct RequestForwarding: Workload, ~Copyable {
    private let head: RequestHead
    private let policy = FieldPolicy()
    private let peer = IPAddress(ipv4: 0xC000_0207)
    private var out = ByteBuffer()

    private(set) var once: UInt64 = 0

    static func make() throws(WrongResult) -> RequestForwarding {
        RequestForwarding(try Messages.read(Messages.browserRequest))
    }

    private init(_ head: consuming RequestHead) { self.head = head }

    mutating func check() throws(WrongResult) {
        once = run(1)
        let text = out.text
        try require(text.contains("Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"), "a field is missing: \(text)")
        try require(text.contains("X-Forwarded-For: 192.0.2.7\r\n"), "the client's address is missing: \(text)")
        try require(!text.contains("keep-alive"), "a field of the connection passes: \(text)")
    }

    mutating func run(_ times: Int) -> UInt64 {
        var written: UInt64 = 0
        for _ in 0..<times {
            out.removeAll()
            ForwardingHeaders.appendEndToEndFields(of: head, policy: policy, peerIsTrusted: false, into: &out)
            ForwardingHeaders.appendForwardingFields(
                of: head, peer: peer, scheme: .https, peerIsTrusted: false, into: &out)
            written &+= UInt64(out.count)
        }
        return written
    }
}

/// The fields of an answer, as the client gets them.
struct ResponseForwarding: Workload, ~Copyable {
    private var head = ResponseHead()
    private let policy = FieldPolicy()
    private var out = ByteBuffer()

    private(set) var once: UInt64 = 0

    mutating func check() throws(WrongResult) {
        var parser = HTTP1ResponseParser()
        let progress = parser.consume(Messages.response.span, into: &head, requestMethod: .get)
        try require(progress, is: .complete(consumed: Messages.response.count))
        once = run(1)
        let text = out.text
        try require(text.contains("ETag: \"5d8c72a5edda8d6a\"\r\n"), "a field is missing: \(text)")
        try require(text.contains("Via: 1.1 "), "the gateway is missing: \(text)")
        try require(!text.contains("keep-alive"), "a field of the connection passes: \(text)")
    }

    mutating func run(_ times: Int) -> UInt64 {
        var written: UInt64 = 0
        for _ in 0..<times {
            out.removeAll()
            ForwardingHeaders.appendEndToEndFields(of: head, removing: policy, into: &out)
            ForwardingHeaders.appendVia(of: head, into: &out)
            written &+= UInt64(out.count)
        }
        return written
    }
}
