/// Why an upstream did not answer, or not to the end. Bounded: the words are metric labels and log fields
/// (http-behaviour §1).
public enum UpstreamFailure: Error, Equatable, Sendable {
    /// No connection could be opened; nothing of the request has left.
    case connectFailed
    /// The host has no address, and never had one.
    case dnsFailed
    /// The peer's certificate was not accepted, or TLS did not come about.
    case tlsFailed
    /// The connection ended before a whole head.
    case closed
    /// The answer breaks the rules of HTTP; the detail is fixed text.
    case protocolError(StaticString)
    /// No connection in time.
    case connectTimeout
    /// No head, or no byte of the body, in time.
    case timeout
    /// The upstream's bounds are reached.
    case overloaded
    /// The body ended early, after the head.
    case truncated

    /// The cause word.
    package var cause: StaticString {
        switch self {
        case .connectFailed: "connect_failed"
        case .dnsFailed: "dns_failed"
        case .tlsFailed: "tls_failed"
        case .closed: "upstream_closed"
        case .protocolError: "upstream_protocol"
        case .connectTimeout, .timeout: "upstream_timeout"
        case .overloaded: "upstream_overloaded"
        case .truncated: "upstream_truncated"
        }
    }

    /// Whether it is certain that nothing of the request reached the upstream.
    package var nothingWasSent: Bool {
        switch self {
        case .connectFailed, .dnsFailed, .tlsFailed, .connectTimeout, .overloaded: true
        case .closed, .protocolError, .timeout, .truncated: false
        }
    }

    /// Whether both are of one kind; the detail of a broken answer does not count.
    public static func == (left: UpstreamFailure, right: UpstreamFailure) -> Bool {
        switch (left, right) {
        case (.connectFailed, .connectFailed), (.dnsFailed, .dnsFailed), (.tlsFailed, .tlsFailed), (.closed, .closed),
            (.protocolError, .protocolError), (.connectTimeout, .connectTimeout), (.timeout, .timeout),
            (.overloaded, .overloaded), (.truncated, .truncated):
            true
        default: false
        }
    }
}
