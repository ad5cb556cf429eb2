import Testing

@testable import Upstreams

/// Servers that are not available, panic, and servers that a request failed on.
@Suite struct AvailabilityTests {
    static let policies: [LoadBalancer.Policy] = [.roundRobin, .leastRequest]
    static let all: [LoadBalancer.Policy] = [.roundRobin, .leastRequest, .hash]

    /// Those that are available get the shares of their weights.
    @Test(arguments: policies) func theOthersShareByWeight(policy: LoadBalancer.Policy) {
        var balancer = LoadBalancer(policy, [1, 2, 3, 4, 1])
        let counts = balancer.counts(60_000, FixedServers(5, available: [1, 2, 4]))
        for (count, share) in zip(counts, [0, 2.0 / 6, 3.0 / 6, 0, 1.0 / 6]) {
            #expect(abs(Double(count) / 60_000 - share) < 0.01, "\(counts)")
        }
    }

    /// With a load on all, the pairs that are drawn are those of the servers that are available.
    @Test func availableServersAreDrawnEvenly() {
        var balancer = LoadBalancer(.leastRequest, Array(repeating: 1, count: 10))
        var servers = FixedServers(10, available: [0, 1, 2, 5, 6, 7, 9])
        servers.loads = Array(repeating: 5, count: 10)
        let counts = balancer.counts(70_000, servers)
        for index in 0..<10 {
            #expect(servers.available[index] ? abs(counts[index] - 10_000) < 400 : counts[index] == 0, "\(counts)")
        }
    }

    @Test(
        arguments: policies, [(10, 5, false), (10, 4, true), (10, 0, true), (3, 2, false), (3, 1, true), (2, 1, false)])
    func belowTheThresholdAllAreTaken(policy: LoadBalancer.Policy, test: (count: Int, available: Int, isPanic: Bool)) {
        var balancer = LoadBalancer(policy, Array(repeating: 1, count: test.count))
        let servers = FixedServers(test.count, available: Set(0..<test.available))
        var generator = SeededGenerator(seed: 2)
        var counts = Array(repeating: 0, count: test.count)
        for _ in 0..<20_000 {
            let pick = balancer.pick(PickRequest(random: generator.next()), servers)
            counts[pick.server] += 1
            holds(test.isPanic || !pick.isPanic)
            holds(pick.isPanic || servers.available[pick.server])
        }
        let share = 20_000 / (test.isPanic ? test.count : test.available)
        for index in 0..<test.count where test.isPanic || index < test.available {
            #expect(abs(counts[index] - share) < share / 10, "\(counts)")
        }
    }

    /// The threshold can be chosen; without any available server there is always panic.
    @Test(
        arguments: [
            (0.0, 1, false), (0.0, 0, true), (1.0, 9, true), (1.0, 10, false), (.nan, 1, false), (7, 10, false),
        ] as [(Double, Int, Bool)])
    func theThresholdCounts(threshold: Double, available: Int, isPanic: Bool) {
        #expect(PanicRule(threshold: threshold).isPanic(available: available, of: 10) == isPanic)
    }

    @Test(arguments: all) func avoidedServersComeLast(policy: LoadBalancer.Policy) {
        var generator = SeededGenerator(seed: 3)
        var balancer = LoadBalancer(policy, [1, 1, 1, 1])
        for _ in 0..<20_000 {
            let mask = generator.next() & 15
            let available = Set((0..<4).filter { _ in generator.chance(0.8) })
            let request = PickRequest(
                random: generator.next(), hash: generator.next(), avoiding: AvoidedServers(mask: mask))
            let pick = balancer.pick(request, FixedServers(4, available: available))
            let isPanic = available.count < 2
            let usable = isPanic ? Set(0..<4) : available
            let fresh = usable.filter { mask >> UInt64($0) & 1 == 0 }
            holds(usable.contains(pick.server))
            holds(fresh.isEmpty || fresh.contains(pick.server), "\(pick) of \(fresh)")
        }
    }

    /// Beyond the 64th server, too.
    @Test(arguments: all) func avoidsAnyServer(policy: LoadBalancer.Policy) {
        var generator = SeededGenerator(seed: 4)
        var balancer = LoadBalancer(policy, Array(repeating: 1, count: 100))
        for _ in 0..<300 {
            var avoiding = AvoidedServers()
            var seen: Set<Int> = []
            let hash = generator.next()
            for _ in 0..<3 {
                let pick = balancer.pick(
                    PickRequest(random: generator.next(), hash: hash, avoiding: avoiding), FixedServers(100))
                holds(seen.insert(pick.server).inserted, "\(pick) again, after \(seen)")
                avoiding.insert(pick.server)
            }
        }
        for server in [0, 63, 64, 99, Int.max, -1] {
            var avoiding = AvoidedServers()
            avoiding.insert(server)
            #expect(avoiding.isEmpty == (server < 0))
        }
    }

    /// Whatever the state of the servers, and though it changes while one looks, there is a server.
    @Test(arguments: all, [2, 3, 64, 65, 200]) func thereIsAlwaysAServer(policy: LoadBalancer.Policy, count: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        let rules = LoadBalancer.Rules()
        var balancer = LoadBalancer(
            policy, (0..<count).map { $0 % 4 }, own: Set((0..<count).filter { $0 % 3 == 0 }), rules: rules)
        let servers = FlickeringServers(seed: 9)
        for _ in 0..<500 {
            let request = PickRequest(
                random: generator.next(), hash: generator.chance(0.8) ? generator.next() : nil,
                avoiding: AvoidedServers(mask: generator.chance(0.5) ? generator.next() : 0))
            holds((0..<count).contains(balancer.pick(request, servers).server))
        }
    }

    /// A server that was away does not get what it missed all at once.
    @Test func aServerThatCameBackIsNotFlooded() {
        var balancer = LoadBalancer(.roundRobin, [1, 1, 1, 1])
        _ = balancer.counts(1_001, FixedServers(4, available: [0, 1, 2]))
        let counts = balancer.counts(8, FixedServers(4))
        #expect(counts.allSatisfy { $0 <= 3 }, "\(counts)")
    }

    /// Servers that come and go at random: in turn, each gets its share of the time that it is there.
    @Test(arguments: 1...4 as ClosedRange<UInt64>) func turnsAreFairThroughChanges(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var balancer = LoadBalancer(.roundRobin, [3, 2, 1, 1])
        var servers = FixedServers(4)
        var expected = [0.0, 0, 0, 0]
        var counts = [0.0, 0, 0, 0]
        for _ in 0..<50_000 {
            if generator.chance(0.05) {
                repeat {
                    servers.available = (0..<4).map { _ in generator.chance(0.7) }
                } while servers.available.count(where: { $0 }) < 2
            }
            let weights = [3.0, 2, 1, 1].enumerated().map { servers.available[$0.offset] ? $0.element : 0 }
            for index in 0..<4 { expected[index] += weights[index] / weights.reduce(0, +) }
            counts[balancer.pick(PickRequest(random: generator.next()), servers).server] += 1
        }
        for (count, expected) in zip(counts, expected) { #expect(abs(count - expected) < 60, "\(counts) \(expected)") }
    }
}
