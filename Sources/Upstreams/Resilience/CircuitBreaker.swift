/// When requests to an upstream, or to one endpoint, are refused at once because too many of them failed.
///
/// The rules alone. What has happened so far is in ``CircuitBreaker/State``, one word that threads share, and in the
/// words of a ``BreakerWindow``. Times are milliseconds of one clock that never goes back.
package struct CircuitBreaker: Equatable, Sendable {
    /// The largest number of probes: they are counted in five bits.
    package static let mostProbes = 31
    /// The longest time that is kept; longer ones are taken for this one (34 years).
    static let longest: UInt64 = 1 << 40

    /// The share of failed requests in the window at which the breaker opens, 0…1; at least one has to fail.
    package let failureRate: Double
    /// The share of slow requests at which it opens; nil: slow requests do not matter.
    package let slowRate: Double?
    /// A request that takes at least so long is slow.
    package let slowAfter: UInt64
    /// With fewer requests in the window it does not open.
    package let minimumRequests: Int
    /// How far back requests are counted.
    package let window: BreakerWindow
    /// How long it stays open the first time; twice as long at each opening that follows.
    package let openTime: UInt64
    /// How long it stays open at most.
    package let mostOpenTime: UInt64
    /// So many probes have to succeed before it closes, and no more are under way at a time.
    package let probes: Int
    /// After so long a time of being closed an opening counts as the first one again.
    package let calmTime: UInt64

    /// Rules; values outside of what makes sense are taken for the nearest that does.
    ///
    /// - Parameter calmTime: nil: the longest time of being open.
    package init(
        failureRate: Double = 0.5, slowRate: Double? = nil, slowAfter: UInt64 = 5_000, minimumRequests: Int = 20,
        window: UInt64 = 10_000, openTime: UInt64 = 5_000, mostOpenTime: UInt64 = 60_000, probes: Int = 3,
        calmTime: UInt64? = nil
    ) {
        self.failureRate = Self.share(failureRate)
        self.slowRate = slowRate.map(Self.share)
        self.slowAfter = slowAfter
        self.minimumRequests = min(max(minimumRequests, 1), BreakerWindow.mostCounted)
        self.window = BreakerWindow(milliseconds: window)
        self.openTime = min(max(openTime, 1), Self.longest)
        self.mostOpenTime = min(max(mostOpenTime, self.openTime), Self.longest)
        self.probes = min(max(probes, 1), Self.mostProbes)
        self.calmTime = calmTime ?? self.mostOpenTime
    }

    private static func share(_ value: Double) -> Double { value >= 0 && value <= 1 ? value : (value < 0 ? 0 : 1) }

    /// What became of a request that was admitted.
    package enum Outcome: Equatable, Sendable {
        /// The upstream answered, or was waited for in vain.
        case answered(failed: Bool, slow: Bool)
        /// Nobody waited to the end (the client left), or the request was refused by another bound of ours: it says
        /// nothing about the upstream.
        case abandoned
    }

    /// The outcome of a request that was waited for to its end.
    package func outcome(failed: Bool, milliseconds: UInt64) -> Outcome {
        .answered(failed: failed, slow: slowRate != nil && milliseconds >= slowAfter)
    }

    /// Whether `figures` are bad enough to open.
    func isBad(_ figures: BreakerFigures) -> Bool {
        guard figures.total >= minimumRequests else { return false }
        let total = Double(figures.total)
        if figures.failed > 0, Double(figures.failed) >= failureRate * total { return true }
        guard let slowRate, figures.slow > 0 else { return false }
        return Double(figures.slow) >= slowRate * total
    }

    /// How long it stays open the `openings`th time in a row: twice as long each time, within a tenth up or down, so
    /// that gateways which opened together do not probe together.
    ///
    /// - Parameter random: 64 random bits.
    func openTime(openings: Int, random: UInt64) -> UInt64 {
        let doublings = min(max(openings, 1) - 1, 63)
        let (doubled, overflow) = openTime.multipliedReportingOverflow(by: 1 << UInt64(doublings))
        let grown = overflow ? mostOpenTime : min(doubled, mostOpenTime)
        // At the limit the spread lies below it, so that the limit holds and the times still differ.
        let top = min(grown + grown / 10, mostOpenTime)
        return max(top - random.multipliedFullWidth(by: grown / 5 + 1).high, 1)
    }
}

/// What a request that a breaker admitted carries, to report its outcome with.
package struct BreakerTicket: Equatable, Sendable {
    /// Whether the request is one of those that try out whether the upstream is well again.
    package let isProbe: Bool
    /// The number of the last opening before it, wrapping: what was admitted before an opening says nothing after it.
    let opening: UInt8
}
