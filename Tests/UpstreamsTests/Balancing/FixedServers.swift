@testable import Upstreams

/// Servers in states that a test has chosen.
struct FixedServers: ServerFigures {
    var available: [Bool]
    var loads: [Int]
    var readinesses: [Int]

    init(_ count: Int) {
        available = Array(repeating: true, count: count)
        loads = Array(repeating: 0, count: count)
        readinesses = Array(repeating: SlowStart.whole, count: count)
    }

    init(loads: [Int]) {
        self.init(loads.count)
        self.loads = loads
    }

    /// Only these are available.
    init(_ count: Int, available: Set<Int>) {
        self.init(count)
        self.available = (0..<count).map { available.contains($0) }
    }

    func isAvailable(_ server: Int) -> Bool { available[server] }
    func load(_ server: Int) -> Int { loads[server] }
    func readiness(_ server: Int) -> Int { readinesses[server] }
}

/// Counts what it is asked.
final class AskedServers: ServerFigures {
    private(set) var questions = 0

    func isAvailable(_ server: Int) -> Bool {
        questions += 1
        return true
    }

    func load(_ server: Int) -> Int {
        questions += 1
        return 1
    }

    func readiness(_ server: Int) -> Int {
        questions += 1
        return SlowStart.whole
    }
}

/// Says something else each time: states that change while a server is picked.
final class FlickeringServers: ServerFigures {
    private var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    func isAvailable(_ server: Int) -> Bool { generator.chance(0.5) }
    func load(_ server: Int) -> Int { Int(truncatingIfNeeded: generator.next()) }
    func readiness(_ server: Int) -> Int { Int(truncatingIfNeeded: generator.next()) }
}

extension LoadBalancer {
    init(_ policy: Policy, _ weights: [Int], salts: [UInt64]? = nil, own: Set<Int> = [], rules: Rules = Rules()) {
        self.init(
            policy: policy,
            servers: weights.indices.map {
                Server(weight: weights[$0], salt: salts?[$0] ?? UInt64($0), isInOwnZone: own.contains($0))
            }, rules: rules)
    }

    /// How often each server is picked.
    mutating func counts(
        _ picks: Int, _ servers: FixedServers, seed: UInt64 = 1, avoiding: AvoidedServers = AvoidedServers()
    ) -> [Int] {
        var generator = SeededGenerator(seed: seed)
        var counts = servers.loads.map { _ in 0 }
        for _ in 0..<picks {
            counts[pick(PickRequest(random: generator.next(), avoiding: avoiding), servers).server] += 1
        }
        return counts
    }
}
