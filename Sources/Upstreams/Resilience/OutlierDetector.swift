/// Which endpoints of an upstream get no requests for a while, because they do worse than they should: after failures
/// in a row (``OutlierRecord``), at once; and, at the end of each interval, by comparison with the others
/// (``sweep(_:)``).
///
/// The numbers are Envoy's, except for the share: half of a small group may go, never the last endpoint.
package struct OutlierDetector: Equatable, Sendable {
    /// 5xx or missing answers in a row; 0: not looked at.
    package var consecutive5xx: UInt32 = 5
    /// 502, 503, 504 or missing answers in a row; 0: not looked at.
    package var consecutiveGatewayFailures: UInt32 = 5
    /// How long an interval lasts, in milliseconds.
    package var interval: UInt64 = 10_000
    /// How long the first ejection lasts; the second lasts twice as long, the third three times.
    package var baseEjection: UInt64 = 30_000
    /// How long one lasts at most; not less than the first.
    package var mostEjection: UInt64 = 300_000
    /// The share of the endpoints that may be ejected at a time, 0…1.
    package var mostEjected = 0.5
    /// Success rates are compared from so many endpoints on; 0: not at all.
    package var minimumServers = 5
    /// Endpoints with fewer requests in the interval are not compared.
    package var minimumRequests = 100
    /// How many standard deviations below the mean a success rate has to be.
    package var deviations = 1.9
    /// How far below the mean it has to be at least: where nearly everything succeeds, deviations are noise.
    package var leastRateGap = 0.05
    /// How many times the median of the others a latency has to be; 0: not looked at.
    package var latencyFactor = 3.0
    /// How many microseconds more than that median it has to be at least.
    package var leastLatencyGap = 25_000.0

    /// Envoy's numbers.
    package init() {}

    /// What one interval has seen of an endpoint. Outcomes that are local are in none of the numbers.
    package struct EndpointFigures: Equatable, Sendable {
        /// Answers, and those that did not come.
        package var total: Int
        /// Those of them that are failures.
        package var failed: Int
        /// The mean, or a moving average, in microseconds; nil when it is not known.
        package var latency: Double?
        /// Whether it gets no requests at the end of the interval.
        package var isEjected: Bool

        /// Figures of an endpoint.
        package init(total: Int, failed: Int, latency: Double? = nil, isEjected: Bool = false) {
            self.total = total
            self.failed = failed
            self.latency = latency
            self.isEjected = isEjected
        }

        fileprivate var successRate: Double {
            total > 0 ? Double(max(total - max(failed, 0), 0)) / Double(total) : 1
        }
    }

    /// An endpoint that should be ejected.
    package struct Verdict: Equatable, Sendable {
        /// Its place among the figures.
        package var endpoint: Int
        /// Why.
        package var reason: OutlierReason
    }

    /// Whether one more endpoint may be ejected: the share is looked at with the candidate counted in, and one endpoint
    /// always stays.
    ///
    /// - Parameter ejected: how many are, without the candidate. Where threads eject at the same time the caller has to
    ///   take a place first (an atomic count) and give it back where this says no.
    package func mayEject(ejected: Int, total: Int) -> Bool {
        let after = Double(max(ejected, 0)) + 1
        // A little more than exact, so that 0.3 of 10 is 3.
        return after < Double(total) && after <= mostEjected * Double(total) + 1e-9
    }

    /// How long the `ejections`th ejection of late lasts, in milliseconds.
    package func ejectionTime(ejections: Int) -> UInt64 {
        let (product, overflow) = baseEjection.multipliedReportingOverflow(by: UInt64(max(ejections, 1)))
        return overflow ? max(mostEjection, baseEjection) : min(product, max(mostEjection, baseEjection))
    }

    /// Compares the endpoints at the end of an interval.
    ///
    /// - Parameter figures: one entry for each endpoint of the upstream; the shell has told the ``EjectionRecord``s
    ///   first that the interval has ended.
    /// - Returns: whom to eject, the worst first; never more than may be. Allocates: it is called once an interval.
    package func sweep(_ figures: [EndpointFigures]) -> [Verdict] {
        let candidates = figures.indices.filter {
            !figures[$0].isEjected && figures[$0].total >= max(minimumRequests, 1)
        }
        var verdicts: [Verdict] = []
        var ejected = figures.count { $0.isEjected }
        for verdict in byRate(figures, candidates) + byLatency(figures, candidates)
        where !verdicts.contains(where: { $0.endpoint == verdict.endpoint }) {
            guard mayEject(ejected: ejected, total: figures.count) else { break }
            ejected += 1
            verdicts.append(verdict)
        }
        return verdicts
    }

    private func byRate(_ figures: [EndpointFigures], _ candidates: [Int]) -> [Verdict] {
        guard minimumServers > 0, candidates.count >= max(minimumServers, 2) else { return [] }
        let rates = candidates.map { figures[$0].successRate }
        let mean = rates.reduce(0, +) / Double(rates.count)
        let variance = rates.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(rates.count)
        let bound = min(mean - deviations * variance.squareRoot(), mean - leastRateGap)
        return zip(candidates, rates).filter { $0.1 < bound }.sorted { ($0.1, $0.0) < ($1.1, $1.0) }
            .map { Verdict(endpoint: $0.0, reason: .successRate) }
    }

    private func byLatency(_ figures: [EndpointFigures], _ candidates: [Int]) -> [Verdict] {
        guard latencyFactor > 0 else { return [] }
        let known = candidates.compactMap { index in
            figures[index].latency.flatMap { $0.isFinite ? (endpoint: index, latency: $0) : nil }
        }.sorted { ($0.latency, $0.endpoint) < ($1.latency, $1.endpoint) }
        guard known.count >= 2 else { return [] }
        var verdicts: [Verdict] = []
        for place in known.indices.reversed() {
            // The median of all but the one at `place`, which stands in the sorted list as if it were not there.
            let others = known.count - 1
            let low = known[(others - 1) / 2 + ((others - 1) / 2 >= place ? 1 : 0)].latency
            let high = known[others / 2 + (others / 2 >= place ? 1 : 0)].latency
            let median = (low + high) / 2
            let latency = known[place].latency
            guard latency > latencyFactor * median, latency - median > leastLatencyGap else { break }
            verdicts.append(Verdict(endpoint: known[place].endpoint, reason: .latency))
        }
        return verdicts
    }
}
