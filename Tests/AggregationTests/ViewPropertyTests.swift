import JSON
import Testing

@testable import Aggregation

/// Random views with random answers in random order, held against ``ViewModel``.
///
/// A failure names its seed: put it into `seeds` to see it again.
@Suite struct ViewPropertyTests {
    /// What was found out about many views.
    private struct Tally {
        var views = 0
        var refused = 0
        var whole = 0
        var partial = 0
        var wrong: [String] = []
    }

    /// Views from `seed` on, until there were `count`: of each plan several, with other answers.
    private static func tally(seed: UInt64, count: Int, stoppingAt limit: Int = 3) -> Tally {
        var tally = Tally()
        var seeds = SeededGenerator(state: seed)
        let driver = ViewDriver()
        while tally.views < count, tally.wrong.count < limit {
            let planSeed = seeds.next()
            var generator = ViewGenerator(seed: planSeed)
            let spec = generator.spec()
            let plan: AggregatePlan
            do throws(AggregateRejection) {
                plan = try AggregatePlan(spec.definition)
            } catch {
                tally.refused += 1
                continue
            }
            for round in 0..<8 where tally.views < count {
                tally.views += 1
                let wrong = driver.drive(spec, plan, seed: planSeed &+ UInt64(round))
                if wrong.isEmpty { continue }
                tally.wrong.append(
                    "seed \(seed), plan \(planSeed), round \(round)\n" + wrong.joined(separator: "\n") + "\n"
                        + describe(spec) + "\n" + driver.log.joined(separator: "\n"))
                break
            }
        }
        tally.whole = driver.whole
        tally.partial = driver.partial
        return tally
    }

    private static func describe(_ spec: ViewSpec) -> String {
        let definition = spec.definition
        let parts = definition.parts.enumerated().map { number, part in
            var text = "\(number) \(part.name): \(part.method) \(part.path)"
            for field in part.headers { text += " \(field.name): \(field.value)" }
            if let body = part.body { text += " body \(body)" }
            if part.isStep { text += " writes" }
            if part.isOptional { text += " optional \(part.defaultValue)" }
            if !part.pick.tokens.isEmpty { text += " pick \(part.pick)" }
            if part.members != .all { text += " \(part.members)" }
            if !part.renames.isEmpty { text += " rename \(part.renames)" }
            if !part.flattened.isEmpty { text += " flatten \(part.flattened)" }
            if part.isMerged { text += " merge" }
            if let fanOut = part.fanOut {
                text +=
                    " \(fanOut.isBatch ? "batch" : "each") \(fanOut.values) \(fanOut.key) \(fanOut.limit) \(fanOut.concurrency)"
            }
            if let into = part.into { text += " into \(into)" }
            if let place = part.replaces { text += " replaces \"\(place)\"" }
            return text
        }
        let output = definition.output.map { ["output \($0)"] } ?? []
        return (parts + output + ["\(definition.conflicts) errors \(definition.namesErrors)"]).joined(separator: "\n")
    }

    private static let views = 10_000
    private static let seeds: [UInt64] = [1, 2, 3, 4]

    @Test(arguments: seeds)
    func viewsAreWhatTheModelSays(_ seed: UInt64) {
        let tally = Self.tally(seed: seed, count: Self.views / Self.seeds.count)
        for wrong in tally.wrong { Issue.record("\(wrong)") }
        // Views that always fail would prove little.
        #expect(tally.whole * 4 > tally.views && tally.partial * 20 > tally.views, "\(tally)")
    }

    @Test func viewsOfAnotherSeedAreToo() {
        let tally = Self.tally(seed: .random(in: .min ... .max), count: 500)
        for wrong in tally.wrong { Issue.record("\(wrong)") }
    }
}
