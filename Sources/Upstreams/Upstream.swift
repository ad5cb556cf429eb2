package import EventLoops
import HTTPMessage

/// What an upstream is made of: the part of the configuration that this room needs.
package struct UpstreamDefinition: Sendable {
    /// One server with its weight.
    package struct Server: Hashable, Sendable {
        package var address: EndpointAddress
        package var weight: Int
        /// Whether it stands where this process does, as far as that is known.
        package var isInOwnZone = false
        /// What stands before the path of each request, without a slash at its end.
        package var pathPrefix: String

        package init(address: EndpointAddress, weight: Int = 1, pathPrefix: String = "") {
            self.address = address
            self.weight = weight
            self.pathPrefix = pathPrefix
        }

        /// Where it is.
        package var place: Place { Place(address: address, pathPrefix: pathPrefix) }
    }

    /// What makes a server the same one after a reload, or after its name was looked up again: where it is, and neither its
    /// weight nor its zone.
    package struct Place: Hashable, Sendable {
        package var address: EndpointAddress
        package var pathPrefix: String
    }

    package var name: String
    package var servers: [Server]
    package var policy: LoadBalancer.Policy
    /// How often the servers' names are looked up again where the answer does not say, in milliseconds.
    package var resolveInterval: UInt64 = 30_000
    /// How it is kept from harm.
    package var rules = UpstreamRules()
    /// What its servers are asked now and then; nil: nothing.
    package var health: HealthCheck?

    package init(name: String, servers: [Server], policy: LoadBalancer.Policy = .leastRequest) {
        self.name = name
        self.servers = servers
        self.policy = policy
    }
}

/// Why a request was not begun at an upstream. Nothing of it has left.
package enum UpstreamRefusal: Equatable, Sendable {
    /// The upstream's bounds are reached.
    case full
    /// A circuit breaker is open, for about so many milliseconds more.
    case open(retryAfter: UInt64)
    /// None of its endpoints should get requests, and there is somebody else to ask.
    case noEndpoint
}

/// How a request is given to an upstream.
package struct UpstreamOrder: Sendable {
    /// 64 random bits.
    package var random: UInt64
    /// The hash of the key that the upstream is balanced by, if it is.
    package var hash: UInt64?
    /// Endpoints that the request has failed on already.
    package var avoiding = AvoidedServers()
    /// What it is for.
    package var requestClass = RequestClass.live
    /// Whether it is not given to endpoints that should get none: somebody else can be asked.
    package var hasAlternative = false

    package init(random: UInt64, hash: UInt64? = nil) {
        self.random = random
        self.hash = hash
    }
}

/// A named group of servers, as one worker sees it: picks one for each request, and keeps connections to them.
package final class Upstream {
    package let definition: UpstreamDefinition
    package let endpoints: [Endpoint]
    /// What all workers know of it.
    package let board: UpstreamBoard
    private let bounds: UpstreamBounds
    private let loop: EventLoop
    private let rules: UpstreamRules
    private let mayRefuse: Bool
    private var balancer: LoadBalancer

    /// The upstream of one worker; endpoints that `known` still has are taken over with their connections.
    init(
        _ definition: UpstreamDefinition, bounds: UpstreamBounds, board: UpstreamBoard, loop: EventLoop,
        curl: ConnectMulti, reusing known: [EndpointKey: Endpoint]
    ) {
        self.definition = definition
        self.bounds = bounds
        self.board = board
        self.loop = loop
        rules = definition.rules
        mayRefuse = rules.upstreamBreaker != nil
        let boards = board.boards(of: definition.servers)
        // A server that stands in the list twice is one endpoint.
        var found: [EndpointKey: Endpoint] = [:]
        endpoints = zip(definition.servers, boards).map { server, figures in
            let key = EndpointKey(upstream: definition.name, place: server.place)
            let old = known[key].flatMap { $0.bounds === bounds && $0.board === figures ? $0 : nil }
            let endpoint =
                found[key] ?? old
                ?? Endpoint(server, loop: loop, curl: curl, bounds: bounds, board: figures, of: board)
            endpoint.rules = definition.rules
            found[key] = endpoint
            return endpoint
        }
        var balancing = LoadBalancer.Rules()
        balancing.panic = rules.panic
        balancer = LoadBalancer(
            policy: definition.policy,
            servers: definition.servers.map { server in
                let salt = server.address.text.utf8.reduce(0xCBF2_9CE4_8422_2325) {
                    ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3
                }
                return .init(weight: server.weight, salt: salt, isInOwnZone: server.isInOwnZone)
            }, rules: balancing)
    }

    /// Requests that are under way from all workers.
    package var live: Int { bounds.live }

    /// Sends `attempt` to one of the servers. Its events follow, the first of them possibly inside this call.
    ///
    /// - Returns: why nothing was begun, so that no event will come; nil where it was.
    package func start(_ attempt: UpstreamAttempt, _ order: UpstreamOrder) -> UpstreamRefusal? {
        guard bounds.takeRequest(order.requestClass, rules.shares) else { return .full }
        guard attempt.bodyIsAtHand || !attempt.framing.hasBody || bounds.takeUpload() else {
            bounds.giveRequest()
            return .full
        }
        let now = loop.now
        let figures = PickFigures(endpoints: endpoints, now: now, rules: rules)
        if order.hasAlternative, !figures.hasAvailable { return refuse(attempt, .noEndpoint) }
        var tickets = BreakerTickets()
        if let breaker = rules.upstreamBreaker {
            let admission = board.breaker.admit(at: now, by: breaker)
            if case .no(let time) = admission { return refuse(attempt, .open(retryAfter: time)) }
            tickets.upstream = admission.ticket
        }
        let request = PickRequest(random: order.random, hash: order.hash, avoiding: order.avoiding)
        let number = endpoints.count == 1 ? 0 : balancer.pick(request, figures).server
        let endpoint = endpoints[number]
        if let breaker = rules.endpointBreaker {
            let admission = endpoint.board.breaker.admit(at: now, by: breaker)
            if case .no(let time) = admission {
                if let breaker = rules.upstreamBreaker, let ticket = tickets.upstream {
                    _ = board.breaker.record(.abandoned, ticket, at: now, random: order.random, by: breaker)
                }
                return refuse(attempt, .open(retryAfter: time))
            }
            tickets.endpoint = admission.ticket
        }
        attempt.prepare(for: endpoint, number: number, tickets: tickets, at: now, random: order.random)
        endpoint.pool.start(attempt)
        return nil
    }

    /// Whether another server than the one with this number should get requests.
    package func hasAvailable(besides number: Int) -> Bool {
        let figures = PickFigures(endpoints: endpoints, now: loop.now, rules: rules)
        for other in endpoints.indices where other != number && figures.isAvailable(other) { return true }
        return false
    }

    /// Has each request go over a connection of its own, which is closed at its end.
    package func keepNoConnections() {
        // A pool that is retired serves requests all the same, and keeps nothing for others.
        for endpoint in endpoints { endpoint.retire() }
    }

    /// Gives back the places of an attempt that is not begun.
    private func refuse(_ attempt: UpstreamAttempt, _ refusal: UpstreamRefusal) -> UpstreamRefusal {
        if !attempt.bodyIsAtHand, attempt.framing.hasBody { bounds.giveUpload() }
        bounds.giveRequest()
        return refusal
    }
}

/// What the balancer sees of the endpoints.
private struct PickFigures: ServerFigures {
    let endpoints: [Endpoint]
    let now: UInt64
    let rules: UpstreamRules

    func isAvailable(_ server: Int) -> Bool { endpoints[server].board.isAvailable(at: now, by: rules) }

    func load(_ server: Int) -> Int { endpoints[server].board.active }

    func readiness(_ server: Int) -> Int { endpoints[server].board.readiness(at: now, by: rules.slowStart) }

    /// Whether one of them should get requests.
    var hasAvailable: Bool {
        for endpoint in endpoints where endpoint.board.isAvailable(at: now, by: rules) { return true }
        return false
    }
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
        var counted: Set<ObjectIdentifier> = []
        return endpoints.reduce(into: UpstreamFigures()) { figures, endpoint in
            guard counted.insert(ObjectIdentifier(endpoint)).inserted else { return }
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
    var place: UpstreamDefinition.Place
}

/// The upstreams of one worker: made anew with each configuration, keeping the connections that are still good.
package final class UpstreamSet {
    private let loop: EventLoop
    private let curl: ConnectMulti
    private var endpoints: [EndpointKey: Endpoint] = [:]
    private var ownBoards: [String: UpstreamBoard] = [:]

    /// nil when libcurl has no memory left.
    package init?(loop: EventLoop) {
        guard let curl = ConnectMulti(loop: loop) else { return nil }
        self.loop = loop
        self.curl = curl
    }

    /// The upstreams for `definitions`, in their order; servers that are in none of them any more are retired: what runs
    /// on them runs to its end.
    ///
    /// - Parameter boards: what all workers know of each; nil where nobody else uses them.
    package func apply(
        _ definitions: [UpstreamDefinition], bounds: [UpstreamBounds], boards: [UpstreamBoard]? = nil
    ) -> [Upstream] {
        let upstreams = definitions.enumerated().map { number, definition in
            Upstream(
                definition, bounds: bounds[number], board: boards?[number] ?? ownBoard(of: definition), loop: loop,
                curl: curl, reusing: endpoints)
        }
        var current: [EndpointKey: Endpoint] = [:]
        for upstream in upstreams {
            for endpoint in upstream.endpoints {
                current[EndpointKey(upstream: upstream.definition.name, place: endpoint.server.place)] = endpoint
            }
        }
        for (key, endpoint) in endpoints where current[key] !== endpoint {
            endpoint.retire(for: upstreams.first { $0.definition.name == key.upstream }?.endpoints ?? [])
        }
        endpoints = current
        return upstreams
    }

    private func ownBoard(of definition: UpstreamDefinition) -> UpstreamBoard {
        let board = ownBoards[definition.name] ?? UpstreamBoard(name: definition.name)
        ownBoards[definition.name] = board
        board.use(definition.servers, at: loop.now)
        return board
    }

    /// Closes every idle connection: at the end.
    package func retire() {
        for endpoint in endpoints.values { endpoint.retire() }
    }
}
