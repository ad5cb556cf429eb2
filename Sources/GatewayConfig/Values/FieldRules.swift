/// What may stand in header fields that the configuration sets (RFC 9110 §5), and which fields it must leave alone.
package enum FieldRules {
    /// Whether `name` is a token (RFC 9110 §5.6.2), at most 128 bytes long.
    package static func isName(_ name: String) -> Bool {
        (1...128).contains(name.utf8.count) && name.utf8.allSatisfy(isTokenByte)
    }

    /// Whether `value` can be sent as it is: visible characters, blanks and tabs between them (RFC 9110 §5.5). CR, LF
    /// and NUL would end or forge a field; blanks at the ends would be lost on the way.
    package static func isValue(_ value: String) -> Bool {
        let bytes = value.utf8
        let isBlank = { (byte: UInt8?) in byte == 0x20 || byte == 0x09 }
        return bytes.allSatisfy { $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7F) }
            && !isBlank(bytes.first) && !isBlank(bytes.last) && bytes.count <= 8192
    }

    /// Whether `method` is a token of at most 32 bytes (http-behaviour.md §2) in upper case: methods are compared with
    /// case (RFC 9110 §9.1), so that `get` would match nothing.
    package static func isMethod(_ method: String) -> Bool {
        (1...32).contains(method.utf8.count)
            && method.utf8.allSatisfy { isTokenByte($0) && !(0x61...0x7A).contains($0) }
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x41...0x5A, 0x30...0x39: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    /// Why the configuration cannot write the request field `name` itself, or nil where it can.
    ///
    /// Fields of the connection and of framing belong to the codec (request smuggling, RFC 9112 §11.2); fields in which
    /// the gateway speaks in its own name are written last whatever the file says (http-behaviour.md §4), so a value
    /// here would be lost without a word.
    package static func reasonAgainstRequest(_ name: String) -> String? {
        let name = canonical(name)
        if connectionFields.contains(name) { return "belongs to the connection, not to the request" }
        if name == "host" { return "is set by \"host\" of the upstream" }
        if gatewayFields.contains(name) || name.hasPrefix("x-forwarded-") || name.hasPrefix("banyan-")
            || name.hasPrefix("x-b3-") || name == "b3"
        {
            return "is written by the gateway itself"
        }
        return nil
    }

    /// Why no part of a view can get the client's field `name`, or nil where it can: beside what no request passes on,
    /// fields that speak of the view's own representation. A part that answered 304 or 206 could not be composed.
    package static func reasonAgainstPassing(_ name: String) -> String? {
        if let reason = reasonAgainstRequest(name) { return reason }
        let name = canonical(name)
        return viewFields.contains(name) ? "is about the view, not about its parts" : nil
    }

    /// Fields by which the client speaks of the view and its answer, in lower case.
    package static let viewFields = [
        "accept", "accept-encoding", "range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since",
        "if-range", "content-type", "content-encoding", "content-language", "content-range", "content-location",
    ]

    /// Why the configuration cannot write the response field `name` itself, or nil where it can.
    package static func reasonAgainstResponse(_ name: String) -> String? {
        let name = canonical(name)
        if connectionFields.contains(name) { return "belongs to the connection, not to the response" }
        if name == "via" || name == "x-request-id" || name.hasPrefix("banyan-") {
            return "is written by the gateway itself"
        }
        return nil
    }

    /// Whether the value of `name` is to be hidden when the configuration is shown: it proves who is asking.
    package static func isSensitive(_ name: String) -> Bool {
        let name = canonical(name)
        return [
            "authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "credential", "signature",
        ]
        .contains { name.contains($0) }
    }

    /// The name in lower case with `-` for `_`: servers of the CGI family cannot tell the two apart.
    package static func canonical(_ name: String) -> String {
        String(name.lowercased().map { $0 == "_" ? "-" : $0 })
    }

    /// Hop-by-hop and framing fields (RFC 9110 §7.6.1, RFC 9112 §6).
    private static let connectionFields: Set<String> = [
        "connection", "content-length", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    ]

    /// Fields that the gateway writes anew on every request that it sends (http-behaviour.md §4).
    private static let gatewayFields: Set<String> = [
        "baggage", "forwarded", "traceparent", "tracestate", "via", "x-real-ip", "x-request-id",
    ]
}
