/// What of an attempt's end is worth another attempt.
package struct RetryConditions: OptionSet, Equatable, Hashable, Sendable {
    /// One bit for each.
    package let rawValue: UInt8
    /// The conditions of these bits.
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// No connection came about.
    package static let connectFailure = RetryConditions(rawValue: 1)
    /// The peer said that it has done nothing (HTTP/2's REFUSED_STREAM, or GOAWAY with a lower number).
    package static let refusedStream = RetryConditions(rawValue: 2)
    /// The connection ended, or the stream was reset, before an answer.
    package static let reset = RetryConditions(rawValue: 4)
    /// No answer in the time of one try.
    package static let timeout = RetryConditions(rawValue: 8)
    /// An answer of 502.
    package static let status502 = RetryConditions(rawValue: 16)
    /// An answer of 503.
    package static let status503 = RetryConditions(rawValue: 32)
    /// An answer of 504.
    package static let status504 = RetryConditions(rawValue: 64)

    /// The condition of an answer with `status`; empty when no status of this kind is meant.
    package init(status: Int) {
        switch status {
        case 502: self = .status502
        case 503: self = .status503
        case 504: self = .status504
        default: self = []
        }
    }
}

/// Whether a failed attempt is followed by another one, and when.
package struct RetryPolicy: Equatable, Sendable {
    /// What is tried again.
    package var on: RetryConditions = [.connectFailure, .refusedStream]
    /// Attempts after the first.
    package var attempts = 1
    /// How long to wait before each.
    package var backoff = Backoff()
    /// A `Retry-After` of more milliseconds is not waited for: the answer goes to the client.
    package var mostRetryAfter: UInt64 = 5_000

    /// One more attempt, after failures that reached nobody.
    package init() {}

    /// Why there is no other attempt. Bounded: the words are metric labels and log fields.
    package enum Refusal: Equatable, Sendable, CaseIterable {
        /// Failures of this kind are not tried again.
        case condition
        /// The request may have had an effect, and must not have it twice.
        case notRepeatable
        /// All attempts are used up.
        case attempts
        /// The upstream asked to be left alone for longer than we wait.
        case retryAfter
        /// The time that is left does not reach.
        case deadline
        /// Too many requests are being repeated already.
        case budget

        /// The word.
        package var word: StaticString {
            switch self {
            case .condition: "condition"
            case .notRepeatable: "not_repeatable"
            case .attempts: "attempts"
            case .retryAfter: "retry_after"
            case .deadline: "deadline"
            case .budget: "budget"
            }
        }
    }

    /// What to do.
    package enum Verdict: Equatable, Sendable {
        /// The failure is the answer.
        case no(Refusal)
        /// Try again, after so long a wait.
        case after(milliseconds: UInt64)
    }

    /// What to do after an attempt that failed.
    ///
    /// - Parameters:
    ///   - failure: what happened.
    ///   - attemptNumber: the number of the attempt, 1 for the first.
    ///   - timeLeft: until the request's deadline, in milliseconds.
    ///   - mayRepeat: whether the request may be sent twice: its method is idempotent or its route says so, its body is
    ///     still at hand, and no byte of an answer went to the client.
    ///   - nothingSent: whether it is certain that no upstream has seen anything of it.
    ///   - budgetAllows: whether a place in the budget is free. Asked for last, and only if nothing else is in the way,
    ///     so that it may take the place.
    ///   - retryAfter: what the answer's `Retry-After` says, in milliseconds.
    ///   - random: 64 random bits.
    package func verdict(
        failure: RetryConditions, attemptNumber: Int, timeLeft: UInt64, mayRepeat: Bool, nothingSent: Bool,
        budgetAllows: @autoclosure () -> Bool, retryAfter: UInt64? = nil, random: UInt64
    ) -> Verdict {
        guard !on.isDisjoint(with: failure) else { return .no(.condition) }
        guard mayRepeat || nothingSent else { return .no(.notRepeatable) }
        guard attemptNumber <= attempts else { return .no(.attempts) }
        var wait = backoff.wait(afterAttempt: attemptNumber, random: random)
        if let retryAfter {
            guard retryAfter <= mostRetryAfter, retryAfter < timeLeft else { return .no(.retryAfter) }
            wait = max(wait, retryAfter)
        }
        // A wait that takes up all the time would only make the failure later.
        guard wait < timeLeft else { return .no(.deadline) }
        guard budgetAllows() else { return .no(.budget) }
        return .after(milliseconds: wait)
    }
}
