import Aggregation
import Upstreams

/// How one attempt at an upstream came to its end.
enum AttemptEnd: UInt8, CaseIterable, Sendable {
    case ok, connectFailed, dnsFailed, tlsFailed, closed, protocolError, overloaded, truncated
    /// Nobody waits for the answer any more.
    case cancelled
    /// No connection in time.
    case connectTimeout
    /// No head in time.
    case headTimeout
    /// A body that fell silent.
    case idleTimeout
    /// The time of the whole exchange was over.
    case totalTimeout
    /// The time of a part of a view was over.
    case partTimeout
    /// The time of a whole view was over.
    case viewTimeout
    /// It was not begun: a circuit breaker is open.
    case circuitOpen
    /// It was not begun: no endpoint should get requests.
    case noHealthyEndpoint

    /// The end of an attempt that was not begun.
    init(_ refusal: UpstreamRefusal) {
        switch refusal {
        case .full: self = .overloaded
        case .open: self = .circuitOpen
        case .noEndpoint: self = .noHealthyEndpoint
        }
    }

    /// Whether a time was over.
    var isTimeout: Bool { timeout != nil }

    /// The end of `attempt` by `failure`.
    init(_ failure: UpstreamFailure, of attempt: UpstreamAttempt) {
        switch failure {
        case .connectFailed: self = .connectFailed
        case .dnsFailed: self = .dnsFailed
        case .tlsFailed: self = .tlsFailed
        case .closed: self = .closed
        case .protocolError: self = .protocolError
        case .connectTimeout: self = .connectTimeout
        case .timeout: self = .headTimeout
        case .overloaded: self = .overloaded
        case .truncated: self = attempt.fellSilent ? .idleTimeout : .truncated
        }
    }

    /// Which time was over; nil where none was.
    var timeout: StaticString? {
        switch self {
        case .connectTimeout: "connect"
        case .headTimeout: "head"
        case .idleTimeout: "idle"
        case .totalTimeout: "total"
        case .partTimeout: "part"
        case .viewTimeout: "view"
        default: nil
        }
    }

    /// The word of the label `error_type`, as a number.
    struct Word: Equatable {
        let number: UInt8

        init(_ end: AttemptEnd) { number = end.timeout == nil ? end.rawValue : AttemptEnd.headTimeout.rawValue }

        init?(number: UInt8) {
            guard let end = AttemptEnd(rawValue: number) else { return nil }
            self.init(end)
        }

        /// The word; empty where nothing failed.
        var text: String {
            switch AttemptEnd(rawValue: number) {
            case .ok, nil: ""
            case .connectFailed: "connect_failed"
            case .dnsFailed: "dns_failed"
            case .tlsFailed: "tls_failed"
            case .closed: "upstream_closed"
            case .protocolError: "upstream_protocol"
            case .overloaded: "upstream_overloaded"
            case .truncated: "upstream_truncated"
            case .cancelled: "cancelled"
            case .circuitOpen: "circuit_open"
            case .noHealthyEndpoint: "no_healthy_endpoint"
            case .connectTimeout, .headTimeout, .idleTimeout, .totalTimeout, .partTimeout, .viewTimeout:
                "upstream_timeout"
            }
        }
    }

    /// The word: all times that were over have one.
    var word: Word { Word(self) }
}

/// What became of a part of a view.
enum PartOutcome: Equatable {
    case ok
    case failed(PartFailure.Reason)

    /// 0, or the reason's number and one.
    var number: UInt8 {
        switch self {
        case .ok: 0
        case .failed(let reason): reason.rawValue + 1
        }
    }

    /// The outcome with this number.
    init(number: UInt8) {
        guard number > 0, let reason = PartFailure.Reason(rawValue: number - 1) else {
            self = .ok
            return
        }
        self = .failed(reason)
    }

    /// The outcome of a part that failed so, or did not.
    init(_ failure: PartFailure?) { self = failure.map { .failed($0.reason) } ?? .ok }

    /// The word.
    var text: String {
        switch self {
        case .ok: "ok"
        case .failed(let reason): "\(reason.word)"
        }
    }
}
