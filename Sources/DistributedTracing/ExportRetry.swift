/// What is done about a batch of spans after an attempt to export it (OTLP specification §Failures, §OTLP/HTTP Response).
package struct ExportRetry: Equatable, Sendable {
    /// What an attempt came to.
    package enum Outcome: Equatable, Sendable {
        /// An answer with this status, which asks to wait for so many milliseconds before the next attempt.
        case answered(status: UInt16, retryAfter: UInt64?)
        /// No answer, or none that makes sense.
        case unreachable
    }

    /// What follows.
    package enum Decision: Equatable, Sendable {
        /// The collector has the spans, but for those that it says it refused.
        case exported
        /// Another attempt, in so many milliseconds.
        case retry(after: UInt64)
        /// The collector does not want them.
        case refused
        /// The time for them is over.
        case givenUp
    }

    private var attempts = 0
    private let deadline: UInt64

    /// The first wait, and the longest one, in milliseconds.
    private static let firstWait: UInt64 = 1_000
    private static let longestWait: UInt64 = 30_000

    /// The attempts of one batch, which has to be gone at `deadline`, in milliseconds of the loop's clock.
    package init(until deadline: UInt64) { self.deadline = deadline }

    /// Decides at `now`; `random` is 64 random bits, which spread the attempts of many gateways.
    package mutating func decide(_ outcome: Outcome, at now: UInt64, random: UInt64) -> Decision {
        attempts += 1
        var wait = Self.wait(after: attempts, random: random)
        switch outcome {
        case .answered(200..<300, _): return .exported
        case .answered(let status, let asked):
            guard status == 429 || (502...504).contains(status) else { return .refused }
            if let asked { wait = asked }
        case .unreachable: break
        }
        let (next, overflow) = now.addingReportingOverflow(wait)
        return overflow || next >= deadline ? .givenUp : .retry(after: wait)
    }

    /// Twice as long each time, within a quarter more or less.
    private static func wait(after attempts: Int, random: UInt64) -> UInt64 {
        let base = min(firstWait << UInt64(min(attempts - 1, 5)), longestWait)
        return base - base / 4 + random % (base / 2 + 1)
    }

    /// How long a `Retry-After` field asks to wait, in milliseconds: seconds or a date (RFC 9110 §10.2.3); nil where it is
    /// neither.
    ///
    /// - Parameter now: in seconds after 1970 in UTC.
    package static func wait(forField value: borrowing Span<UInt8>, now: Int64) -> UInt64? {
        var seconds: UInt64 = 0
        var digits = 0
        for index in 0..<value.count {
            guard case 0x30...0x39 = value[index] else { break }
            let (product, overflow) = seconds.multipliedReportingOverflow(by: 10)
            guard !overflow, product < 1 << 40 else { return nil }
            seconds = product + UInt64(value[index] - 0x30)
            digits += 1
        }
        if digits > 0, digits == value.count { return seconds * 1_000 }
        guard let date = HTTPDate.seconds(parsing: value) else { return nil }
        return date > now ? UInt64(date - now) * 1_000 : 0
    }
}
