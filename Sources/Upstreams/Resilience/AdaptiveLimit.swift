/// What one window of time has measured of an upstream.
package struct LatencyWindow: Equatable, Sendable {
    /// Answers that were measured.
    package var samples: Int
    /// Their median or mean, in microseconds.
    package var latency: Double
    /// The most requests that were under way at a time.
    package var inFlightPeak: Int

    /// Figures of a window.
    package init(samples: Int, latency: Double, inFlightPeak: Int) {
        self.samples = samples
        self.latency = latency
        self.inFlightPeak = inFlightPeak
    }
}

/// How many requests an upstream takes before they only wait in it, learned from its latency (`"maxRequests":
/// "adaptive"`).
///
/// The gradient of Netflix's *concurrency-limits* with the refreshed baseline of Envoy's *adaptive concurrency*:
/// latency is held against the lowest that was seen; where it is more than `tolerance` times as long, the limit shrinks
/// in that proportion; otherwise it grows by the square root of itself, which is the queue that is allowed. A baseline
/// that only sinks would be too low for ever after the upstream has become slower, and one that follows the mean would
/// get used to an overload. So it is measured anew now and then, while the limit is cut to two thirds of what the
/// baseline says that the upstream works on at a time: that leaves no queue, or a shorter one, but does not refuse
/// nearly everything as Envoy's cut to three requests does.
///
/// One owner feeds it and publishes ``limit``; the windows last about as long as a hundred requests, and at least 100
/// ms.
package struct AdaptiveLimit: Equatable, Sendable {
    /// The numbers.
    package struct Policy: Equatable, Sendable {
        /// The limit is never below.
        package let least: Int
        /// The limit is never above.
        package let most: Int
        /// The limit at the beginning.
        package let initial: Int
        /// How many times the baseline a latency may be.
        package let tolerance: Double
        /// How many microseconds a latency may be above the baseline in any case: where an answer takes a fraction of a
        /// millisecond, a handful of requests at a time make it many times as long, and no upstream is overloaded by that.
        package let leastGap: Double
        /// How much of the way to what a window suggests is gone at once, 0…1.
        package let smoothing: Double
        /// A window with fewer samples says nothing.
        package let leastSamples: Int
        /// Windows between two measurements of the baseline; the first one, and one after the baseline sank, comes ten
        /// times as soon.
        package let refreshAfter: Int
        /// Windows that a measurement lasts.
        package let refreshWindows: Int

        /// Numbers; those outside of what makes sense are taken for the nearest that does.
        package init(
            least: Int = 4, most: Int = 1024, initial: Int = 32, tolerance: Double = 1.5, smoothing: Double = 0.2,
            leastSamples: Int = 10, refreshAfter: Int = 300, refreshWindows: Int = 3, leastGap: Double = 0
        ) {
            self.leastGap = leastGap > 0 ? min(leastGap, 60_000_000) : 0
            self.least = min(max(least, 1), 1 << 30)
            self.most = min(max(most, self.least), 1 << 30)
            self.initial = min(max(initial, self.least), self.most)
            self.tolerance = tolerance >= 1 ? min(tolerance, 100) : 1
            self.smoothing = smoothing > 0 ? min(smoothing, 1) : 0.01
            self.leastSamples = max(leastSamples, 1)
            self.refreshAfter = min(max(refreshAfter, 1), 1 << 30)
            self.refreshWindows = max(refreshWindows, 1)
        }
    }

    private enum Phase: Equatable, Sendable {
        /// So many windows until the baseline is measured anew.
        case tracking(Int)
        /// So many windows are left of a measurement, the lowest latency of which was `lowest`.
        case measuring(Int, lowest: Double)
    }

    private let policy: Policy
    private var size: Double
    private var phase: Phase
    /// The latency without a queue, in microseconds; 0 while it is not known.
    package private(set) var baseline = 0.0

    /// A limit that has learned nothing.
    package init(policy: Policy = Policy()) {
        self.policy = policy
        size = Double(policy.initial)
        phase = .tracking(max(policy.refreshAfter / 10, 1))
    }

    /// How many requests may be under way now.
    package var limit: Int {
        guard isMeasuring else { return Int(size) }
        // Where the limit has settled, it is `tolerance` times what the upstream works on, and the queue besides.
        // Measured at that, a baseline that is too high would stay so, as the limit follows it.
        return max(Int((size - size.squareRoot()) / policy.tolerance * 2 / 3), policy.least)
    }

    /// Whether the baseline is being measured, and the limit is lower for it.
    package var isMeasuring: Bool {
        if case .measuring = phase { true } else { false }
    }

    /// Takes what a window has measured. A window without enough samples changes nothing.
    ///
    /// - Parameter random: 64 random bits: the time between measurements is spread by a tenth, so that gateways do not
    ///   measure, and refuse, at the same time.
    package mutating func windowEnded(_ window: LatencyWindow, random: UInt64) {
        guard window.samples >= policy.leastSamples, window.latency.isFinite, window.latency > 0 else { return }
        switch phase {
        case .measuring(let left, let lowest):
            let lowest = min(lowest, window.latency)
            if left > 1 {
                phase = .measuring(left - 1, lowest: lowest)
            } else {
                // A baseline that was found in a queue sinks step by step: the next step comes soon.
                let windows = lowest < baseline * 0.9 ? policy.refreshAfter / 10 : policy.refreshAfter
                baseline = lowest
                let shift = Int(random.multipliedFullWidth(by: UInt64(windows / 5 + 1)).high) - windows / 10
                phase = .tracking(max(windows + shift, 1))
            }
        case .tracking(let left):
            baseline = baseline == 0 ? window.latency : min(baseline, window.latency)
            follow(window)
            if policy.leastGap > 0, window.latency <= baseline + policy.leastGap {
                // Whatever the baseline is, nothing would follow from it now; and it is not to be measured in the first
                // moments of an overload, when the limit is still too high.
                phase = .tracking(max(left, policy.refreshAfter / 10, 1))
            } else {
                phase = left > 1 ? .tracking(left - 1) : .measuring(policy.refreshWindows, lowest: .infinity)
            }
        }
    }

    private mutating func follow(_ window: LatencyWindow) {
        // At most a half at once: one slow window is not yet an overload.
        let allowed = max(policy.tolerance * baseline, baseline + policy.leastGap)
        let gradient = min(max(allowed / window.latency, 0.5), 1)
        let suggested = size * gradient + size.squareRoot()
        // A limit that was not used says nothing about what lies above it.
        if suggested > size, window.inFlightPeak < Int(size) / 2 { return }
        size += (suggested - size) * policy.smoothing
        size = min(max(size, Double(policy.least)), Double(policy.most))
    }
}
