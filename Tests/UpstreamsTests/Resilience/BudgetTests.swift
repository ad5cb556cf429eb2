import Testing

@testable import Upstreams

/// Budgets and classes.
@Suite struct BudgetTests {
    @Test(arguments: [
        (live: 0, most: 3), (live: 10, most: 3), (live: 15, most: 3), (live: 19, most: 3), (live: 20, most: 4),
        (live: 100, most: 20), (live: 1_004, most: 200), (live: -5, most: 3), (live: Int.max, most: (1 << 40) / 5),
    ]) func theUsualBudget(live: Int, most: Int) {
        let budget = RequestBudget()
        #expect(budget.most(live: live) == most)
        #expect(budget.allows(live: live, inUse: most - 1))
        #expect(!budget.allows(live: live, inUse: most))
    }

    @Test(arguments: [(-1.0, -1, 0), (Double.nan, 0, 0), (2.0, 0, 100), (0.29, 0, 29), (0.0, 5, 5)])
    func settingsAreBounded(share: Double, minimum: Int, most: Int) {
        #expect(RequestBudget(share: share, minimum: minimum).most(live: 100) == most)
    }

    /// A dead service: each live request would be repeated, and only a fifth of them are, at every moment.
    @Test(arguments: 1...3 as ClosedRange<UInt64>) func aDeadServiceDoesNotDoubleTheLoad(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let budget = RequestBudget()
        var live = 0
        var repeated = 0
        for _ in 0..<100_000 {
            if generator.chance(0.5) {
                live += 1
                if budget.allows(live: live, inUse: repeated) { repeated += 1 }
                holds(repeated <= max(3, live / 5 + 1))
            } else if live > 0 {
                live -= 1
                if repeated > 0, generator.chance(0.9) { repeated -= 1 }
            }
        }
    }

    @Test func theLastClassIsRefusedFirst() {
        let shares = ClassShares()
        let refusedAt = RequestClass.allCases.map { requestClass in
            (0...1_000).first {
                !shares.allows(requestClass, inUse: $0, live: 1_000, fallbacks: 0, mostRequests: 1_000)
            }
        }
        #expect(refusedAt == [1_000, 900, 750, 500])
        #expect(RequestClass.allCases == RequestClass.allCases.sorted())
    }

    @Test func fallbacksHaveTheirOwnBudget() {
        let shares = ClassShares()
        #expect(shares.allows(.fallback, inUse: 103, live: 100, fallbacks: 19, mostRequests: 1_000))
        #expect(!shares.allows(.fallback, inUse: 103, live: 100, fallbacks: 20, mostRequests: 1_000))
        #expect(shares.allows(.live, inUse: 103, live: 100, fallbacks: 20, mostRequests: 1_000))
        #expect(shares.allows(.fallback, inUse: 2, live: 0, fallbacks: 2, mostRequests: 1_000))
    }

    /// Whatever the settings: a class is never allowed where a more important one is not.
    @Test func moreImportantClassesAreNeverWorseOff() {
        var generator = SeededGenerator(seed: 4)
        for _ in 0..<20_000 {
            let shares = ClassShares(
                fallback: Double.random(in: -0.5...1.5, using: &generator),
                dualWrite: Double.random(in: -0.5...1.5, using: &generator),
                shadow: generator.chance(0.05) ? .nan : Double.random(in: -0.5...1.5, using: &generator))
            let most = Int.random(in: -2...200, using: &generator)
            let limits = RequestClass.allCases.map { shares.most($0, of: most) }
            holds(limits[0] == most)
            holds(most < 0 || limits == limits.sorted(by: >), "\(limits)")
        }
        #expect(ClassShares().most(.live, of: Int.max) == Int.max)
        #expect(ClassShares().most(.shadow, of: Int.max) > 0)
    }
}
