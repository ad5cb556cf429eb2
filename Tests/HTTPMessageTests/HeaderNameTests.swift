import ByteBuffers
import HTTPMessage
import Testing

@Suite struct HeaderNameTests {
    /// Every name that has a number, and what its number is; families by an example.
    static let names: [(String, HeaderName)] = [
        ("host", .host), ("content-length", .contentLength), ("transfer-encoding", .transferEncoding),
        ("expect", .expect), ("connection", .connection), ("keep-alive", .keepAlive),
        ("proxy-connection", .proxyConnection), ("proxy-authorization", .proxyAuthorization),
        ("proxy-authenticate", .proxyAuthenticate), ("te", .te), ("trailer", .trailer), ("upgrade", .upgrade),
        ("http2-settings", .http2Settings), ("proxy", .proxy), ("via", .via), ("forwarded", .forwarded),
        ("x-forwarded-for", .xForwardedFor), ("x-forwarded-host", .xForwardedHost),
        ("x-forwarded-proto", .xForwardedProto), ("x-forwarded-port", .xForwarded), ("x-forwarded", .xForwarded),
        ("x-forwarded-prefix-of-some-length", .xForwarded), ("x-real-ip", .xRealIP), ("true-client-ip", .trueClientIP),
        ("x-original-url", .xOriginalURL), ("x-rewrite-url", .xRewriteURL), ("banyan-served-by", .banyan),
        ("banyan-x", .banyan), ("x-request-id", .xRequestID), ("traceparent", .traceparent),
        ("tracestate", .tracestate), ("baggage", .baggage), ("b3", .b3), ("x-b3-traceid", .xB3), ("x-b3-flags", .xB3),
        ("x-b3-parentspanid", .xB3), ("authorization", .authorization), ("cookie", .cookie),
        ("set-cookie", .setCookie), ("date", .date), ("server", .server), ("content-type", .contentType),
        ("content-encoding", .contentEncoding), ("content-range", .contentRange), ("cache-control", .cacheControl),
        ("vary", .vary), ("etag", .etag), ("if-match", .ifMatch), ("if-none-match", .ifNoneMatch),
        ("if-modified-since", .ifModifiedSince), ("location", .location), ("user-agent", .userAgent),
        ("accept", .accept), ("accept-encoding", .acceptEncoding), ("origin", .origin), ("referer", .referer),
        ("retry-after", .retryAfter), ("warning", .warning), ("age", .age), ("expires", .expires),
        ("last-modified", .lastModified), ("range", .range), ("max-forwards", .maxForwards), ("pragma", .pragma),
        ("allow", .allow), ("www-authenticate", .wwwAuthenticate),
    ]

    @Test(arguments: names)
    func knowsNamesInAnyCase(_ name: String, _ id: HeaderName) {
        let mixed = String(
            name.enumerated().map { $0.offset.isMultiple(of: 2) ? Character($0.element.uppercased()) : $0.element })
        for spelling in [name, name.uppercased(), mixed] {
            #expect(headerName(spelling) == id, "\(spelling)")
        }
        #expect(id.rawValue < 64)
    }

    /// A byte more, less or other makes another name.
    @Test(arguments: names.filter { ![.xForwarded, .banyan, .xB3].contains($0.1) })
    func knowsNothingElse(_ name: String, _ id: HeaderName) {
        let bytes = Array(name.utf8)
        var others = [
            bytes + Array("x".utf8), Array("x".utf8) + bytes, Array(bytes.dropLast()), Array(bytes.dropFirst()),
        ]
        for index in bytes.indices {
            var other = bytes
            other[index] = bytes[index] == UInt8(ascii: "q") ? UInt8(ascii: "z") : UInt8(ascii: "q")
            others.append(other)
        }
        for other in others {
            #expect(headerName(String(decoding: other, as: UTF8.self)) != id, "\(other)")
        }
    }

    /// Each spelling with `_` of a guarded name is kept apart from the name, and from names that mean nothing.
    @Test(arguments: names.filter { $0.0.contains("-") })
    func recognisesUnderscores(_ name: String, _ id: HeaderName) {
        let bytes = Array(name.utf8)
        let dashes = bytes.indices.filter { bytes[$0] == UInt8(ascii: "-") }
        for mask in 1..<(1 << dashes.count) {
            var spelling = bytes
            for (bit, index) in dashes.enumerated() where mask >> bit & 1 == 1 { spelling[index] = UInt8(ascii: "_") }
            let expected: HeaderName =
                id == .contentLength || id == .transferEncoding
                ? .framingLookalike : id.isGuarded ? .lookalike : .other
            #expect(headerName(String(decoding: spelling, as: UTF8.self)) == expected, "\(spelling)")
        }
    }

    @Test(arguments: [
        "", "x", "x-", "-", "_", "x-b3-", "banyan-", "banyan", "x-b", "xb3", "x_custom", "a-b_c-d-e-f-g-h-i-j-k-l-m",
    ])
    func othersAreOther(_ name: String) {
        #expect(headerName(name) == .other)
    }

    @Test func blockFindsFields() {
        var block = HeaderBlock()
        for round in 0..<3 {
            for index in 0..<40 {
                let id: HeaderName = index % 4 == 1 ? .cookie : index == 6 ? .host : .other
                block.append(
                    HeaderField(
                        name: ByteRange(start: index, count: round), value: ByteRange(start: index, count: 7), id: id))
            }
            var cookies: [Int] = []
            var next = block.first(.cookie)
            while let index = next {
                cookies.append(index)
                next = block.firstIndex(of: .cookie, after: index)
            }
            #expect(cookies == Array(stride(from: 1, to: 40, by: 4)))
            let (count, last, host, only, none) = (
                block.count, block[39], block.only(.host), block.only(.cookie), block.first(.via)
            )
            #expect(count == 40)
            #expect(last.name == ByteRange(start: 39, count: round))
            #expect(host == 6)
            #expect(only == nil)
            #expect(none == nil)
            if round == 1 { block.releaseMemory() } else { block.removeAll() }
            let (emptied, hasHost) = (block.count, block.contains(.host))
            #expect(emptied == 0)
            #expect(!hasHost)
        }
    }

    /// Every byte against the grammar of tokens (RFC 9110 §5.6.2).
    @Test func tokensAreTokens() {
        let allowed = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
        for byte in UInt8.min...UInt8.max {
            let isToken = [byte].span.isToken && [65, byte].span.isToken
            let isNoToken = ![byte].span.isToken && ![65, byte].span.isToken
            #expect(isToken == allowed.contains(byte), "\(byte)")
            #expect(isNoToken != allowed.contains(byte), "\(byte)")
        }
        let emptyIsToken = [UInt8]().span.isToken
        #expect(!emptyIsToken)
    }

    struct Known: Sendable {
        var text: String
        var method: HTTPMessage.Method
        var isSafe: Bool
        var isIdempotent: Bool
    }

    /// RFC 9110 §9.2.1, §9.2.2; what is unknown is neither.
    static let methods: [Known] = [
        Known(text: "GET", method: .get, isSafe: true, isIdempotent: true),
        Known(text: "HEAD", method: .head, isSafe: true, isIdempotent: true),
        Known(text: "OPTIONS", method: .options, isSafe: true, isIdempotent: true),
        Known(text: "TRACE", method: .trace, isSafe: true, isIdempotent: true),
        Known(text: "QUERY", method: .query, isSafe: true, isIdempotent: true),
        Known(text: "PUT", method: .put, isSafe: false, isIdempotent: true),
        Known(text: "DELETE", method: .delete, isSafe: false, isIdempotent: true),
        Known(text: "POST", method: .post, isSafe: false, isIdempotent: false),
        Known(text: "PATCH", method: .patch, isSafe: false, isIdempotent: false),
        Known(text: "CONNECT", method: .connect, isSafe: false, isIdempotent: false),
        Known(text: "get", method: .other, isSafe: false, isIdempotent: false),
        Known(text: "PROPFIND", method: .other, isSafe: false, isIdempotent: false),
        Known(text: "", method: .other, isSafe: false, isIdempotent: false),
    ]

    @Test(arguments: methods)
    func knowsMethods(_ known: Known) {
        let method = Method.named(Array(known.text.utf8).span)
        #expect(method == known.method)
        #expect(method.isSafe == known.isSafe)
        #expect(method.isIdempotent == known.isIdempotent)
    }
}
