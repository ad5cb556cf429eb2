/// What a window of time has seen.
package struct BreakerFigures: Equatable, Sendable {
    /// Outcomes that count.
    package var total = 0
    /// Those of them that failed.
    package var failed = 0
    /// Those of them that were slow, failed or not.
    package var slow = 0

    /// Figures; none by themselves.
    package init(total: Int = 0, failed: Int = 0, slow: Int = 0) {
        self.total = total
        self.failed = failed
        self.slow = slow
    }
}

/// The last while in a ring of ten buckets: the arithmetic alone. Each bucket is one word (its number and three
/// counts), so that threads can add to it by compare-and-swap; a word whose number is too old is taken for empty, so
/// that nothing has to be cleared in time.
///
/// The window reaches back between nine and ten buckets.
package struct BreakerWindow: Equatable, Sendable {
    /// How many words there are, all 0 at first.
    package static let buckets = 10
    /// The largest count that a bucket is sure to hold.
    package static let mostCounted = 0x3FFF

    /// How long a bucket lasts, in milliseconds.
    package let width: UInt64

    // From the lowest bit: total 15, failed 15, slow 15, number of the bucket 19 (wrapping, plus one: 0 is never used
    // yet).
    private static let countMask: UInt64 = 0x7FFF
    private static let tagMask: UInt64 = 0x7FFFF

    /// A window of `milliseconds`, at least one for each bucket.
    package init(milliseconds: UInt64) {
        width = max(milliseconds / UInt64(Self.buckets), 1)
    }

    /// The number of the bucket that `now` belongs to.
    package func number(at now: UInt64) -> UInt64 { now / width }

    /// Which of the words is the bucket of `now`.
    package func bucket(at now: UInt64) -> Int { Int(number(at: now) % UInt64(Self.buckets)) }

    private static func tag(_ number: UInt64) -> UInt64 { (number &+ 1) & tagMask }

    /// The word of the bucket of `now` with one more outcome; the same word if the outcome does not count, or if the
    /// bucket has been taken by a later time already.
    package func adding(_ outcome: CircuitBreaker.Outcome, to word: UInt64, now: UInt64) -> UInt64 {
        guard case .answered(let failed, let slow) = outcome else { return word }
        let tag = Self.tag(number(at: now))
        var old = word
        if word >> 45 != tag {
            // A thread whose clock lags must not wipe out what is newer.
            let ahead = (word >> 45 &- tag) & Self.tagMask
            if word != 0, ahead <= Self.tagMask >> 1 { return word }
            old = 0
        }
        var total = old & Self.countMask
        var failures = old >> 15 & Self.countMask
        var slows = old >> 30 & Self.countMask
        if total == Self.countMask {
            // Full: half of everything goes, so that the shares stay what they are.
            total /= 2
            failures /= 2
            slows /= 2
        }
        total += 1
        if failed { failures += 1 }
        if slow { slows += 1 }
        return total | failures << 15 | slows << 30 | tag << 45
    }

    /// What the window has seen.
    ///
    /// - Parameters:
    ///   - since: buckets that began before do not count.
    ///   - word: the word of a bucket, 0 ..< ``buckets``.
    package func sum(now: UInt64, since: UInt64 = 0, word: (Int) -> UInt64) -> BreakerFigures {
        var figures = BreakerFigures()
        let newest = number(at: now)
        for back in 0...min(UInt64(Self.buckets) - 1, newest) {
            let number = newest - back
            guard number &* width >= since else { break }
            let word = word(Int(number % UInt64(Self.buckets)))
            guard word >> 45 == Self.tag(number) else { continue }
            figures.total += Int(word & Self.countMask)
            figures.failed += Int(word >> 15 & Self.countMask)
            figures.slow += Int(word >> 30 & Self.countMask)
        }
        return figures
    }

    /// The same over an array of words.
    package func sum(_ words: [UInt64], now: UInt64, since: UInt64 = 0) -> BreakerFigures {
        sum(now: now, since: since) { $0 < words.count ? words[$0] : 0 }
    }
}
