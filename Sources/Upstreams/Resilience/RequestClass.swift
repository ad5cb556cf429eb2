/// What a request to an upstream is for, the most important first. When an upstream gets full, the last class is
/// refused first.
package enum RequestClass: UInt8, Comparable, CaseIterable, Sendable {
    /// A client waits for it.
    case live
    /// A client waits for it, and another upstream should have answered.
    case fallback
    /// The second write of a dual write: may wait.
    case dualWrite
    /// A copy whose answer is only compared.
    case shadow

    /// Whether the left one is the more important.
    package static func < (left: RequestClass, right: RequestClass) -> Bool { left.rawValue < right.rawValue }

    /// The word for metrics and logs.
    package var word: StaticString {
        switch self {
        case .live: "live"
        case .fallback: "fallback"
        case .dualWrite: "dual_write"
        case .shadow: "shadow"
        }
    }
}

/// How far each class may fill an upstream: a class is refused once **all** requests under way have reached its share
/// of `maxRequests`, so that what is above it stays free for the classes before it.
package struct ClassShares: Equatable, Sendable {
    private let fallback: Double
    private let dualWrite: Double
    private let shadow: Double
    /// What fallbacks may take besides, in proportion to the live requests.
    package let fallbackBudget: RequestBudget

    /// Shares of 0…1; a class never gets more than the one before it, and live requests get everything.
    package init(
        fallback: Double = 0.9, dualWrite: Double = 0.75, shadow: Double = 0.5,
        fallbackBudget: RequestBudget = RequestBudget()
    ) {
        self.fallback = fallback >= 0 ? min(fallback, 1) : 0
        self.dualWrite = dualWrite >= 0 ? min(dualWrite, self.fallback) : 0
        self.shadow = shadow >= 0 ? min(shadow, self.dualWrite) : 0
        self.fallbackBudget = fallbackBudget
    }

    /// How many requests of all classes may be under way for one of `requestClass` to begin.
    package func most(_ requestClass: RequestClass, of mostRequests: Int) -> Int {
        let most = Double(min(max(mostRequests, 0), 1 << 40))
        switch requestClass {
        case .live: return mostRequests
        case .fallback: return Int(fallback * most + 1e-9)
        case .dualWrite: return Int(dualWrite * most + 1e-9)
        case .shadow: return Int(shadow * most + 1e-9)
        }
    }

    /// Whether one more request may begin.
    ///
    /// - Parameters:
    ///   - inUse: requests of all classes under way, without the one that asks.
    ///   - live: live requests under way that fallbacks are measured against.
    ///   - fallbacks: fallbacks under way.
    ///   - mostRequests: the bound of the upstream.
    package func allows(
        _ requestClass: RequestClass, inUse: Int, live: Int, fallbacks: Int, mostRequests: Int
    ) -> Bool {
        guard inUse < most(requestClass, of: mostRequests) else { return false }
        return requestClass != .fallback || fallbackBudget.allows(live: live, inUse: fallbacks)
    }
}
