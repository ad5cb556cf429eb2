/// Which server a key belongs to: a table of prime size in which each server owns places in the share of its weight
/// (Maglev, NSDI 2016, §3.4). When a server goes, its keys are spread over the others, and only few others move.
///
/// Made once for a configuration; a look-up is one remainder and one load.
package struct MaglevTable: Sendable {
    /// The place of each server's number.
    private let places: [UInt16]

    /// Sizes: few, and far apart, because nearly all keys move when the size changes. Each is the smallest with more
    /// than 200 places for each server, as long as there is one.
    private static let sizes = [8_191, 65_537, 655_357]
    /// So many servers can be told apart.
    static let mostServers = Int(UInt16.max)

    /// A table over servers with these weights.
    ///
    /// - Parameter salts: one fixed number for each server, which stays its own when others come or go. The order of
    ///   the servers does not matter.
    package init(weights: [Int], salts: [UInt64]) {
        let count = min(weights.count, salts.count, Self.mostServers)
        let size = Self.sizes.first { count * 200 < $0 } ?? Self.sizes[Self.sizes.count - 1]
        guard count > 0 else {
            places = []
            return
        }
        var places = [UInt16](repeating: .max, count: size)
        let order = (0..<count).sorted { (salts[$0], $0) < (salts[$1], $1) }
        let modulus = UInt64(size)
        var next = salts.map { LoadBalancer.mixed($0) % modulus }
        let step = salts.map { LoadBalancer.mixed($0 ^ 0xA5A5_A5A5_A5A5_A5A5) % (modulus - 1) + 1 }
        let heaviest = Double(max(weights.max() ?? 1, 1))
        // Servers take places in turn; one with half the largest weight takes every second turn.
        var saved = [Double](repeating: 0, count: count)
        var free = size
        while free > 0 {
            for server in order where free > 0 {
                saved[server] += Double(max(weights[server], 1)) / heaviest
                guard saved[server] >= 1 - 1e-9 else { continue }
                saved[server] -= 1
                while places[Int(next[server])] != .max { next[server] = (next[server] + step[server]) % modulus }
                places[Int(next[server])] = UInt16(server)
                free -= 1
            }
        }
        self.places = places
    }

    /// How many places there are.
    package var count: Int { places.count }

    /// The server that a key belongs to; `hash` is the key's.
    package func owner(of hash: UInt64) -> Int { server(LoadBalancer.mixed(hash), at: 0) }

    /// The server that is asked `probe`th for a key, beginning with the owner at 0. Each key has an order of its own,
    /// in which servers come in the share of their weights, and may come again.
    func server(_ mixed: UInt64, at probe: Int) -> Int {
        let point = probe == 0 ? mixed : LoadBalancer.mixed(mixed &+ UInt64(truncatingIfNeeded: probe))
        return places.isEmpty ? 0 : Int(places[Int(point % UInt64(places.count))])
    }
}
