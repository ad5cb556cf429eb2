import Testing

@testable import Upstreams

/// The circuit breaker, step by step with a clock that is moved by hand.
@Suite struct CircuitBreakerTests {
    static let good = CircuitBreaker.Outcome.answered(failed: false, slow: false)
    static let bad = CircuitBreaker.Outcome.answered(failed: true, slow: false)

    struct Volume: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var breaker: CircuitBreaker
        var total: Int
        var failed: Int
        var slow = 0
        var opens: Bool
    }

    static let volumes = [
        Volume(
            testDescription: "too few", breaker: CircuitBreaker(minimumRequests: 10), total: 9, failed: 9,
            opens: false),
        Volume(
            testDescription: "enough", breaker: CircuitBreaker(minimumRequests: 10), total: 10, failed: 5, opens: true),
        Volume(
            testDescription: "below the rate", breaker: CircuitBreaker(minimumRequests: 10), total: 10, failed: 4,
            opens: false),
        Volume(
            testDescription: "rate of 1", breaker: CircuitBreaker(failureRate: 1, minimumRequests: 4), total: 4,
            failed: 4,
            opens: true),
        Volume(
            testDescription: "rate of 1, one good", breaker: CircuitBreaker(failureRate: 1, minimumRequests: 4),
            total: 5,
            failed: 4, opens: false),
        Volume(
            testDescription: "rate of 0, no failure", breaker: CircuitBreaker(failureRate: 0, minimumRequests: 1),
            total: 9,
            failed: 0, opens: false),
        Volume(
            testDescription: "rate of 0, one failure", breaker: CircuitBreaker(failureRate: 0, minimumRequests: 1),
            total: 9, failed: 1, opens: true),
        Volume(
            testDescription: "slow", breaker: CircuitBreaker(slowRate: 0.8, minimumRequests: 5), total: 5, failed: 0,
            slow: 4, opens: true),
        Volume(
            testDescription: "slow, not looked at", breaker: CircuitBreaker(minimumRequests: 5), total: 5, failed: 0,
            slow: 5, opens: false),
        Volume(
            testDescription: "a rate that is no number is 1",
            breaker: CircuitBreaker(failureRate: .nan, minimumRequests: 2), total: 4, failed: 3, opens: false),
    ]

    @Test(arguments: volumes) func opensByFigures(_ volume: Volume) {
        let figures = BreakerFigures(total: volume.total, failed: volume.failed, slow: volume.slow)
        #expect(volume.breaker.isBad(figures) == volume.opens)
    }

    @Test func opensAndRefusesUntilItsTime() {
        var rig = BreakerRig(CircuitBreaker(minimumRequests: 4, openTime: 1_000))
        for _ in 0..<3 { #expect(rig.request(failed: true) == .some(nil)) }
        #expect(rig.state.phase == .closed)
        let milliseconds = rig.open()
        #expect((900...1_100).contains(milliseconds))
        #expect(rig.state.phase == .open)
        #expect(rig.state.timeLeftOpen(now: rig.now) == milliseconds)
        #expect(rig.admit() == .no(retryAfterMilliseconds: milliseconds))
        rig.now += milliseconds - 1
        #expect(!rig.state.wouldAdmit(now: rig.now, by: rig.breaker))
        #expect(rig.admit() == .no(retryAfterMilliseconds: 1))
        rig.now += 1
        #expect(rig.state.wouldAdmit(now: rig.now, by: rig.breaker))
        #expect(rig.admit().isProbe)
        #expect(rig.state.phase == .halfOpen)
    }

    @Test func aGoodOutcomeAsksForNoFigures() {
        var state = CircuitBreaker.State()
        let breaker = CircuitBreaker(minimumRequests: 1)
        guard let ticket = state.admit(now: 5, by: breaker).ticket else {
            Issue.record("refused")
            return
        }
        var asked = 0
        _ = state.record(Self.good, ticket: ticket, now: 5, random: 0, by: breaker) {
            asked += 1
            return BreakerFigures(total: 100, failed: 100)
        }
        _ = state.record(.abandoned, ticket: ticket, now: 5, random: 0, by: breaker) {
            asked += 1
            return BreakerFigures(total: 100, failed: 100)
        }
        #expect(asked == 0)
        #expect(state.word == 0)
    }

    @Test func closesAfterAsManyProbesAsAsked() {
        var rig = BreakerRig(CircuitBreaker(minimumRequests: 1, probes: 3))
        rig.now += rig.open()
        let tickets = (0..<3).compactMap { _ in rig.admit().ticket }
        #expect(tickets.count == 3)
        #expect(rig.admit().ticket == nil)
        #expect(rig.end(tickets[0], Self.good) == nil)
        #expect(rig.admit().ticket == nil, "a success does not make room for a fourth one")
        #expect(rig.end(tickets[1], Self.good) == nil)
        #expect(rig.state.phase == .halfOpen)
        #expect(rig.end(tickets[2], Self.good) == .closed)
        #expect(rig.state.phase == .closed)
        #expect(rig.admit().isYes)
    }

    @Test func oneFailedProbeOpensForTwiceAsLong() {
        var rig = BreakerRig(CircuitBreaker(minimumRequests: 1, openTime: 1_000, mostOpenTime: 10_000, probes: 3))
        var times = [rig.open()]
        for _ in 0..<6 {
            rig.now += times.last ?? 0
            _ = rig.request()
            guard case .some(.some(.opened(let milliseconds))) = rig.request(failed: true) else {
                Issue.record("did not open")
                return
            }
            times.append(milliseconds)
        }
        let grown: [UInt64] = [1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]
        for (time, grown) in zip(times, grown) {
            #expect(time <= 10_000)
            #expect(time >= (grown == 10_000 ? 8_000 : grown - grown / 10), "\(times)")
            #expect(time <= grown + grown / 10, "\(times)")
        }
        #expect(rig.state.openingsInARow == 7)
    }

    /// A client that leaves says nothing about the upstream: the next request is a probe in its place.
    @Test func anAbandonedProbeGivesItsPlaceBack() {
        var rig = BreakerRig(CircuitBreaker(minimumRequests: 1, probes: 1))
        rig.now += rig.open()
        for _ in 0..<100 {
            guard let ticket = rig.admit().ticket else {
                Issue.record("no place")
                return
            }
            #expect(rig.admit().ticket == nil)
            #expect(rig.end(ticket, .abandoned) == nil)
        }
        #expect(rig.request() == .closed)
    }

    @Test func probesThatHangDoNotBlockForEver() {
        var rig = BreakerRig(CircuitBreaker(minimumRequests: 1, openTime: 1_000, probes: 2))
        rig.now += rig.open()
        let hung = (0..<2).compactMap { _ in rig.admit().ticket }
        #expect(rig.admit() == .no(retryAfterMilliseconds: 1_000))
        rig.now += 999
        #expect(rig.admit().ticket == nil)
        rig.now += 1
        let fresh = (0..<2).compactMap { _ in rig.admit().ticket }
        #expect(fresh.count == 2)
        #expect(rig.admit().ticket == nil, "no more than two at a time by the clock")
        #expect(rig.end(fresh[0], Self.good) == nil)
        // One that hung and is answered after all is an answer of this opening, too.
        #expect(rig.end(hung[0], Self.good) == .closed)
        #expect(rig.end(hung[1], Self.bad) == nil, "closed: probes are no longer asked")
        #expect(rig.state.phase == .closed)
    }

    /// What succeeded is kept when places of hung probes are given away.
    @Test func aHungProbeLosesOnlyItsOwnPlace() {
        var rig = BreakerRig(CircuitBreaker(minimumRequests: 1, openTime: 1_000, probes: 3))
        rig.now += rig.open()
        let first = (0..<3).compactMap { _ in rig.admit().ticket }
        rig.end(first[0], Self.good)
        rig.end(first[1], Self.good)
        rig.now += 1_000
        guard let last = rig.admit().ticket else {
            Issue.record("no place")
            return
        }
        #expect(rig.admit().ticket == nil, "one place was lost, and one is given away")
        #expect(rig.end(last, Self.good) == .closed)
    }

    /// A probe that hung, and fails when the breaker is closed, is no reason to open again.
    @Test func aLateProbeDoesNotOpenAClosedBreaker() {
        var rig = BreakerRig(CircuitBreaker(minimumRequests: 1, openTime: 1_000, probes: 1))
        rig.now += rig.open()
        guard let hung = rig.admit().ticket else {
            Issue.record("no probe")
            return
        }
        rig.now += 1_000
        #expect(rig.request() == .closed)
        let transition = rig.state.record(Self.bad, ticket: hung, now: rig.now, random: 0, by: rig.breaker) {
            BreakerFigures(total: 100, failed: 100)
        }
        #expect(transition == nil)
    }

    /// The number of an opening comes again after 128: what was no probe then is none now.
    @Test func aNumberThatComesAgainMakesNoProbe() {
        var rig = BreakerRig(CircuitBreaker(minimumRequests: 1, openTime: 10, mostOpenTime: 10, probes: 2))
        guard let old = rig.admit().ticket else {
            Issue.record("refused")
            return
        }
        rig.now += rig.open()
        for _ in 0..<127 {
            guard case .some(.some(.opened(let milliseconds))) = rig.request(failed: true) else {
                Issue.record("did not open")
                return
            }
            rig.now += milliseconds
        }
        _ = rig.admit()
        let word = rig.state.word
        #expect(rig.end(old, Self.bad) == nil)
        #expect(rig.end(old, Self.good) == nil)
        #expect(rig.state.word == word)
    }

    @Test func lateOutcomesOfBeforeDoNotCount() {
        var rig = BreakerRig(CircuitBreaker(minimumRequests: 1, probes: 1))
        let early = (0..<4).compactMap { _ in rig.admit().ticket }
        let milliseconds = rig.open()
        let word = rig.state.word
        #expect(rig.end(early[0], Self.good) == nil)
        #expect(rig.state.word == word, "open: nothing changes")
        rig.now += milliseconds
        guard let probe = rig.admit().ticket else {
            Issue.record("no probe")
            return
        }
        #expect(rig.end(early[1], Self.good) == nil)
        #expect(rig.end(early[2], Self.bad) == nil)
        #expect(rig.state.phase == .halfOpen, "half-open: only the probe decides")
        #expect(rig.end(probe, Self.good) == .closed)
        #expect(!rig.state.counts(early[3]))
        #expect(rig.end(early[3], Self.bad) == nil)
        #expect(rig.state.phase == .closed, "closed again: what was sent before says nothing")
    }

    /// A probe of an opening before this one must not close this one.
    @Test func aProbeOfTheOpeningBeforeDoesNotCount() {
        var rig = BreakerRig(CircuitBreaker(minimumRequests: 1, probes: 2))
        rig.now += rig.open()
        let old = (0..<2).compactMap { _ in rig.admit().ticket }
        guard case .opened(let milliseconds) = rig.end(old[0], Self.bad) else {
            Issue.record("did not open")
            return
        }
        rig.now += milliseconds
        _ = rig.admit()
        let word = rig.state.word
        #expect(rig.end(old[1], Self.good) == nil)
        #expect(rig.end(old[1], Self.bad) == nil)
        #expect(rig.state.word == word)
    }

    @Test func theGrowthIsForgottenAfterACalmTime() {
        let breaker = CircuitBreaker(
            minimumRequests: 1, openTime: 1_000, mostOpenTime: 64_000, probes: 1, calmTime: 20_000)
        var rig = BreakerRig(breaker)
        rig.now += rig.open()
        #expect(rig.request() == .closed)
        rig.now += 19_999
        let second = rig.open()
        #expect((1_800...2_200).contains(second), "soon after: in a row")
        rig.now += second
        #expect(rig.request() == .closed)
        rig.now += 20_000
        #expect((900...1_100).contains(rig.open()), "long after: a first one")
    }

    @Test func whatWasCountedBeforeClosingDoesNotOpenAgain() {
        var rig = BreakerRig(CircuitBreaker(minimumRequests: 4, window: 10_000, openTime: 100, probes: 1))
        rig.now += rig.open()
        #expect(rig.request() == .closed)
        #expect(rig.request(failed: true) == .some(nil), "one failure after closing, though the window is full of them")
        rig.now += 1_000
        #expect(rig.request(failed: true) == .some(nil))
        #expect(rig.state.phase == .closed)
    }

    @Test func jitterIsWithinATenthAndEven() {
        let breaker = CircuitBreaker(openTime: 10_000, mostOpenTime: 1_000_000)
        var generator = SeededGenerator(seed: 5)
        let times = (0..<20_000).map { _ in breaker.openTime(openings: 1, random: generator.next()) }
        #expect(times.allSatisfy { $0 >= 9_000 && $0 <= 11_000 })
        let mean = Double(times.reduce(0, +)) / Double(times.count)
        #expect(abs(mean - 10_000) < 20)
        #expect(times.min() ?? 0 < 9_010)
        #expect(times.max() ?? 0 > 10_990)
        // At the limit the times still differ.
        let capped = Set((0..<100).map { _ in breaker.openTime(openings: 40, random: generator.next()) })
        #expect(capped.count > 90)
        #expect(capped.allSatisfy { $0 <= 1_000_000 && $0 >= 800_000 })
    }

    /// Nothing overflows, whatever the settings, the clock and the word are.
    @Test func extremesDoNotTrap() {
        let extremes: [UInt64] = [0, 1, 2, UInt64.max / 2, .max - 1, .max]
        var generator = SeededGenerator(seed: 77)
        for value in extremes {
            let breaker = CircuitBreaker(
                failureRate: -1, slowRate: .infinity, slowAfter: value, minimumRequests: .min, window: value,
                openTime: value, mostOpenTime: value, probes: Int(truncatingIfNeeded: value), calmTime: value)
            for now in extremes {
                for _ in 0..<500 {
                    var state = CircuitBreaker.State(word: generator.next())
                    if let ticket = state.admit(now: now, by: breaker).ticket {
                        let outcome = CircuitBreaker.Outcome.answered(
                            failed: generator.chance(0.5), slow: generator.chance(0.5))
                        _ = state.record(
                            outcome, ticket: ticket, now: now, random: generator.next(), by: breaker
                        ) { breaker.window.sum([], now: now, since: value) }
                        _ = state.record(.abandoned, ticket: ticket, now: now, random: 0, by: breaker) {
                            BreakerFigures(total: 1, failed: 1)
                        }
                    }
                    holds(CircuitBreaker.State(word: state.word) == state)
                }
            }
        }
    }

    @Test func slowIsByTime() {
        let breaker = CircuitBreaker(slowRate: 0.5, slowAfter: 100)
        #expect(breaker.outcome(failed: false, milliseconds: 99) == Self.good)
        #expect(breaker.outcome(failed: true, milliseconds: 100) == .answered(failed: true, slow: true))
        #expect(CircuitBreaker(slowAfter: 100).outcome(failed: false, milliseconds: 500) == Self.good)
    }
}

extension CircuitBreaker.Admission {
    var isProbe: Bool { if case .probe = self { true } else { false } }
    var isYes: Bool { if case .yes = self { true } else { false } }
}
