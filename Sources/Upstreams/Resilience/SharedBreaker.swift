import Synchronization

/// The state of one circuit breaker, which all workers share: one word that is changed by compare-and-swap, and the words of
/// its window. A closed breaker costs a request one look, and its end one addition.
final class SharedBreaker: Sendable {
    private let state = Atomic<UInt64>(0)
    private let buckets: InlineArray<10, Atomic<UInt64>>

    init() { buckets = InlineArray { _ in Atomic(0) } }

    /// Where it is.
    var current: CircuitBreaker.State { CircuitBreaker.State(word: state.load(ordering: .relaxed)) }

    /// Whether a request would pass.
    func wouldAdmit(at now: UInt64, by rules: CircuitBreaker) -> Bool {
        let word = state.load(ordering: .relaxed)
        return CircuitBreaker.State.isClosed(word) || CircuitBreaker.State(word: word).wouldAdmit(now: now, by: rules)
    }

    /// Asks for a request to pass.
    func admit(at now: UInt64, by rules: CircuitBreaker) -> CircuitBreaker.Admission {
        let word = state.load(ordering: .relaxed)
        if CircuitBreaker.State.isClosed(word) { return .yes(CircuitBreaker.State.ticket(ofClosed: word)) }
        return change { $0.admit(now: now, by: rules) }
    }

    /// Takes the outcome of a request that has passed with `ticket`.
    func record(
        _ outcome: CircuitBreaker.Outcome, _ ticket: BreakerTicket, at now: UInt64, random: UInt64,
        by rules: CircuitBreaker
    ) -> CircuitBreaker.Transition? {
        let word = state.load(ordering: .relaxed)
        if outcome == .answered(failed: false, slow: false), CircuitBreaker.State.isClosed(word) {
            // A good outcome never opens it.
            if CircuitBreaker.State.ticket(ofClosed: word) == ticket { count(outcome, at: now, by: rules) }
            return nil
        }
        let current = CircuitBreaker.State(word: word)
        if current.counts(ticket) { count(outcome, at: now, by: rules) }
        let since = current.closedSince
        return change {
            $0.record(outcome, ticket: ticket, now: now, random: random, by: rules) {
                rules.window.sum(now: now, since: since) { buckets[$0].load(ordering: .relaxed) }
            }
        }
    }

    private func count(_ outcome: CircuitBreaker.Outcome, at now: UInt64, by rules: CircuitBreaker) {
        let number = rules.window.bucket(at: now)
        var word = buckets[number].load(ordering: .relaxed)
        while true {
            let next = rules.window.adding(outcome, to: word, now: now)
            if next == word { return }
            let (done, current) = buckets[number].weakCompareExchange(
                expected: word, desired: next, ordering: .relaxed)
            if done { return }
            word = current
        }
    }

    private func change<Result>(_ step: (inout CircuitBreaker.State) -> Result) -> Result {
        var word = state.load(ordering: .relaxed)
        while true {
            var next = CircuitBreaker.State(word: word)
            let result = step(&next)
            if next.word == word { return result }
            let (done, current) = state.weakCompareExchange(
                expected: word, desired: next.word, ordering: .relaxed)
            if done { return result }
            word = current
        }
    }
}
