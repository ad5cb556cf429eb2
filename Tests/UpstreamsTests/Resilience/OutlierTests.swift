import Testing

@testable import Upstreams

/// Failures in a row, and what an ejection does.
@Suite struct OutlierTests {
    private func detector(_ change: (inout OutlierDetector) -> Void = { _ in }) -> OutlierDetector {
        var detector = OutlierDetector()
        change(&detector)
        return detector
    }

    private func reasons(_ outcomes: [OutlierOutcome], _ detector: OutlierDetector) -> [OutlierReason?] {
        var word: UInt64 = 0
        return outcomes.map { outcome in
            var record = OutlierRecord(word: word)
            defer { word = record.word }
            return record.record(outcome, by: detector)
        }
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var outcomes: [OutlierOutcome]
        /// After which outcome, and why.
        var at: Int?
        var reason = OutlierReason.consecutive5xx
    }

    static let rows = [
        Row(testDescription: "five 500", outcomes: Array(repeating: .serverError, count: 5), at: 4),
        Row(testDescription: "four 500", outcomes: Array(repeating: .serverError, count: 4), at: nil),
        Row(
            testDescription: "a success between",
            outcomes: [.serverError, .serverError, .serverError, .serverError, .success, .serverError], at: nil),
        Row(
            testDescription: "five 503", outcomes: Array(repeating: .gatewayError, count: 5), at: 4,
            reason: .consecutiveGatewayFailures),
        Row(
            testDescription: "five times no answer", outcomes: Array(repeating: .noAnswer, count: 5), at: 4,
            reason: .consecutiveGatewayFailures),
        Row(
            testDescription: "both kinds are 5xx",
            outcomes: [.gatewayError, .noAnswer, .serverError, .gatewayError, .noAnswer], at: 4),
        Row(
            testDescription: "what is our own fault does not count", outcomes: Array(repeating: .local, count: 50),
            at: nil),
        Row(
            testDescription: "nor does it end a row",
            outcomes: [.serverError, .local, .serverError, .serverError, .local, .serverError, .serverError], at: 6),
    ]

    @Test(arguments: rows) func ejectsAfterARow(_ row: Row) {
        var expected: [OutlierReason?] = row.outcomes.map { _ in nil }
        if let at = row.at { expected[at] = row.reason }
        #expect(reasons(row.outcomes, detector()) == expected)
    }

    @Test(arguments: [
        (200, OutlierOutcome.success), (404, .success), (429, .success), (499, .success), (500, .serverError),
        (501, .serverError), (502, .gatewayError), (503, .gatewayError), (504, .gatewayError), (599, .serverError),
    ]) func statusesAreOutcomes(status: Int, outcome: OutlierOutcome) {
        #expect(OutlierOutcome(status: status) == outcome)
    }

    /// A row that could not eject begins anew, so that the reason does not come with each failure after it.
    @Test func theReasonComesOnceInARow() {
        let all = reasons(Array(repeating: .serverError, count: 20), detector())
        #expect(all.indices.filter { all[$0] != nil } == [4, 9, 14, 19])
    }

    @Test func anotherFailureEndsTheRowOfAGateway() {
        let gateways = detector { $0.consecutive5xx = 0 }
        let four = Array(repeating: OutlierOutcome.gatewayError, count: 4)
        #expect(reasons(four + [.serverError] + four, gateways).allSatisfy { $0 == nil })
        #expect(reasons(four + [.noAnswer], gateways).last == .consecutiveGatewayFailures)
    }

    @Test func aThresholdOfZeroIsOff() {
        let off = detector {
            $0.consecutive5xx = 0
            $0.consecutiveGatewayFailures = 0
        }
        #expect(reasons(Array(repeating: .noAnswer, count: 1_000), off).allSatisfy { $0 == nil })
    }

    @Test func countsSaturate() {
        var record = OutlierRecord(word: .max)
        let off = detector {
            $0.consecutive5xx = 0
            $0.consecutiveGatewayFailures = 0
        }
        #expect(record.record(.noAnswer, by: off) == nil)
        #expect(record.failures == .max && record.gatewayFailures == .max)
    }

    /// The share counts the candidate in: 3 of 3 never go at 67 % (Envoy #27066), and the last one never goes.
    @Test(arguments: [
        (ejected: 0, total: 1, share: 1.0, may: false), (ejected: 0, total: 2, share: 0.5, may: true),
        (ejected: 1, total: 2, share: 1.0, may: false), (ejected: 0, total: 3, share: 0.67, may: true),
        (ejected: 1, total: 3, share: 0.67, may: true), (ejected: 2, total: 3, share: 0.67, may: false),
        (ejected: 2, total: 3, share: 1.0, may: false), (ejected: 0, total: 3, share: 0.1, may: false),
        (ejected: 1, total: 4, share: 0.5, may: true), (ejected: 2, total: 4, share: 0.5, may: false),
        (ejected: 2, total: 10, share: 0.3, may: true), (ejected: 3, total: 10, share: 0.3, may: false),
        (ejected: 0, total: 0, share: 1.0, may: false), (ejected: 0, total: 5, share: 0, may: false),
    ]) func mayEjectCountsTheCandidate(ejected: Int, total: Int, share: Double, may: Bool) {
        #expect(detector { $0.mostEjected = share }.mayEject(ejected: ejected, total: total) == may)
    }

    @Test func neverMoreThanTheShareWhateverTheNumbers() {
        for total in 0...60 {
            for percent in 0...100 {
                let detector = detector { $0.mostEjected = Double(percent) / 100 }
                var ejected = 0
                while detector.mayEject(ejected: ejected, total: total) { ejected += 1 }
                holds(ejected * 100 <= percent * total && (total == 0 || ejected < total), "\(percent) % of \(total)")
                holds((ejected + 1) * 100 > percent * total || ejected + 1 >= total, "\(percent) % of \(total)")
            }
        }
    }

    // MARK: - Ejections

    @Test func ejectionsGrowAndShrink() {
        let detector = detector()
        var record = EjectionRecord()
        var now: UInt64 = 1_000
        for times in 1...12 as ClosedRange<UInt64> {
            let duration = min(times * 30_000, 300_000)
            holds(record.eject(now: now, by: detector) == duration)
            holds(record.eject(now: now, by: detector) == nil, "ejected already")
            #expect(record.isEjected(now: now + duration - 1))
            #expect(!record.isEjected(now: now + duration))
            holds(record.intervalEnded(now: now + duration - 1, hadFailures: false) == nil)
            holds(record.intervalEnded(now: now + duration, hadFailures: false) == .returned)
            now += duration
        }
        #expect(record.ejections == 12)
        // Twelve good intervals later it is as if nothing had been; bad ones change nothing.
        for left in (0..<12).reversed() {
            holds(record.intervalEnded(now: now, hadFailures: true) == nil)
            holds(record.intervalEnded(now: now, hadFailures: false) == nil)
            #expect(Int(record.ejections) == left)
        }
        holds(record.eject(now: now, by: detector) == 30_000)
    }

    @Test func anActiveCheckTakesBackEarly() {
        var record = EjectionRecord()
        holds(record.eject(now: 0, by: detector()) == 30_000)
        #expect(record.timeLeft(now: 10_000) == 20_000)
        holds(record.readmit(now: 10_000))
        #expect(!record.isEjected(now: 10_000))
        #expect(record.timeLeft(now: 10_000) == nil)
        holds(!record.readmit(now: 10_000))
        holds(record.eject(now: 10_001, by: detector()) == 60_000, "its history stays")
    }

    /// Over before the interval has told of it, it can be ejected again.
    @Test func anEjectionThatIsOverCanBeFollowedByOne() {
        var record = EjectionRecord()
        _ = record.eject(now: 0, by: detector())
        holds(record.eject(now: 30_000, by: detector()) == 60_000)
    }

    @Test func ejectionWordsSurviveAndNothingTraps() {
        var generator = SeededGenerator(seed: 3)
        let extremes: [UInt64] = [0, 1, .max / 2, .max]
        for value in extremes {
            let detector = detector {
                $0.baseEjection = value
                $0.mostEjection = .max - value
            }
            for _ in 0..<5_000 {
                var record = EjectionRecord(word: generator.next())
                let now = extremes.randomElement(using: &generator) ?? 0
                _ = record.eject(now: now, by: detector)
                _ = record.intervalEnded(now: generator.next(), hadFailures: generator.chance(0.5))
                holds(EjectionRecord(word: record.word) == record)
            }
        }
    }

    /// Endpoints that fail at random, ejected one by one as a shell would do it: the share holds at every step.
    @Test(arguments: 1...5 as ClosedRange<UInt64>) func theShareHoldsInEverySequence(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let total = Int.random(in: 1...9, using: &generator)
        let detector = detector {
            $0.mostEjected = Double.random(in: 0...1, using: &generator)
            $0.baseEjection = 3_000
        }
        var counts = Array(repeating: OutlierRecord(), count: total)
        var ejections = Array(repeating: EjectionRecord(), count: total)
        var now: UInt64 = 0
        var ejectedOnce = false
        for step in 0..<60_000 {
            now += UInt64.random(in: 0...20, using: &generator)
            let endpoint = Int.random(in: 0..<total, using: &generator)
            let isSick = (step / 3_000 + endpoint) % 3 != 0
            let outcome: OutlierOutcome =
                isSick
                ? [.serverError, .gatewayError, .noAnswer, .local].randomElement(using: &generator) ?? .local : .success
            let out = ejections.count { $0.isEjected(now: now) }
            if counts[endpoint].record(outcome, by: detector) != nil, detector.mayEject(ejected: out, total: total),
                ejections[endpoint].eject(now: now, by: detector) != nil
            {
                ejectedOnce = true
            }
            let after = ejections.count { $0.isEjected(now: now) }
            holds(after < total && Double(after) <= detector.mostEjected * Double(total) + 1e-6)
            if step % 500 == 0 {
                for index in 0..<total { _ = ejections[index].intervalEnded(now: now, hadFailures: false) }
            }
        }
        #expect(ejectedOnce == detector.mayEject(ejected: 0, total: total))
    }
}
