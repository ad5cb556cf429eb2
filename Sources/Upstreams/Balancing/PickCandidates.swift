/// Which servers may be picked for a request, from the state of all of them.
struct PickCandidates {
    /// The steps by which the choice is widened until there is one.
    enum Width: CaseIterable {
        /// In the zone that was chosen, and not avoided.
        case preferred
        /// In any zone, and not avoided.
        case anyZone
        /// Those that this request failed on, too.
        case avoided
        /// Whatever there is: every server went away while we looked.
        case all
    }

    private enum Zone {
        case any, own, others
    }

    /// Whether availability is ignored.
    let isPanic: Bool
    private let zone: Zone
    private let avoiding: AvoidedServers

    /// Looks at all servers.
    ///
    /// - Parameters:
    ///   - isInOwnZone: for each server; empty where zones do not matter.
    ///   - bits: 32 random bits.
    init(
        count: Int, isInOwnZone: [Bool], panic: PanicRule, zone: ZoneRule, avoiding: AvoidedServers, bits: UInt64,
        _ servers: some ServerFigures
    ) {
        self.avoiding = avoiding
        var available = 0
        var own = 0
        var ownAvailable = 0
        for server in 0..<count {
            let isAvailable = servers.isAvailable(server)
            if isAvailable { available += 1 }
            if server < isInOwnZone.count, isInOwnZone[server] {
                own += 1
                if isAvailable { ownAvailable += 1 }
            }
        }
        isPanic = panic.isPanic(available: available, of: count)
        if isPanic || isInOwnZone.isEmpty {
            self.zone = .any
        } else {
            let others = available - ownAvailable
            self.zone = zone.staysInZone(available: ownAvailable, of: own, others: others, bits: bits) ? .own : .others
        }
    }

    /// Whether `server` may be picked.
    @inline(__always)
    func allow(_ server: Int, _ width: Width, isInOwnZone: [Bool], _ servers: some ServerFigures) -> Bool {
        if width == .all { return true }
        guard isPanic || servers.isAvailable(server) else { return false }
        if width == .avoided { return true }
        guard !avoiding.contains(server) else { return false }
        switch zone {
        case _ where width == .anyZone: return true
        case .any: return true
        case .own: return isInOwnZone[server]
        case .others: return !isInOwnZone[server]
        }
    }
}
