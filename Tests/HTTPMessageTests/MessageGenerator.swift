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
    private static let oddMethods = ["get", "CONNECT", "X-OWN", "QUERY", "G\u{e9}T", "GE T", "", "M(", "PRI"]
    private static let targets = [
        "/", "/a", "/a/b?c=d", "/a%20b", "/a/../b", "/a/%2e%2e/b", "*", "http://a.example/b", "//a", "/%zz", "/a#b",
        "/a?b#c", "/..", "http://a.example", "/a\\b", "/;", "/a|b", "HTTPS://a.example:443/b?c", "http://u@a.example/",
        "http://a.example:99999/", "http:///b", "ftp://a.example/", "http:/b", "a.example:443", "a.example", "a/b",
        "?b",
        "*/", "/\u{e9}", "/a\"b", "/a<b>", "/%00", "/a\tb", "/a%2Fb", "",
    ]
    private static let versions = [
        "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "HTTP/1.10", "http/1.1", "HTTP/01.1", "HTTP/1.1 ", "HTTP/1.1\t",
        " HTTP/1.1",
        "HTTP/1", "HTTP /1.1", "ICE/1.1", "",
    ]
    private static let statuses = [
        "200 OK", "200", "200 ", "204 No Content", "304 Not Modified", "404 Not Found", "100 Continue", "103 Early",
        "101 Switching Protocols", "500 Oh no", "599 x", "600 x", "99 x", "2000 x", "301 M\u{f6}ved", " 200 OK",
        "200\tOK",
        "2x0 OK", "-20 OK", "200  OK", "000 x", "205 Reset", "200 O\u{1}K",
    ]
    private static let plainStatuses = ["200 OK", "200", "404 Not Found", "204 No Content", "304 Not Modified"]
    private static let fields = [
        "Accept: */*", "Cookie: a=b; c=d", "X-Empty:", "X-Tab:\ta\tb\t", "X-Long: " + String(repeating: "x", count: 70),
        "Connection: close", "Connection: keep-alive", "Connection: x-foo, close", "X-Foo: \u{e9}", "Via: 1.1 a",
        "X-A : b", "X A: b", ": a", "NoColon", " folded", "\tfolded", "X-B: a\u{1}b", "X-C: a\u{7f}b", "X{}: a",
        "Expect: 100-continue", "Expect: x", "TE: trailers", "Content_Length: 3", "Host: b.example", "Host: a b",
        "X-A\t: b", "X-B:   a  ", "X-Blank:   ", "X-C: a\u{b}", "X-C: a\u{c}", "X-D: a\u{0}b", "X-\u{e9}: a", "X-A;: b",
        "X-A: b\r\n c", "X-A: b\r\n\tc", "X-A: b\n c", "Connection: Upgrade\r\nUpgrade: websocket", "Upgrade: h2c",
        "Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk", "Expect: 100-continue, x",
        "Proxy-Connection: close", "Proxy-Connection: close", "Connection: close, keep-alive", "Connection:",
        "Trailer: X-T", "TE: chunked",
    ]
    private static let plainFields =
        Array(fields.prefix(5)) + ["Connection: keep-alive", "X-Foo: \u{e9}", "Via: 1.1 a"]
    private static let hosts = [
        "Host: a.example:80", "Host:a.example", "host: a.example", "HOST:\ta.example\t", "Host:", "Host: a.example:",
        "Host: a.example:99999", "Host: a.example:x", "Host: [::1]:80", "Host: [::1", "Host: u@a.example", "Host: a,b",
        "Host: a/b", "Host: a.example b.example", "Host : a.example", "Host: a%2eb", "Host: a%zz", "Host: a\"b",
        "Host: a.example\r\nHost: a.example", "Host: a.example\r\nhost: b.example", "Host: \u{e9}.example",
    ]
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
        "Content-Length:\t5\t", "Content-Length: -5", "Content-Length: 5;a", "Content-Length: 5,",
        "Content-Length: 5\u{b}",
        "Content-Length: 0000000000000000000000005", "Content-Length: 18446744073709551621", "Content-Length: 5e0",
        "Content-Length: 9223372036854775808", "CONTENT-LENGTH: 5", "Content-Length : 5", "Content-Length\t: 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chunked, identity", "Transfer-Encoding: chunked\u{0}", "Transfer-Encoding:\tchunked\t",
        "Transfer-Encoding: x\r\n chunked", "Transfer-Encoding:\r\n chunked", "Transfer-Encoding\t: chunked",
        "X: y\rTransfer-Encoding: chunked", "X: y\nTransfer-Encoding: chunked", "Content-Length: 5\nX: y",
        "Content-Length: 0\r\nTransfer-Encoding: identity", "Transfer-Encoding: chunked chunked",
    ]
    private static let bodies = [
        "hello", "", "hello!", "5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n5;a=b\r\nworld\r\n0\r\nX-T: a\r\n\r\n",
        "0\r\n\r\n", "5;a=\"b;c\"\r\nhello\r\n00\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello!\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "5; a\r\nhello\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\nhello", "5\r\nhello\r\n0\r\nContent-Length: 3\r\nX: y\r\n\r\n", "5\r\nhello\r0\r\n\r\n",
        "5;\r\nhello\r\n0\r\n\r\n", "5;a\nb\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n X: y\r\n\r\n", "x\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "5_\r\nhello\r\n0\r\n\r\n",
        "\r\n5\r\nhello\r\n0\r\n\r\n",
        "5\t\r\nhello\r\n0\r\n\r\n", "5\r\rhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello0\r\n\r\n",
        "00000000000000005\r\nhello\r\n0\r\n\r\n", "5 ;a\r\nhello\r\n0\r\n\r\n", "5;a =b\r\nhello\r\n0\r\n\r\n",
        "5;a= b\r\nhello\r\n0\r\n\r\n", "5;a=\"b\r\nhello\r\n0\r\n\r\n", "5;a;b;c\r\nhello\r\n0;d\r\n\r\n",
        "5;\u{1}\r\nhello\r\n0\r\n\r\n", "5;=b\r\nhello\r\n0\r\n\r\n", "5;a=\r\nhello\r\n0\r\n\r\n",
        "5;a=\"b\\\"c\"\r\nhello\r\n0\r\n\r\n", "5;\u{e9}\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\r\n",
        "5\r\nhello\r\n0\r\nX-T: a\n\r\n", "5\r\nhello\r\n0\r\nX-T : a\r\n\r\n", "5\r\nhello\r\n0\r\nX-T: a \r\n\r\n",
        "5\r\nhello\r\n0\r\nX-T\r\n\r\n", "5\r\nhello\r\n0\r\nX-T: a\r\n b\r\n\r\n", "5\r\nhello\r\n0\n\n",
        "5\r\nhello\r\n0\r\nHost: b\r\nTransfer-Encoding: chunked\r\nX-T: \u{e9}\r\n\r\n", "5 5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nTransfer-Encoding: x\r\n\r\n", "5\r\nhello\r\n0\r\nX-T: \u{1}\r\n\r\n",
    ]
    private static let bytes: [[UInt8]] = [
        [0x0D], [0x0A], [0x0D, 0x0A], [0x00], [0x20], [0x09], [0x3A], [0x3B], [0x2C], [0x7F], [0x80], [0xFF], [0x0B],
        [0x0D, 0x0A, 0x0D, 0x0A], [0x41], [0x30], [0x5F], [0x2D], [0x25], [0x23], [0x5C],
    ]

    /// One to three requests on one connection, sometimes damaged.
    mutating func requests() -> [UInt8] {
        var text: [UInt8] = []
        for _ in 0..<(1 + random.next() % 3) {
            if happens(onceIn: 12) { text += Array(pick(["\r\n", "\r\n", "\n", "\r\n\r\n", " ", "\r"]).utf8) }
            let target = happens(onceIn: 3) ? pick(MessageGenerator.targets) : "/a/b?c=d"
            let method = pick(happens(onceIn: 15) ? MessageGenerator.oddMethods : MessageGenerator.methods)
            text += Array((method + blank() + target + blank() + version() + "\r\n").utf8)
            if !happens(onceIn: 12) {
                text += Array(((happens(onceIn: 6) ? pick(MessageGenerator.hosts) : "Host: a.example") + "\r\n").utf8)
            }
            text += fieldsAndBody(framed: 2)
        }
        if happens(onceIn: 3) { damage(&text) }
        return text
    }

    /// One to three responses on one connection, sometimes damaged.
    mutating func responses() -> [UInt8] {
        var text: [UInt8] = []
        for _ in 0..<(1 + random.next() % 3) {
            let status = happens(onceIn: 3) ? pick(MessageGenerator.statuses) : pick(MessageGenerator.plainStatuses)
            text += Array((version() + " " + status + "\r\n").utf8)
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

    private mutating func blank() -> String { happens(onceIn: 40) ? pick(["  ", "\t", "", "\u{b}", " \t"]) : " " }

    private mutating func version() -> String {
        if happens(onceIn: 30) { return pick(MessageGenerator.versions) }
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
        case 0:
            text += Array("Content-Length: 5\r\n\r\nhello".utf8)
        case 1, 2:
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
