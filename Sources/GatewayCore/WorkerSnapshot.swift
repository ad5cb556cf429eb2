import ByteBuffers
import DistributedTracing
import FeatureFlags
import HTTPListener
import HTTPMessage
import Routing
import Upstreams

/// One configuration, compiled, as one worker uses it.
///
/// But for the servers of its upstreams, whose names may come to stand for others, it is immutable once its worker has
/// installed it; requests in flight keep the one that they began with. Each worker has a
/// copy of its own, so that no reference count is shared on the way of a request.
final class WorkerSnapshot {
    /// Counts the configurations since the start, from 1.
    let generation: Int
    /// What this gateway calls itself.
    let name: GatewayName
    let routes: RouteTable
    /// What each route does, by its number.
    let actions: [RouteAction]
    /// Each route's name for logs and flag rules, by its number.
    let routeNames: [[UInt8]]
    /// The same as strings of JSON, by their numbers.
    let routeNamesInJSON: [[UInt8]]
    /// The path of each route's pattern, by its number: `http.route`.
    let routePaths: [[UInt8]]
    /// What spans say that the configuration fixes.
    let spanBlocks: SpanBlocks
    /// What share of the traces that begin with a route is sampled, by its number; nil for the share of all.
    let samplers: [Sampler?]
    /// Which requests are recorded.
    let recording: RecordingRules
    let identity: IdentityRules
    let propagation: Propagation
    let sampler: Sampler
    let contexts: [ContextResolver]
    /// The flags that contexts depend on, by slot.
    let slots: [FlagSlot]
    let flags: FlagSnapshot
    let limits: ConnectionLimits
    /// How late the loop may be, in nanoseconds, before new requests are refused.
    let mostLag: OverloadBound
    let accessLog: AccessLogSettings?
    /// How answers tell clients of their trace.
    let traceResponse: TraceResponsePlan
    /// Whether somebody wants to know where the time of each request goes.
    let measuresTime: Bool
    /// What each listener speaks, by its number.
    let protocols: [SpokenProtocols]
    /// Who announces clients at each listener, nil where nobody does.
    let balancers: [CIDRSet?]
    /// The numbers by which is counted what happens under this configuration.
    var metricNumbers = MetricNumbers()
    private let listeners: [ListenerPlan]
    private let edges: [EdgePolicy]
    private var settings: [UpstreamSettings]
    /// The answer to `OPTIONS *`.
    let aboutServer = RespondPlan(
        bodyLimit: 0, status: 204, lines: Array("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n".utf8),
        body: [])
    /// The upstreams, by their number; filled in by the worker, on whose loop they live.
    private(set) var upstreams: [UpstreamPlan] = []

    init(_ parts: SnapshotParts) {
        generation = parts.generation
        name = parts.name
        routes = parts.routes
        actions = parts.actions
        routeNames = parts.routeNames
        routeNamesInJSON = parts.routeNames.map { Self.json($0) }
        routePaths = parts.routePaths
        spanBlocks = SpanBlocks(
            routePaths: parts.routePaths, upstreamNames: parts.settings.map { Array($0.definition.name.utf8) })
        samplers = parts.samplers
        recording = parts.recording
        identity = parts.identity
        propagation = parts.propagation
        sampler = parts.sampler
        contexts = parts.contexts
        slots = parts.slots
        flags = parts.flags
        limits = parts.limits
        mostLag = parts.mostLag
        accessLog = parts.accessLog
        traceResponse = parts.traceResponse
        measuresTime = parts.accessLog?.tellsTimeSplit == true
        listeners = parts.listeners
        edges = parts.listeners.map(\.edge)
        protocols = parts.listeners.map(\.protocols)
        balancers = parts.listeners.map { $0.announcesClients ? parts.identity.trusted : nil }
        settings = parts.settings
    }

    /// Takes the servers that the names of the configuration stand for at this moment; ``install(on:)`` follows.
    func use(_ definitions: [UpstreamDefinition]) {
        let known = Dictionary(definitions.map { ($0.name, $0) }) { first, _ in first }
        for index in settings.indices {
            if let definition = known[settings[index].definition.name] { settings[index].definition = definition }
        }
    }

    /// Makes the upstreams of `set` fit this configuration.
    func install(on set: UpstreamSet) {
        let groups = set.apply(
            settings.map(\.definition), bounds: settings.map(\.bounds), boards: settings.map(\.board))
        upstreams = zip(settings, groups).map { settings, group in
            let name = Array(settings.definition.name.utf8)
            for endpoint in group.endpoints { endpoint.note = SpanBlocks.call(of: endpoint, upstream: name) }
            return UpstreamPlan(
                name: name, nameInLog: Self.json(name) + Array(",\"upstream_address\":".utf8), group: group,
                timeouts: settings.timeouts,
                totalTimeout: settings.totalTimeout, host: settings.host, hashKey: settings.hashKey,
                servedByLine: settings.showsServedBy
                    ? Array("Banyan-Served-By: \(settings.definition.name)\r\n".utf8) : [],
                retry: settings.retry, hedge: settings.hedge)
        }
    }

    private static func json(_ text: [UInt8]) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.appendJSONString(text.span)
        return buffer.withUnsafeBytes { Array($0) }
    }

    /// Which route a request matches. Here, so that the table is used where it stands: a copy of it would count a reference
    /// for each of its lists, which all workers share.
    func match(_ head: borrowing RequestHead, captures: inout RouteCaptures) -> RouteMatch {
        routes.match(head, captures: &captures)
    }

    /// Who asks. Here for the same reason.
    func sender(of head: borrowing RequestHead, peer: PeerAddress, ids: inout IDGenerator) -> RequestIdentity {
        var sender = RequestIdentity()
        sender.read(head, peer: peer, rules: identity, ids: &ids)
        return sender
    }

    /// What the listener with this number does with the trace context of strangers.
    func edge(of listener: Int) -> EdgePolicy {
        edges.indices.contains(listener) ? edges[listener] : .restart
    }

    /// After which percentile of the times of answers a second attempt is made, by the number of the route; nil where none
    /// is, or the time is fixed.
    var hedgePercents: [Int?] {
        let usual = upstreams.lazy.compactMap { Self.percent($0.hedge) }.first
        return actions.map { action in
            guard case .forward(let plan) = action, plan.hedges else { return nil }
            return plan.hedge == nil ? usual : Self.percent(plan.hedge)
        }
    }

    private static func percent(_ rule: HedgeRule?) -> Int? {
        if case .percentile(let percent) = rule { percent } else { nil }
    }

    /// The names of the upstreams, by their number.
    var upstreamNames: [String] { settings.map(\.definition.name) }

    /// What encrypts each listener.
    var secureContexts: [TLSContext?] { listeners.map(\.secure) }

    /// The fields that tell upstreams of the certificates of clients of the listener with this number.
    func certificateFields(of listener: Int) -> ClientCertificateFields? {
        listeners.indices.contains(listener) ? listeners[listener].certificateFields : nil
    }

    /// The upstream that `target` comes to with these decisions.
    func upstream(for target: Target, _ decisions: DecisionVector) -> Int {
        switch target {
        case .upstream(let number): number
        case .context(let number): contexts[number].upstream(decisions)
        }
    }
}

/// What a snapshot is made of.
struct SnapshotParts {
    var generation: Int
    var name: GatewayName
    var routes: RouteTable
    var actions: [RouteAction]
    var routeNames: [[UInt8]]
    var routePaths: [[UInt8]]
    var samplers: [Sampler?]
    var recording: RecordingRules
    var identity: IdentityRules
    var propagation: Propagation
    var sampler: Sampler
    var contexts: [ContextResolver]
    var slots: [FlagSlot]
    var flags: FlagSnapshot
    var limits: ConnectionLimits
    var mostLag: OverloadBound
    var accessLog: AccessLogSettings?
    var traceResponse: TraceResponsePlan
    var listeners: [ListenerPlan]
    var settings: [UpstreamSettings]
}

/// What the configuration says of one upstream.
struct UpstreamSettings {
    var definition: UpstreamDefinition
    var bounds: UpstreamBounds
    var board: UpstreamBoard
    var timeouts: AttemptTimeouts
    var totalTimeout: UInt64
    var host: HostRule
    var hashKey: HashKey?
    var showsServedBy: Bool
    var retry: RetryRules?
    var hedge: HedgeRule?
}
