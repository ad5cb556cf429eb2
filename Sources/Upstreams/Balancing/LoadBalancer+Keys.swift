extension LoadBalancer {
    /// The server that keeps a key: its owner, or the next one in the key's own order where the owner is not to be had
    /// or is overloaded ("consistent hashing with bounded loads"). Zones do not matter: a key has one server, wherever
    /// it is asked from.
    func keeper(
        of hash: UInt64, in table: MaglevTable, _ request: PickRequest, _ servers: some ServerFigures
    ) -> Pick {
        let key = Self.mixed(hash)
        let owner = table.server(key, at: 0)
        if servers.isAvailable(owner), !request.avoiding.contains(owner), servers.load(owner) < rules.leastLoadBound {
            return Pick(server: owner)
        }
        let candidates = candidates(request, servers, zones: false)
        for width in PickCandidates.Width.allCases where width != .anyZone {
            var totalLoad = 0
            var totalWeight = 0
            var lightest = -1
            for server in weights.indices where candidates.allow(server, width, isInOwnZone: [], servers) {
                let load = Self.load(server, servers)
                totalLoad += load
                totalWeight += weights[server]
                if lightest < 0 || load * weights[lightest] < Self.load(lightest, servers) * weights[server] {
                    lightest = server
                }
            }
            guard lightest >= 0 else { continue }
            let perWeight = rules.loadBound * Double(totalLoad + 1) / Double(max(totalWeight, 1))
            for probe in 0..<(2 * weights.count + 16) {
                let server = table.server(key, at: probe)
                guard candidates.allow(server, width, isInOwnZone: [], servers) else { continue }
                let bound = max(Double(rules.leastLoadBound), perWeight * Double(weights[server]))
                if Double(Self.load(server, servers)) < bound {
                    return Pick(server: server, isPanic: candidates.isPanic)
                }
            }
            return Pick(server: lightest, isPanic: candidates.isPanic)
        }
        return Pick(server: owner, isPanic: candidates.isPanic)
    }
}
