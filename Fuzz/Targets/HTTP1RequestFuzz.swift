import ByteBuffers
import HTTPMessage

/// The bytes of a connection of HTTP/1, from the client's side: heads and bodies, one behind the other.
enum HTTP1RequestFuzz {
    /// Small, so that the fuzzer comes upon each of them.
    static let limits = HeadLimits(head: 1024, fields: 12, target: 128)
    /// For what is written anew, which may be a little longer than what was read.
    static let wideLimits = HeadLimits(head: 65_536, fields: 100, target: 8192)

    /// What a reader made of all bytes of a connection.
    struct Reading: Equatable {
        struct Message: Equatable {
            var head: ReadRequest
            var body: ReadBody
            /// How many bytes of the connection were taken up to its end, or up to where it was refused.
            var end = 0
        }

        var messages: [Message] = []
        var failure: RequestError?
        /// Whether a head is under way at the end of the input.
        var hasBegun = false
    }

    static func check(_ input: [UInt8]) throws(BrokenProperty) {
        let splits = Splits.of(input)
        let whole = try read(input, cutAt: splits[0])
        for cuts in splits.dropFirst() {
            try requireSame(whole, try read(input, cutAt: cuts), "read otherwise when cut at \(cuts)")
        }
        for message in whole.messages {
            try checkFraming(message.head)
            try checkTarget(message.head)
            try checkWrittenAnew(message.head)
        }
    }

    /// Reads heads and bodies as a connection does, up to the end of the input or to what is refused.
    static func read(
        _ input: [UInt8], cutAt cuts: [Int], limits: HeadLimits = limits,
        _ visit: (borrowing RequestHead) throws(BrokenProperty) -> Void = { (_) throws(BrokenProperty) in }
    ) throws(BrokenProperty) -> Reading {
        var reading = Reading()
        var parser = HTTP1RequestParser(limits: limits)
        var head = RequestHead()
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
                }
                let left = limit - position
                let progress = parser.consume(input.span.extracting(position..<limit), into: &head)
                try require(head.bytes.count <= limits.head + limits.target, "the head is longer than its limit")
                switch progress {
                case .incomplete:
                    position = limit
                case .failed(let error):
                    reading.failure = error
                    return reading
                case .complete(let consumed):
                    try require(consumed > 0 && consumed <= left, "a head ends outside the input")
                    position += consumed
                    try visit(head)
                    reading.messages.append(Reading.Message(head: try ReadRequest(head), body: ReadBody()))
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

    /// The one head that is written in `bytes`, which must be accepted and taken whole.
    static func readOne(
        _ bytes: [UInt8], _ what: String,
        _ visit: (borrowing RequestHead) throws(BrokenProperty) -> Void = {
            (_) throws(BrokenProperty) in
        }
    ) throws(BrokenProperty) -> ReadRequest {
        let text = String(decoding: bytes, as: UTF8.self)
        let reading = try read(bytes, cutAt: [], limits: wideLimits, visit)
        guard reading.failure == nil, !reading.hasBegun, reading.messages.count == 1 else {
            throw BrokenProperty("\(what) is not read as one head (\(String(describing: reading.failure))): \(text)")
        }
        return reading.messages[0].head
    }

    /// The length of the body has one reading (RFC 9112 §6): by the fields themselves, counted without the parser.
    static func checkFraming(_ head: ReadRequest) throws(BrokenProperty) {
        let lengths = head.fields.filter { $0.key == "content-length" }
        let codings = head.fields.filter { $0.key == "transfer-encoding" }
        try require(lengths.count + codings.count <= 1, "the framing has two readings")
        for field in head.fields {
            let folded = field.key.replacing("_", with: "-")
            try require(
                folded == field.key || (folded != "content-length" && folded != "transfer-encoding"),
                "a framing field is spelt with an underscore")
        }
        switch head.framing {
        case .none: try require(lengths.isEmpty && codings.isEmpty, "the framing fields are not heeded")
        case .length(let length):
            let digits = lengths.first.map { String(decoding: $0.value, as: UTF8.self) } ?? ""
            try require(digits.allSatisfy(\.isNumber) && UInt64(digits) == length, "the length is not the field's")
        case .chunked:
            try require(
                codings.first.map { $0.value.map(\.asciiLowercased) } == Array("chunked".utf8)
                    && head.version != .http10,
                "the coding is not the field's")
        case .untilClose: throw BrokenProperty("a request ends with its connection")
        }
    }

    private static func checkTarget(_ head: ReadRequest) throws(BrokenProperty) {
        if head.method == "CONNECT" {
            try require(
                head.path.isEmpty && head.query == nil && head.port != nil, "CONNECT has more than an authority")
        } else if head.isAsterisk {
            try require(head.path == Array("*".utf8) && head.method == "OPTIONS", "the asterisk stands for something")
        } else {
            try PathFuzz.checkNormal(head.path)
        }
        for byte in head.query ?? [] {
            try require(byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "#"), "a query has a byte of no URI")
        }
        try require(head.authority != nil || head.version == .http10, "there is no authority")
        try require(head.fields.count { $0.key == "host" } <= 1, "there are two hosts")
    }

    /// What is accepted and written anew is accepted again, and means the same.
    private static func checkWrittenAnew(_ head: ReadRequest) throws(BrokenProperty) {
        let version = head.version == .http10 ? "HTTP/1.0" : "HTTP/1.1"
        let fields = head.fields.flatMap { $0.name + Array(": ".utf8) + $0.value + Array("\r\n".utf8) }
        func written(_ target: [UInt8]) -> [UInt8] {
            Array((head.method + " ").utf8) + target + Array((" " + version + "\r\n").utf8) + fields
                + Array("\r\n".utf8)
        }
        var again = try readOne(written(head.target), "a head written anew") { (head) throws(BrokenProperty) in
            try checkForwarding(head)
        }
        try requireSame(head, again, "a head written anew reads otherwise")
        guard head.method != "CONNECT" else { return }
        again = try readOne(written(head.path + (head.query.map { [UInt8(ascii: "?")] + $0 } ?? [])), "a normal target")
        try require(again.path == head.path && again.query == head.query, "a normal target reads otherwise")
    }

    private static let policy = FieldPolicy(identity: ["x-user-id"], removed: ["x-gone"])
    private static let neverForwarded: Set<String> = [
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection",
        "proxy-authenticate", "proxy-authorization", "te", "trailer", "upgrade", "http2-settings", "expect", "proxy",
        "x-gone",
    ]

    /// What a trusted proxy may say, so that `Connection` cannot take it away.
    private static let proxyPrefixes = ["x-", "forwarded", "true-client-ip", "banyan"]

    /// The options of a `Connection` field in lower case.
    private static func options(_ value: [UInt8]) -> [String] {
        String(decoding: value.map(\.asciiLowercased), as: UTF8.self).split(separator: ",").map { option in
            let isBlank = { (character: Character) in character == " " || character == "\t" }
            return String(String(option.drop(while: isBlank).reversed()).drop(while: isBlank).reversed())
        }
    }

    /// What goes to an upstream is a head, with no field of the connection.
    private static func checkForwarding(_ head: borrowing RequestHead) throws(BrokenProperty) {
        let read = try ReadRequest(head)
        let named = Set(read.fields.filter { $0.key == "connection" }.flatMap { options($0.value) })
        for peerIsTrusted in [false, true] {
            var out = ByteBuffer()
            out.append("GET / HTTP/1.1\r\nHost: a.example\r\n")
            ForwardingHeaders.appendEndToEndFields(of: head, policy: policy, peerIsTrusted: peerIsTrusted, into: &out)
            let own = out.count
            ForwardingHeaders.appendForwardingFields(
                of: head, peer: IPAddress(ipv4: 0x7F00_0001), scheme: .http, peerIsTrusted: peerIsTrusted, into: &out)
            out.append("\r\n")
            let again = try readOne(Array(copying: out), "what is forwarded") { (head) throws(BrokenProperty) in
                try require(ForwardingHeaders.via(of: head), "a loop would not be seen")
            }
            try require(again.framing == .none, "what is forwarded has a framing of the client's")
            var passed = ByteBuffer()
            passed.append("GET / HTTP/1.1\r\nHost: a.example\r\n")
            passed.append(out.span(ByteRange(start: passed.count, count: own - passed.count)))
            passed.append("\r\n")
            for field in try readOne(Array(copying: passed), "what passes").fields.dropFirst() {
                let folded = field.key.replacing("_", with: "-")
                try require(!neverForwarded.contains(folded), "\(field.key) is passed on")
                let isProxys = peerIsTrusted && proxyPrefixes.contains { folded.hasPrefix($0) }
                try require(!named.contains(field.key) || isProxys, "\(field.key) is passed on, which Connection names")
                try require(read.fields.contains(field), "a field is passed on that was not there")
                if !peerIsTrusted {
                    try require(
                        folded != "x-user-id" && folded != "forwarded" && folded != "x-forwarded"
                            && !folded.hasPrefix("x-forwarded-"),
                        "\(field.key) is believed")
                }
            }
        }
    }
}
