import Upstreams

/// How long answers by each route take to begin, as one worker sees it: the times after which second attempts are made.
struct HeadTimes {
    private var estimates: [QuantileEstimate?] = []

    /// Forgets everything, and learns for the routes whose second attempts wait for such a time; nil for all others.
    mutating func use(_ percents: [Int?]) { estimates = percents.map { $0.map { QuantileEstimate(percent: $0) } } }

    /// Takes the time of an answer by the route with this number, in nanoseconds.
    mutating func note(_ nanoseconds: UInt64, of route: Int) {
        guard estimates.indices.contains(route) else { return }
        estimates[route]?.add(nanoseconds)
    }

    /// The time for the route with this number, in milliseconds; nil while it is not known.
    ///
    /// A loop counts whole milliseconds from the beginning of a turn: one more is waited for, so that no request is taken for
    /// slower than the others that is not. Where answers take less than one, many would be.
    func milliseconds(_ route: Int) -> UInt64? {
        guard estimates.indices.contains(route), let time = estimates[route]?.value else { return nil }
        return UInt64(min(max((time / 1_000_000).rounded(.up), 1), 3_600_000)) + 1
    }
}
