/// Where one server of an upstream is reached, and how: what makes connections to it interchangeable.
package struct EndpointAddress: Hashable, Sendable {
    /// Whether the connection is encrypted.
    package var isSecure: Bool
    /// Host name or address, an IPv6 address without brackets.
    package var host: String
    package var port: UInt16
    /// TLS settings; ignored in clear.
    package var tls: UpstreamTLS
    /// How requests are carried to it.
    package var carrier: UpstreamCarrier

    package init(
        isSecure: Bool, host: String, port: UInt16, tls: UpstreamTLS = UpstreamTLS(),
        carrier: UpstreamCarrier = .connection
    ) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
        self.tls = tls
        self.carrier = carrier
    }

    /// The host as it is written in a URL.
    package var urlHost: String { host.contains(":") ? "[\(host)]" : host }

    /// The value of a `Host` field for it: the port is left out where it is the scheme's own.
    package var hostField: String {
        let isDefault = port == (isSecure ? 443 : 80)
        return isDefault ? urlHost : "\(urlHost):\(port)"
    }

    /// Host and port, for logs and tables.
    package var text: String { "\(urlHost):\(port)" }
}

/// How requests are carried to a server.
package enum UpstreamCarrier: Hashable, Sendable {
    /// HTTP/1.1 in our own framing, on connections that libcurl opens.
    case connection
    /// HTTP/1.1 by whole transfers of libcurl.
    case transfers
    /// HTTP/2 in our own framing (nghttp2), many requests on one connection: by prior knowledge in clear, by ALPN over TLS.
    case http2
    /// HTTP/2 by whole transfers of libcurl.
    case http2Transfers
}

/// How TLS towards an upstream is set up.
package struct UpstreamTLS: Hashable, Sendable {
    /// File of certificates to trust instead of the system's.
    package var authorities: String?
    /// Client certificate and key files, for mutual TLS.
    package var certificate: String?
    package var key: String?
    /// The name that the certificate must bear, when it is not the host's.
    package var serverName: String?
    /// Whether certificate and name are checked.
    package var verifies = true

    /// The system's roots, verified, no client certificate.
    package init() {}
}
