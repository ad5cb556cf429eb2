import Synchronization
import Testing

@testable import Upstreams

/// What holds for a breaker in every sequence of steps.
@Suite struct CircuitBreakerPropertyTests {
    /// Random requests with random ends and a clock in leaps: what is refused and what passes is held against what was
    /// told to the outside before.
    @Test(arguments: 1...8 as ClosedRange<UInt64>) func holdsInEverySequence(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let probes = Int.random(in: 1...5, using: &generator)
        let breaker = CircuitBreaker(
            failureRate: 0.5, slowRate: generator.chance(0.5) ? 0.5 : nil,
            minimumRequests: Int.random(in: 1...20, using: &generator), window: 2_000, openTime: 500,
            mostOpenTime: 8_000, probes: probes)
        var rig = BreakerRig(breaker, seed: seed &+ 100)
        var underWay: [(ticket: BreakerTicket, opening: Int)] = []
        var opening = 0
        var openUntil: UInt64 = 0
        var letThrough = 0
        var lastRound: UInt64 = 0
        var transitions = (opened: 0, closed: 0)
        var sickness = 0.1
        for step in 0..<40_000 {
            if step % 500 == 0 { sickness = [0, 0.1, 0.6, 1].randomElement(using: &generator) ?? 0 }
            rig.now += UInt64.random(in: 0...40, using: &generator)
            let before = rig.state
            let wouldAdmit = before.wouldAdmit(now: rig.now, by: breaker)
            if generator.chance(0.55) || underWay.isEmpty {
                let admission = rig.admit()
                holds((admission.ticket != nil) == wouldAdmit)
                switch admission {
                case .yes(let ticket):
                    holds(before.phase == .closed)
                    holds(rig.state.word == before.word, "a closed breaker does not change")
                    underWay.append((ticket, opening))
                case .probe(let ticket):
                    holds(before.phase != .closed)
                    holds(rig.now >= openUntil)
                    if before.phase == .open || rig.now >= lastRound + 500 && letThrough >= probes {
                        letThrough = 0
                        lastRound = rig.now
                    }
                    letThrough += 1
                    holds(letThrough <= probes)
                    underWay.append((ticket, opening))
                case .no(let milliseconds):
                    holds(milliseconds > 0 && milliseconds <= 8_000)
                    if before.phase == .open { holds(rig.now + milliseconds == openUntil) }
                }
            } else {
                let index = Int.random(in: 0..<underWay.count, using: &generator)
                let (ticket, of) = underWay.remove(at: index)
                let outcome: CircuitBreaker.Outcome =
                    generator.chance(0.1)
                    ? .abandoned
                    : .answered(failed: generator.chance(sickness), slow: generator.chance(sickness / 2))
                switch rig.end(ticket, outcome) {
                case nil:
                    holds(rig.state.phase == before.phase)
                    if ticket.isProbe, outcome == .abandoned, of == opening, before.phase == .halfOpen {
                        letThrough = max(letThrough - 1, 0)
                    }
                    if of != opening { holds(rig.state.word == before.word, "late outcomes change nothing") }
                case .opened(let milliseconds):
                    holds(before.phase != .open && of == opening)
                    opening += 1
                    openUntil = rig.now + milliseconds
                    transitions.opened += 1
                case .closed:
                    holds(before.phase == .halfOpen && ticket.isProbe && of == opening)
                    holds(outcome == .answered(failed: false, slow: false))
                    transitions.closed += 1
                }
            }
        }
        #expect(transitions.opened > 20 && transitions.closed > 5, "\(transitions): the sequence is worth nothing")
        // Whatever has happened: when the upstream is well, the breaker closes in bounded time.
        var waits = 0
        while rig.state.phase != .closed, waits < 100 {
            if rig.request() == nil {
                rig.now += 1_000
                waits += 1
            }
        }
        #expect(waits <= 20)
    }

    /// Threads that share the word by compare-and-swap: of all requests that come while it is half-open, exactly the
    /// probes pass.
    @Test(arguments: 1...5) func threadsShareTheWord(probes: Int) async {
        let breaker = CircuitBreaker(minimumRequests: 1, openTime: 1_000, probes: probes)
        var opened = CircuitBreaker.State()
        if let ticket = opened.admit(now: 0, by: breaker).ticket {
            _ = opened.record(.answered(failed: true, slow: false), ticket: ticket, now: 0, random: 0, by: breaker) {
                BreakerFigures(total: 1, failed: 1)
            }
        }
        #expect(opened.phase == .open)
        let shared = SharedBreaker(word: opened.word)
        let admitted = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    (0..<5_000).reduce(0) { sum, _ in sum + (shared.admit(now: 2_000, by: breaker) ? 1 : 0) }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(admitted == probes)
    }

    /// What the shell does.
    private final class SharedBreaker: Sendable {
        private let word: Atomic<UInt64>

        init(word: UInt64) { self.word = Atomic(word) }

        func admit(now: UInt64, by breaker: CircuitBreaker) -> Bool {
            var old = word.load(ordering: .relaxed)
            while true {
                var state = CircuitBreaker.State(word: old)
                let admission = state.admit(now: now, by: breaker)
                if state.word == old { return admission.ticket != nil }
                let (exchanged, current) = word.weakCompareExchange(
                    expected: old, desired: state.word, ordering: .relaxed)
                if exchanged { return admission.ticket != nil }
                old = current
            }
        }
    }
}
