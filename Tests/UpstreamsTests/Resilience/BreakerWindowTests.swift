import Testing

@testable import Upstreams

/// The ring of buckets against a list of everything that happened.
@Suite struct BreakerWindowTests {
    static let good = CircuitBreaker.Outcome.answered(failed: false, slow: false)

    @Test(arguments: 1...6 as ClosedRange<UInt64>) func countsWhatAListCounts(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let window = BreakerWindow(milliseconds: [1_000, 10_000, 777][Int(seed % 3)])
        var words = [UInt64](repeating: 0, count: BreakerWindow.buckets)
        var events: [(number: UInt64, failed: Bool, slow: Bool)] = []
        var now = UInt64.random(in: 0...100, using: &generator)
        for step in 0..<30_000 {
            now += generator.chance(0.001) ? UInt64.random(in: 0...20_000, using: &generator) : UInt64(step % 7)
            let (failed, slow) = (generator.chance(0.3), generator.chance(0.2))
            let bucket = window.bucket(at: now)
            words[bucket] = window.adding(.answered(failed: failed, slow: slow), to: words[bucket], now: now)
            let number = window.number(at: now)
            events.append((number, failed, slow))
            if step % 50 == 0 {
                events.removeAll { $0.number + 10 <= number }
                let since = generator.chance(0.3) ? now - min(now, window.width * 3) : 0
                let counted = events.filter { $0.number * window.width >= since }
                let expected = BreakerFigures(
                    total: counted.count, failed: counted.count { $0.failed }, slow: counted.count { $0.slow })
                holds(window.sum(words, now: now, since: since) == expected, "at \(now): \(expected)")
            }
        }
    }

    @Test func oldBucketsAreEmptyWithoutBeingCleared() {
        let window = BreakerWindow(milliseconds: 1_000)
        var words = [UInt64](repeating: 0, count: BreakerWindow.buckets)
        for now in 0..<1_000 as Range<UInt64> {
            let bucket = window.bucket(at: now)
            words[bucket] = window.adding(Self.good, to: words[bucket], now: now)
        }
        #expect(window.sum(words, now: 999).total == 1_000)
        #expect(window.sum(words, now: 1_000).total == 900)
        #expect(window.sum(words, now: 1_899).total == 100)
        #expect(window.sum(words, now: 1_900).total == 0)
        #expect(window.sum(words, now: 10_000_000).total == 0)
    }

    /// A bucket that is full keeps the shares.
    @Test func aFullBucketKeepsTheShares() {
        let window = BreakerWindow(milliseconds: 100_000)
        var generator = SeededGenerator(seed: 9)
        var word: UInt64 = 0
        for _ in 0..<300_000 {
            word = window.adding(
                .answered(failed: generator.chance(0.25), slow: generator.chance(0.75)), to: word, now: 5)
        }
        let figures = window.sum([word], now: 5)
        #expect(figures.total >= BreakerWindow.mostCounted)
        #expect(abs(Double(figures.failed) / Double(figures.total) - 0.25) < 0.02)
        #expect(abs(Double(figures.slow) / Double(figures.total) - 0.75) < 0.02)
    }

    @Test func aClockThatLagsDoesNotWipeOutWhatIsNewer() {
        let window = BreakerWindow(milliseconds: 1_000)
        let newer = window.adding(Self.good, to: 0, now: 2_050)
        #expect(window.adding(Self.good, to: newer, now: 1_050) == newer)
        let later = window.adding(Self.good, to: newer, now: 3_050)
        #expect(window.sum(now: 3_050) { $0 == window.bucket(at: 3_050) ? later : 0 }.total == 1)
    }

    @Test func abandonedOutcomesAreNotCounted() {
        #expect(BreakerWindow(milliseconds: 1_000).adding(.abandoned, to: 0, now: 5) == 0)
    }
}
