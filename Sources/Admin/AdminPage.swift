import ByteBuffers
import DistributedTracing
import FeatureFlags
import GatewayConfig
import GatewayCore
import HTTP2Framing
import HTTPListener
import HTTPMessage
import JSON

/// A page as it is sent.
struct AdminAnswer {
    var status: UInt16
    /// Its media type.
    var type: String
    var body: [UInt8]
}

/// Which traces are asked for: `?limit=20`, `?trace=4bf92f3577b34da6a3ce929d0e0e4736`.
struct TraceQuery {
    /// How many at most, the latest first.
    private(set) var limit = 200
    /// The only one that is wanted; nil for all.
    private(set) var trace: TraceID?

    /// What a query says, nil where it makes no sense. Parameters of other names have no meaning here.
    init?(_ query: String) {
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            switch parts[0] {
            case "limit":
                guard parts.count == 2, let limit = Int(parts[1]), (1...10_000).contains(limit) else { return nil }
                self.limit = limit
            case "trace":
                guard parts.count == 2, let trace = Self.traceID(parts[1]) else { return nil }
                self.trace = trace
            default: break
            }
        }
    }

    private static func traceID(_ text: Substring) -> TraceID? {
        guard text.utf8.count == 32, text.allSatisfy({ $0.isASCII && $0.isHexDigit }),
            let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.suffix(16), radix: 16)
        else {
            return nil
        }
        return TraceID(high: high, low: low)
    }
}

/// What the admin listener can show.
enum AdminPage: CaseIterable {
    /// The process is alive.
    case health
    /// Requests are served.
    case readiness
    /// The configuration in force, secrets hidden.
    case configuration
    /// The flags in force.
    case flags
    /// Which configuration is in force, since when nothing else was, and what was wrong with one that was refused.
    case status
    /// How upstreams and their endpoints do.
    case upstreams
    /// All figures, for Prometheus.
    case metrics
    /// The last traces, drawn by what follows.
    case traces
    case tracesScript
    case tracesStyle
    /// The last traces themselves.
    case traceList

    private var path: StaticString {
        switch self {
        case .health: "/healthz"
        case .readiness: "/readyz"
        case .configuration: "/config"
        case .flags: "/flags"
        case .status: "/status"
        case .upstreams: "/upstreams"
        case .metrics: "/metrics"
        case .traces: "/traces"
        case .tracesScript: "/traces.js"
        case .tracesStyle: "/traces.css"
        case .traceList: "/traces.json"
        }
    }

    /// The page at `path`, or nil.
    init?(path: Span<UInt8>) {
        for page in Self.allCases where path.equals(page.path) {
            self = page
            return
        }
        return nil
    }

    /// All paths, for a message.
    static var paths: String { allCases.map { "\($0.path)" }.joined(separator: ", ") }

    /// Whether a token is asked for. Probes have none; a browser that opens a page has none either, and finds nothing in it
    /// that every copy of this program does not have.
    var isGuarded: Bool {
        switch self {
        case .health, .readiness, .traces, .tracesScript, .tracesStyle: false
        case .configuration, .flags, .status, .upstreams, .metrics, .traceList: true
        }
    }

    /// The page for a client with this `Accept` and query.
    func render(_ gateway: Gateway, accept: String, query: String) -> AdminAnswer {
        switch self {
        case .metrics:
            let (type, body) = gateway.scrape(accepting: accept)
            return AdminAnswer(status: 200, type: type, body: body)
        case .traces:
            return AdminAnswer(status: 200, type: "text/html; charset=utf-8", body: PackageResources.traces_html)
        case .tracesScript:
            return AdminAnswer(status: 200, type: "text/javascript; charset=utf-8", body: PackageResources.traces_js)
        case .tracesStyle:
            return AdminAnswer(status: 200, type: "text/css; charset=utf-8", body: PackageResources.traces_css)
        case .traceList:
            return Self.traces(gateway, TraceQuery(query))
        case .health, .readiness, .configuration, .flags, .status, .upstreams:
            let (status, value) = content(gateway)
            return AdminAnswer(status: status, type: "application/json", body: Self.text(value))
        }
    }

    private static func traces(_ gateway: Gateway, _ query: TraceQuery?) -> AdminAnswer {
        guard let recent = gateway.recentTraces else {
            let detail = "no traces are kept: set gateway.tracing.recent to how many shall be, 200 for instance"
            return AdminAnswer(status: 404, type: "application/json", body: problem(detail))
        }
        guard let query else {
            let detail = "trace is an id of 32 hexadecimal digits, limit a number from 1 to 10000"
            return AdminAnswer(status: 400, type: "application/json", body: problem(detail))
        }
        var buffer = ByteBuffer()
        recent.append(to: &buffer, limit: query.limit, only: query.trace)
        return AdminAnswer(status: 200, type: "application/json", body: buffer.withUnsafeBytes { Array($0) })
    }

    private func content(_ gateway: Gateway) -> (UInt16, JSONValue) {
        switch self {
        case .health:
            return (200, .object([.init("status", .string("alive"))]))
        case .readiness:
            let state = gateway.isReady ? "ready" : gateway.isDraining ? "draining" : "starting"
            return (gateway.isReady ? 200 : 503, .object([.init("status", .string(state))]))
        case .configuration:
            return (200, gateway.effectiveConfiguration)
        case .flags:
            return (200, .object([.init("flags", .array(gateway.flags.definitions.map(Self.describe)))]))
        case .upstreams:
            return (200, UpstreamPage.describe(gateway.upstreamReports))
        default:
            return (200, status(gateway))
        }
    }

    private static func describe(_ flag: FlagDefinition) -> JSONValue {
        .object([
            .init("key", .string(flag.key)),
            .init("state", .string(flag.state == .enabled ? "ENABLED" : "DISABLED")),
            .init("variants", .object(flag.variants.map { .init($0.name, $0.value) })),
            .init("defaultVariant", flag.defaultVariant.map { .string($0) } ?? .null),
            .init("summary", .string(flag.summary)),
        ])
    }

    private static func numbers<Kind>(_ kinds: [Kind], _ number: (Kind) -> (StaticString, UInt64)) -> JSONValue {
        .object(
            kinds.map { kind in
                let (name, count) = number(kind)
                return .init("\(name)", .integer(Int64(clamping: count)))
            })
    }

    private func status(_ gateway: Gateway) -> JSONValue {
        let failures = gateway.handshakeFailures
        return .object([
            .init("generation", .integer(Int64(gateway.generation))),
            .init("workers", .integer(Int64(gateway.workerCount))),
            .init("listeners", .array(gateway.addresses.map { .string($0.text) })),
            .init("draining", .bool(gateway.isDraining)),
            .init("cutOff", Self.numbers(HTTP2Flood.allCases) { ($0.name, gateway.floods[$0]) }),
            .init("failedHandshakes", Self.numbers(HandshakeFailure.allCases) { ($0.name, failures[$0]) }),
            .init("spans", gateway.spanCounts.map(Self.describe) ?? .null),
            .init("refusedReload", .array(gateway.refusal.map { .string($0.description) })),
            .init(
                "accessLog",
                gateway.accessLogLines.map { lines in
                    .object([
                        .init("written", .integer(Int64(clamping: lines.written))),
                        .init("lost", .integer(Int64(clamping: lines.lost))),
                    ])
                } ?? .null),
        ])
    }

    private static func describe(_ counts: SpanQueue.Counts) -> JSONValue {
        .object([
            .init("recorded", .integer(Int64(clamping: counts.recorded))),
            .init("exported", .integer(Int64(clamping: counts.exported))),
            .init("waiting", .integer(Int64(clamping: counts.waiting))),
            .init("overflowed", .integer(Int64(clamping: counts.overflowed))),
            .init("refused", .integer(Int64(clamping: counts.refused))),
            .init("failed", .integer(Int64(clamping: counts.failed))),
        ])
    }

    /// A failure as an object.
    static func problem(_ detail: String) -> [UInt8] { text(.object([.init("detail", .string(detail))])) }

    /// The bytes of a page.
    static func text(_ value: JSONValue) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.appendJSON(value)
        buffer.append("\n")
        return buffer.withUnsafeBytes { Array($0) }
    }
}

extension JSONMember {
    init(_ name: String, _ value: JSONValue) { self.init(name: name, value: value) }
}

extension RequestHead {
    /// The page that is asked for, or nil.
    var adminPage: AdminPage? { AdminPage(path: span(path)) }

    /// The query, empty without one.
    borrowing func queryText() -> String {
        var text = ByteBuffer()
        if hasQuery { copy(query, to: &text) }
        return text.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// What the client wants to have, its fields joined.
    borrowing func acceptedTypes() -> String {
        var types = ByteBuffer()
        var next = fields.first(.accept)
        while let index = next {
            if !types.isEmpty { types.append(",") }
            types.append(value(index))
            next = fields.firstIndex(of: .accept, after: index)
        }
        return types.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether `Authorization` bears this token. The time taken does not tell how much of it was right.
    borrowing func bears(_ token: Span<UInt8>) -> Bool {
        guard let index = fields.first(.authorization), fields.firstIndex(of: .authorization, after: index) == nil
        else {
            return false
        }
        let text = value(index)
        guard text.count == token.count + 7, text.extracting(0..<7).equalsIgnoringCase("bearer ") else { return false }
        var difference: UInt8 = 0
        for position in 0..<token.count { difference |= text[position + 7] ^ token[position] }
        return difference == 0
    }
}
