import Synchronization

/// What all workers know together of one upstream: how its endpoints do, whether its breaker is open, how many requests are
/// repeated or have come from elsewhere. It outlives configurations.
package final class UpstreamBoard: Sendable {
    package let name: String
    let breaker = SharedBreaker()
    private let retries = Atomic<Int>(0)
    private let fallbacks = Atomic<Int>(0)
    private let endpoints = Mutex(Endpoints())
    private let changes: UpstreamChanges

    private struct Endpoints {
        /// All that there ever were under the configurations that requests still use.
        var known: [UpstreamDefinition.Place: EndpointBoard] = [:]
        /// Those of the configuration in force, in its order.
        var current: [EndpointBoard] = []
    }

    /// A board whose changes are told to `changes`.
    package init(name: String, changes: UpstreamChanges = UpstreamChanges {}) {
        self.name = name
        self.changes = changes
    }

    // MARK: - Endpoints

    /// Makes the endpoints those of `servers` at the time `now`; whoever is new among others that are known starts slowly.
    package func use(_ servers: [UpstreamDefinition.Server], at now: UInt64) {
        endpoints.withLock { endpoints in
            // Before their names were looked up nobody was known.
            let isFirst = endpoints.known.keys.allSatisfy { $0.address.candidates.isEmpty }
            var known: [UpstreamDefinition.Place: EndpointBoard] = [:]
            endpoints.current = servers.map { server in
                let board =
                    known[server.place] ?? endpoints.known[server.place]
                    ?? EndpointBoard(server.address.text, servesSince: isFirst ? 0 : now)
                known[server.place] = board
                return board
            }
            endpoints.known = known
        }
    }

    /// The board of each of `servers`; one of its own for a server that another configuration has.
    package func boards(of servers: [UpstreamDefinition.Server]) -> [EndpointBoard] {
        endpoints.withLock { endpoints in
            servers.map { endpoints.known[$0.place] ?? EndpointBoard($0.address.text, servesSince: 0) }
        }
    }

    /// The endpoints of the configuration in force.
    package var current: [EndpointBoard] { endpoints.withLock { $0.current } }

    // MARK: - Latency, where the number of requests is learned from it

    private let samples = Atomic<Int>(0)
    private let microseconds = Atomic<Int>(0)
    private let peak = Atomic<Int>(0)

    /// The head of an answer has come, so long after its request was taken by a connection, while so many were under way.
    func measured(nanoseconds: UInt64, live: Int) {
        samples.add(1, ordering: .relaxed)
        microseconds.add(Int(clamping: nanoseconds / 1_000), ordering: .relaxed)
        var highest = peak.load(ordering: .relaxed)
        while live > highest {
            let (done, current) = peak.weakCompareExchange(expected: highest, desired: live, ordering: .relaxed)
            if done { return }
            highest = current
        }
    }

    /// How many answers were measured since the last window.
    package var measuredSamples: Int { samples.load(ordering: .relaxed) }

    /// Ends a window: what it has measured. Answers that come meanwhile may be in parts of two windows.
    package func endWindow() -> LatencyWindow {
        let count = samples.exchange(0, ordering: .relaxed)
        let time = microseconds.exchange(0, ordering: .relaxed)
        let highest = peak.exchange(0, ordering: .relaxed)
        return LatencyWindow(
            samples: count, latency: count > 0 ? Double(time) / Double(count) : 0, inFlightPeak: highest)
    }

    // MARK: - Budgets

    /// Requests that are being repeated, the pauses before included.
    package var retriesUnderWay: Int { retries.load(ordering: .relaxed) }
    /// Requests that another upstream should have answered.
    package var fallbacksUnderWay: Int { fallbacks.load(ordering: .relaxed) }

    /// Takes a place for a request that is sent once more, beside so many live ones.
    package func takeRetry(live: Int, by budget: RequestBudget) -> Bool {
        Self.take(retries, most: budget.most(live: live))
    }

    package func giveRetry() { retries.subtract(1, ordering: .relaxed) }

    /// Takes a place for a request that another upstream should have answered, beside so many live ones.
    package func takeFallback(live: Int, by budget: RequestBudget) -> Bool {
        Self.take(fallbacks, most: budget.most(live: live))
    }

    package func giveFallback() { fallbacks.subtract(1, ordering: .relaxed) }

    private static func take(_ count: borrowing Atomic<Int>, most: Int) -> Bool {
        if count.add(1, ordering: .relaxed).newValue <= most { return true }
        count.subtract(1, ordering: .relaxed)
        return false
    }

    // MARK: - What came of attempts

    /// Takes what came of an attempt at `endpoint`.
    func record(
        _ outcome: OutlierOutcome, milliseconds: UInt64, _ tickets: BreakerTickets, of endpoint: EndpointBoard,
        at now: UInt64, random: UInt64, by rules: UpstreamRules
    ) {
        if let breaker = rules.breaker {
            let end: CircuitBreaker.Outcome =
                outcome == .local
                ? .abandoned : breaker.outcome(failed: outcome.isFailure, milliseconds: milliseconds)
            if let ticket = tickets.upstream,
                let change = self.breaker.record(end, ticket, at: now, random: random, by: breaker)
            {
                changes.tell(UpstreamChange(change, upstream: name, endpoint: nil))
            }
            if let ticket = tickets.endpoint,
                let change = endpoint.breaker.record(end, ticket, at: now, random: random, by: breaker)
            {
                changes.tell(UpstreamChange(change, upstream: name, endpoint: endpoint.text))
            }
        }
        if let detector = rules.outlier,
            let reason = endpoint.record(outcome, milliseconds: milliseconds, by: detector)
        {
            eject(endpoint, reason, at: now, by: detector)
        }
    }

    private func eject(_ endpoint: EndpointBoard, _ reason: OutlierReason, at now: UInt64, by detector: OutlierDetector)
    {
        // Under the lock, so that two workers do not eject one endpoint too many together.
        let time = endpoints.withLock { endpoints -> UInt64? in
            guard endpoints.current.contains(where: { $0 === endpoint }) else { return nil }
            let ejected = endpoints.current.count { $0.ejectionLeft(at: now) != nil }
            guard detector.mayEject(ejected: ejected, total: endpoints.current.count) else { return nil }
            return endpoint.eject(at: now, by: detector)
        }
        if let time { changes.tell(.ejected(upstream: name, endpoint: endpoint.text, reason, milliseconds: time)) }
    }

    /// Ends an interval of the detector: compares the endpoints, and takes back those whose time is over.
    package func sweep(at now: UInt64, by detector: OutlierDetector) {
        let verdicts = endpoints.withLock { endpoints -> [(EndpointBoard, OutlierReason)] in
            let seen = endpoints.current.map { $0.endInterval(at: now) }
            for (endpoint, figures) in zip(endpoints.current, seen) where figures.hasReturned {
                changes.tell(.returned(upstream: name, endpoint: endpoint.text))
            }
            return detector.sweep(seen.map(\.figures)).map { (endpoints.current[$0.endpoint], $0.reason) }
        }
        for (endpoint, reason) in verdicts { eject(endpoint, reason, at: now, by: detector) }
    }

    /// Takes what an active check has found of one of the endpoints, and what is thought of it now.
    package func note(
        _ finding: HealthFinding, _ state: HealthRecord.State, of endpoint: EndpointBoard, at now: UInt64
    ) {
        let before = endpoint.healthState
        let isReadmitted = endpoint.note(state, isWell: finding == .well, at: now)
        if before != state { changes.tell(.health(upstream: name, endpoint: endpoint.text, state, finding)) }
        if isReadmitted { changes.tell(.returned(upstream: name, endpoint: endpoint.text)) }
    }
}

/// What an attempt reports to the breakers with that have let it pass.
struct BreakerTickets {
    var upstream: BreakerTicket?
    var endpoint: BreakerTicket?
}
