/// What active checks have found out about one endpoint.
package struct HealthRecord: Equatable, Sendable {
    /// How many results in a row change an opinion.
    package struct Thresholds: Equatable, Sendable {
        /// Successes after which an unhealthy endpoint is healthy.
        package let healthy: Int
        /// Failures after which it is unhealthy.
        package let unhealthy: Int

        /// Thresholds of at least 1.
        package init(healthy: Int = 2, unhealthy: Int = 3) {
            self.healthy = max(healthy, 1)
            self.unhealthy = max(unhealthy, 1)
        }
    }

    /// The opinion.
    package enum State: UInt8, Equatable, Sendable {
        /// Not one check has succeeded yet, and not enough have failed: it gets requests.
        case unknown
        /// It gets requests.
        case healthy
        /// It gets none.
        case unhealthy
    }

    /// A change of opinion, which is worth a line in the log.
    package enum Change: Equatable, Sendable {
        /// The opinion is now this one.
        case became(State)
    }

    /// The opinion at this moment.
    package private(set) var state = State.unknown
    /// Results in a row that speak against the state.
    private var contrary = 0

    /// Nothing is known.
    package init() {}

    /// Whether it gets requests.
    package var serves: Bool { state != .unhealthy }

    /// Takes the result of a check.
    package mutating func record(isSuccess: Bool, by thresholds: Thresholds) -> Change? {
        if isSuccess == (state != .unhealthy) {
            contrary = 0
            guard state == .unknown else { return nil }
            state = .healthy
            return .became(.healthy)
        }
        contrary += 1
        guard contrary >= (isSuccess ? thresholds.healthy : thresholds.unhealthy) else { return nil }
        contrary = 0
        state = isSuccess ? .healthy : .unhealthy
        return .became(state)
    }
}

/// When an endpoint is checked.
package struct ProbeSchedule: Equatable, Sendable {
    /// The mean time between two checks, in milliseconds.
    package let interval: UInt64
    /// The first checks of all endpoints are spread over so long at most: soon, but not all at once.
    package static let longestSpread: UInt64 = 5_000

    /// A schedule; an interval is at least 1 ms and at most a year.
    package init(interval: UInt64 = 10_000) {
        self.interval = min(max(interval, 1), 31_536_000_000)
    }

    /// How long after the start the first check of the endpoint `index` of `count` comes.
    ///
    /// - Parameter random: 64 random bits, so that gateways which start together do not check together.
    package func first(index: Int, of count: Int, random: UInt64) -> UInt64 {
        let count = UInt64(max(count, 1))
        let slot = UInt64(max(index, 0)) % count
        let spread = min(interval, Self.longestSpread)
        return slot * spread / count + random.multipliedFullWidth(by: max(spread / count, 1)).high
    }

    /// How long after a check the next one comes: the interval within a tenth up or down.
    package func next(random: UInt64) -> UInt64 {
        let tenth = interval / 10
        return max(interval - tenth + random.multipliedFullWidth(by: 2 * tenth + 1).high, 1)
    }
}
