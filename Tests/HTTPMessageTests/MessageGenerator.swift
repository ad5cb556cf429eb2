/// A small generator of random numbers (SplitMix64), so that every run makes the same messages.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}

/// Makes HTTP/1 messages, good ones and such as attackers and broken peers send.
struct MessageGenerator {
    var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(state: seed) }

    /// One of `choices`.
    mutating func pick<T>(_ choices: [T]) -> T { choices[Int(random.next() % UInt64(choices.count))] }

    /// True once in `times`.
    mutating func happens(onceIn times: UInt64) -> Bool { random.next() % times == 0 }

    private static let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"]
    private static let targets = [
        "/", "/a", "/a/b?c=d", "/a%20b", "/a/../b", "/a/%2e%2e/b", "*", "http://a.example/b", "//a", "/%zz", "/a#b",
        "/a?b#c", "/..", "http://a.example", "/a\\b", "/;", "/a|b",
    ]
    private static let versions = ["HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "HTTP/1.10", "http/1.1"]
    private static let statuses = [
        "200 OK", "200", "200 ", "204 No Content", "304 Not Modified", "404 Not Found", "100 Continue", "103 Early",
        "101 Switching Protocols", "500 Oh no", "599 x", "600 x", "99 x", "2000 x", "301 M\u{f6}ved",
    ]
    private static let fields = [
        "Accept: */*", "Cookie: a=b; c=d", "X-Empty:", "X-Tab:\ta\tb\t", "X-Long: " + String(repeating: "x", count: 70),
        "Connection: close", "Connection: keep-alive", "Connection: x-foo, close", "X-Foo: \u{e9}", "Via: 1.1 a",
        "X-A : b", "X A: b", ": a", "NoColon", " folded", "\tfolded", "X-B: a\u{1}b", "X-C: a\u{7f}b", "X{}: a",
        "Expect: 100-continue", "Expect: x", "TE: trailers", "Content_Length: 3", "Host: b.example", "Host: a b",
    ]
    private static let plainFields =
        Array(fields.prefix(5)) + ["Connection: keep-alive", "X-Foo: \u{e9}", "Via: 1.1 a"]
    private static let framings = [
        "Content-Length: 5", "Content-Length: 0", "Content-Length: 05", "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5, 5", "Content-Length: +5", "Content-Length: 5 ",
        "Content-Length: 0x5", "Content-Length: 5 5", "Content-Length:", "Content-Length: 99999999999999999999",
        "Content-Length: 123456789012345678", "Transfer-Encoding: chunked", "transfer-encoding: Chunked",
        "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, gzip", "Transfer-Encoding: xchunked",
        "Transfer-Encoding: identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5", "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding:\u{b}chunked", "Transfer-Encoding: \"chunked\"", "Transfer-Encoding : chunked",
        "Transfer-Encoding: chunked,", "Transfer-Encoding:", "Content-Length: 5\r\n ", "Transfer_Encoding: chunked",
    ]
    private static let bodies = [
        "hello", "", "hello!", "5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n5;a=b\r\nworld\r\n0\r\nX-T: a\r\n\r\n",
        "0\r\n\r\n", "5;a=\"b;c\"\r\nhello\r\n00\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello!\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "5; a\r\nhello\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\nhello", "5\r\nhello\r\n0\r\nContent-Length: 3\r\nX: y\r\n\r\n", "5\r\nhello\r0\r\n\r\n",
        "5;\r\nhello\r\n0\r\n\r\n", "5;a\nb\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n X: y\r\n\r\n", "x\r\n",
    ]
    private static let bytes: [[UInt8]] = [
        [0x0D], [0x0A], [0x0D, 0x0A], [0x00], [0x20], [0x09], [0x3A], [0x3B], [0x2C], [0x7F], [0x80], [0xFF], [0x0B],
        [0x0D, 0x0A, 0x0D, 0x0A], [0x41], [0x30], [0x5F], [0x2D], [0x25], [0x23], [0x5C],
    ]

    /// One to three requests on one connection, sometimes damaged.
    mutating func requests() -> [UInt8] {
        var text: [UInt8] = []
        for _ in 0..<(1 + random.next() % 3) {
            if happens(onceIn: 12) { text += Array("\r\n".utf8) }
            let target = happens(onceIn: 3) ? pick(MessageGenerator.targets) : "/a/b?c=d"
            text += Array((pick(MessageGenerator.methods) + " " + target + " " + version() + "\r\n").utf8)
            if !happens(onceIn: 12) { text += Array("Host: a.example\r\n".utf8) }
            text += fieldsAndBody(framed: 2)
        }
        if happens(onceIn: 3) { damage(&text) }
        return text
    }

    /// One to three responses on one connection, sometimes damaged.
    mutating func responses() -> [UInt8] {
        var text: [UInt8] = []
        for _ in 0..<(1 + random.next() % 3) {
            text += Array((version() + " " + pick(MessageGenerator.statuses) + "\r\n").utf8)
            text += fieldsAndBody(framed: 1)
        }
        if happens(onceIn: 3) { damage(&text) }
        return text
    }

    /// A chunked body, sometimes damaged.
    mutating func chunkedBody() -> [UInt8] {
        var text: [UInt8] = []
        for _ in 0..<(random.next() % 4) {
            let size = Int(random.next() % 40) + 1
            let suffix = happens(onceIn: 3) ? pick([";a", ";a=b", ";a=\"b\\\"c\"", "; a", ";"]) : ""
            text += Array((String(size, radix: 16) + suffix + "\r\n").utf8)
            text += (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) } + Array("\r\n".utf8)
        }
        text += Array(pick(MessageGenerator.bodies).utf8)
        if happens(onceIn: 3) { damage(&text) }
        return text
    }

    private mutating func version() -> String {
        if happens(onceIn: 20) { return pick(MessageGenerator.versions) }
        return happens(onceIn: 6) ? "HTTP/1.0" : "HTTP/1.1"
    }

    private mutating func fieldsAndBody(framed: UInt64) -> [UInt8] {
        var text: [UInt8] = []
        for _ in 0..<(random.next() % 4) {
            // Most messages should be good ones, or no body is ever compared.
            let field = happens(onceIn: 8) ? pick(MessageGenerator.fields) : pick(MessageGenerator.plainFields)
            text += Array((field + "\r\n").utf8)
        }
        guard happens(onceIn: framed) else { return text + Array("\r\n".utf8) }
        switch random.next() % 5 {
        case 0, 1:
            text += Array("Content-Length: 5\r\n\r\nhello".utf8)
        case 2, 3:
            text += Array("Transfer-Encoding: chunked\r\n\r\n".utf8) + Array(pick(MessageGenerator.bodies).utf8)
        default:
            text += Array((pick(MessageGenerator.framings) + "\r\n\r\n" + pick(MessageGenerator.bodies)).utf8)
        }
        return text
    }

    /// Changes one to three places.
    private mutating func damage(_ text: inout [UInt8]) {
        for _ in 0..<(1 + random.next() % 3) where !text.isEmpty {
            let place = Int(random.next() % UInt64(text.count))
            switch random.next() % 5 {
            case 0: text.insert(contentsOf: pick(MessageGenerator.bytes), at: place)
            case 1: text.remove(at: place)
            case 2: text.replaceSubrange(place...place, with: pick(MessageGenerator.bytes))
            case 3: text[place] = UInt8(truncatingIfNeeded: random.next())
            default:
                let end = min(text.count, place + Int(random.next() % 20))
                text.insert(contentsOf: text[place..<end], at: Int(random.next() % UInt64(text.count)))
            }
        }
    }

    /// Where to cut `count` bytes: nowhere, in a few places, or behind every byte.
    mutating func cuts(_ count: Int) -> [Int] {
        switch random.next() % 8 {
        case 0...3: return []
        case 4: return Array(stride(from: 1, to: count, by: 1))
        default: return (0..<(random.next() % 5)).map { _ in Int(random.next() % UInt64(count + 1)) }.sorted()
        }
    }

    /// Random bytes, of which many are such as matter to the grammar.
    mutating func noise(_ count: Int) -> [UInt8] {
        let important = Array("\r\n\r\n :;,/%.?GETHTTP/1.1 Host: a\0".utf8)
        return (0..<count).map { _ in
            happens(onceIn: 3) ? UInt8(truncatingIfNeeded: random.next()) : pick(important)
        }
    }
}
