/// Where one server of an upstream is reached, and how: what makes connections to it interchangeable.
package struct EndpointAddress: Hashable, Sendable {
    /// Whether the connection is encrypted.
    package var isSecure: Bool
    /// Host name or address, an IPv6 address without brackets: what `Host` fields, SNI and certificates are about.
    package var host: String
    /// 0 for a service.
    package var port: UInt16
    /// Whether ``host`` is the name of SRV records, which know hosts and ports.
    package var isService = false
    /// Where it is connected to where the host is a name, in numbers: the first one, or another one that stands in for it
    /// when that does not answer. Empty as long as the name has not been looked up.
    package var numbers: [String] = []
    /// Whether the name was looked up in vain.
    package var isWithoutAddress = false
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

    /// What is connected to, in numbers; empty where that is not known.
    package var candidates: [String] {
        if !numbers.isEmpty { return numbers }
        return NumericHost.isNumeric(host) ? [host] : []
    }

    /// Address and port, for logs and tables; the name as long as its address is not known.
    package var text: String {
        if isService { return host }
        guard let number = numbers.first else { return "\(urlHost):\(port)" }
        return number.contains(":") ? "[\(number)]:\(port)" : "\(number):\(port)"
    }
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
