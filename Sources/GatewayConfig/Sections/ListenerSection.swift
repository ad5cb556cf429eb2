internal import JSON

/// An element of `gateway.listeners`: one address at which clients connect.
package struct ListenerSection: Equatable, Sendable {
    /// Whether a trace that a client brings is continued (tracing.md §1.7).
    package enum Edge: String, CaseIterable, Sendable {
        /// A public edge: clients' trace headers are dropped and each request begins a trace of its own.
        case restart
        /// An inner edge: traces are continued.
        case `continue`
    }

    /// A protocol that a listener speaks.
    package enum ListenerProtocol: String, CaseIterable, Sendable {
        /// HTTP/1.1 and, for clients that speak it, HTTP/1.0.
        case http1 = "http/1.1"
        /// HTTP/2, for clients that begin with its preface.
        case http2 = "h2"
    }

    /// The place in `gateway.listeners`, from 0.
    package var index: Int
    /// `address`: where it listens; required. Port 0 takes a free port, which only the log tells.
    package var address: ListenAddress
    /// `protocols`: what is spoken. Default: both.
    package var protocols: [ListenerProtocol] = [.http1, .http2]
    /// `edge`: whether clients' traces are continued. Default: `restart`. Peers in `gateway.trustedProxies` are
    /// continued in either case.
    package var edge = Edge.restart

    /// `proxyProtocol`: whether peers in `gateway.trustedProxies` begin each connection with a PROXY header. Default: false.
    package var proxyProtocol = false
    /// `tls`: certificates. Default: nil, HTTP is spoken in clear.
    package var tls: ListenerTLSSection?

    static let keys = SectionKeys(["address", "tls", "protocols", "edge", "proxyProtocol"])

    /// Nil where the address cannot be read: nothing can be said of such a listener.
    init?(index: Int, _ section: SectionReader) {
        self.index = index
        let address = section.listenAddress("address", isRequired: true)
        tls = section.section("tls", ListenerTLSSection.keys).map { ListenerTLSSection($0) }
        if section.has("protocols") {
            let places = section.elements("protocols")
            protocols = section.session.distinct(places)
            if section.isArray("protocols"), places.isEmpty {
                section.session.report(
                    section.pointer.appending("protocols"), "a listener speaks at least one protocol")
            }
        }
        section.choice("edge", into: &edge)
        section.bool("proxyProtocol", into: &proxyProtocol)
        guard let address else { return nil }
        self.address = address
    }

    var effective: JSONValue {
        .section([
            ("address", .text(address)),
            ("tls", tls?.effective),
            ("protocols", .array(protocols.map { .string($0.rawValue) })),
            ("edge", .string(edge.rawValue)),
            ("proxyProtocol", .bool(proxyProtocol)),
        ])
    }
}
