/// What one attempt says about the endpoint that it went to.
package enum OutlierOutcome: Equatable, Sendable {
    /// An answer below 500.
    case success
    /// An answer of 500 or above that is none of a gateway's.
    case serverError
    /// 502, 503 or 504.
    case gatewayError
    /// No connection, a reset, a broken answer or none in time.
    case noAnswer
    /// It ended for a reason of our own: refused by a bulkhead or a breaker, given up by the client. Never counts,
    /// because an endpoint cannot help it.
    case local

    /// The outcome of an answer with `status`.
    package init(status: Int) {
        switch status {
        case 502, 503, 504: self = .gatewayError
        case 500...: self = .serverError
        default: self = .success
        }
    }

    /// Whether an endpoint has failed.
    package var isFailure: Bool { self == .serverError || self == .gatewayError || self == .noAnswer }
}

/// Why an endpoint was ejected. Bounded: the words are metric labels and log fields.
package enum OutlierReason: UInt8, Equatable, Sendable, CaseIterable {
    /// Too many 5xx, or missing answers, in a row.
    case consecutive5xx
    /// Too many 502, 503, 504, or missing answers, in a row.
    case consecutiveGatewayFailures
    /// It succeeds less often than the others.
    case successRate
    /// It takes longer than the others.
    case latency

    /// The word.
    package var word: StaticString {
        switch self {
        case .consecutive5xx: "consecutive_5xx"
        case .consecutiveGatewayFailures: "consecutive_gateway_failures"
        case .successRate: "success_rate"
        case .latency: "latency"
        }
    }
}

/// The failures in a row of one endpoint, in one word: threads change it by compare-and-swap. An endpoint that does not
/// fail has the word 0, and a success does not change that.
package struct OutlierRecord: Equatable, Sendable {
    /// The last 5xx or missing answers without a success between them, saturating.
    package private(set) var failures: UInt32 = 0
    /// The same of 502, 503, 504 and missing answers alone; any other answer ends the row.
    package private(set) var gatewayFailures: UInt32 = 0

    /// No failure yet.
    package init() {}

    /// The record of a word that ``word`` has made.
    package init(word: UInt64) {
        failures = UInt32(truncatingIfNeeded: word)
        gatewayFailures = UInt32(truncatingIfNeeded: word >> 32)
    }

    /// The record in one word.
    package var word: UInt64 { UInt64(failures) | UInt64(gatewayFailures) << 32 }

    /// Takes an outcome.
    ///
    /// - Returns: why the endpoint should be ejected now. The rows begin anew then, whether it may be ejected or not,
    ///   so that the reason comes once in each row and not with every failure after it.
    package mutating func record(_ outcome: OutlierOutcome, by detector: OutlierDetector) -> OutlierReason? {
        switch outcome {
        case .local: return nil
        case .success:
            self = OutlierRecord()
            return nil
        case .serverError:
            failures = failures &+ (failures == .max ? 0 : 1)
            gatewayFailures = 0
        case .gatewayError, .noAnswer:
            failures = failures &+ (failures == .max ? 0 : 1)
            gatewayFailures = gatewayFailures &+ (gatewayFailures == .max ? 0 : 1)
        }
        let reason: OutlierReason
        if detector.consecutiveGatewayFailures > 0, gatewayFailures >= detector.consecutiveGatewayFailures {
            reason = .consecutiveGatewayFailures
        } else if detector.consecutive5xx > 0, failures >= detector.consecutive5xx {
            reason = .consecutive5xx
        } else {
            return nil
        }
        self = OutlierRecord()
        return reason
    }
}
