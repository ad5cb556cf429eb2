import Aggregation
import ByteBuffers
import DistributedTracing
import FeatureFlags
import GatewayConfig
import HTTPListener
import HTTPMessage
import JSON
import Routing
import Telemetry
import Upstreams

/// Compiles a configuration into what workers use: patterns into a table, names into numbers, templates into pieces.
///
/// Runs in the control plane, once for each worker: every copy is the worker's own.
struct SnapshotCompiler {
    private let configuration: GatewayConfiguration
    private let source: ConfigurationSource
    private let flags: FlagSnapshot
    private let listeners: [ListenerPlan]
    private let tracing: TracingPlan
    private let targets: [String: GatewayConfiguration.Target]
    private let upstreamNumbers: [String: Int]
    private var slots: [FlagSlot] = []
    private var contexts: [ContextResolver] = []
    private(set) var issues: [ConfigurationIssue] = []

    /// A compiler for `configuration`, which may be a draft with errors when only issues are wanted.
    init(
        _ configuration: GatewayConfiguration, source: ConfigurationSource, flags: FlagSnapshot,
        listeners: [ListenerPlan] = [], tracing: TracingPlan? = nil
    ) {
        self.configuration = configuration
        self.source = source
        self.flags = flags
        self.listeners = listeners
        self.tracing = tracing ?? TracingPlan(configuration.gateway.tracing, environment: [:])
        targets = configuration.targets()
        upstreamNumbers = configuration.upstreamIndices()
        for context in configuration.contexts { contexts.append(resolver(for: context)) }
    }

    /// The snapshot for one worker.
    ///
    /// - Parameters:
    ///   - generation: counts the configurations.
    ///   - boards: what all workers share of upstreams.
    mutating func compile(generation: Int, boards: BoardRegistry) -> WorkerSnapshot {
        let table = compileRoutes()
        let actions = configuration.routes.enumerated().map { index, route in compile(route, table.captures[index]) }
        let gateway = configuration.gateway
        return WorkerSnapshot(
            SnapshotParts(
                generation: generation, name: GatewayName(gateway.name), routes: table.routes, actions: actions,
                routeNames: configuration.routes.map { Array($0.name.utf8) },
                routePaths: configuration.routes.map { Array($0.match.drop { $0 != "/" }.utf8) },
                samplers: configuration.routes.map { $0.sampleRatio.map { Sampler(ratio: $0) } },
                recording: tracing.recording, identity: identityRules(),
                propagation: Propagation(tracing.propagate),
                sampler: Sampler(ratio: tracing.sampleRatio),
                contexts: contexts, slots: slots, flags: flags, limits: ConnectionLimits(gateway),
                mostLag: OverloadBound(lag: gateway.overload?.lag), accessLog: accessLogSettings(),
                traceResponse: TraceResponsePlan(configuration),
                listeners: listeners,
                settings: configuration.upstreams.map { settings(for: $0, boards) }))
    }

    // MARK: - Routes

    private mutating func compileRoutes() -> (routes: RouteTable, captures: [[TemplateScope.PathParameter]]) {
        var definitions: [RouteDefinition] = []
        var captures: [[TemplateScope.PathParameter]] = []
        var numbers: [Int] = []
        for (index, route) in configuration.routes.enumerated() {
            do throws(RoutePatternError) {
                let pattern = try RoutePattern(parsing: route.match)
                captures.append(Self.parameters(of: pattern))
                definitions.append(RouteDefinition(pattern, when: Self.conditions(of: route.when)))
                numbers.append(index)
            } catch {
                captures.append([])
                report(["routes", "\(route.index)", "match"], error.description)
            }
        }
        let (table, found) = RouteTable.compile(definitions)
        for issue in found {
            let number: Int
            switch issue {
            case .conflict(_, let second): number = second
            case .repeatedCondition(let route, _): number = route
            case .tooManyMethods(let route): number = route
            }
            let route = configuration.routes[numbers[number]]
            report(["routes", "\(route.index)", "match"], issue.message(in: definitions))
        }
        return (table, captures)
    }

    private static func conditions(of when: WhenSection) -> [RouteCondition] {
        func requirement(_ expectation: WhenSection.Expectation) -> RouteCondition.Requirement {
            switch expectation {
            case .equals(let text): .equals(text)
            case .present: .present
            case .absent: .absent
            }
        }
        return when.header.map { RouteCondition(.header($0.name), requirement($0.expectation)) }
            + when.query.map { RouteCondition(.query($0.name), requirement($0.expectation)) }
    }

    private static func parameters(of pattern: RoutePattern) -> [TemplateScope.PathParameter] {
        pattern.segments.compactMap { segment in
            switch segment {
            case .literal: nil
            case .parameter(let name): TemplateScope.PathParameter(name: name)
            case .rest(let name): TemplateScope.PathParameter(name: name, isRest: true)
            }
        }
    }

    private mutating func compile(
        _ route: RouteSection, _ parameters: [TemplateScope.PathParameter]
    ) -> RouteAction {
        let captures = parameters.map(\.name)
        let path = ["routes", "\(route.index)"]
        let defaultLimit = configuration.gateway.limits.body.bytes ?? .max
        switch route.action {
        case .forward(let forward):
            return .forward(compile(forward, captures, path, tellsTrace: tellsTrace(route)))
        case .aggregate(let aggregate):
            // A view with errors is never used: its issues refuse the whole configuration.
            let methods = ViewMethods(names: (try? RoutePattern(parsing: route.match))?.methods ?? [])
            let tellsTrace = tellsTrace(route)
            return compile(
                aggregate, methods, parameters, path, bodyLimit: defaultLimit, tellsTrace: tellsTrace
            ).map { .aggregate($0) }
                ?? .respond(RespondPlan(bodyLimit: defaultLimit, status: 503, lines: [], body: []))
        case .respond(let respond): return .respond(compile(respond, bodyLimit: defaultLimit))
        case .redirect(let redirect):
            let location = template(redirect.location, captures, path + ["redirect", "location"])
            return .redirect(
                RedirectPlan(bodyLimit: defaultLimit, status: UInt16(clamping: redirect.status), location: location))
        }
    }

    /// Whether answers by the route tell of our trace: an upstream's own word on it goes no further then.
    private func tellsTrace(_ route: RouteSection) -> Bool {
        (route.traceResponse ?? configuration.gateway.tracing.respond) != .none
    }

    private mutating func compile(
        _ forward: ForwardSection, _ captures: [String], _ path: [String], tellsTrace: Bool
    ) -> ForwardPlan {
        let target = target(named: forward.to)
        let edits = forward.requestHeaders
        let removed = edits.set.map(\.name) + edits.remove + certificateHeaders + [DeadlineFields.name]
        let edited = (edits.set + edits.add).map(\.name) + edits.remove
        return ForwardPlan(
            target: target, flagSlots: flagSlots(of: [target]), bodyLimit: forward.maxBody.bytes ?? .max,
            rewrite: forward.rewrite.map { template($0, captures, path + ["rewrite"]) },
            allowsWebSocket: forward.upgrade.contains(.websocket),
            requestPolicy: FieldPolicy(identity: identityHeaders, removed: removed),
            tightenedPolicy: FieldPolicy(identity: identityHeaders, removed: removed + ["grpc-timeout"]),
            mayTighten: !edited.contains { $0.lowercased() == "grpc-timeout" },
            requestLines: Self.lines(forward.requestHeaders.set + forward.requestHeaders.add),
            responsePolicy: FieldPolicy(
                identity: [],
                removed: forward.responseHeaders.set.map(\.name) + forward.responseHeaders.remove
                    + (tellsTrace ? ["traceresponse"] : [])),
            responseLines: Self.lines(forward.responseHeaders.set + forward.responseHeaders.add),
            headTimeout: headTimeout(of: forward), idleTimeout: forward.idleTimeout.map(\.limit),
            totalTimeout: forward.totalTimeout.map(\.limit), retry: forward.retry.map { RetryRules($0) },
            repeatsWithKey: forward.idempotencyKey, hedge: forward.hedge.flatMap { HedgeRule($0) },
            hedges: hedges(forward))
    }

    /// Whether a second attempt may be made beside a slow one, by the route or by one of the upstreams that it leads to.
    private func hedges(_ forward: ForwardSection) -> Bool {
        if let hedge = forward.hedge { return hedge != .off }
        return configuration.upstreams.contains { $0.hedge != .off }
    }

    /// The route's own time to a head, shortened to that of a try; nil leaves the upstream's.
    private func headTimeout(of forward: ForwardSection) -> UInt64? {
        guard let retry = forward.retry else { return forward.timeout.map(\.limit) }
        let usual: UInt64
        switch target(named: forward.to) {
        case .upstream(let number): usual = configuration.upstreams[number].timeout.limit
        // Upstreams of a context may differ: their own times count where the route says nothing.
        case .context: usual = .max
        }
        let head = min(forward.timeout.map(\.limit) ?? usual, retry.tryTimeout.limit)
        return head == .max ? forward.timeout.map(\.limit) : head
    }

    private func compile(_ respond: RespondSection, bodyLimit: UInt64) -> RespondPlan {
        var lines = Self.lines(respond.headers)
        if let type = respond.defaultContentType,
            !respond.headers.contains(where: { $0.name.lowercased() == "content-type" })
        {
            lines += Array("Content-Type: \(type)\r\n".utf8)
        }
        var body = ByteBuffer()
        switch respond.body {
        case .none: break
        case .text(let text): body.append(text)
        case .json(let value): body.appendJSON(value)
        }
        return RespondPlan(
            bodyLimit: bodyLimit, status: UInt16(clamping: respond.status), lines: lines, body: Array(body.text.utf8))
    }

    /// Whether a request can have a user.
    var knowsUsers: Bool { !configuration.gateway.identity.isEmpty }

    /// The fields by which a trusted peer names the user.
    var identityHeaders: [String] {
        configuration.gateway.identity.compactMap { source in
            if case .header(let name) = source { name } else { nil }
        }
    }

    /// The fields that tell of clients' certificates: the gateway alone writes them, for whichever listener.
    var certificateHeaders: [String] { listeners.flatMap(\.certificateFields.names) }

    static func lines(_ fields: [HeaderEditsSection.Field]) -> [UInt8] {
        Array(fields.map { "\($0.name): \($0.value)\r\n" }.joined().utf8)
    }

    /// Compiles a template of path captures: `/v2/tasks/{task_id}`.
    private mutating func template(_ text: String, _ captures: [String], _ pointer: [String]) -> RewriteTemplate {
        var pieces: [RewriteTemplate.Piece] = []
        var rest = text[...]
        while let open = rest.firstIndex(of: "{") {
            if open > rest.startIndex { pieces.append(.text(Array(rest[..<open].utf8))) }
            guard let close = rest[open...].firstIndex(of: "}") else {
                report(pointer, "the template has a \"{\" without a \"}\"")
                return RewriteTemplate(pieces: pieces)
            }
            let name = String(rest[rest.index(after: open)..<close])
            if let number = captures.firstIndex(of: name) {
                pieces.append(.capture(number))
            } else {
                report(pointer, "the pattern has no parameter \"\(name)\"" + Self.hint(name, captures))
            }
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty { pieces.append(.text(Array(rest.utf8))) }
        return RewriteTemplate(pieces: pieces)
    }

    // MARK: - Contexts

    private mutating func resolver(for context: ContextSection) -> ContextResolver {
        var resolver = choice(for: context)
        if let fallback = context.fallback, let number = upstreamNumbers[fallback.upstream] {
            resolver.fallback = FallbackRules(fallback, upstream: number)
        }
        return resolver
    }

    private mutating func choice(for context: ContextSection) -> ContextResolver {
        let off = upstreamNumbers[context.off] ?? 0
        guard let choice = context.choice else { return ContextResolver(off: off, slot: nil, variants: []) }
        let flag = flags.flagID(named: choice.flag) ?? -1
        let slot: Int
        if let known = slots.firstIndex(where: { $0.key == choice.flag }) {
            slot = known
        } else {
            slot = slots.count
            slots.append(FlagSlot(key: choice.flag, flag: flag))
        }
        if flag < 0 {
            report(
                ["contexts", context.name, "flag"], severity: .warning,
                "the flag file has no flag \"\(choice.flag)\": everybody is served by \"\(context.off)\""
                    + Self.hint(choice.flag, flags.definitions.map(\.key)))
            return ContextResolver(off: off, slot: slot, variants: [])
        }
        let variants = flags.definitions[flag].variants.map { upstream(for: $0, choice.targets) }
        return ContextResolver(off: off, slot: slot, variants: variants)
    }

    /// The upstream that a variant stands for: true is `on`; of string variants the value counts, else the name.
    private func upstream(for variant: FlagVariant, _ targets: ContextSection.Targets) -> Int? {
        switch targets {
        case .on(let name):
            switch variant.value {
            case .bool(let isOn): return isOn ? upstreamNumbers[name] : nil
            case .string(let text): return text == name || text == "on" ? upstreamNumbers[name] : nil
            default: return nil
            }
        case .variants(let list):
            if case .string(let text) = variant.value, let match = list.first(where: { $0.name == text }) {
                return upstreamNumbers[match.upstream]
            }
            return list.first { $0.name == variant.name }.flatMap { upstreamNumbers[$0.upstream] }
        }
    }

    func target(named name: String) -> Target {
        switch targets[name] {
        case .context(let number): .context(number)
        case .upstream(let number): .upstream(number)
        case nil: .upstream(0)
        }
    }

    func flagSlots(of targets: [Target]) -> [Int] {
        var found: [Int] = []
        for case .context(let number) in targets {
            if let slot = contexts[number].slot, !found.contains(slot) { found.append(slot) }
        }
        return found
    }

    // MARK: - The rest

    private mutating func accessLogSettings() -> AccessLogSettings? {
        guard let section = configuration.gateway.accessLog else { return nil }
        do throws(AccessLogFormatError) {
            return try AccessLogSettings(section)
        } catch {
            report(["gateway", "accessLog", "format"], "at offset \(error.offset): \(error.message)")
            return nil
        }
    }

    private func identityRules() -> IdentityRules {
        var rules = IdentityRules()
        rules.trusted = CIDRSet(
            configuration.gateway.trustedProxies.compactMap { block in
                let text = Array(block.description.utf8)
                return try? CIDRBlock(text.span)
            })
        rules.sources = configuration.gateway.identity.map { source in
            switch source {
            case .header(let name): .header(Array(name.lowercased().utf8))
            case .cookie(let name): .cookie(Array(name.utf8))
            }
        }
        return rules
    }

    private func settings(for upstream: UpstreamSection, _ boards: BoardRegistry) -> UpstreamSettings {
        let retry = RetryRules(upstream.retry)
        var timeouts = AttemptTimeouts()
        timeouts.connect = upstream.connectTimeout.limit
        timeouts.head = min(upstream.timeout.limit, retry.tryTimeout)
        timeouts.idle = upstream.idleTimeout.limit
        return UpstreamSettings(
            definition: UpstreamDefinition(upstream, zone: configuration.gateway.zone),
            bounds: boards.bounds(for: upstream), board: boards.board(named: upstream.name), timeouts: timeouts,
            totalTimeout: upstream.totalTimeout.limit, host: HostRule(upstream.host),
            hashKey: HashKey(upstream.balance), showsServedBy: configuration.gateway.servedBy, retry: retry,
            hedge: HedgeRule(upstream.hedge))
    }

    /// `, did you mean "..."?` where one of the names is near.
    static func hint(_ name: String, _ candidates: [String]) -> String {
        nearestName(to: name, among: candidates).map { ", did you mean \"\($0)\"?" } ?? ""
    }

    /// Whether the file has something at `pointer`.
    func stands(_ pointer: [String]) -> Bool { source.has(JSONPointer(pointer)) }

    mutating func report(
        _ pointer: [String], severity: ConfigurationIssue.Severity = .error, _ message: String
    ) {
        issues.append(source.issue(severity, at: JSONPointer(pointer), message))
    }
}
