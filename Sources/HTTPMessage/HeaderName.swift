import ByteBuffers

/// A field name that the gateway knows, as a small integer: below 64, so that a block can note in one word which are
/// there.
package struct HeaderName: RawRepresentable, Equatable, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// A name that the gateway has no use for.
    package static let other = HeaderName(rawValue: 0)

    // Framing and routing.
    package static let host = HeaderName(rawValue: 1)
    package static let contentLength = HeaderName(rawValue: 2)
    package static let transferEncoding = HeaderName(rawValue: 3)
    package static let expect = HeaderName(rawValue: 4)

    // Hop-by-hop (RFC 9110 §7.6.1) and what goes no further for other reasons.
    package static let connection = HeaderName(rawValue: 5)
    package static let keepAlive = HeaderName(rawValue: 6)
    package static let proxyConnection = HeaderName(rawValue: 7)
    package static let proxyAuthorization = HeaderName(rawValue: 8)
    package static let proxyAuthenticate = HeaderName(rawValue: 9)
    package static let te = HeaderName(rawValue: 10)
    package static let trailer = HeaderName(rawValue: 11)
    package static let upgrade = HeaderName(rawValue: 12)
    /// `HTTP2-Settings` (RFC 7540 §3.2.1; obsolete since RFC 9113).
    package static let http2Settings = HeaderName(rawValue: 13)
    /// `Proxy`: becomes the variable HTTP_PROXY of a CGI program (CVE-2016-5385).
    package static let proxy = HeaderName(rawValue: 14)

    // What only the gateway, or a trusted proxy before it, may say.
    package static let via = HeaderName(rawValue: 15)
    package static let forwarded = HeaderName(rawValue: 16)
    package static let xForwardedFor = HeaderName(rawValue: 17)
    package static let xForwardedHost = HeaderName(rawValue: 18)
    package static let xForwardedProto = HeaderName(rawValue: 19)
    /// `X-Forwarded` and any other `X-Forwarded-*`.
    package static let xForwarded = HeaderName(rawValue: 20)
    package static let xRealIP = HeaderName(rawValue: 21)
    package static let trueClientIP = HeaderName(rawValue: 22)
    package static let xOriginalURL = HeaderName(rawValue: 23)
    package static let xRewriteURL = HeaderName(rawValue: 24)
    /// Any `Banyan-*`.
    package static let banyan = HeaderName(rawValue: 25)
    package static let xRequestID = HeaderName(rawValue: 26)

    // Trace context.
    package static let traceparent = HeaderName(rawValue: 27)
    package static let tracestate = HeaderName(rawValue: 28)
    package static let baggage = HeaderName(rawValue: 29)
    package static let b3 = HeaderName(rawValue: 30)
    /// Any `X-B3-*`.
    package static let xB3 = HeaderName(rawValue: 31)

    // Spellings with `_`, which many servers cannot tell from `-` (RFC 3875 §4.1.18 maps both to one variable).
    /// A guarded name (see ``isGuarded``) spelt with `_`: never read, never passed on.
    package static let lookalike = HeaderName(rawValue: 32)
    /// `Content_Length` or `Transfer_Encoding` in any mixture: a request with it is refused.
    package static let framingLookalike = HeaderName(rawValue: 33)

    // Passed on; the gateway reads some of them.
    package static let authorization = HeaderName(rawValue: 34)
    package static let cookie = HeaderName(rawValue: 35)
    package static let setCookie = HeaderName(rawValue: 36)
    package static let date = HeaderName(rawValue: 37)
    package static let server = HeaderName(rawValue: 38)
    package static let contentType = HeaderName(rawValue: 39)
    package static let contentEncoding = HeaderName(rawValue: 40)
    package static let contentRange = HeaderName(rawValue: 41)
    package static let cacheControl = HeaderName(rawValue: 42)
    package static let vary = HeaderName(rawValue: 43)
    package static let etag = HeaderName(rawValue: 44)
    package static let ifMatch = HeaderName(rawValue: 45)
    package static let ifNoneMatch = HeaderName(rawValue: 46)
    package static let ifModifiedSince = HeaderName(rawValue: 47)
    package static let location = HeaderName(rawValue: 48)
    package static let userAgent = HeaderName(rawValue: 49)
    package static let accept = HeaderName(rawValue: 50)
    package static let acceptEncoding = HeaderName(rawValue: 51)
    package static let origin = HeaderName(rawValue: 52)
    package static let referer = HeaderName(rawValue: 53)
    package static let retryAfter = HeaderName(rawValue: 54)
    package static let warning = HeaderName(rawValue: 55)
    package static let age = HeaderName(rawValue: 56)
    package static let expires = HeaderName(rawValue: 57)
    package static let lastModified = HeaderName(rawValue: 58)
    package static let range = HeaderName(rawValue: 59)
    package static let maxForwards = HeaderName(rawValue: 60)
    package static let pragma = HeaderName(rawValue: 61)
    package static let allow = HeaderName(rawValue: 62)
    package static let wwwAuthenticate = HeaderName(rawValue: 63)

    /// The bit of this name in a set of names.
    @inline(__always) var bit: UInt64 { 1 &<< UInt64(rawValue & 63) }

    /// Whether some reader gives the field power over framing, the connection, identity or forwarding, so that a
    /// spelling with `_` must not slip past: all names up to ``xB3``.
    package var isGuarded: Bool { rawValue >= 1 && rawValue <= HeaderName.xB3.rawValue }

    /// Whether ``named(_:)`` compared every byte of the name and each was a letter, a digit, `-` or `_` (control bytes,
    /// which no line of a head has, left aside): not for unknown names and families, of which a prefix is compared.
    var isSpeltOut: Bool {
        switch self {
        case .other, .xForwarded, .xB3, .banyan, .lookalike: false
        default: true
        }
    }

    /// The known name of these bytes, which are a token, in any case; ``other`` where there is none. A guarded name
    /// that is spelt with `_` in place of `-` is a ``lookalike`` or a ``framingLookalike``.
    package static func named(_ bytes: Span<UInt8>) -> HeaderName {
        let count = bytes.count
        if NameKey.lengths.contains(count) {
            let key = NameKey(bytes)
            let name = lookUp(key, count: count)
            if name != .other { return key.hasUnderscore ? name.misspelt : name }
        }
        let name = family(bytes, count: count)
        if name == .other || bytes.firstIndex(of: UInt8(ascii: "_")) == nil { return name }
        return name.misspelt
    }

    /// What a spelling of this name with `_` is.
    private var misspelt: HeaderName {
        if self == .contentLength || self == .transferEncoding { return .framingLookalike }
        return isGuarded ? .lookalike : .other
    }

    /// The known name of a key: by length, then by text.
    private static func lookUp(_ key: NameKey, count: Int) -> HeaderName {
        switch count {
        case 2:
            if key == NameKey("te") { return .te }
            if key == NameKey("b3") { return .b3 }
        case 3:
            if key == NameKey("via") { return .via }
            if key == NameKey("age") { return .age }
        case 4:
            if key == NameKey("host") { return .host }
            if key == NameKey("date") { return .date }
            if key == NameKey("etag") { return .etag }
            if key == NameKey("vary") { return .vary }
        case 5:
            if key == NameKey("range") { return .range }
            if key == NameKey("allow") { return .allow }
            if key == NameKey("proxy") { return .proxy }
        case 6:
            if key == NameKey("accept") { return .accept }
            if key == NameKey("cookie") { return .cookie }
            if key == NameKey("origin") { return .origin }
            if key == NameKey("server") { return .server }
            if key == NameKey("expect") { return .expect }
            if key == NameKey("pragma") { return .pragma }
        case 7:
            if key == NameKey("referer") { return .referer }
            if key == NameKey("upgrade") { return .upgrade }
            if key == NameKey("trailer") { return .trailer }
            if key == NameKey("baggage") { return .baggage }
            if key == NameKey("expires") { return .expires }
            if key == NameKey("warning") { return .warning }
        case 8:
            if key == NameKey("if-match") { return .ifMatch }
            if key == NameKey("location") { return .location }
        case 9:
            if key == NameKey("forwarded") { return .forwarded }
            if key == NameKey("x-real-ip") { return .xRealIP }
        case 10:
            if key == NameKey("connection") { return .connection }
            if key == NameKey("user-agent") { return .userAgent }
            if key == NameKey("keep-alive") { return .keepAlive }
            if key == NameKey("set-cookie") { return .setCookie }
            if key == NameKey("tracestate") { return .tracestate }
        case 11:
            if key == NameKey("traceparent") { return .traceparent }
            if key == NameKey("retry-after") { return .retryAfter }
            if key == NameKey("x-forwarded") { return .xForwarded }
        case 12:
            if key == NameKey("content-type") { return .contentType }
            if key == NameKey("x-request-id") { return .xRequestID }
            if key == NameKey("max-forwards") { return .maxForwards }
        case 13:
            if key == NameKey("cache-control") { return .cacheControl }
            if key == NameKey("authorization") { return .authorization }
            if key == NameKey("if-none-match") { return .ifNoneMatch }
            if key == NameKey("last-modified") { return .lastModified }
            if key == NameKey("content-range") { return .contentRange }
            if key == NameKey("x-rewrite-url") { return .xRewriteURL }
        case 14:
            if key == NameKey("content-length") { return .contentLength }
            if key == NameKey("http2-settings") { return .http2Settings }
            if key == NameKey("true-client-ip") { return .trueClientIP }
            if key == NameKey("x-original-url") { return .xOriginalURL }
        case 15:
            if key == NameKey("accept-encoding") { return .acceptEncoding }
            if key == NameKey("x-forwarded-for") { return .xForwardedFor }
        case 16:
            if key == NameKey("content-encoding") { return .contentEncoding }
            if key == NameKey("x-forwarded-host") { return .xForwardedHost }
            if key == NameKey("www-authenticate") { return .wwwAuthenticate }
            if key == NameKey("proxy-connection") { return .proxyConnection }
        case 17:
            if key == NameKey("transfer-encoding") { return .transferEncoding }
            if key == NameKey("x-forwarded-proto") { return .xForwardedProto }
            if key == NameKey("if-modified-since") { return .ifModifiedSince }
        case 18:
            if key == NameKey("proxy-authenticate") { return .proxyAuthenticate }
        case 19:
            if key == NameKey("proxy-authorization") { return .proxyAuthorization }
        default: break
        }
        return .other
    }

    /// The names that are known by how they begin.
    private static func family(_ bytes: Span<UInt8>, count: Int) -> HeaderName {
        guard count > 5 else { return .other }
        switch bytes[unchecked: 0] | 0x20 {
        case UInt8(ascii: "b"):
            if count > 7, NameKey(bytes.extracting(0..<7)) == NameKey("banyan-") { return .banyan }
        case UInt8(ascii: "x"):
            if NameKey(bytes.extracting(0..<5)) == NameKey("x-b3-") { return .xB3 }
            if count > 12, NameKey(bytes.extracting(0..<12)) == NameKey("x-forwarded-") { return .xForwarded }
        default: break
        }
        return .other
    }
}

extension UInt8 {
    /// The byte as names are compared where `_` must not differ from `-`: lower case, with `-` for `_`.
    @inline(__always) var foldedForNames: UInt8 { self == UInt8(ascii: "_") ? UInt8(ascii: "-") : asciiLowercased }
}
