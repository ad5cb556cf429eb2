/// Whether one endpoint is ejected, until when, and how often it was of late; in one word, which threads change by
/// compare-and-swap. An endpoint that was never ejected has the word 0.
package struct EjectionRecord: Equatable, Sendable {
    /// What the end of an interval has changed.
    package enum Change: Equatable, Sendable {
        /// The time of the ejection is over: the endpoint gets requests again, its ``OutlierRecord`` begins anew.
        case returned
    }

    private var isOut = false
    private var until: UInt64 = 0
    /// Ejections of late: how far the time of the next one has grown.
    package private(set) var ejections: UInt8 = 0

    private static let lastTime: UInt64 = (1 << 48) - 1

    /// Never ejected.
    package init() {}

    /// The record of a word that ``word`` has made.
    package init(word: UInt64) {
        isOut = word & 1 == 1
        ejections = UInt8(word >> 1 & 0xFF)
        until = word >> 16
    }

    /// The record in one word.
    package var word: UInt64 { (isOut ? 1 : 0) | UInt64(ejections) << 1 | until << 16 }

    /// Whether it gets no requests. Over by itself when the time has come; ``intervalEnded(now:hadFailures:)`` only
    /// tells of it.
    package func isEjected(now: UInt64) -> Bool { isOut && now < until }

    /// How long it stays ejected yet, in milliseconds; nil if it is not.
    package func timeLeft(now: UInt64) -> UInt64? { isEjected(now: now) ? until - now : nil }

    /// Ejects the endpoint, longer each time.
    ///
    /// - Returns: for how many milliseconds; nil when it is ejected already: nothing has changed then.
    package mutating func eject(now: UInt64, by detector: OutlierDetector) -> UInt64? {
        guard !isEjected(now: now) else { return nil }
        ejections = ejections == .max ? .max : ejections + 1
        let duration = detector.ejectionTime(ejections: Int(ejections))
        let (sum, overflow) = now.addingReportingOverflow(duration)
        until = overflow ? Self.lastTime : min(sum, Self.lastTime)
        isOut = true
        return duration
    }

    /// Takes the endpoint back before its time: an active health check found it well.
    ///
    /// - Returns: whether it was ejected.
    package mutating func readmit(now: UInt64) -> Bool {
        let was = isEjected(now: now)
        isOut = false
        return was
    }

    /// The end of an interval of the detector: whoever was neither ejected nor failed in it is trusted a little more,
    /// so that the next ejection is shorter again.
    package mutating func intervalEnded(now: UInt64, hadFailures: Bool) -> Change? {
        if isOut {
            guard now >= until else { return nil }
            isOut = false
            return .returned
        }
        if !hadFailures, ejections > 0 { ejections -= 1 }
        return nil
    }
}
