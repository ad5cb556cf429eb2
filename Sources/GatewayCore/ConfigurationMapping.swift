import DistributedTracing
package import GatewayConfig
package import HTTPListener
import HTTPMessage
import Upstreams

// From the sections of the configuration to the types of the rooms that they are for.

extension TimeLimit {
    /// Milliseconds, `UInt64.max` for none.
    var limit: UInt64 { milliseconds?.value ?? .max }
}

extension ConnectionLimits {
    /// The limits and times of `gateway`.
    init(_ gateway: GatewaySection) {
        self.init()
        head = HeadLimits(
            head: Int(clamping: gateway.limits.head.bytes), fields: gateway.limits.fields,
            target: Int(clamping: gateway.limits.target.bytes))
        connections = gateway.limits.connections
        connectionsPerAddress = gateway.limits.connectionsPerAddress
        requestsPerConnection = gateway.limits.requestsPerConnection
        streams = gateway.limits.streams
        handshakes = gateway.limits.handshakes
        handshakeTimeout = gateway.timeouts.tlsHandshake.value
        headTimeout = gateway.timeouts.head.value
        bodyTimeout = gateway.timeouts.body.value
        idleTimeout = gateway.timeouts.idle.value
        writeTimeout = gateway.timeouts.write.value
    }
}

extension OverloadBound {
    /// The bound of `overload.lag`, in nanoseconds.
    init(lag: Milliseconds?) {
        let (nanoseconds, overflow) = (lag?.value ?? .max).multipliedReportingOverflow(by: 1_000_000)
        self.init(most: overflow ? .max : nanoseconds)
    }
}

extension SpokenProtocols {
    /// The protocols of a listener.
    init(_ protocols: [ListenerSection.ListenerProtocol]) {
        self = []
        for spoken in protocols {
            switch spoken {
            case .http1: insert(.http1)
            case .http2: insert(.http2)
            }
        }
    }
}

extension Propagation {
    /// The formats of `tracing.propagate`.
    init(_ formats: [TracingSection.Propagation]) {
        self = []
        for format in formats {
            switch format {
            case .tracecontext: insert(.traceContext)
            case .baggage: insert(.baggage)
            case .b3: insert(.b3)
            case .b3multi: insert(.b3Multi)
            }
        }
    }
}

extension UpstreamDefinition {
    /// The servers and the balancing of `section`, for a process that stands in `zone`.
    init(_ section: UpstreamSection, zone: String? = nil) {
        var tls = UpstreamTLS()
        tls.authorities = section.tls.ca
        tls.certificate = section.tls.certificate
        tls.key = section.tls.key
        tls.serverName = section.tls.serverName
        tls.verifies = section.tls.verify
        let policy: LoadBalancer.Policy =
            switch section.balance {
            case .roundRobin: .roundRobin
            case .leastRequest: .leastRequest
            case .hash: .hash
            }
        self.init(
            name: section.name,
            servers: section.activeServers.map { server in
                var address = EndpointAddress(
                    isSecure: server.url.isSecure, host: server.url.host.bare, port: server.url.port,
                    tls: server.url.isSecure ? tls : UpstreamTLS(), carrier: UpstreamCarrier(section))
                address.isService = server.url.isService
                var own = Server(address: address, weight: server.weight, pathPrefix: server.url.prefix)
                own.isInOwnZone = zone != nil && server.zone == zone
                return own
            },
            policy: policy)
        resolveInterval = section.resolveInterval.value
        rules = UpstreamRules(section)
        health = section.health.map { HealthCheck($0, of: section) }
    }
}

extension NameServers {
    /// The name server of `gateway.resolver`; nil for the system's resolver.
    init?(_ gateway: GatewaySection) {
        guard let resolver = gateway.resolver else { return nil }
        self.init([Address(host: resolver.host.description, port: resolver.port)])
    }
}

extension UpstreamCarrier {
    /// What `protocol` and `transport` stand for.
    init(_ section: UpstreamSection) {
        switch (section.protocol, section.transport) {
        case (.h2, .connection): self = .http2
        case (.h2, .libcurl): self = .http2Transfers
        case (.http1, .libcurl): self = .transfers
        case (.http1, .connection): self = .connection
        }
    }
}

extension Host {
    /// The host without the brackets that an IPv6 address has in a URL.
    var bare: String {
        switch self {
        case .name(let name): name
        case .address(let address): address.description
        }
    }
}

extension HostRule {
    /// The rule of an upstream's `host`.
    init(_ section: UpstreamSection.HostHeader) {
        switch section {
        case .preserve: self = .preserve
        case .server: self = .server
        case .fixed(let name): self = .fixed(Array(name.utf8))
        }
    }
}

extension HashKey {
    /// What an upstream's `balance` spreads requests by; nil for the other policies.
    init?(_ section: BalanceSection) {
        switch section {
        case .roundRobin, .leastRequest: return nil
        case .hash(.user): self = .user
        case .hash(.path): self = .path
        case .hash(.header(let name)): self = .header(Array(name.lowercased().utf8))
        case .hash(.cookie(let name)): self = .cookie(Array(name.utf8))
        }
    }
}

extension SocketAddress {
    /// The addresses that a configured one stands for: a name such as `localhost` may have several.
    package static func resolving(_ address: ListenAddress) -> [SocketAddress] {
        switch address {
        case .unix(let path): return [.unix(path)]
        case .tcp(.address(let ip), let port):
            return [.ip(HTTPMessage.IPAddress(high: ip.high, low: ip.low), port: port)]
        case .tcp(.name(let name), let port):
            return HostLookup.addresses(of: name).map { .ip($0, port: port) }
        }
    }
}
