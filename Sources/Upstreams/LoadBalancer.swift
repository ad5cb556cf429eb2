/// Which server of an upstream gets the next request. A pure decision: loads, randomness and the hash come in.
package struct LoadBalancer: Sendable {
    /// The rule.
    package enum Policy: Equatable, Sendable {
        /// One after the other, in the share of their weights, evenly mixed.
        case roundRobin
        /// The less loaded of two servers drawn by weight ("power of two choices").
        case leastRequest
        /// The server that a key belongs to; few keys move when servers come or go (rendezvous hashing).
        case hash
    }

    private let policy: Policy
    private let weights: [Int]
    private let total: Int
    /// Smooth weighted round robin: what each server has saved up.
    private var credit: [Int]

    /// A balancer over servers with these weights, each at least 1; there is at least one server.
    package init(policy: Policy, weights: [Int]) {
        precondition(!weights.isEmpty, "an upstream has at least one server")
        self.policy = policy
        self.weights = weights.map { Swift.max($0, 1) }
        total = self.weights.reduce(0, +)
        credit = Array(repeating: 0, count: weights.count)
    }

    /// The index of the server for the next request.
    ///
    /// - Parameters:
    ///   - random: 64 random bits.
    ///   - hash: the hash of the key, for the policy ``Policy/hash``; a request without a key goes by least request.
    ///   - salts: one fixed number for each server, which stays its own when others come or go.
    ///   - load: how many requests each server has under way.
    package mutating func pick(
        random: UInt64, hash: UInt64?, salts: [UInt64], load: (Int) -> Int
    ) -> Int {
        if weights.count == 1 { return 0 }
        switch policy {
        case .roundRobin: return nextInTurn()
        case .hash:
            if let hash { return owner(of: hash, salts) }
            return lessLoaded(random, load)
        case .leastRequest: return lessLoaded(random, load)
        }
    }

    private mutating func nextInTurn() -> Int {
        var best = 0
        for index in weights.indices {
            credit[index] += weights[index]
            if credit[index] > credit[best] { best = index }
        }
        credit[best] -= total
        return best
    }

    private func lessLoaded(_ random: UInt64, _ load: (Int) -> Int) -> Int {
        let first = drawn(random & 0xFFFF_FFFF, skipping: nil)
        let second = drawn(random >> 32, skipping: first)
        // Loads are compared relative to the weights, without division: a/wa <= b/wb.
        let firstLoad = (load(first) + 1) &* weights[second]
        let secondLoad = (load(second) + 1) &* weights[first]
        return firstLoad <= secondLoad ? first : second
    }

    /// A server drawn with a probability in the share of its weight; `bits` are 32 random bits.
    private func drawn(_ bits: UInt64, skipping: Int?) -> Int {
        let sum = total - (skipping.map { weights[$0] } ?? 0)
        var point = Int(truncatingIfNeeded: (bits &* UInt64(sum)) >> 32)
        for index in weights.indices where index != skipping {
            if point < weights[index] { return index }
            point -= weights[index]
        }
        return skipping == 0 ? 1 : 0
    }

    /// Rendezvous hashing: each server draws a number for the key, the largest wins. Weights scale the draw.
    private func owner(of hash: UInt64, _ salts: [UInt64]) -> Int {
        var best = 0
        var bestScore: UInt64 = 0
        for index in weights.indices {
            // The largest of `weight` draws is as likely to win as `weight` servers of one draw each.
            for draw in 0..<weights[index] {
                let score = Self.mixed(hash ^ Self.mixed(salts[index] &+ UInt64(draw)))
                if score > bestScore {
                    bestScore = score
                    best = index
                }
            }
        }
        return best
    }

    /// Mixes all bits of a number into all bits of the result (the finaliser of SplitMix64).
    package static func mixed(_ value: UInt64) -> UInt64 {
        var mix = value &+ 0x9E37_79B9_7F4A_7C15
        mix = (mix ^ (mix >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mix = (mix ^ (mix >> 27)) &* 0x94D0_49BB_1331_11EB
        return mix ^ (mix >> 31)
    }
}
