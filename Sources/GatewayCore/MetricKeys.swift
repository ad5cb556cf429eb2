import FeatureFlags
import HTTPMessage
import Telemetry
import Upstreams

/// The labels of figures, packed into the numbers by which workers find their rows. Each is packed and unpacked here, and
/// nowhere else. Nothing of it is a client's text: methods come from a closed list, everything else from the configuration
/// or from us.
enum MetricKey {
    // MARK: - Packing

    static func request(
        route: UInt16, status: UInt16, method: Method, version: HTTPVersion, isSecure: Bool, cause: Cause?
    ) -> UInt64 {
        let error = cause.map { UInt64($0.rawValue) + 1 } ?? 0
        return UInt64(route) << 48 | UInt64(status) << 32 | UInt64(method.rawValue) << 24
            | UInt64(version.rawValue) << 20 | (isSecure ? 1 << 19 : 0) | error
    }

    static func active(method: Method, isSecure: Bool) -> UInt64 { UInt64(method.rawValue) << 1 | (isSecure ? 1 : 0) }

    static func body(route: UInt16, method: Method) -> UInt64 { UInt64(route) << 8 | UInt64(method.rawValue) }

    static func attempt(upstream: UInt16, method: Method, status: UInt16, end: AttemptEnd) -> UInt64 {
        UInt64(upstream) << 48 | UInt64(status) << 32 | UInt64(method.rawValue) << 24 | UInt64(end.word.number)
    }

    static func timeout(upstream: UInt16, _ kind: AttemptEnd) -> UInt64 {
        UInt64(upstream) << 8 | UInt64(kind.rawValue)
    }

    static func retry(upstream: UInt16, _ result: RetryResult) -> UInt64 {
        UInt64(upstream) << 8 | UInt64(result.rawValue)
    }

    static func fallback(upstream: UInt16, _ reason: FallbackReason?) -> UInt64 {
        UInt64(upstream) << 8 | (reason.map { UInt64($0.rawValue) + 1 } ?? 0)
    }

    static func decision(flag: UInt16, variant: UInt16, _ result: FlagResult) -> UInt64 {
        let reason = result.errorCode.map { 0x80 | UInt64($0.rawValue) } ?? UInt64(result.reason.rawValue)
        return UInt64(flag) << 32 | UInt64(variant) << 16 | reason
    }

    static func part(route: UInt16, part: UInt16, outcome: PartOutcome) -> UInt64 {
        UInt64(route) << 32 | UInt64(part) << 16 | UInt64(outcome.number)
    }
}

/// The names behind the numbers in keys; it belongs to the control plane.
struct MetricVocabulary {
    var routes = MetricNames()
    var upstreams = MetricNames()
    var flags = MetricNames()
    var variants = MetricNames()
    var parts = MetricNames()

    // MARK: - Unpacking

    func request(_ key: UInt64) -> [MetricLabel] {
        let cause = UInt8(truncatingIfNeeded: key)
        return [
            Self.method(key >> 24), MetricLabel("http_route", routes[UInt16(truncatingIfNeeded: key >> 48)]),
            Self.status(key >> 32), Self.scheme(key >> 19), Self.version(key >> 20),
            MetricLabel("error_type", cause > 0 ? Cause(rawValue: cause - 1).map { "\($0.name)" } ?? "" : ""),
        ]
    }

    func active(_ key: UInt64) -> [MetricLabel] { [Self.method(key >> 1), Self.scheme(key)] }

    func body(_ key: UInt64) -> [MetricLabel] {
        [Self.method(key), MetricLabel("http_route", routes[UInt16(truncatingIfNeeded: key >> 8)])]
    }

    func attempt(_ key: UInt64) -> [MetricLabel] {
        [
            upstream(key >> 48), Self.method(key >> 24), Self.status(key >> 32),
            MetricLabel("error_type", AttemptEnd.Word(number: UInt8(truncatingIfNeeded: key))?.text ?? ""),
        ]
    }

    func timeout(_ key: UInt64) -> [MetricLabel] {
        let kind = AttemptEnd(rawValue: UInt8(truncatingIfNeeded: key))?.timeout
        return [upstream(key >> 8), MetricLabel("kind", kind.map { "\($0)" } ?? "")]
    }

    func retry(_ key: UInt64) -> [MetricLabel] {
        let result = RetryResult(rawValue: UInt8(truncatingIfNeeded: key))
        return [upstream(key >> 8), MetricLabel("result", result.map { "\($0.word)" } ?? "")]
    }

    func fallback(_ key: UInt64) -> [MetricLabel] {
        let number = UInt8(truncatingIfNeeded: key)
        let reason = number > 0 ? FallbackReason(rawValue: number - 1).map { "\($0.word)" } : "budget"
        return [upstream(key >> 8), MetricLabel("reason", reason ?? "")]
    }

    func upstream(_ number: UInt64) -> MetricLabel {
        MetricLabel("upstream", upstreams[UInt16(truncatingIfNeeded: number)])
    }

    func decision(_ key: UInt64) -> [MetricLabel] {
        let number = UInt8(truncatingIfNeeded: key)
        let reason =
            number & 0x80 != 0
            ? FlagErrorCode(rawValue: number & 0x7F)?.attributeValue : FlagReason(rawValue: number)?.attributeValue
        return [
            MetricLabel("flag", flags[UInt16(truncatingIfNeeded: key >> 32)]),
            MetricLabel("variant", variants[UInt16(truncatingIfNeeded: key >> 16)]),
            MetricLabel("reason", reason.map { "\($0)" } ?? ""),
        ]
    }

    func part(_ key: UInt64) -> [MetricLabel] {
        [
            MetricLabel("route", routes[UInt16(truncatingIfNeeded: key >> 32)]),
            MetricLabel("part", parts[UInt16(truncatingIfNeeded: key >> 16)]),
            MetricLabel("outcome", PartOutcome(number: UInt8(truncatingIfNeeded: key)).text),
        ]
    }

    private static func method(_ bits: UInt64) -> MetricLabel {
        let names = ["_OTHER", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "QUERY"]
        let number = Int(bits & 0xF)
        return MetricLabel("http_request_method", number < names.count ? names[number] : names[0])
    }

    private static func status(_ bits: UInt64) -> MetricLabel {
        let status = UInt16(truncatingIfNeeded: bits)
        return MetricLabel("http_response_status_code", status == 0 ? "" : "\(status)")
    }

    private static func scheme(_ bits: UInt64) -> MetricLabel {
        MetricLabel("url_scheme", bits & 1 == 1 ? "https" : "http")
    }

    private static func version(_ bits: UInt64) -> MetricLabel {
        let text =
            switch HTTPVersion(rawValue: UInt8(truncatingIfNeeded: bits & 0xF)) {
            case .http10: "1.0"
            case .http11: "1.1"
            case .http2: "2"
            case nil: ""
            }
        return MetricLabel("network_protocol_version", text)
    }
}

/// What became of a failed attempt that might be repeated.
enum RetryResult: UInt8, CaseIterable {
    case begun, attempts, retryAfter, deadline, budget, hedged

    /// Nil for an attempt that is none of those that are repeated.
    init?(_ verdict: RetryPolicy.Verdict) {
        switch verdict {
        case .after: self = .begun
        case .no(.attempts): self = .attempts
        case .no(.retryAfter): self = .retryAfter
        case .no(.deadline): self = .deadline
        case .no(.budget): self = .budget
        case .no(.condition), .no(.notRepeatable): return nil
        }
    }

    /// The word.
    var word: StaticString {
        switch self {
        case .begun: "begun"
        case .attempts: "attempts"
        case .retryAfter: "retry_after"
        case .deadline: "deadline"
        case .budget: "budget"
        case .hedged: "hedged"
        }
    }
}
