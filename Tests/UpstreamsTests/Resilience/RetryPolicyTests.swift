import Testing

@testable import Upstreams

/// Whether there is another attempt.
@Suite struct RetryPolicyTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var failure = RetryConditions.connectFailure
        var attempt = 1
        var timeLeft: UInt64 = 1_000
        var mayRepeat = true
        var nothingSent = true
        var budget = true
        var retryAfter: UInt64?
        var refusal: RetryPolicy.Refusal?
    }

    static let cases = [
        Case(testDescription: "no connection", refusal: nil),
        Case(testDescription: "not what is tried again", failure: .status502, refusal: .condition),
        Case(testDescription: "an answer that is none", failure: [], refusal: .condition),
        Case(
            testDescription: "POST that was sent", failure: .status503, mayRepeat: false, nothingSent: false,
            refusal: .notRepeatable),
        Case(testDescription: "POST that was not sent", mayRepeat: false, nothingSent: true, refusal: nil),
        Case(
            testDescription: "GET that was sent", failure: .status503, mayRepeat: true, nothingSent: false, refusal: nil
        ),
        Case(testDescription: "the second of two", attempt: 2, refusal: nil),
        Case(testDescription: "one too many", attempt: 3, refusal: .attempts),
        Case(testDescription: "no time", timeLeft: 0, refusal: .deadline),
        Case(testDescription: "no budget", budget: false, refusal: .budget),
        Case(testDescription: "Retry-After in time", failure: .status503, retryAfter: 900, refusal: nil),
        Case(
            testDescription: "Retry-After beyond the deadline", failure: .status503, retryAfter: 1_000,
            refusal: .retryAfter),
        Case(
            testDescription: "Retry-After that is too long", failure: .status503, timeLeft: 100_000, retryAfter: 5_001,
            refusal: .retryAfter),
        Case(
            testDescription: "Retry-After without end", failure: .status503, timeLeft: .max, retryAfter: .max,
            refusal: .retryAfter),
    ]

    @Test(arguments: cases) func decides(_ test: Case) {
        var policy = RetryPolicy()
        policy.on = [.connectFailure, .refusedStream, .status503]
        policy.attempts = 2
        for random in [0, 1 << 63] as [UInt64] {
            let verdict = policy.verdict(
                failure: test.failure, attemptNumber: test.attempt, timeLeft: test.timeLeft, mayRepeat: test.mayRepeat,
                nothingSent: test.nothingSent, budgetAllows: test.budget, retryAfter: test.retryAfter, random: random)
            switch verdict {
            case .no(let refusal): #expect(refusal == test.refusal)
            case .after(let milliseconds):
                #expect(test.refusal == nil)
                #expect(milliseconds >= test.retryAfter ?? 0 && milliseconds < test.timeLeft)
            }
        }
    }

    /// The budget is asked only where it decides, so that asking may take a place.
    @Test func theBudgetIsAskedLast() {
        var asked = 0
        func take() -> Bool {
            asked += 1
            return true
        }
        let policy = RetryPolicy()
        _ = policy.verdict(
            failure: .connectFailure, attemptNumber: 2, timeLeft: 100, mayRepeat: true, nothingSent: true,
            budgetAllows: take(), random: 0)
        _ = policy.verdict(
            failure: .connectFailure, attemptNumber: 1, timeLeft: 0, mayRepeat: true, nothingSent: true,
            budgetAllows: take(), random: 0)
        #expect(asked == 0)
        _ = policy.verdict(
            failure: .connectFailure, attemptNumber: 1, timeLeft: 100, mayRepeat: true, nothingSent: true,
            budgetAllows: take(), random: 0)
        #expect(asked == 1)
    }

    @Test(
        arguments: [
            (1, 25), (2, 75), (3, 175), (4, 250), (5, 250), (63, 250), (64, 250), (Int.max, 250), (0, 25), (-1, 25),
        ] as [(Int, UInt64)])
    func theBoundGrows(attempt: Int, bound: UInt64) {
        #expect(Backoff().bound(afterAttempt: attempt) == bound)
    }

    @Test func waitsAreEvenFromNothingToTheBound() {
        var generator = SeededGenerator(seed: 6)
        let waits = (0..<50_000).map { _ in
            Backoff(base: 100, most: 1_000).wait(afterAttempt: 2, random: generator.next())
        }
        #expect(waits.min() == 0)
        #expect(waits.max() == 300)
        let mean = Double(waits.reduce(0, +)) / Double(waits.count)
        #expect(abs(mean - 150) < 1.5)
        #expect(abs(Double(waits.count { $0 < 75 }) / 50_000 - 75.0 / 301) < 0.01)
    }

    @Test func extremesDoNotTrap() {
        let extremes: [UInt64] = [0, 1, .max / 2, .max]
        for base in extremes {
            for most in extremes {
                let backoff = Backoff(base: base, most: most)
                for attempt in [Int.min, 0, 1, 5, 62, 63, 64, 65, Int.max] {
                    for random in extremes {
                        holds(backoff.wait(afterAttempt: attempt, random: random) <= max(most, base))
                    }
                }
            }
        }
    }

    /// Never twice what must not run twice, whatever else is true.
    @Test func whatMayNotBeRepeatedNeverIs() {
        var generator = SeededGenerator(seed: 12)
        var granted = 0
        for _ in 0..<200_000 {
            var policy = RetryPolicy()
            policy.on = RetryConditions(rawValue: UInt8.random(in: 0...127, using: &generator))
            policy.attempts = Int.random(in: -1...5, using: &generator)
            let timeLeft = UInt64.random(in: 0...2_000, using: &generator)
            let attempt = Int.random(in: 1...7, using: &generator)
            let (mayRepeat, nothingSent, budget) = (generator.chance(0.5), generator.chance(0.5), generator.chance(0.7))
            let verdict = policy.verdict(
                failure: RetryConditions(rawValue: 1 << UInt8.random(in: 0...6, using: &generator)),
                attemptNumber: attempt, timeLeft: timeLeft, mayRepeat: mayRepeat, nothingSent: nothingSent,
                budgetAllows: budget, retryAfter: generator.chance(0.2) ? generator.next() >> 50 : nil,
                random: generator.next())
            guard case .after(let milliseconds) = verdict else { continue }
            granted += 1
            holds((mayRepeat || nothingSent) && budget && attempt <= policy.attempts && milliseconds < timeLeft)
        }
        #expect(granted > 5_000)
    }

    @Test func statusesAreConditions() {
        #expect(
            [502, 503, 504, 500, 200, 429].map { RetryConditions(status: $0) } == [
                .status502, .status503, .status504, [], [], [],
            ])
    }
}
