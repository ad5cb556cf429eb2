import ByteBuffers

/// A field name that the gateway knows, as a small integer: below 64, so that a block can note in one word which are there.
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

    /// The known name of these bytes, in any case; ``other`` where there is none. A guarded name that is spelt with `_`
    /// in place of `-` is a ``lookalike`` or a ``framingLookalike``.
    package static func named(_ bytes: Span<UInt8>) -> HeaderName {
        let name = lookUp(bytes)
        if name == .other || bytes.firstIndex(of: UInt8(ascii: "_")) == nil { return name }
        if name == .contentLength || name == .transferEncoding { return .framingLookalike }
        return name.isGuarded ? .lookalike : .other
    }

    /// The known name of these bytes with `_` read as `-`: by length, then by text.
    private static func lookUp(_ bytes: Span<UInt8>) -> HeaderName {
        switch bytes.count {
        case 2:
            if bytes.isSpelt("te") { return .te }
            if bytes.isSpelt("b3") { return .b3 }
        case 3:
            if bytes.isSpelt("via") { return .via }
            if bytes.isSpelt("age") { return .age }
        case 4:
            if bytes.isSpelt("host") { return .host }
            if bytes.isSpelt("date") { return .date }
            if bytes.isSpelt("etag") { return .etag }
            if bytes.isSpelt("vary") { return .vary }
        case 5:
            if bytes.isSpelt("range") { return .range }
            if bytes.isSpelt("allow") { return .allow }
            if bytes.isSpelt("proxy") { return .proxy }
        case 6:
            if bytes.isSpelt("accept") { return .accept }
            if bytes.isSpelt("cookie") { return .cookie }
            if bytes.isSpelt("origin") { return .origin }
            if bytes.isSpelt("server") { return .server }
            if bytes.isSpelt("expect") { return .expect }
            if bytes.isSpelt("pragma") { return .pragma }
        case 7:
            if bytes.isSpelt("referer") { return .referer }
            if bytes.isSpelt("upgrade") { return .upgrade }
            if bytes.isSpelt("trailer") { return .trailer }
            if bytes.isSpelt("baggage") { return .baggage }
            if bytes.isSpelt("expires") { return .expires }
            if bytes.isSpelt("warning") { return .warning }
        case 8:
            if bytes.isSpelt("if-match") { return .ifMatch }
            if bytes.isSpelt("location") { return .location }
        case 9:
            if bytes.isSpelt("forwarded") { return .forwarded }
            if bytes.isSpelt("x-real-ip") { return .xRealIP }
        case 10:
            if bytes.isSpelt("connection") { return .connection }
            if bytes.isSpelt("user-agent") { return .userAgent }
            if bytes.isSpelt("keep-alive") { return .keepAlive }
            if bytes.isSpelt("set-cookie") { return .setCookie }
            if bytes.isSpelt("tracestate") { return .tracestate }
        case 11:
            if bytes.isSpelt("traceparent") { return .traceparent }
            if bytes.isSpelt("retry-after") { return .retryAfter }
            if bytes.isSpelt("x-forwarded") { return .xForwarded }
        case 12:
            if bytes.isSpelt("content-type") { return .contentType }
            if bytes.isSpelt("x-request-id") { return .xRequestID }
            if bytes.isSpelt("max-forwards") { return .maxForwards }
        case 13:
            if bytes.isSpelt("cache-control") { return .cacheControl }
            if bytes.isSpelt("authorization") { return .authorization }
            if bytes.isSpelt("if-none-match") { return .ifNoneMatch }
            if bytes.isSpelt("last-modified") { return .lastModified }
            if bytes.isSpelt("content-range") { return .contentRange }
            if bytes.isSpelt("x-rewrite-url") { return .xRewriteURL }
        case 14:
            if bytes.isSpelt("content-length") { return .contentLength }
            if bytes.isSpelt("http2-settings") { return .http2Settings }
            if bytes.isSpelt("true-client-ip") { return .trueClientIP }
            if bytes.isSpelt("x-original-url") { return .xOriginalURL }
        case 15:
            if bytes.isSpelt("accept-encoding") { return .acceptEncoding }
            if bytes.isSpelt("x-forwarded-for") { return .xForwardedFor }
        case 16:
            if bytes.isSpelt("content-encoding") { return .contentEncoding }
            if bytes.isSpelt("x-forwarded-host") { return .xForwardedHost }
            if bytes.isSpelt("www-authenticate") { return .wwwAuthenticate }
            if bytes.isSpelt("proxy-connection") { return .proxyConnection }
        case 17:
            if bytes.isSpelt("transfer-encoding") { return .transferEncoding }
            if bytes.isSpelt("x-forwarded-proto") { return .xForwardedProto }
            if bytes.isSpelt("if-modified-since") { return .ifModifiedSince }
        case 18:
            if bytes.isSpelt("proxy-authenticate") { return .proxyAuthenticate }
        case 19:
            if bytes.isSpelt("proxy-authorization") { return .proxyAuthorization }
        default: break
        }
        return family(bytes)
    }

    /// The names that are known by how they begin.
    private static func family(_ bytes: Span<UInt8>) -> HeaderName {
        guard bytes.count > 5 else { return .other }
        switch bytes[0] | 0x20 {
        case UInt8(ascii: "b"):
            if bytes.count > 7, bytes.extracting(0..<7).isSpelt("banyan-") { return .banyan }
        case UInt8(ascii: "x"):
            if bytes.extracting(0..<5).isSpelt("x-b3-") { return .xB3 }
            if bytes.count > 12, bytes.extracting(0..<12).isSpelt("x-forwarded-") { return .xForwarded }
        default: break
        }
        return .other
    }
}

extension UInt8 {
    /// The byte as names are compared where `_` must not differ from `-`: lower case, with `-` for `_`.
    @inline(__always) var foldedForNames: UInt8 { self == UInt8(ascii: "_") ? UInt8(ascii: "-") : asciiLowercased }
}

extension Span where Element == UInt8 {
    /// Whether the bytes are `literal`, which is in lower case and as long, in any case and with `_` read as `-`.
    @inline(__always)
    fileprivate func isSpelt(_ literal: StaticString) -> Bool {
        let length = literal.utf8CodeUnitCount
        guard count == length else { return false }
        for index in 0..<length {
            // SAFETY: a literal lives for ever, and the index is below its length and that of the span, which are equal.
            if self[unchecked: index].foldedForNames != literal.utf8Start[index] { return false }
        }
        return true
    }
}
