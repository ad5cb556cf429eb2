import Testing

@testable import Upstreams

/// Servers of the own zone first.
@Suite struct ZoneRuleTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// `o` own zone, `f` another one; upper case: not available.
        var servers: String
        /// The share that stays in the zone; nil: of all, as there is panic.
        var stays: Double?
    }

    static let cases = [
        Case(testDescription: "all there", servers: "ooofff", stays: 1),
        Case(testDescription: "enough of them", servers: "oooOfff", stays: 1),
        Case(testDescription: "half of them", servers: "ooOOffff", stays: 0.5 / 0.7),
        Case(testDescription: "a quarter of them", servers: "oOOOffff", stays: 0.25 / 0.7),
        Case(testDescription: "none of them", servers: "OOOfff", stays: 0),
        Case(testDescription: "only they", servers: "ooOFF", stays: nil),
        Case(testDescription: "only they, half of all", servers: "oooFFF", stays: 1),
        Case(testDescription: "one for itself", servers: "offfff", stays: 1),
        Case(testDescription: "panic", servers: "oOOOfFFF", stays: nil),
    ]

    @Test(arguments: cases, AvailabilityTests.policies) func keepsToTheZone(_ test: Case, policy: LoadBalancer.Policy) {
        let servers = Array(test.servers)
        let own = Set(servers.indices.filter { servers[$0].lowercased() == "o" })
        var balancer = LoadBalancer(policy, servers.map { _ in 1 }, own: own)
        let state = FixedServers(servers.count, available: Set(servers.indices.filter { servers[$0].isLowercase }))
        let counts = balancer.counts(20_000, state)
        let stayed = Double(own.reduce(0) { $0 + counts[$1] }) / 20_000
        #expect(abs(stayed - (test.stays ?? Double(own.count) / Double(servers.count))) < 0.015, "\(counts)")
        if test.stays != nil {
            #expect(servers.indices.allSatisfy { counts[$0] == 0 || servers[$0].isLowercase }, "\(counts)")
        }
    }

    /// A request that failed on all of the zone goes to another one before it goes there again.
    @Test func leavesTheZoneForAnotherServer() {
        var balancer = LoadBalancer(.leastRequest, [1, 1, 1, 1], own: [0, 1])
        #expect(balancer.counts(100, FixedServers(4), avoiding: AvoidedServers(mask: 0b01)) == [0, 100, 0, 0])
        let counts = balancer.counts(1_000, FixedServers(4), avoiding: AvoidedServers(mask: 0b11))
        #expect(counts[0] == 0 && counts[1] == 0 && counts[2] > 400 && counts[3] > 400, "\(counts)")
    }

    /// Zones that do not differ, or are not given, cost nothing.
    @Test(arguments: [Set<Int>(), Set(0..<50)]) func oneZoneIsNone(own: Set<Int>) {
        var balancer = LoadBalancer(.leastRequest, Array(repeating: 1, count: 50), own: own)
        let servers = AskedServers()
        _ = balancer.pick(PickRequest(random: 1), servers)
        #expect(servers.questions <= 6)
    }

    @Test func settingsAreBounded() {
        #expect(ZoneRule(enough: .nan).enough == 0)
        #expect(ZoneRule(enough: 0).staysInZone(available: 1, of: 100, others: 5, bits: .max))
        #expect(!ZoneRule(enough: 9).staysInZone(available: 99, of: 100, others: 5, bits: .max))
        #expect(ZoneRule().staysInZone(available: 1, of: 10, others: 0, bits: .max))
        #expect(!ZoneRule().staysInZone(available: 0, of: 0, others: 0, bits: 0))
    }
}
