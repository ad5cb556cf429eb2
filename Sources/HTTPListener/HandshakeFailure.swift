import COpenSSL

/// Why a TLS handshake did not come to its end.
public enum HandshakeFailure: UInt8, CaseIterable, Sendable {
    /// It took longer than `timeouts.handshake`.
    case timeout
    /// The client closed the connection.
    case closed
    /// The client speaks HTTP in clear.
    case clearHTTP
    /// No version, cipher, group or signature that both have.
    case noCommonParameters
    /// No protocol that both have (ALPN).
    case noCommonProtocol
    /// The client's certificate is missing, or nobody vouches for it.
    case clientCertificate
    /// The client said no, mostly to our certificate.
    case refusedByClient
    /// It was the oldest one when there were too many at a time.
    case givenUp
    /// The client sent something else than TLS, or broke its rules.
    case malformed

    /// The word for logs and counters.
    public var name: StaticString {
        switch self {
        case .timeout: "timeout"
        case .closed: "closed"
        case .clearHTTP: "clear_http"
        case .noCommonParameters: "no_common_parameters"
        case .noCommonProtocol: "no_common_protocol"
        case .clientCertificate: "client_certificate"
        case .refusedByClient: "refused_by_client"
        case .givenUp: "given_up"
        case .malformed: "malformed"
        }
    }

    /// What OpenSSL's reason for an error amounts to; 0 is no reason, as when the connection ended.
    init(reason: CInt) {
        switch reason {
        case 0, SSL_R_UNEXPECTED_EOF_WHILE_READING: self = .closed
        case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST: self = .clearHTTP
        case SSL_R_NO_APPLICATION_PROTOCOL: self = .noCommonProtocol
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, SSL_R_CERTIFICATE_VERIFY_FAILED: self = .clientCertificate
        case SSL_R_NO_SHARED_CIPHER, SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_NO_SUITABLE_KEY_SHARE,
            SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
            self = .noCommonParameters
        // Alerts that came from the client (RFC 8446 §6.2) stand behind this number.
        case SSL_AD_REASON_OFFSET...: self = .refusedByClient
        default: self = .malformed
        }
    }
}
