/// How many requests of a kind that adds load (retries, hedges, fallback) may be under way: a share of the live
/// requests, and a few in any case, so that a service with little traffic has them too.
package struct RequestBudget: Equatable, Sendable {
    /// The share of the live requests, 0…1.
    package let share: Double
    /// So many may be under way in any case.
    package let minimum: Int

    /// A budget; a share outside of 0…1 is taken for the nearest.
    package init(share: Double = 0.2, minimum: Int = 3) {
        self.share = share >= 0 ? min(share, 1) : 0
        self.minimum = max(minimum, 0)
    }

    /// How many may be under way beside `live` requests.
    package func most(live: Int) -> Int {
        // Counts stay exact far beyond any number of requests that a process can have.
        max(minimum, Int(share * Double(min(max(live, 0), 1 << 40)) + 1e-9))
    }

    /// Whether one more may begin.
    ///
    /// - Parameters:
    ///   - live: live requests under way.
    ///   - inUse: requests of this kind under way, without the one that asks.
    package func allows(live: Int, inUse: Int) -> Bool { inUse < most(live: live) }
}
