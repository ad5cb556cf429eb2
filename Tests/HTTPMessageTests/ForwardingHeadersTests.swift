import ByteBuffers
import HTTPMessage
import Testing

/// A request head with these field lines.
private func withHead<R>(
    _ line: String = "GET / HTTP/1.1", host: String = "Host: a.example\r\n", fields: [String],
    _ body: (borrowing RequestHead) -> R
) throws -> R {
    var parser = HTTP1RequestParser(limits: HeadLimits())
    var head = RequestHead()
    let text = request(line, host: host, fields.map { $0 + "\r\n" }.joined())
    let progress = parser.consume(Array(text.utf8).span, into: &head)
    try #require(progress == .complete(consumed: text.utf8.count))
    return body(head)
}

/// The lines of a buffer.
private func lines(_ buffer: borrowing ByteBuffer) -> [String] {
    let text = buffer.text
    return text.isEmpty
        ? [] : text.split(separator: "\r\n", omittingEmptySubsequences: false).dropLast().map(String.init)
}

@Suite struct ForwardingHeadersTests {
    static let policy = FieldPolicy(identity: ["X-User-Id", "X-Tenant"], removed: ["X-Set-By-Route", "user-agent"])

    private func forwarded(_ fields: [String], isTrusted: Bool = false, policy: FieldPolicy = policy) throws -> [String]
    {
        try withHead(fields: fields) { head in
            var out = ByteBuffer()
            ForwardingHeaders.appendEndToEndFields(of: head, policy: policy, peerIsTrusted: isTrusted, into: &out)
            return lines(out)
        }
    }

    @Test func passesTheRestByteForByte() throws {
        let fields = [
            "accept: */*", "X-A:1", "X-A:   2", "x-a: 3", "Cookie: a=b", "cookie: c=d", "X-Empty:", "X_Under: 1",
            "Authorization: Bearer x", "X-Obs: \u{e9}", "content_type: x", "Content-Type: a/b", "X-Tab: a\tb",
        ]
        #expect(try forwarded(fields) == fields)
    }

    /// A policy that lists what passes: nothing else of the client's does, but what a proxy says of the way still does.
    @Test func passesNothingThatIsNotListed() throws {
        let policy = FieldPolicy(
            identity: ["X-User-Id"], removed: ["x-own", "x-both"],
            passed: ["accept-language", "Cookie", "X-Both", "x-own"])
        let fields = [
            "Accept-Language: de", "ACCEPT-LANGUAGE: en", "Accept_Language: fr", "cookie: a=b", "Cookie: c",
            "Cookies: d",
            "X-Own: 1", "X_Own: 2", "x-both: 3", "X-User-Id: 7", "X_User_Id: 8", "X-Other: 9", "Authorization: Basic e",
            "traceparent: f", "Host: g", "X-Forwarded-Port: 1", "Content-Length: 0", "TE: trailers",
        ].filter { !$0.hasPrefix("Host") }
        let passed = ["Accept-Language: de", "ACCEPT-LANGUAGE: en", "cookie: a=b", "Cookie: c"]
        #expect(try forwarded(fields, policy: policy) == passed)
        #expect(
            try forwarded(fields, isTrusted: true, policy: policy)
                == passed + ["X-User-Id: 7", "X-Forwarded-Port: 1"])
        // `Connection` takes away what is listed, too.
        #expect(try forwarded(["Connection: cookie", "Cookie: a"], policy: policy) == [])
        let none = FieldPolicy(identity: [], removed: [], passed: [])
        #expect(try forwarded(fields, policy: none) == [])
    }

    @Test func leavesOutTrailingWhiteSpaceAlone() throws {
        #expect(try forwarded(["X-A: 1  ", "X-B: 2\t", "X-C: 3"]) == ["X-A: 1", "X-B: 2", "X-C: 3"])
    }

    struct Dropped: CustomTestStringConvertible, Sendable {
        var fields: [String]
        /// What passes from any peer.
        var untrusted: [String] = []
        /// What passes from a trusted proxy; the same if nil.
        var trusted: [String]?
        var section: String
        var testDescription: String { "\(section): \(fields)" }
    }

    static let dropped: [Dropped] = [
        // Hop-by-hop.
        Dropped(fields: ["Connection: keep-alive", "Keep-Alive: timeout=5"], section: "RFC 9110 7.6.1"),
        Dropped(fields: ["Proxy-Connection: close", "Upgrade: h2c", "HTTP2-Settings: AAA"], section: "RFC 9110 7.6.1"),
        Dropped(fields: ["TE: trailers", "Trailer: X"], section: "RFC 9110 7.6.1"),
        Dropped(fields: ["Proxy-Authorization: a", "Proxy-Authenticate: b"], section: "RFC 9110 11.7"),
        Dropped(fields: ["Proxy: http://evil"], section: "CVE-2016-5385"),
        Dropped(
            fields: ["Connection: close, X-Foo ,x-bar", "X-Foo: 1", "X-Food: 2", "X-BAR: 3", "x-foo: 4"],
            untrusted: ["X-Food: 2"], section: "RFC 9110 7.6.1"),
        Dropped(
            fields: ["X-Foo: 1", "Connection: a", "X-B: 2", "Connection: x-foo"], untrusted: ["X-B: 2"],
            section: "RFC 9110 7.6.1"),
        // What the gateway writes anew.
        Dropped(fields: ["Via: 1.1 a", "X-Request-Id: a"], section: "RFC 9110 7.6.3"),
        Dropped(fields: ["X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: https"], section: "RFC 7239 8.1"),
        Dropped(fields: ["X-Forwarded-Host: a", "Forwarded: for=1.1.1.1"], section: "RFC 7239 8.1"),
        Dropped(
            fields: ["traceparent: a", "Tracestate: b", "Baggage: c", "b3: d", "X-B3-TraceId: e"],
            section: "tracing.md"),
        // What only a trusted proxy may say.
        Dropped(fields: ["X-Forwarded-Port: 1"], trusted: ["X-Forwarded-Port: 1"], section: "RFC 7239 8.1"),
        Dropped(
            fields: ["X-Real-IP: 1", "True-Client-IP: 2", "Banyan-A: 3"],
            trusted: ["X-Real-IP: 1", "True-Client-IP: 2", "Banyan-A: 3"], section: "security.md 2.3"),
        Dropped(
            fields: ["X-Original-URL: 1", "X-Rewrite-URL: 2"], trusted: ["X-Original-URL: 1", "X-Rewrite-URL: 2"],
            section: "security.md 2.3"),
        Dropped(fields: ["X-User-Id: 1", "x-tenant: 2"], trusted: ["X-User-Id: 1", "x-tenant: 2"], section: "4(2)"),
        // Spellings with an underscore pass from nobody.
        Dropped(fields: ["X_User_Id: 1", "X-User_Id: 2", "x_tenant: 3"], section: "security.md 2.3"),
        Dropped(fields: ["X_Forwarded_For: 1", "X-Real_IP: 2", "banyan_served_by: 3"], section: "security.md 2.3"),
        Dropped(fields: ["Proxy_Authorization: 1", "x_request_id: 2", "X_B3_TraceId: 3"], section: "security.md 2.3"),
        // What the route takes away passes from nobody.
        Dropped(fields: ["X-Set-By-Route: 1", "x_set_by_route: 2", "User_Agent: 3"], section: "4"),
        // Connection has no power over what the gateway or a trusted proxy says.
        Dropped(
            fields: ["Connection: x-user-id, x-real-ip", "X-User-Id: 1", "X-Real-IP: 2"],
            trusted: ["X-User-Id: 1", "X-Real-IP: 2"], section: "security.md 2.3"),
    ]

    @Test(arguments: dropped)
    func drops(_ dropped: Dropped) throws {
        let framed = ["X-First: a"] + dropped.fields + ["X-Last: b"]
        #expect(try forwarded(framed) == ["X-First: a"] + dropped.untrusted + ["X-Last: b"])
        #expect(
            try forwarded(framed, isTrusted: true)
                == ["X-First: a"] + (dropped.trusted ?? dropped.untrusted) + ["X-Last: b"])
    }

    @Test func neverPassesHostFramingAndExpect() throws {
        let kept = try withHead(
            "POST / HTTP/1.1", fields: ["Content-Length: 1", "Expect: 100-continue", "X: y"]
        ) { head in
            var out = ByteBuffer()
            ForwardingHeaders.appendEndToEndFields(of: head, policy: FieldPolicy(), peerIsTrusted: true, into: &out)
            return lines(out)
        }
        #expect(kept == ["X: y"])
        let chunked = try withHead("POST / HTTP/1.1", fields: ["Transfer-Encoding: chunked"]) { head in
            var out = ByteBuffer()
            ForwardingHeaders.appendEndToEndFields(of: head, policy: FieldPolicy(), peerIsTrusted: true, into: &out)
            return lines(out)
        }
        #expect(chunked == [])
    }

    struct Written: CustomTestStringConvertible, Sendable {
        var line = "GET / HTTP/1.1"
        var host = "a.example"
        var fields: [String] = []
        var peer: String?
        var scheme = RequestScheme.http
        var isTrusted = false
        var lines: [String]
        var testDescription: String { "\(host) \(fields) from \(peer ?? "a socket"), trusted: \(isTrusted)" }
    }

    static let chain = [
        "X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-Proto: https",
        "X-Forwarded-Host: front.example", "Forwarded: for=203.0.113.7;proto=https", "Via: 1.1 cdn (a, b)",
        "Via: 2 edge",
    ]

    static let written: [Written] = [
        Written(
            peer: "192.0.2.1",
            lines: [
                "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: a.example",
                "Forwarded: for=192.0.2.1;host=a.example;proto=http", "Via: 1.1 banyan",
            ]),
        Written(
            host: "a.example:8080", fields: chain, peer: "2001:db8::1", scheme: .https,
            lines: [
                "X-Forwarded-For: 2001:db8::1", "X-Forwarded-Proto: https", "X-Forwarded-Host: a.example:8080",
                "Forwarded: for=\"[2001:db8::1]\";host=\"a.example:8080\";proto=https",
                "Via: 1.1 cdn (a, b), 2 edge, 1.1 banyan",
            ]),
        Written(
            fields: chain, peer: "10.0.0.2", isTrusted: true,
            lines: [
                "X-Forwarded-For: 203.0.113.7, 10.0.0.1, 10.0.0.2", "X-Forwarded-Proto: https",
                "X-Forwarded-Host: front.example",
                "Forwarded: for=203.0.113.7;proto=https, for=10.0.0.2;host=a.example;proto=http",
                "Via: 1.1 cdn (a, b), 2 edge, 1.1 banyan",
            ]),
        Written(
            peer: "::ffff:10.0.0.2", isTrusted: true,
            lines: [
                "X-Forwarded-For: 10.0.0.2", "X-Forwarded-Proto: http", "X-Forwarded-Host: a.example",
                "Forwarded: for=10.0.0.2;host=a.example;proto=http", "Via: 1.1 banyan",
            ]),
        Written(
            line: "GET / HTTP/1.0", host: "", fields: ["X-Forwarded-For: 1.2.3.4"],
            lines: ["X-Forwarded-Proto: http", "Forwarded: for=unknown;proto=http", "Via: 1.0 banyan"]),
        Written(
            fields: ["X-Forwarded-For: 1.2.3.4", "X-Forwarded-For:", "Via:"], isTrusted: true,
            lines: [
                "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: http", "X-Forwarded-Host: a.example",
                "Forwarded: for=unknown;host=a.example;proto=http", "Via: 1.1 banyan",
            ]),
        Written(
            line: "GET http://[::1]:80/ HTTP/1.1", peer: "192.0.2.1",
            lines: [
                "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: [::1]:80",
                "Forwarded: for=192.0.2.1;host=\"[::1]:80\";proto=http", "Via: 1.1 banyan",
            ]),
    ]

    @Test(arguments: written)
    func writesWhereARequestComesFrom(_ written: Written) throws {
        let host = written.host.isEmpty ? "" : "Host: \(written.host)\r\n"
        let peer = written.peer.flatMap(address)
        let result = try withHead(written.line, host: host, fields: written.fields) { head in
            var out = ByteBuffer()
            ForwardingHeaders.appendForwardingFields(
                of: head, peer: peer, scheme: written.scheme, peerIsTrusted: written.isTrusted, into: &out)
            return lines(out)
        }
        #expect(result == written.lines)
    }

    /// RFC 9110 §7.6.3: `received-protocol RWS received-by [ RWS comment ]`.
    static let vias: [(String, Bool)] = [
        ("1.1 banyan", true), ("1.0 Banyan", true), ("HTTP/1.1 banyan:8080", true), ("1.1 a, 1.1 banyan", true),
        ("1.1 a (x, y), 1.1 banyan (z)", true), ("1.1\tbanyan", true), (",, 2 banyan", true), ("1.1 banyan(c)", true),
        ("1.1 a (1.1 banyan, 1.1 banyan)", false), ("1.1 a (\\), 1.1 banyan)", false), ("1.1 banyans", false),
        ("1.1 xbanyan", false), ("banyan", false), ("banyan 1.1", false), ("1.1 a banyan", false), ("", false),
        ("1.1 a (unclosed, 1.1 banyan", true), ("1.1", false), ("1.1 a), 1.1 banyan", true), ("1.1 (banyan)", false),
    ]

    @Test(arguments: vias)
    func findsItselfInVia(_ value: String, isThere: Bool) throws {
        #expect(try withHead(fields: ["Via: \(value)"]) { ForwardingHeaders.via(of: $0) } == isThere)
        #expect(try withHead(fields: ["Via: 1.1 x", "Via: \(value)"]) { ForwardingHeaders.via(of: $0) } == isThere)
        let sidecar = GatewayName("Sidecar-1")
        #expect(try withHead(fields: ["Via: \(value)"]) { ForwardingHeaders.via(of: $0, names: sidecar) } == false)
        let renamed = value.replacing("banyan", with: "sidecar-1").replacing("Banyan", with: "SIDECAR-1")
        #expect(
            try withHead(fields: ["Via: \(renamed)"]) { ForwardingHeaders.via(of: $0, names: sidecar) } == isThere)
    }

    struct Client: CustomTestStringConvertible, Sendable {
        var chain: [String]
        var peer: String? = "10.0.0.9"
        var isTrusted = true
        var client: String?
        var testDescription: String { "\(chain) from \(peer ?? "a socket")" }
    }

    static let clients: [Client] = [
        Client(chain: [], client: "10.0.0.9"),
        Client(chain: ["203.0.113.7"], client: "203.0.113.7"),
        Client(chain: ["6.6.6.6, 203.0.113.7"], client: "203.0.113.7"),
        Client(chain: ["6.6.6.6", "203.0.113.7"], client: "203.0.113.7"),
        Client(chain: ["203.0.113.7, 10.0.0.1", "10.0.0.2 ,\t10.0.0.3"], client: "203.0.113.7"),
        Client(chain: ["10.0.0.1, 10.0.0.2"], client: "10.0.0.1"),
        Client(chain: ["6.6.6.6, unknown, 10.0.0.2"], client: "10.0.0.2"),
        Client(chain: ["6.6.6.6, unknown"], client: "10.0.0.9"),
        Client(chain: ["203.0.113.7,, ,10.0.0.2,"], client: "203.0.113.7"),
        Client(chain: ["203.0.113.7:4711"], client: "203.0.113.7"),
        Client(chain: ["[2001:db8::7]:4711, fd00::1"], client: "2001:db8::7"),
        Client(chain: ["2001:db8::7"], client: "2001:db8::7"),
        Client(chain: ["::ffff:203.0.113.7"], client: "203.0.113.7"),
        Client(chain: ["6.6.6.6"], peer: "203.0.113.7", isTrusted: false, client: "203.0.113.7"),
        Client(chain: ["203.0.113.7"], peer: nil, client: "203.0.113.7"),
        Client(chain: [], peer: nil, client: nil),
        Client(chain: ["203.0.113.7"], peer: nil, isTrusted: false, client: nil),
    ]

    @Test(arguments: clients)
    func findsTheClient(_ client: Client) throws {
        let trusted = CIDRSet([try block("10.0.0.0/8"), try block("fd00::/8")])
        let peer = client.peer.flatMap(address)
        let found = try withHead(fields: client.chain.map { "X-Forwarded-For: \($0)" }) { head in
            ForwardingHeaders.clientAddress(of: head, peer: peer, peerIsTrusted: client.isTrusted, trusted: trusted)
        }
        #expect(found == client.client.flatMap(address))
    }

    @Test(arguments: [
        (["X-Request-Id: abc-123"], true, true), (["X-Request-Id: abc-123"], false, false), ([], true, false),
        (["X-Request-Id: a b"], true, false), (["X-Request-Id: a", "X-Request-Id: a"], true, false),
        (["X-Request-Id:"], true, false), (["X-Request-Id: " + String(repeating: "a", count: 128)], true, true),
        (["X-Request-Id: " + String(repeating: "a", count: 129)], true, false), (["X_Request_Id: a"], true, false),
    ])
    func carriesOnASaneRequestID(_ fields: [String], isTrusted: Bool, isCarriedOn: Bool) throws {
        let index = try withHead(fields: fields) { ForwardingHeaders.requestID(of: $0, peerIsTrusted: isTrusted) }
        #expect(index == (isCarriedOn ? 1 : nil))
    }

    @Test(arguments: [
        ("trailers", true), ("Trailers", true), ("deflate, trailers;q=1", false), ("gzip , trailers", true),
        ("", false),
        ("xtrailers", false),
    ])
    func knowsWhoTakesTrailers(_ value: String, _ accepts: Bool) throws {
        #expect(try withHead(fields: ["TE: \(value)"]) { $0.acceptsTrailers } == accepts)
    }
}

@Suite struct ResponseForwardingTests {
    private func downstream(_ fields: [String], removing policy: FieldPolicy = FieldPolicy()) throws -> [String] {
        var parser = HTTP1ResponseParser()
        var head = ResponseHead()
        let text = "HTTP/1.1 200 OK\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
        let progress = parser.consume(Array(text.utf8).span, into: &head, requestMethod: .get)
        try #require(progress == .complete(consumed: text.utf8.count))
        var out = ByteBuffer()
        ForwardingHeaders.appendEndToEndFields(of: head, removing: policy, into: &out)
        ForwardingHeaders.appendVia(of: head, into: &out)
        return lines(out)
    }

    @Test func passesWhatIsForTheClient() throws {
        let fields = [
            "Server: x", "date: y", "Set-Cookie: a", "set-cookie: b", "X-Forwarded-For: odd", "ETag: \"c\"",
            "traceresponse: d", "Content_Type: e",
        ]
        #expect(try downstream(fields) == fields + ["Via: 1.1 banyan"])
    }

    @Test func dropsWhatIsForTheGateway() throws {
        let fields = [
            "Connection: X-Private", "X-Private: 1", "Keep-Alive: 2", "Upgrade: 3", "Trailer: 4",
            "Proxy-Authenticate: 5", "Content-Length: 6", "Banyan-Served-By: 7", "X-Request-Id: 8",
            "banyan_served_by: 9", "Via: 1.0 cache", "X-Kept: 10",
        ]
        #expect(try downstream(fields) == ["X-Kept: 10", "Via: 1.0 cache, 1.1 banyan"])
    }

    @Test func dropsWhatTheRouteRemoves() throws {
        let policy = FieldPolicy(identity: [], removed: ["server", "X-Powered-By"])
        let fields = ["Server: a", "x_powered_by: b", "X-Kept: c", "SERVER: d"]
        #expect(try downstream(fields, removing: policy) == ["X-Kept: c", "Via: 1.1 banyan"])
    }

    @Test func passesTrailers() throws {
        var decoder = BodyDecoder()
        decoder.begin(.chunked)
        let text = "0\r\nX-A: 1\r\nX-User-Id: 2\r\nHost: 3\r\nx_user_id: 4\r\nX-B:  5 \r\n\r\n"
        _ = BodyFeeding.feed(Array(text.utf8), into: &decoder)
        var out = ByteBuffer()
        let policy = FieldPolicy(identity: ["X-User-Id"], removed: [])
        ForwardingHeaders.appendTrailers(of: decoder.chunks.trailers, policy: policy, into: &out)
        #expect(lines(out) == ["X-A: 1", "X-B:  5"])
    }
}
