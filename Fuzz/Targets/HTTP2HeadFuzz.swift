import ByteBuffers
import HTTPMessage

/// The fields of a header block of HTTP/2, as a list: `name 0x01 value 0x02 name …`.
enum HTTP2HeadFuzz {
    private typealias Pair = (name: [UInt8], value: [UInt8])

    static func check(_ input: [UInt8]) throws(BrokenProperty) {
        let pairs = input.split(separator: 2).map { line -> Pair in
            let parts = line.split(separator: 1, maxSplits: 1, omittingEmptySubsequences: false)
            return (Array(parts[0]), parts.count > 1 ? Array(parts[1]) : [])
        }
        for endsStream in [true, false] {
            try checkRequest(pairs, HTTP1RequestFuzz.limits, endsStream: endsStream)
            try checkRequest(pairs, HTTP1RequestFuzz.wideLimits, endsStream: endsStream)
        }
        try checkTrailers(pairs)
    }

    private static func checkRequest(
        _ pairs: [Pair], _ limits: HeadLimits, endsStream: Bool
    ) throws(BrokenProperty) {
        var parser = HTTP2RequestParser(limits: limits)
        var head = RequestHead()
        // The second time with memory that was used before: it must not matter.
        for round in 0..<2 {
            parser.begin(&head)
            for pair in pairs { parser.add(pair.name.span, pair.value.span, to: &head) }
            let outcome = parser.finish(&head, endsStream: endsStream)
            try require(head.bytes.count <= 2 * limits.head + limits.target, "a head is longer than its limits")
            guard round == 1, outcome == .accepted else { continue }
            try require(head.version == .http2 && head.keepsAlive, "the head is not one of HTTP/2")
            try checkAsHTTP1(try ReadRequest(head), pairs, declared: parser.declaredLength, endsStream: endsStream)
        }
    }

    /// What is accepted is accepted by the reader of HTTP/1.1, too, and means the same there (RFC 9113 §8.3, §10.3).
    private static func checkAsHTTP1(
        _ head: ReadRequest, _ pairs: [Pair], declared: UInt64?, endsStream: Bool
    ) throws(BrokenProperty) {
        func only(_ name: String) -> [UInt8]? { pairs.first { $0.name == Array(name.utf8) }?.value }
        let expectedTarget = head.method == "CONNECT" ? only(":authority") : only(":path")
        try requireSame(head.target, expectedTarget ?? [], "the target is another")
        try requireSame(Array(head.method.utf8), only(":method"), "the method is another")
        try requireSame(
            head.authority?.map(\.asciiLowercased), (only(":authority") ?? only("host"))?.map(\.asciiLowercased),
            "the authority is another")
        for field in head.fields {
            try require(
                !["connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection"].contains(field.key),
                "\(field.key) came through")
        }
        var written = Array((head.method + " ").utf8) + head.target + Array(" HTTP/1.1\r\n".utf8)
        for field in head.fields { written += field.name + Array(": ".utf8) + field.value + Array("\r\n".utf8) }
        let hasLength = head.fields.contains { $0.key == "content-length" }
        if !endsStream, !hasLength { written += Array("transfer-encoding: chunked\r\n".utf8) }
        let text = String(decoding: written, as: UTF8.self)
        let reading = try HTTP1RequestFuzz.read(
            written + Array("\r\n".utf8), cutAt: [], limits: HTTP1RequestFuzz.wideLimits)
        guard reading.failure == nil, reading.messages.count == 1, var other = reading.messages.first?.head else {
            throw BrokenProperty("HTTP/1 does not accept (\(String(describing: reading.failure))): \(text)")
        }
        other.fields.removeAll { $0.key == "transfer-encoding" }
        other.version = .http2
        try requireSame(head, other, "HTTP/1 reads otherwise")
        if hasLength {
            try require(declared != nil && head.framing == .length(declared ?? 0), "the length is not the field's")
            try require(!endsStream || declared == 0, "a body is promised that cannot come")
        } else {
            try requireSame(head.framing, endsStream ? .none : .chunked, "the framing is not the stream's")
        }
    }

    private static func checkTrailers(_ pairs: [Pair]) throws(BrokenProperty) {
        var section = TrailerSection()
        for pair in pairs where section.add(pair.name.span, pair.value.span) != nil { break }
        try require(
            section.bytes.count <= TrailerSection.mostBytes && section.fields.count <= TrailerSection.mostFields,
            "a trailer section is longer than its limits")
        var written = Array("0\r\n".utf8) + Array(copying: section.bytes) + Array("\r\n".utf8)
        let fields = try ReadField.all(of: section.fields, in: section.bytes)
        var decoder = BodyDecoder()
        decoder.begin(.chunked)
        var body = ReadBody()
        var position = 0
        // The section alone fills its limit, which in HTTP/1 counts the empty line, too.
        if section.bytes.count + 2 > TrailerSection.mostBytes { written = Array("0\r\n\r\n".utf8) }
        try body.take(&decoder, written, &position, to: written.count)
        try require(body.end == .whole && position == written.count, "HTTP/1 does not accept the trailers")
        if written.count > 5 { try requireSame(body.trailers, fields, "HTTP/1 reads other trailers") }
    }
}
