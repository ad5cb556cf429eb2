import HTTPMessage
import Upstreams

/// Why an attempt brought no answer that could be passed on: what decides whether another one follows.
enum AttemptTrouble: Equatable {
    /// It failed before the head of an answer.
    case failure(UpstreamFailure)
    /// It was not begun.
    case refusal(UpstreamRefusal)
    /// It was answered with a status that is worth another attempt, which may come after so many milliseconds.
    case status(UInt16, retryAfter: UInt64?)

    /// The cause of a failure to answer, where nothing follows.
    var cause: Cause {
        switch self {
        case .failure(let failure): Cause(failure)
        case .refusal(.full): .upstreamOverloaded
        case .refusal(.open): .circuitOpen
        case .refusal(.noEndpoint): .noHealthyEndpoint
        case .status: .internalError
        }
    }

    /// What of it a retry policy looks at; empty for what another attempt at the same upstream would not change.
    var condition: RetryConditions {
        switch self {
        case .failure(let failure):
            switch failure {
            case .connectFailed, .dnsFailed, .tlsFailed, .connectTimeout: .connectFailure
            case .closed: .reset
            case .timeout: .timeout
            case .protocolError, .overloaded, .truncated: []
            }
        case .refusal: []
        case .status(let status, _): RetryConditions(status: Int(status))
        }
    }

    /// Whether it is certain that nobody has seen anything of the request.
    var nothingWasSent: Bool {
        switch self {
        case .failure(let failure): failure.nothingWasSent
        case .refusal: true
        case .status: false
        }
    }

    /// When the upstream wants to be asked again, in milliseconds.
    var retryAfter: UInt64? {
        if case .status(_, let time) = self { time } else { nil }
    }

    /// Why the fallback of a context is asked; nil where that would help nobody: an upstream that has too much to do must
    /// not hand it to the next one.
    var fallbackReason: FallbackReason? {
        switch self {
        case .failure(let failure):
            switch failure {
            case .connectFailed, .dnsFailed, .tlsFailed, .connectTimeout: .connectFailed
            case .closed: .closed
            case .protocolError: .brokenAnswer
            case .timeout: .timeout
            case .overloaded, .truncated: nil
            }
        case .refusal(.open): .circuitOpen
        case .refusal(.noEndpoint): .noEndpoint
        case .refusal(.full): nil
        case .status(let status, _): FallbackReason(status: status)
        }
    }
}

/// Why a context's fallback was asked. Bounded: the words are metric labels, log fields and the value of `Banyan-Fallback`.
enum FallbackReason: UInt8, CaseIterable, Sendable {
    case connectFailed, closed, brokenAnswer, timeout, circuitOpen, noEndpoint
    case badGateway, unavailable, gatewayTimeout
    /// Only where the configuration names the status.
    case notFound, gone, serverError, notImplemented

    /// The reason that a status is.
    init?(status: UInt16) {
        switch status {
        case 404: self = .notFound
        case 410: self = .gone
        case 500: self = .serverError
        case 501: self = .notImplemented
        case 502: self = .badGateway
        case 503: self = .unavailable
        case 504: self = .gatewayTimeout
        default: return nil
        }
    }

    /// Whether it counts without being named by the configuration.
    var isUsual: Bool {
        switch self {
        case .notFound, .gone, .serverError, .notImplemented: false
        default: true
        }
    }

    /// The word.
    var word: StaticString {
        switch self {
        case .connectFailed: "connect_failed"
        case .closed: "upstream_closed"
        case .brokenAnswer: "upstream_protocol"
        case .timeout: "upstream_timeout"
        case .circuitOpen: "circuit_open"
        case .noEndpoint: "no_healthy_endpoint"
        case .badGateway: "status_502"
        case .unavailable: "status_503"
        case .gatewayTimeout: "status_504"
        case .notFound: "status_404"
        case .gone: "status_410"
        case .serverError: "status_500"
        case .notImplemented: "status_501"
        }
    }
}

/// Who is asked in the place of an upstream of a context, and when.
struct FallbackRules: Equatable, Sendable {
    /// The upstream's number; -1 for none.
    var upstream = -1
    /// How many requests may go there at a time, beside its own.
    var budget = RequestBudget()
    /// Bits of the reasons that count.
    private var reasons: UInt16 = 0

    /// Nobody.
    init() {}

    /// The upstream with this number, for the usual reasons and these.
    init(_ upstream: Int, budget: RequestBudget, besides: [FallbackReason]) {
        self.upstream = upstream
        self.budget = budget
        for reason in FallbackReason.allCases where reason.isUsual || besides.contains(reason) {
            reasons |= 1 << UInt16(reason.rawValue)
        }
    }

    /// Whether `reason` is one for asking there.
    func count(_ reason: FallbackReason) -> Bool { reasons & 1 << UInt16(reason.rawValue) != 0 }
}

/// How requests are repeated at an upstream.
struct RetryRules: Equatable, Sendable {
    var policy = RetryPolicy()
    /// How many may be repeated at a time, beside all of the upstream.
    var budget = RequestBudget()
    /// How long each try may wait for the head of its answer, in milliseconds.
    var tryTimeout = UInt64.max
}
