import Testing

@testable import Upstreams

@Suite struct LoadBalancerTests {
    private func randoms(seed: UInt64, _ count: Int) -> [UInt64] {
        (0..<UInt64(count)).map { LoadBalancer.mixed(seed &* 1_000_003 &+ $0) }
    }

    @Test func roundRobinMixesEvenly() {
        var balancer = LoadBalancer(policy: .roundRobin, weights: [5, 1, 1])
        let picks = (0..<14).map { _ in balancer.pick(random: 0, hash: nil, salts: [1, 2, 3]) { _ in 0 } }
        #expect(picks == [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0])
    }

    @Test(arguments: [[1], [1, 1], [3, 2], [1, 2, 3, 4], [0, 5]])
    func roundRobinKeepsTheShares(weights: [Int]) {
        var balancer = LoadBalancer(policy: .roundRobin, weights: weights)
        let effective = weights.map { max($0, 1) }
        var counts = weights.map { _ in 0 }
        for _ in 0..<(10 * effective.reduce(0, +)) {
            counts[balancer.pick(random: 9, hash: nil, salts: weights.map { _ in 0 }) { _ in 0 }] += 1
        }
        #expect(counts == effective.map { $0 * 10 })
    }

    /// With two servers both are always drawn: the less loaded one, by its weight, wins.
    @Test(arguments: [
        (weights: [1, 1], loads: [0, 1], winner: 0), (weights: [1, 1], loads: [3, 2], winner: 1),
        (weights: [4, 1], loads: [3, 1], winner: 0), (weights: [4, 1], loads: [9, 0], winner: 1),
    ])
    func theLessLoadedOfTwoIsPicked(weights: [Int], loads: [Int], winner: Int) {
        var balancer = LoadBalancer(policy: .leastRequest, weights: weights)
        for random in randoms(seed: 3, 200) {
            #expect(balancer.pick(random: random, hash: nil, salts: [0, 0]) { loads[$0] } == winner)
        }
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func leastRequestNeverPicksTheMostLoaded(seed: UInt64) {
        var balancer = LoadBalancer(policy: .leastRequest, weights: [1, 2, 3, 2])
        var counts = [0, 0, 0, 0]
        for random in randoms(seed: seed, 400) {
            counts[balancer.pick(random: random, hash: nil, salts: [0, 0, 0, 0]) { $0 == 2 ? 1000 : 0 }] += 1
        }
        #expect(counts[2] == 0)
        #expect(counts[0] > 0 && counts[1] > 0 && counts[3] > 0)
    }

    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func aKeyKeepsItsServerWhenAnotherGoes(seed: UInt64) {
        let salts: [UInt64] = [11, 22, 33, 44]
        var all = LoadBalancer(policy: .hash, weights: [1, 1, 1, 1])
        var fewer = LoadBalancer(policy: .hash, weights: [1, 1, 1])
        var counts = [0, 0, 0, 0]
        for key in randoms(seed: seed, 1000) {
            let owner = all.pick(random: 1, hash: key, salts: salts) { _ in 0 }
            #expect(all.pick(random: 2, hash: key, salts: salts) { $0 } == owner)
            counts[owner] += 1
            let after = fewer.pick(random: 3, hash: key, salts: Array(salts.dropLast())) { _ in 0 }
            if owner < 3 { #expect(after == owner) }
        }
        #expect(counts.allSatisfy { $0 > 150 && $0 < 350 })
    }

    @Test func heavierServersOwnMoreKeys() {
        var balancer = LoadBalancer(policy: .hash, weights: [3, 1])
        let salts = randoms(seed: 1, 2)
        let owners = randoms(seed: 5, 2000).map { balancer.pick(random: 0, hash: $0, salts: salts) { _ in 0 } }
        let first = owners.count { $0 == 0 }
        #expect(first > 1350 && first < 1650)
    }

    /// A request without a key goes by least request.
    @Test func withoutAKeyTheLessLoadedIsPicked() {
        var balancer = LoadBalancer(policy: .hash, weights: [1, 1])
        for random in randoms(seed: 8, 50) {
            #expect(balancer.pick(random: random, hash: nil, salts: [1, 2]) { $0 == 0 ? 5 : 0 } == 1)
        }
    }
}
