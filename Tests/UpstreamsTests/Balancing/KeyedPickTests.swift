import Testing

@testable import Upstreams

/// Balancing by key: owners, and who takes their place.
@Suite struct KeyedPickTests {
    private func keys(_ count: Int, seed: UInt64) -> [UInt64] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in generator.next() }
    }

    /// A key has one server, whatever the random bits are and as long as no load is out of bounds.
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func aKeyKeepsItsServerWhenAnotherGoes(seed: UInt64) {
        let salts: [UInt64] = [11, 22, 33, 44]
        var all = LoadBalancer(.hash, [1, 1, 1, 1], salts: salts)
        var fewer = LoadBalancer(.hash, [1, 1, 1], salts: Array(salts.dropLast()))
        var counts = [0, 0, 0, 0]
        var moved = 0
        for key in keys(1_000, seed: seed) {
            let owner = all.pick(PickRequest(random: 1, hash: key), FixedServers(4)).server
            #expect(all.pick(PickRequest(random: 2, hash: key), FixedServers(loads: [0, 1, 2, 7])).server == owner)
            counts[owner] += 1
            let after = fewer.pick(PickRequest(random: 3, hash: key), FixedServers(3)).server
            if owner < 3, after != owner { moved += 1 }
        }
        #expect(moved < 40)
        #expect(counts.allSatisfy { $0 > 150 && $0 < 350 })
    }

    @Test func heavierServersOwnMoreKeys() {
        var balancer = LoadBalancer(.hash, [3, 1], salts: keys(2, seed: 1))
        let first = keys(2_000, seed: 5).count {
            balancer.pick(PickRequest(random: 0, hash: $0), FixedServers(2)).server == 0
        }
        #expect(first > 1_350 && first < 1_650)
    }

    /// The keys of a server that is away go to the same others each time, evenly, and all other keys stay.
    @Test func theKeysOfAServerThatIsAwayAreSpread() {
        var balancer = LoadBalancer(.hash, Array(repeating: 1, count: 6))
        let without = FixedServers(6, available: [0, 1, 2, 3, 4])
        var heirs = [0, 0, 0, 0, 0, 0]
        for key in keys(12_000, seed: 3) {
            let owner = balancer.pick(PickRequest(random: 0, hash: key), FixedServers(6)).server
            let heir = balancer.pick(PickRequest(random: 1, hash: key), without).server
            holds(balancer.pick(PickRequest(random: 2, hash: key), without).server == heir)
            if owner == 5 { heirs[heir] += 1 } else { holds(owner == heir) }
        }
        #expect(heirs[5] == 0)
        #expect(heirs.prefix(5).allSatisfy { $0 > 300 && $0 < 500 }, "\(heirs)")
    }

    /// A second attempt for a key goes to another server, the same one each time.
    @Test func anotherAttemptHasItsOwnServer() {
        var balancer = LoadBalancer(.hash, [1, 1, 1])
        for key in keys(2_000, seed: 4) {
            let owner = balancer.pick(PickRequest(random: 0, hash: key), FixedServers(3)).server
            var avoiding = AvoidedServers()
            avoiding.insert(owner)
            let second = balancer.pick(PickRequest(random: 1, hash: key, avoiding: avoiding), FixedServers(3)).server
            holds(second != owner)
            holds(
                balancer.pick(PickRequest(random: 9, hash: key, avoiding: avoiding), FixedServers(3)).server == second)
        }
    }

    /// All requests have one key: it is passed on before its server has more than a quarter more than the others.
    @Test(arguments: [[1, 1, 1, 1], [4, 2, 1, 1]]) func oneKeyDoesNotOverrunAServer(weights: [Int]) {
        var balancer = LoadBalancer(.hash, weights)
        var servers = FixedServers(4)
        for step in 0..<4_000 {
            let pick = balancer.pick(PickRequest(random: UInt64(step), hash: 4_711), servers).server
            servers.loads[pick] += 1
            let total = Double(servers.loads.reduce(0, +))
            let bound = (1.25 * total * Double(weights[pick]) / Double(weights.reduce(0, +))).rounded(.up)
            holds(Double(servers.loads[pick]) <= max(8, bound), "\(servers.loads)")
        }
    }

    /// Requests come and go with a few hot keys: the bound holds at every step, and most requests are where they
    /// belong.
    @Test(arguments: 1...4 as ClosedRange<UInt64>) func theBoundHoldsInEverySequence(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let count = Int.random(in: 2...20, using: &generator)
        var balancer = LoadBalancer(.hash, Array(repeating: 1, count: count))
        var servers = FixedServers(count)
        var underWay: [Int] = []
        var home = 0
        for step in 0..<40_000 {
            if generator.chance(underWay.count < count * 40 ? 0.6 : 0.4) || underWay.isEmpty {
                // A tenth of the requests are for one of five keys.
                let key = generator.chance(0.1) ? UInt64.random(in: 0..<5, using: &generator) : generator.next()
                let pick = balancer.pick(PickRequest(random: UInt64(step), hash: key), servers)
                let bound = (1.25 * Double(underWay.count + 1) / Double(count)).rounded(.up)
                holds(Double(servers.loads[pick.server]) < max(8, bound), "\(servers.loads), \(pick)")
                if pick.server == balancer.pick(PickRequest(random: 0, hash: key), FixedServers(count)).server {
                    home += 1
                }
                servers.loads[pick.server] += 1
                underWay.append(pick.server)
            } else {
                let index = Int.random(in: 0..<underWay.count, using: &generator)
                servers.loads[underWay.remove(at: index)] -= 1
            }
        }
        #expect(home > 14_000, "\(home)")
    }

    /// In panic a key goes to its owner, well or not.
    @Test func inPanicTheOwnerKeepsItsKeys() {
        var balancer = LoadBalancer(.hash, [1, 1, 1, 1])
        for key in keys(1_000, seed: 6) {
            let owner = balancer.pick(PickRequest(random: 0, hash: key), FixedServers(4)).server
            let pick = balancer.pick(PickRequest(random: 0, hash: key), FixedServers(4, available: [0]))
            holds(pick.server == owner && pick.isPanic == (owner != 0))
        }
    }

    /// One is left of many, and the panic rule is off: it is found.
    @Test func theLastOneIsFound() {
        var rules = LoadBalancer.Rules()
        rules.panic = PanicRule(threshold: 0)
        var balancer = LoadBalancer(.hash, Array(repeating: 1, count: 300), rules: rules)
        for key in keys(200, seed: 7) {
            holds(
                balancer.pick(PickRequest(random: 0, hash: key), FixedServers(300, available: [217]))
                    == Pick(server: 217))
        }
    }
}
