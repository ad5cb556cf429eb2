/// The version of a message. The parsers of HTTP/1 refuse a message of any other version than 1.0 and 1.1.
package enum HTTPVersion: UInt8, Sendable {
    case http10
    case http11
    case http2
}

/// How the end of a message's body is found (RFC 9112 §6.3).
package enum BodyFraming: Equatable, Sendable {
    /// There is no body, and nothing says how long one would be.
    case none
    /// As many bytes as `Content-Length` says; `length(0)` when it says so.
    case length(UInt64)
    /// By the chunked transfer coding.
    case chunked
    /// By the end of the connection: only in responses.
    case untilClose

    /// Whether at least one byte of content or framing follows the head.
    package var hasBody: Bool {
        switch self {
        case .none, .length(0): false
        default: true
        }
    }
}
