/// Decides about traces that begin at one worker: a share of them, and at most so many in a second.
package struct RootSampler: Sendable {
    /// The share.
    package let ratio: Sampler
    /// The most traces in a second; nil means no bound.
    package let limit: Double?

    /// A sampler of this share of all traces, and of at most `limit` traces a second.
    package init(ratio: Sampler, limit: Double? = nil) {
        self.ratio = ratio
        self.limit = limit
    }
}

/// How many traces one worker may still sample at the moment: a bucket that holds a second's worth.
package struct SamplingAllowance: Sendable {
    private var left = 0.0
    private var filledAt: UInt64?

    /// An allowance of which nothing is used.
    package init() {}

    /// Takes one trace out at `now`, in nanoseconds; false when there is none left.
    ///
    /// - Parameter rate: traces in a second.
    package mutating func take(rate: Double, at now: UInt64) -> Bool {
        let most = max(rate, 1)
        if let filledAt {
            left = min(left + Double(now &- filledAt) / 1e9 * rate, most)
        } else {
            left = most
        }
        filledAt = now
        guard left >= 1 else { return false }
        left -= 1
        return true
    }
}
