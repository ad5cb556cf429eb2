import Testing

@testable import Upstreams

/// A server that is new gets its share bit by bit.
@Suite struct SlowStartTests {
    @Test(
        arguments: [
            (since: nil, now: 0, readiness: 1_000), (since: 100, now: 100, readiness: 100),
            (since: 100, now: 50, readiness: 100),
            (since: 0, now: 5_000, readiness: 550), (since: 0, now: 9_999, readiness: 999),
            (since: 0, now: 10_000, readiness: 1_000),
            (since: 0, now: .max, readiness: 1_000),
        ] as [(UInt64?, UInt64, Int)]) func grows(since: UInt64?, now: UInt64, readiness: Int)
    {
        #expect(SlowStart().readiness(since: since, now: now) == readiness)
    }

    @Test(arguments: [(0, 100), (.max, -5), (1, 5_000), (.max, .max)] as [(UInt64, Int)])
    func settingsAreBounded(window: UInt64, least: Int) {
        let slowStart = SlowStart(window: window, least: least)
        for now in [0, 1, 1 << 39, .max] as [UInt64] {
            #expect((1...SlowStart.whole).contains(slowStart.readiness(since: 0, now: now)))
        }
        #expect(SlowStart(window: 0).readiness(since: 5, now: 5) == SlowStart.whole)
    }

    /// Its share is about its readiness, or up to twice that where it has less to do than the others.
    @Test(arguments: [100, 300, 500, 900]) func aColdServerGetsLess(readiness: Int) {
        for loads in [[0, 0, 0, 0, 0], [9, 9, 9, 9, 9], [2, 9, 9, 9, 9]] {
            var balancer = LoadBalancer(.leastRequest, [1, 1, 1, 1, 1])
            var servers = FixedServers(loads: loads)
            servers.readinesses[0] = readiness
            let share = Double(balancer.counts(40_000, servers)[0]) / 40_000
            let ready = Double(readiness) / 1_000
            // At least when it is drawn first and wins half of the time; at most whenever it is drawn.
            let first = ready / (4 + ready)
            let drawn = first + (1 - first) * ready / (3 + ready)
            #expect(share > first * 0.85 && share < drawn * 1.1, "\(share) beside \(first) and \(drawn)")
        }
    }

    @Test func inTurnTheShareIsExact() {
        var balancer = LoadBalancer(.roundRobin, [2, 1, 1])
        var servers = FixedServers(3)
        servers.readinesses = [250, 1_000, 1_000]
        #expect(balancer.counts(10_000, servers) == [2_000, 4_000, 4_000])
    }

    /// All new at once: as if none was.
    @Test(arguments: AvailabilityTests.policies) func allNewIsNoneNew(policy: LoadBalancer.Policy) {
        var balancer = LoadBalancer(policy, [3, 2, 1])
        var servers = FixedServers(3)
        servers.readinesses = [100, 100, 100]
        let counts = balancer.counts(60_000, servers)
        for (count, share) in zip(counts, [30_000, 20_000, 10_000]) { #expect(abs(count - share) < 600, "\(counts)") }
    }

    /// In panic nobody is spared.
    @Test(arguments: AvailabilityTests.policies) func inPanicItDoesNotMatter(policy: LoadBalancer.Policy) {
        var balancer = LoadBalancer(policy, [1, 1, 1, 1])
        var servers = FixedServers(4, available: [])
        servers.readinesses[0] = 1
        #expect(abs(balancer.counts(40_000, servers)[0] - 10_000) < 400)
    }
}
