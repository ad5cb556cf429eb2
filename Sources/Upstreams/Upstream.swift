package import EventLoops
import HTTPMessage

/// What an upstream is made of: the part of the configuration that this room needs.
package struct UpstreamDefinition: Hashable, Sendable {
    /// One server with its weight.
    package struct Server: Hashable, Sendable {
        package var address: EndpointAddress
        package var weight: Int
        /// What stands before the path of each request, without a slash at its end.
        package var pathPrefix: String

        package init(address: EndpointAddress, weight: Int = 1, pathPrefix: String = "") {
            self.address = address
            self.weight = weight
            self.pathPrefix = pathPrefix
        }
    }

    package var name: String
    package var servers: [Server]
    package var policy: LoadBalancer.Policy
    /// How often the servers' names are looked up again, in milliseconds.
    package var resolveInterval: UInt64 = 30_000

    package init(name: String, servers: [Server], policy: LoadBalancer.Policy = .leastRequest) {
        self.name = name
        self.servers = servers
        self.policy = policy
    }
}

/// A named group of servers, as one worker sees it: picks one for each request, and keeps connections to them.
package final class Upstream {
    package let definition: UpstreamDefinition
    package let endpoints: [Endpoint]
    private let bounds: UpstreamBounds
    private var balancer: LoadBalancer

    /// The upstream of one worker; endpoints that `known` still has are taken over with their connections.
    init(
        _ definition: UpstreamDefinition, bounds: UpstreamBounds, loop: EventLoop, curl: ConnectMulti,
        reusing known: [EndpointKey: Endpoint]
    ) {
        self.definition = definition
        self.bounds = bounds
        endpoints = definition.servers.map { server in
            let key = EndpointKey(upstream: definition.name, server: server)
            let old = known[key].flatMap { $0.bounds === bounds ? $0 : nil }
            let endpoint = old ?? Endpoint(server, loop: loop, curl: curl, bounds: bounds)
            endpoint.resolver.interval = definition.resolveInterval
            return endpoint
        }
        balancer = LoadBalancer(
            policy: definition.policy,
            servers: definition.servers.map { server in
                let salt = server.address.text.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) {
                    ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3
                }
                return LoadBalancer.Server(weight: server.weight, salt: salt)
            })
    }

    /// Sends `attempt` to one of the servers. Its events follow, the first of them possibly inside this call.
    ///
    /// - Parameters:
    ///   - random: 64 random bits.
    ///   - hash: the hash of the key that the upstream is balanced by, if it is.
    /// - Returns: false when the upstream's bounds are reached: nothing was begun, and no event will come.
    package func start(_ attempt: UpstreamAttempt, random: UInt64, hash: UInt64? = nil) -> Bool {
        guard bounds.takeRequest() else { return false }
        guard attempt.bodyIsAtHand || !attempt.framing.hasBody || bounds.takeUpload() else {
            bounds.giveRequest()
            return false
        }
        let pick = balancer.pick(PickRequest(random: random, hash: hash), WorkerFigures(endpoints: endpoints))
        let endpoint = endpoints[pick.server]
        attempt.prepare(for: endpoint)
        endpoint.pool.start(attempt)
        return true
    }
}

/// What one worker knows of the servers.
private struct WorkerFigures: ServerFigures {
    let endpoints: [Endpoint]

    func isAvailable(_ server: Int) -> Bool { true }
    func load(_ server: Int) -> Int { endpoints[server].active }
}

/// What one worker has open, and under way, to an upstream.
package struct UpstreamFigures: Equatable, Sendable {
    /// Connections, those that are being opened among them.
    package var open = 0
    /// Connections that no request uses.
    package var idle = 0
    /// Requests that wait for a connection.
    package var waiting = 0
    /// Requests that are under way, those that wait among them.
    package var active = 0
}

extension Upstream {
    /// What there is at this moment.
    package var figures: UpstreamFigures {
        endpoints.reduce(into: UpstreamFigures()) { figures, endpoint in
            figures.open += endpoint.pool.openCount
            figures.idle += endpoint.pool.idleCount
            figures.waiting += endpoint.pool.waiting.count
            figures.active += endpoint.active
        }
    }
}

/// What makes an endpoint the same one after a reload.
struct EndpointKey: Hashable {
    var upstream: String
    var server: UpstreamDefinition.Server
}

/// The upstreams of one worker: made anew with each configuration, keeping the connections that are still good.
package final class UpstreamSet {
    private let loop: EventLoop
    private let curl: ConnectMulti
    private var endpoints: [EndpointKey: Endpoint] = [:]

    /// nil when libcurl has no memory left.
    package init?(loop: EventLoop) {
        guard let curl = ConnectMulti(loop: loop) else { return nil }
        self.loop = loop
        self.curl = curl
    }

    /// The upstreams for `definitions`, in their order; servers that are in none of them any more are retired: what runs
    /// on them runs to its end.
    package func apply(_ definitions: [UpstreamDefinition], bounds: [UpstreamBounds]) -> [Upstream] {
        let upstreams = zip(definitions, bounds).map { definition, bounds in
            Upstream(definition, bounds: bounds, loop: loop, curl: curl, reusing: endpoints)
        }
        var current: [EndpointKey: Endpoint] = [:]
        for upstream in upstreams {
            for endpoint in upstream.endpoints {
                current[EndpointKey(upstream: upstream.definition.name, server: endpoint.server)] = endpoint
            }
        }
        for (key, endpoint) in endpoints where current[key] !== endpoint { endpoint.retire() }
        endpoints = current
        return upstreams
    }

    /// Closes every idle connection: at the end.
    package func retire() {
        for endpoint in endpoints.values { endpoint.retire() }
    }
}
