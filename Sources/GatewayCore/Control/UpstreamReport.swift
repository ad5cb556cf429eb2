import EventLoops
import GatewayConfig
package import Upstreams

/// How an upstream does at one moment: for operators.
package struct UpstreamReport: Sendable {
    /// How it does as a whole, the worst first.
    package enum State: String, CaseIterable, Sendable {
        /// None of its endpoints should get requests.
        case down
        /// Its breaker refuses requests.
        case circuitOpen = "circuit_open"
        /// So few endpoints are well that requests go to all of them.
        case panic
        /// Some endpoints should get no requests, or breakers try out whether all is well again.
        case degraded
        /// All is well.
        case ok
    }

    /// A circuit breaker.
    package struct Breaker: Sendable {
        package var phase: CircuitBreaker.State.Phase
        /// How long it stays open yet, in milliseconds; nil where it is not open.
        package var openFor: UInt64?

        fileprivate init(_ state: CircuitBreaker.State, at now: UInt64) {
            phase = state.phase
            openFor = state.timeLeftOpen(now: now)
        }
    }

    /// An endpoint.
    package struct Endpoint: Sendable {
        /// Host and port.
        package var text: String
        package var state: EndpointState
        /// What active checks have found.
        package var health: HealthRecord.State
        /// How long it stays ejected yet, in milliseconds; nil if it is not.
        package var ejectedFor: UInt64?
        /// Nil where it has none.
        package var breaker: Breaker?
        /// Requests under way.
        package var requests: Int
    }

    /// Requests of a kind that has a budget.
    package struct Budget: Sendable {
        package var underWay: Int
        /// How many may be at this moment.
        package var most: Int
    }

    /// Several sets of servers.
    package struct Pools: Sendable {
        /// Each with its servers, in the order of the file.
        package var pools: [(name: String, servers: [String])]
        package var active: String
        /// The active one by what the file says.
        package var filed: String
    }

    package var name: String
    package var endpoints: [Endpoint]
    /// The one before all endpoints; nil where there is none.
    package var breaker: Breaker?
    /// Whether the state of endpoints is ignored.
    package var isPanic: Bool
    /// Requests under way, and how many may be.
    package var requests: Budget
    package var retries: Budget
    /// Requests that another upstream should have answered; nil where it is nobody's fallback.
    package var fallbacks: Budget?
    /// Attempts that were begun since the start.
    package var attempts: UInt64 = 0
    /// How many of its requests a fallback was asked for, since the start.
    package var diverted: UInt64 = 0
    /// Nil where there are none.
    package var pools: Pools?
    /// Whether its servers are others than the file says.
    package var hasReplacedServers: Bool

    /// How it does as a whole.
    package var state: State {
        if let breaker, breaker.phase == .open { return .circuitOpen }
        let available = endpoints.count { $0.state == .available }
        if available == 0 { return .down }
        if isPanic { return .panic }
        let isTried = breaker?.phase == .halfOpen || endpoints.contains { $0.breaker?.phase == .halfOpen }
        return available < endpoints.count || isTried ? .degraded : .ok
    }

    /// How `upstream`, as it is in force, does now.
    ///
    /// - Parameters:
    ///   - filed: the same upstream as the file has it.
    ///   - fallbacks: the budgets of those that it is the fallback of.
    init(
        _ upstream: UpstreamSection, filed: UpstreamSection?, board: UpstreamBoard, bounds: UpstreamBounds,
        fallbacks budgets: [RequestBudget]
    ) {
        let now = EventLoop.nanoseconds / 1_000_000
        let rules = UpstreamRules(upstream)
        name = upstream.name
        endpoints = board.current.map { endpoint in
            Endpoint(
                text: endpoint.text, state: endpoint.state(at: now, by: rules), health: endpoint.healthState,
                ejectedFor: endpoint.ejectionLeft(at: now),
                breaker: endpoint.breakerState(by: rules).map { Breaker($0, at: now) }, requests: endpoint.active)
        }
        breaker = board.breakerState(by: rules).map { Breaker($0, at: now) }
        let available = endpoints.count { $0.state == .available }
        isPanic = endpoints.count > 1 && rules.panic.isPanic(available: available, of: endpoints.count)
        let live = bounds.live
        requests = Budget(underWay: live, most: upstream.maxRequests)
        retries = Budget(underWay: board.retriesUnderWay, most: RetryRules(upstream.retry).budget.most(live: live))
        let diverted = board.fallbacksUnderWay
        fallbacks = budgets.map { $0.most(live: live - diverted) }.max().map { Budget(underWay: diverted, most: $0) }
        if let active = upstream.active, !upstream.pools.isEmpty {
            pools = Pools(
                pools: upstream.pools.map { ($0.name, $0.servers.map(\.url.description)) }, active: active,
                filed: filed?.active ?? active)
        }
        hasReplacedServers = filed.map { $0.servers != upstream.servers } ?? false
    }
}

extension Gateway {
    /// How each upstream does at this moment, in the order of the file.
    package var upstreamReports: [UpstreamReport] {
        let known = Dictionary(filed.configuration.upstreams.map { ($0.name, $0) }) { first, _ in first }
        let counts = metrics.upstreamCounts()
        var budgets: [String: [RequestBudget]] = [:]
        for fallback in loaded.configuration.contexts.compactMap(\.fallback) {
            budgets[fallback.upstream, default: []].append(FallbackRules(fallback, upstream: 0).budget)
        }
        return loaded.configuration.upstreams.map { upstream in
            var report = UpstreamReport(
                upstream, filed: known[upstream.name], board: boards.board(named: upstream.name),
                bounds: boards.bounds(for: upstream), fallbacks: budgets[upstream.name] ?? [])
            report.attempts = counts[upstream.name]?.attempts ?? 0
            report.diverted = counts[upstream.name]?.diverted ?? 0
            return report
        }
    }
}
