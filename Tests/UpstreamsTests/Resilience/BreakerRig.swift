@testable import Upstreams

/// A breaker with its window, a clock that is moved by hand, and a generator: what a shell does around the values.
struct BreakerRig {
    var breaker: CircuitBreaker
    var state = CircuitBreaker.State()
    var words = [UInt64](repeating: 0, count: BreakerWindow.buckets)
    var now: UInt64 = 1_000_000
    var generator: SeededGenerator

    init(_ breaker: CircuitBreaker, seed: UInt64 = 1) {
        self.breaker = breaker
        generator = SeededGenerator(seed: seed)
    }

    var figures: BreakerFigures { breaker.window.sum(words, now: now, since: state.closedSince) }

    /// Each step goes through the word, as it does between threads.
    mutating func admit() -> CircuitBreaker.Admission {
        var next = CircuitBreaker.State(word: state.word)
        let admission = next.admit(now: now, by: breaker)
        state = next
        return admission
    }

    @discardableResult
    mutating func end(
        _ ticket: BreakerTicket, _ outcome: CircuitBreaker.Outcome
    ) -> CircuitBreaker.Transition? {
        if state.counts(ticket) {
            let bucket = breaker.window.bucket(at: now)
            words[bucket] = breaker.window.adding(outcome, to: words[bucket], now: now)
        }
        var next = CircuitBreaker.State(word: state.word)
        let (now, window, words) = (now, breaker.window, words)
        let since = state.closedSince
        let transition = next.record(outcome, ticket: ticket, now: now, random: generator.next(), by: breaker) {
            window.sum(words, now: now, since: since)
        }
        state = next
        return transition
    }

    /// A request that is admitted and ends at once; nil if it was refused.
    @discardableResult
    mutating func request(failed: Bool = false, slow: Bool = false) -> CircuitBreaker.Transition?? {
        guard let ticket = admit().ticket else { return nil }
        return .some(end(ticket, .answered(failed: failed, slow: slow)))
    }

    /// Fails until it opens; how long for.
    mutating func open() -> UInt64 {
        for _ in 0..<100_000 {
            if case .some(.some(.opened(let milliseconds))) = request(failed: true) { return milliseconds }
        }
        return 0
    }
}
