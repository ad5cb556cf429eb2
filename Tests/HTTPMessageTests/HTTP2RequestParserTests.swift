import ByteBuffers
import HTTPMessage
import Testing

/// How the fields of HTTP/2 become a request's head (RFC 9113 §8.2, §8.3; security.md 2.4).
@Suite struct HTTP2RequestParserTests {
    typealias Field = (String, String)

    /// What a list of fields must come to.
    enum Verdict: Equatable {
        /// The lines that go upstream behind the request line.
        case accepted(String)
        case malformed
        case refused(RequestError.Cause)
    }

    struct Case: CustomTestStringConvertible, Sendable {
        var fields: [Field]
        var endsStream = true
        var verdict: Verdict
        var section: String
        var testDescription: String { "\(section): \(fields)" }

        init(_ section: String, _ verdict: Verdict, _ fields: [Field], endsStream: Bool = true) {
            self.section = section
            self.verdict = verdict
            self.fields = fields
            self.endsStream = endsStream
        }

        /// A GET of `/` from `a` with these fields behind it.
        init(_ section: String, _ verdict: Verdict, and fields: Field..., endsStream: Bool = true) {
            self.init(section, verdict, base + fields, endsStream: endsStream)
        }
    }

    private static let base: [Field] = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")]

    static let cases: [Case] = [
        Case("plain", .accepted("x: y\r\n"), and: ("x", "y")),
        Case("8.3.1 order of pseudo-fields", .accepted(""), Array(base.reversed())),
        Case(
            "8.3.1 https", .accepted(""),
            [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "a")]),
        Case("8.2.1 obs-text passes", .accepted("x: \u{e9}\r\n"), and: ("x", "\u{e9}")),
        Case("8.2.1 tab inside", .accepted("x: a\tb\r\n"), and: ("x", "a\tb")),
        Case("8.2.1 empty value", .accepted("x: \r\n"), and: ("x", "")),
        // Names and values.
        Case("8.2.1 upper case", .malformed, and: ("X", "y")),
        Case("8.2.1 upper case in the middle", .malformed, and: ("accepT", "y")),
        Case("8.2.1 empty name", .malformed, and: ("", "y")),
        Case("8.2.1 space in a name", .malformed, and: ("x y", "z")),
        Case("8.2.1 colon in a name", .malformed, and: ("x:", "z")),
        Case("8.2.1 line end in a name", .malformed, and: ("x\r\ny", "z")),
        Case("8.2.1 NUL in a name", .malformed, and: ("x\0", "z")),
        Case("8.2.1 non-ASCII name", .malformed, and: ("\u{e9}", "z")),
        Case("8.2.1 CR", .malformed, and: ("x", "a\rb")),
        Case("8.2.1 LF", .malformed, and: ("x", "a\nb")),
        Case("8.2.1 CRLF and a field", .malformed, and: ("x", "a\r\ntransfer-encoding: chunked")),
        Case("8.2.1 NUL", .malformed, and: ("x", "a\0b")),
        Case("8.2.1 DEL", .malformed, and: ("x", "a\u{7f}b")),
        Case("8.2.1 leading space", .malformed, and: ("x", " a")),
        Case("8.2.1 trailing space", .malformed, and: ("x", "a ")),
        Case("8.2.1 leading tab", .malformed, and: ("x", "\ta")),
        Case("8.2.1 trailing tab", .malformed, and: ("x", "a\t")),
        // Fields of the connection.
        Case("8.2.2 connection", .malformed, and: ("connection", "close")),
        Case("8.2.2 keep-alive", .malformed, and: ("keep-alive", "5")),
        Case("8.2.2 proxy-connection", .malformed, and: ("proxy-connection", "close")),
        Case("8.2.2 upgrade", .malformed, and: ("upgrade", "h2c")),
        Case("H2.TE", .malformed, and: ("transfer-encoding", "chunked"), endsStream: false),
        Case("H2.TE spelt oddly", .malformed, and: ("transfer-encoding", "xchunked"), endsStream: false),
        Case("8.2.2 te", .malformed, and: ("te", "gzip")),
        Case("8.2.2 te with a list", .malformed, and: ("te", "trailers, gzip")),
        Case("8.2.2 te trailers", .accepted(""), and: ("te", "trailers")),
        // Pseudo-fields.
        Case("8.3 late", .malformed, [(":method", "GET"), ("x", "y"), (":scheme", "http"), (":path", "/")]),
        Case("8.3 late after all", .malformed, and: ("x", "y"), (":authority", "a")),
        Case("8.3 unknown", .malformed, and: (":x", "y")),
        Case("8.3 of an answer", .malformed, and: (":status", "200")),
        Case("8441 without leave", .malformed, and: (":protocol", "websocket")),
        Case("8.3.1 method twice", .malformed, and: (":method", "GET")),
        Case("8.3.1 path twice", .malformed, and: (":path", "/")),
        Case("8.3.1 scheme twice", .malformed, and: (":scheme", "http")),
        Case("8.3.1 authority twice", .malformed, and: (":authority", "a")),
        Case("8.3.1 no method", .malformed, Array(base.dropFirst())),
        Case("8.3.1 no scheme", .malformed, [(":method", "GET"), (":path", "/"), (":authority", "a")]),
        Case("8.3.1 no path", .malformed, [(":method", "GET"), (":scheme", "http"), (":authority", "a")]),
        Case("8.3.1 empty path", .malformed, path("")),
        Case("8.3.1 relative path", .malformed, path("a")),
        Case("8.3.1 absolute form", .malformed, path("http://b/")),
        Case("8.3.1 query alone", .malformed, path("?a")),
        Case("8.3.1 asterisk with GET", .refused(.badRequest), path("*")),
        Case(
            "8.3.1 asterisk", .accepted(""),
            [(":method", "OPTIONS"), (":scheme", "http"), (":path", "*"), (":authority", "a")]),
        Case("9110 7.1 fragment", .refused(.badRequest), path("/a#b")),
        Case("path with a space", .refused(.badRequest), path("/a b")),
        Case("10.3 path with CRLF", .malformed, path("/ HTTP/1.1\r\nx: y")),
        Case("10.3 path with a version", .refused(.badRequest), path("/ HTTP/1.1")),
        Case("9112 3 path with NUL", .malformed, path("/\0")),
        Case("path above the root", .refused(.badRequest), path("/../a")),
        Case("path with a bad triplet", .refused(.badRequest), path("/%zz")),
        Case("path with a backslash", .refused(.badRequest), path("/a\\b")),
        Case("9112 3 long path", .refused(.uriTooLong), path("/" + String(repeating: "a", count: 8192))),
        Case("9112 3 path of 8 KiB", .accepted(""), path("/" + String(repeating: "a", count: 8191))),
        Case("8.3.1 empty method", .malformed, method("")),
        Case("10.3 method with CRLF", .malformed, method("GET / HTTP/1.1\r\nx:")),
        Case("method with a space", .refused(.badRequest), method("GET /")),
        Case("method of 33 bytes", .refused(.badRequest), method(String(repeating: "A", count: 33))),
        Case("method of 32 bytes", .accepted(""), method(String(repeating: "A", count: 32))),
        Case(
            "8.3.1 foreign scheme", .refused(.badRequest),
            [(":method", "GET"), (":scheme", "ftp"), (":path", "/"), (":authority", "a")]),
        Case(
            "10.3 scheme with CRLF", .malformed,
            [(":method", "GET"), (":scheme", "http\r\nx: y"), (":path", "/"), (":authority", "a")]),
        Case("8.5 CONNECT", .accepted(""), [(":method", "CONNECT"), (":authority", "a:1")]),
        Case("8.5 CONNECT without a port", .refused(.badRequest), [(":method", "CONNECT"), (":authority", "a")]),
        Case("8.5 CONNECT with a path", .malformed, [(":method", "CONNECT"), (":authority", "a:1"), (":path", "/")]),
        Case(
            "8.5 CONNECT with a scheme", .malformed,
            [(":method", "CONNECT"), (":authority", "a:1"), (":scheme", "http")]),
        // Authority and host.
        Case("8.3.1 host alone", .accepted(""), noAuthority + [("host", "a")]),
        Case("8.3.1 neither", .refused(.badRequest), noAuthority),
        Case("8.3.1 host that agrees", .accepted(""), and: ("host", "A")),
        Case("8.3.1 host that does not", .malformed, and: ("host", "b")),
        Case("8.3.1 host with another port", .malformed, and: ("host", "a:80")),
        Case("9112 3.2 two hosts", .refused(.badRequest), noAuthority + [("host", "a"), ("host", "a")]),
        Case("9112 3.2 second host", .refused(.badRequest), and: ("host", "a"), ("host", "b")),
        Case("10.3 authority with CRLF", .malformed, authority("a\r\nx: y")),
        Case("8.3.1 empty authority", .malformed, authority("")),
        Case("8.3.1 userinfo", .refused(.badRequest), authority("u@a")),
        Case("authority with a path", .refused(.badRequest), authority("a/b")),
        // Cookies.
        Case("8.2.3 one", .accepted("cookie: a=1\r\n"), and: ("cookie", "a=1")),
        Case(
            "8.2.3 crumbs", .accepted("cookie: a=1; b=2; c\r\n"), and: ("cookie", "a=1"), ("cookie", "b=2"),
            ("cookie", "c")),
        Case(
            "8.2.3 crumbs apart", .accepted("x: y\r\ncookie: a=1; b=2\r\n"), and: ("cookie", "a=1"), ("x", "y"),
            ("cookie", "b=2")),
        Case("8.2.3 crumb with CRLF", .malformed, and: ("cookie", "a\r\nx: y")),
        // Lengths.
        Case("8.1.1 length and no body", .malformed, and: ("content-length", "5")),
        Case("8.1.1 length 0 and no body", .accepted(""), and: ("content-length", "0")),
        Case(
            "9110 8.6 two lengths", .refused(.badRequest), and: ("content-length", "5"), ("content-length", "5"),
            endsStream: false),
        Case("9110 8.6 list", .refused(.badRequest), and: ("content-length", "5, 5"), endsStream: false),
        Case("9110 8.6 sign", .refused(.badRequest), and: ("content-length", "+5"), endsStream: false),
        Case("underscores", .refused(.badRequest), and: ("content_length", "5"), endsStream: false),
        Case("underscores", .refused(.badRequest), and: ("transfer_encoding", "chunked"), endsStream: false),
        Case("9110 10.1.1", .refused(.unsupportedExpectation), and: ("expect", "y"), endsStream: false),
        // What only the gateway may say.
        Case("identity", .accepted(""), and: ("x-forwarded-for", "1.2.3.4"), ("via", "x"), ("forwarded", "for=a")),
    ]

    private static func path(_ text: String) -> [Field] {
        [(":method", "GET"), (":scheme", "http"), (":path", text), (":authority", "a")]
    }
    private static func method(_ text: String) -> [Field] {
        [(":method", text), (":scheme", "http"), (":path", "/"), (":authority", "a")]
    }
    private static func authority(_ text: String) -> [Field] {
        [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", text)]
    }
    private static let noAuthority: [Field] = [(":method", "GET"), (":scheme", "http"), (":path", "/")]

    @Test(arguments: cases)
    func readsOrRefuses(_ example: Case) {
        var head = RequestHead()
        var parser = HTTP2RequestParser(limits: HeadLimits())
        let verdict = Self.read(example.fields, example.endsStream, &head, &parser)
        #expect(verdict == example.verdict)
    }

    /// A parser and a head are used for one request after the other: nothing stays of those before.
    @Test func nothingIsCarriedOver() {
        var head = RequestHead()
        var parser = HTTP2RequestParser(limits: HeadLimits())
        for example in Self.cases + Self.cases.reversed() {
            #expect(Self.read(example.fields, example.endsStream, &head, &parser) == example.verdict, "\(example)")
        }
    }

    @Test func theHeadIsWhatHTTP11WouldHaveMadeOfIt() throws {
        var head = RequestHead()
        var parser = HTTP2RequestParser(limits: HeadLimits())
        let fields = [
            (":method", "POST"), (":scheme", "http"), (":path", "/a/./b%41?q=1"), (":authority", "Api.test:81"),
            ("content-length", "5"), ("x", "y"), ("expect", "100-continue"),
        ]
        _ = Self.read(fields, false, &head, &parser)
        var read = ReadRequest(head, consumed: 0)
        let text =
            "POST /a/./b%41?q=1 HTTP/1.1\r\ncontent-length: 5\r\nx: y\r\nexpect: 100-continue\r\nhost: Api.test:81\r\n\r\n"
        var otherHead = RequestHead()
        var other = HTTP1RequestParser(limits: HeadLimits())
        guard case .complete(let count) = other.consume(Array(text.utf8).span, into: &otherHead) else {
            Issue.record("HTTP/1.1 refuses it")
            return
        }
        var expected = ReadRequest(otherHead, consumed: count)
        #expect(read.version == .http2)
        read.version = .http11
        expected.consumed = 0
        #expect(read == expected)
        let declared = parser.declaredLength
        let waits = head.expectsContinue
        #expect(declared == 5)
        #expect(waits)
    }

    @Test func theBodyOfAnOpenStreamIsSentInChunks() {
        var head = RequestHead()
        var parser = HTTP2RequestParser(limits: HeadLimits())
        _ = Self.read(Self.base, false, &head, &parser)
        let (framing, declared) = (head.framing, parser.declaredLength)
        #expect(framing == .chunked)
        #expect(declared == nil)
        _ = Self.read(Self.base + [("content-length", "0")], false, &head, &parser)
        let (otherFraming, otherDeclared) = (head.framing, parser.declaredLength)
        #expect(otherFraming == .length(0))
        #expect(otherDeclared == 0)
    }

    @Test func aHeadIsBoundedAsRFC7541Counts() {
        // Four pseudo-fields are 42 + 43 + 38 + 43 bytes.
        let base = Self.base.reduce(0) { $0 + $1.0.utf8.count + $1.1.utf8.count + 32 }
        let limits = HeadLimits(head: base + 2 * 40, fields: 100)
        var head = RequestHead()
        var parser = HTTP2RequestParser(limits: limits)
        let fit = [("abcd", "efgh"), ("abcd", "efgh")]
        #expect(Self.read(Self.base + fit, true, &head, &parser) == .accepted("abcd: efgh\r\nabcd: efgh\r\n"))
        #expect(
            Self.read(Self.base + [("abcd", "efgh"), ("abcd", "efghi")], true, &head, &parser)
                == .refused(.headersTooLarge))
        // Whatever follows, nothing more is stored.
        let held = head.bytes.count
        _ = Self.read(Self.base + Array(repeating: ("abcd", "efghi"), count: 50), true, &head, &parser)
        let after = head.bytes.count
        #expect(after <= held + 16)
    }

    @Test func crumbsCountAsFields() {
        var head = RequestHead()
        var parser = HTTP2RequestParser(limits: HeadLimits(fields: 3))
        let crumbs = Array(repeating: ("cookie", "a"), count: 3)
        #expect(Self.read(Self.base + crumbs, true, &head, &parser) == .accepted("cookie: a; a; a\r\n"))
        #expect(Self.read(Self.base + crumbs + [("x", "y")], true, &head, &parser) == .refused(.headersTooLarge))
        #expect(
            Self.read(Self.base + crumbs + [("cookie", "b")], true, &head, &parser) == .refused(.headersTooLarge))
    }

    @Test func trailersPassByTheRulesOfChunkedBodies() {
        var trailers = TrailerSection()
        func isRefused(_ name: String, _ value: String) -> Bool {
            trailers.add(Array(name.utf8).span, Array(value.utf8).span) != nil
        }
        let passed = [isRefused("x-sum", "1"), isRefused("content-length", "1"), isRefused("host", "a")]
        #expect(passed == [false, false, false])
        let (count, text) = (trailers.fields.count, trailers.bytes.text)
        #expect(count == 1)
        #expect(text == "x-sum: 1\r\n")
        let wrong = [(":path", "/"), ("X", "y"), ("x", " y"), ("x", "a\r\nb"), ("", "")]
        for (name, value) in wrong + [("x", String(repeating: "a", count: 4096))] {
            let isWrong = isRefused(name, value)
            #expect(isWrong, "\(name): \(value)")
        }
    }

    private static func read(
        _ fields: [Field], _ endsStream: Bool, _ head: inout RequestHead, _ parser: inout HTTP2RequestParser
    ) -> Verdict {
        parser.begin(&head)
        for (name, value) in fields { parser.add(Array(name.utf8).span, Array(value.utf8).span, to: &head) }
        switch parser.finish(&head, endsStream: endsStream) {
        case .malformed: return .malformed
        case .refused(let error): return .refused(error.cause)
        case .accepted:
            var out = ByteBuffer()
            ForwardingHeaders.appendEndToEndFields(
                of: head, policy: FieldPolicy(), peerIsTrusted: false, into: &out)
            return .accepted(out.text)
        }
    }
}
