import NIOHTTP1

/// Begins the spans of requests and hands them on when they have ended.
struct Tracer: Sendable {
    let sampler: TraceSampler
    /// Where spans go, those of a request at once.
    let record: @Sendable ([SpanRecord]) -> Void
    /// Where ids come from.
    let random: @Sendable () -> UInt64

    init(
        sampler: TraceSampler = .standard, random: @escaping @Sendable () -> UInt64 = { .random(in: .min ... .max) },
        record: @escaping @Sendable ([SpanRecord]) -> Void
    ) {
        self.sampler = sampler
        self.random = random
        self.record = record
    }

    /// The trace of a request that is recorded; nil where it is not.
    ///
    /// - Parameter route: the pattern of the path, if there is one.
    func begin(_ request: HTTPRequest, route: String?) -> RequestTrace? {
        let headers = request.head.headers
        let parent = TraceParent(fields: headers["traceparent"])
        let trace = parent?.trace ?? TraceIdentifier(high: identifier(), low: identifier())
        guard sampler.samples(trace, parent: parent) else { return nil }
        // Who begins a trace says that its id is random; who continues one repeats what was said (§random-trace-id).
        var flags = UInt32(TraceParent.sampled | (parent.map { $0.flags } ?? TraceParent.random) & TraceParent.random)
        flags |= SpanRecord.parentIsKnown | (parent == nil ? 0 : SpanRecord.parentIsRemote)
        var server = SpanRecord(
            trace: trace, span: identifier(), parent: parent?.span,
            state: parent == nil ? nil : TraceState(fields: headers["tracestate"]), flags: flags, name: "",
            kind: .server, start: request.received.arrival, end: 0)
        server.describe(request.head, route: route)
        return RequestTrace(server: server, clock: request.received, tracer: self)
    }

    /// An id; zero means that there is none.
    func identifier() -> UInt64 {
        while true {
            let number = random()
            if number != 0 { return number }
        }
    }
}

extension SpanRecord {
    /// The methods that have a name of their own (RFC 9110 §9.3, RFC 5789, QUERY); any client can think of others.
    private static let methods: Set<String> = [
        "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE",
    ]

    /// What a request says of itself. Its query is left out: there may be secrets in it.
    fileprivate mutating func describe(_ head: HTTPRequestHead, route: String?) {
        let method = head.method.rawValue
        let isKnown = Self.methods.contains(method)
        name = isKnown ? method : "HTTP"
        add("http.request.method", isKnown ? method : "_OTHER")
        if !isKnown { add("http.request.method_original", method) }
        if let route {
            name += " \(route)"
            add("http.route", route)
        }
        add("url.scheme", "http")
        add("url.path", Self.path(of: head.uri))
        if let host = head.headers.first(name: "host"), let place = HostAndPort(host) {
            add("server.address", place.host)
            add("server.port", place.port ?? 80)
        }
        add("network.protocol.version", "\(head.version.major).\(head.version.minor)")
        if let agent = head.headers.first(name: "user-agent") { add("user_agent.original", agent) }
    }

    /// The path as received. Of an absolute URI only that: there may be a password before the host.
    private static func path(of target: String) -> String {
        let target = target.prefix { $0 != "?" && $0 != "#" }
        guard !target.hasPrefix("/"), let scheme = target.firstRange(of: "://") else { return String(target) }
        return String(target[scheme.upperBound...].drop { $0 != "/" })
    }
}
