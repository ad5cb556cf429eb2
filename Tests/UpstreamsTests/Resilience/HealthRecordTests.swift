import Testing

@testable import Upstreams

/// Active checks: opinions and times.
@Suite struct HealthRecordTests {
    struct Case: Sendable, CustomTestStringConvertible {
        /// `+` a success, `-` a failure.
        var testDescription: String
        /// After each: `h` became healthy, `u` became unhealthy, `.` nothing.
        var changes: String
        var serves: Bool
        var thresholds = HealthRecord.Thresholds()
    }

    static let cases = [
        Case(testDescription: "", changes: "", serves: true),
        Case(testDescription: "+", changes: "h", serves: true),
        Case(testDescription: "--", changes: "..", serves: true),
        Case(testDescription: "---", changes: "..u", serves: false),
        Case(testDescription: "--+", changes: "..h", serves: true),
        Case(testDescription: "+--+--+---", changes: "h........u", serves: false),
        Case(testDescription: "---+-++", changes: "..u...h", serves: true),
        Case(testDescription: "------+", changes: "..u....", serves: false),
        Case(testDescription: "---++---++", changes: "..u.h..u.h", serves: true),
        Case(
            testDescription: "-+-+", changes: "uhuh", serves: true,
            thresholds: HealthRecord.Thresholds(healthy: 0, unhealthy: -3)),
    ]

    @Test(arguments: cases) func changesItsOpinion(_ test: Case) {
        var record = HealthRecord()
        let changes = test.testDescription.map { check -> Character in
            switch record.record(isSuccess: check == "+", by: test.thresholds) {
            case .became(.healthy): "h"
            case .became(.unhealthy): "u"
            case .became(.unknown): "?"
            case nil: "."
            }
        }
        #expect(String(changes) == test.changes)
        #expect(record.serves == test.serves)
    }

    /// It never sticks: after any history enough good checks make it serve, and enough bad ones end that.
    @Test func neverSticks() {
        var generator = SeededGenerator(seed: 21)
        let thresholds = HealthRecord.Thresholds()
        for _ in 0..<20_000 {
            var record = HealthRecord()
            for _ in 0..<Int.random(in: 0...30, using: &generator) {
                _ = record.record(isSuccess: generator.chance(0.5), by: thresholds)
            }
            var other = record
            for _ in 0..<2 { _ = record.record(isSuccess: true, by: thresholds) }
            for _ in 0..<3 { _ = other.record(isSuccess: false, by: thresholds) }
            holds(record.serves && !other.serves)
        }
    }

    @Test func changesAlternate() {
        var generator = SeededGenerator(seed: 22)
        var record = HealthRecord()
        var last = HealthRecord.State.unknown
        for _ in 0..<100_000 {
            if case .became(let state) = record.record(isSuccess: generator.chance(0.5), by: .init()) {
                holds(state != last && state != .unknown && state == record.state)
                last = state
            }
        }
    }

    @Test func checksAreSpread() {
        var generator = SeededGenerator(seed: 23)
        let schedule = ProbeSchedule(interval: 10_000)
        let waits = (0..<20_000).map { _ in schedule.next(random: generator.next()) }
        #expect(waits.min() ?? 0 >= 9_000 && waits.max() ?? 0 <= 11_000)
        #expect(abs(Double(waits.reduce(0, +)) / 20_000 - 10_000) < 20)
        let firsts = (0..<10).map { schedule.first(index: $0, of: 10, random: generator.next()) }
        for (index, first) in firsts.enumerated() {
            #expect((500 * UInt64(index)..<500 * UInt64(index + 1)).contains(first))
        }
        #expect(ProbeSchedule(interval: 100).first(index: 9, of: 10, random: .max) < 100)
    }

    @Test(arguments: [0, 1, 9, UInt64.max]) func extremesDoNotTrap(interval: UInt64) {
        let schedule = ProbeSchedule(interval: interval)
        #expect(schedule.next(random: .max) >= 1)
        #expect(schedule.next(random: 0) >= 1)
        #expect(schedule.first(index: 5, of: 0, random: .max) <= ProbeSchedule.longestSpread)
        #expect(schedule.first(index: -1, of: -1, random: .max) <= ProbeSchedule.longestSpread)
    }
}
