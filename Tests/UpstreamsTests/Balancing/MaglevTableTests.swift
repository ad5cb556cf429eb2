import Testing

@testable import Upstreams

/// Keys and their servers.
@Suite struct MaglevTableTests {
    private static func salts(_ count: Int, seed: UInt64 = 1) -> [UInt64] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in generator.next() }
    }

    private static func keys(_ count: Int, seed: UInt64 = 99) -> [UInt64] { salts(count, seed: seed) }

    private static func shares(_ table: MaglevTable, servers: Int) -> [Double] {
        var counts = [Int](repeating: 0, count: servers)
        for key in keys(200_000) { counts[table.owner(of: key)] += 1 }
        return counts.map { Double($0) / 200_000 }
    }

    @Test(arguments: [1, 2, 3, 7, 40, 41, 300]) func serversOwnEqualShares(count: Int) {
        let table = MaglevTable(weights: Array(repeating: 1, count: count), salts: Self.salts(count))
        let even = 1 / Double(count)
        for share in Self.shares(table, servers: count) { #expect(abs(share / even - 1) < 0.2, "\(share) of \(even)") }
    }

    @Test(arguments: [[3, 1], [1, 2, 3, 4], [100, 1], [7, 7, 1]]) func heavierServersOwnMore(weights: [Int]) {
        let table = MaglevTable(weights: weights, salts: Self.salts(weights.count))
        let total = Double(weights.reduce(0, +))
        for (share, weight) in zip(Self.shares(table, servers: weights.count), weights) {
            #expect(abs(share - Double(weight) / total) < 0.005, "\(share) of \(weight)")
        }
    }

    /// When one of ten goes, its keys go to the others, evenly, and of the other keys at most one in thirty moves.
    @Test(arguments: 1...5 as ClosedRange<UInt64>) func fewKeysMove(seed: UInt64) {
        let salts = Self.salts(10, seed: seed)
        let all = MaglevTable(weights: Array(repeating: 1, count: 10), salts: salts)
        let gone = Int(seed)
        let left = (0..<10).filter { $0 != gone }
        let fewer = MaglevTable(weights: Array(repeating: 1, count: 9), salts: left.map { salts[$0] })
        var moved = 0
        var stayed = 0
        var heirs = [Int](repeating: 0, count: 10)
        for key in Self.keys(50_000) {
            let (before, after) = (all.owner(of: key), left[fewer.owner(of: key)])
            if before == gone {
                heirs[after] += 1
            } else if before == after {
                stayed += 1
            } else {
                moved += 1
            }
        }
        #expect(moved * 30 < stayed, "\(moved) of \(stayed)")
        #expect(left.allSatisfy { heirs[$0] > 300 }, "\(heirs)")
    }

    /// The order in the configuration does not matter: two gateways agree.
    @Test func theOrderOfServersDoesNotMatter() {
        let salts = Self.salts(6)
        let weights = [1, 2, 3, 1, 2, 3]
        let table = MaglevTable(weights: weights, salts: salts)
        let turned = MaglevTable(weights: weights.reversed(), salts: salts.reversed())
        for key in Self.keys(20_000) { holds(table.owner(of: key) == 5 - turned.owner(of: key)) }
    }

    /// Keys that differ in little, as numbers in a row do, are spread as well.
    @Test func keysInARowAreSpread() {
        let table = MaglevTable(weights: [1, 1, 1, 1], salts: [1, 2, 3, 4])
        var counts = [0, 0, 0, 0]
        for key in 0..<40_000 as Range<UInt64> { counts[table.owner(of: key)] += 1 }
        #expect(counts.allSatisfy { abs($0 - 10_000) < 400 }, "\(counts)")
    }

    @Test func serversOfTheSameNumberShareToo() {
        let table = MaglevTable(weights: [1, 1, 1], salts: [5, 5, 5])
        #expect(Self.shares(table, servers: 3).allSatisfy { abs($0 - 1.0 / 3) < 0.01 })
        #expect(MaglevTable(weights: [], salts: []).owner(of: 5) == 0)
    }
}
