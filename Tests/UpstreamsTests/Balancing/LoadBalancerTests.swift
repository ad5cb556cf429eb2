import Testing

@testable import Upstreams

/// The three policies, where every server is well.
@Suite struct LoadBalancerTests {
    private func randoms(seed: UInt64, _ count: Int) -> [UInt64] {
        (0..<UInt64(count)).map { LoadBalancer.mixed(seed &* 1_000_003 &+ $0) }
    }

    @Test func roundRobinMixesEvenly() {
        var balancer = LoadBalancer(.roundRobin, [5, 1, 1])
        let picks = (0..<14).map { _ in balancer.pick(PickRequest(random: 0), FixedServers(3)).server }
        #expect(picks == [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0])
    }

    @Test(arguments: [[1], [1, 1], [3, 2], [1, 2, 3, 4], [0, 5]])
    func roundRobinKeepsTheShares(weights: [Int]) {
        var balancer = LoadBalancer(.roundRobin, weights)
        let effective = weights.map { max($0, 1) }
        let counts = balancer.counts(10 * effective.reduce(0, +), FixedServers(weights.count))
        #expect(counts == effective.map { $0 * 10 })
    }

    /// With two servers both are always drawn: the less loaded one, by its weight, wins.
    @Test(arguments: [
        (weights: [1, 1], loads: [0, 1], winner: 0), (weights: [1, 1], loads: [3, 2], winner: 1),
        (weights: [4, 1], loads: [3, 1], winner: 0), (weights: [4, 1], loads: [9, 0], winner: 1),
    ])
    func theLessLoadedOfTwoIsPicked(weights: [Int], loads: [Int], winner: Int) {
        var balancer = LoadBalancer(.leastRequest, weights)
        for random in randoms(seed: 3, 200) {
            #expect(balancer.pick(PickRequest(random: random), FixedServers(loads: loads)) == Pick(server: winner))
        }
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func leastRequestNeverPicksTheMostLoaded(seed: UInt64) {
        var balancer = LoadBalancer(.leastRequest, [1, 2, 3, 2])
        let counts = balancer.counts(400, FixedServers(loads: [0, 0, 1_000, 0]), seed: seed)
        #expect(counts[2] == 0)
        #expect(counts[0] > 0 && counts[1] > 0 && counts[3] > 0)
    }

    /// Where nothing is under way the shares are those of the weights, and a light server is not passed over for ever.
    @Test func idleServersGetTheSharesOfTheirWeights() {
        var balancer = LoadBalancer(.leastRequest, [6, 3, 1])
        let counts = balancer.counts(30_000, FixedServers(3))
        for (count, share) in zip(counts, [0.6, 0.3, 0.1]) {
            #expect(abs(Double(count) / 30_000 - share) < 0.01, "\(counts)")
        }
    }

    /// Few questions, however many servers there are.
    @Test(arguments: [2, 10, 1_000]) func leastRequestLooksAtTwo(count: Int) {
        var balancer = LoadBalancer(.leastRequest, Array(repeating: 7, count: count))
        let servers = AskedServers()
        for random in randoms(seed: 5, 1_000) { _ = balancer.pick(PickRequest(random: random), servers) }
        #expect(servers.questions <= 6_000)
    }

    /// Balls into bins: with two choices the fullest of a hundred has two or three more than the mean of ten, with one
    /// choice it would have about ten more.
    @Test(arguments: 1...5 as ClosedRange<UInt64>) func twoChoicesKeepLoadsLevel(seed: UInt64) {
        var balancer = LoadBalancer(.leastRequest, Array(repeating: 1, count: 100))
        var servers = FixedServers(100)
        for random in randoms(seed: seed, 1_000) {
            servers.loads[balancer.pick(PickRequest(random: random), servers).server] += 1
        }
        #expect(servers.loads.max() ?? 0 <= 14)
    }

    /// A request without a key goes by least request.
    @Test func withoutAKeyTheLessLoadedIsPicked() {
        var balancer = LoadBalancer(.hash, [1, 1])
        for random in randoms(seed: 8, 50) {
            #expect(balancer.pick(PickRequest(random: random), FixedServers(loads: [5, 0])).server == 1)
        }
    }

    @Test func aSingleServerIsAlwaysPicked() {
        for policy in [LoadBalancer.Policy.roundRobin, .leastRequest, .hash] {
            var balancer = LoadBalancer(policy, [3])
            #expect(balancer.pick(PickRequest(random: 1, hash: 2), FixedServers(1)) == Pick(server: 0))
            #expect(
                balancer.pick(
                    PickRequest(random: 1, hash: 2, avoiding: AvoidedServers(mask: 1)), FixedServers(1, available: []))
                    == Pick(server: 0, isPanic: true))
        }
    }

    /// The largest weights there are, by the thousand.
    @Test func hugeWeightsDoNotTrap() {
        for policy in [LoadBalancer.Policy.roundRobin, .leastRequest] {
            var balancer = LoadBalancer(policy, (0..<3_000).map { $0 % 2 == 0 ? .max : .min })
            var servers = FixedServers(3_000)
            servers.loads = servers.loads.indices.map { $0 % 3 == 0 ? .max : .min }
            let counts = balancer.counts(200, servers)
            #expect(counts.reduce(0, +) == 200)
            #expect(counts.indices.allSatisfy { $0 % 2 == 0 || counts[$0] == 0 })
        }
    }
}
