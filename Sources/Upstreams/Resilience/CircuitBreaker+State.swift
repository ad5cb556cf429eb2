extension CircuitBreaker {
    /// Where a breaker is. It fits one word, so that threads can change it by compare-and-swap: read the word, make a
    /// state of it, let it take a step, and put the new word in place if it differs. A closed breaker that admits a
    /// request does not change.
    package struct State: Equatable, Sendable {
        /// The three conditions of a breaker.
        package enum Phase: UInt8, Sendable {
            /// Every request passes. Left for `open` when the figures are bad.
            case closed
            /// No request passes. Left for `halfOpen` by the first request after the time of being open.
            case open
            /// A few requests pass as probes. Left for `closed` when enough of them succeed, for `open` when one fails.
            case halfOpen
        }

        /// Where it is.
        package private(set) var phase = Phase.closed
        /// Closed: since when. Open: until when. Half-open: when probes that have not reported are given up.
        private var time: UInt64 = 0
        /// Openings in a row, saturating: how far the time of being open has grown.
        private var row: UInt8 = 0
        /// The number of the last opening, wrapping: tells the tickets of this opening from older ones.
        private var opening: UInt8 = 0
        /// Half-open: probes that were let through in this round and did not give their place back.
        private var taken: UInt8 = 0
        /// Half-open: probes that succeeded.
        private var succeeded: UInt8 = 0

        /// Closed, and never open before.
        package init() {}

        // From the lowest bit: phase 2, row 4, opening 7, taken 5, succeeded 5, time 41.
        private static let mostRow: UInt8 = 15
        private static let lastOpening: UInt8 = 127
        private static let lastTime: UInt64 = (1 << 41) - 1

        /// The state of a word that ``word`` has made; any other word gives some state, too.
        package init(word: UInt64) {
            phase = Phase(rawValue: UInt8(word & 3)) ?? .closed
            row = UInt8(word >> 2 & 15)
            opening = UInt8(word >> 6 & 127)
            taken = UInt8(word >> 13 & 31)
            succeeded = UInt8(word >> 18 & 31)
            time = word >> 23
        }

        /// The state in one word; 0 is a breaker that was never open.
        package var word: UInt64 {
            UInt64(phase.rawValue) | UInt64(row) << 2 | UInt64(opening) << 6 | UInt64(taken) << 13
                | UInt64(succeeded) << 18 | time << 23
        }

        /// Whether this is the word of a closed breaker: what most requests need to know.
        static func isClosed(_ word: UInt64) -> Bool { word & 3 == UInt64(Phase.closed.rawValue) }

        /// The ticket of a request that passes when this is the word.
        static func ticket(ofClosed word: UInt64) -> BreakerTicket {
            BreakerTicket(isProbe: false, opening: UInt8(word >> 6 & 127))
        }

        /// Openings in a row, the present one included.
        package var openingsInARow: Int { Int(row) }
        /// Since when it is closed; requests of before do not count. 0 where it is not closed, or was never open.
        package var closedSince: UInt64 { phase == .closed ? time : 0 }
        /// How long it stays open yet, in milliseconds; nil where it is not open.
        package func timeLeftOpen(now: UInt64) -> UInt64? {
            phase == .open ? (time > now ? time - now : 0) : nil
        }
    }

    /// Whether a request passes.
    package enum Admission: Equatable, Sendable {
        /// It passes.
        case yes(BreakerTicket)
        /// It passes, and decides what happens next: it has to report its outcome, `.abandoned` if there is none.
        case probe(BreakerTicket)
        /// It does not. The time after which it may be worth another try is at least 1.
        case no(retryAfterMilliseconds: UInt64)

        /// What the request reports with, if it passes.
        package var ticket: BreakerTicket? {
            switch self {
            case .yes(let ticket), .probe(let ticket): ticket
            case .no: nil
            }
        }
    }

    /// What an outcome has changed; each is worth a line in the log.
    package enum Transition: Equatable, Sendable {
        /// From closed or half-open.
        case opened(milliseconds: UInt64)
        /// From half-open.
        case closed
    }
}

extension CircuitBreaker.State {
    /// Whether a request would pass now; changes nothing.
    package func wouldAdmit(now: UInt64, by breaker: CircuitBreaker) -> Bool {
        switch phase {
        case .closed: true
        case .open: now >= time
        case .halfOpen: taken < breaker.probes || now >= time
        }
    }

    /// Asks for a request to pass. The first one after the time of being open makes the breaker half-open.
    package mutating func admit(now: UInt64, by breaker: CircuitBreaker) -> CircuitBreaker.Admission {
        switch phase {
        case .closed: return .yes(BreakerTicket(isProbe: false, opening: opening))
        case .open:
            guard now >= time else { return .no(retryAfterMilliseconds: time - now) }
            phase = .halfOpen
            taken = 0
            succeeded = 0
            time = Self.time(now, plus: breaker.openTime)
        case .halfOpen:
            if taken >= breaker.probes {
                guard now >= time else { return .no(retryAfterMilliseconds: time - now) }
                // Probes that neither succeed nor fail must not keep the breaker half-open for ever: their places are
                // given away. If they report after all, they count.
                taken = min(succeeded, UInt8(breaker.probes - 1))
                time = Self.time(now, plus: breaker.openTime)
            }
        }
        taken += 1
        return .probe(BreakerTicket(isProbe: true, opening: opening))
    }

    /// Whether a request's outcome belongs into the window: the breaker is closed, and has not been open meanwhile.
    package func counts(_ ticket: BreakerTicket) -> Bool {
        phase == .closed && !ticket.isProbe && ticket.opening == opening
    }

    /// Takes the outcome of a request that was admitted.
    ///
    /// - Parameters:
    ///   - random: 64 random bits.
    ///   - figures: what the window has counted since ``closedSince``, this outcome included. Asked for only where a
    ///     closed breaker gets a failed or slow outcome: a good one never opens it.
    package mutating func record(
        _ outcome: CircuitBreaker.Outcome, ticket: BreakerTicket, now: UInt64, random: UInt64,
        by breaker: CircuitBreaker, figures: () -> BreakerFigures
    ) -> CircuitBreaker.Transition? {
        guard ticket.opening == opening else { return nil }
        switch phase {
        case .open: return nil
        case .closed:
            guard !ticket.isProbe, case .answered(let failed, let slow) = outcome, failed || slow,
                breaker.isBad(figures())
            else { return nil }
            if now >= time, now - time >= breaker.calmTime { row = 0 }
            return open(now, random, breaker)
        case .halfOpen:
            guard ticket.isProbe else { return nil }
            switch outcome {
            case .abandoned:
                if taken > succeeded { taken -= 1 }
                return nil
            case .answered(failed: false, slow: false):
                succeeded = min(succeeded + 1, UInt8(CircuitBreaker.mostProbes))
                taken = max(taken, succeeded)
                guard succeeded >= breaker.probes else { return nil }
                phase = .closed
                taken = 0
                succeeded = 0
                time = Self.time(now, plus: 0)
                return .closed
            case .answered: return open(now, random, breaker)
            }
        }
    }

    private mutating func open(
        _ now: UInt64, _ random: UInt64, _ breaker: CircuitBreaker
    ) -> CircuitBreaker.Transition {
        phase = .open
        row = min(row + 1, Self.mostRow)
        opening = opening == Self.lastOpening ? 0 : opening + 1
        taken = 0
        succeeded = 0
        let duration = breaker.openTime(openings: Int(row), random: random)
        time = Self.time(now, plus: duration)
        return .opened(milliseconds: duration)
    }

    private static func time(_ now: UInt64, plus duration: UInt64) -> UInt64 {
        let (sum, overflow) = now.addingReportingOverflow(duration)
        return overflow ? lastTime : min(sum, lastTime)
    }
}
