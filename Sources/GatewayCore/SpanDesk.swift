import ByteBuffers
import DistributedTracing
import FeatureFlags
import HTTPListener
import HTTPMessage
import Upstreams

/// Where the spans of a request are put together: one value, so that recording all of them is one access to it.
struct SpanDesk: ~Copyable {
    private var writer = SpanWriter()
    private var count = 0
    private var scratch = ByteBuffer()
    private var servers = ServerBlocks()

    /// Puts what has gathered into `queue`.
    mutating func hand(to queue: SpanQueue) {
        guard count > 0 else { return }
        let count = count
        writer.take { queue.put(&$0, spans: count) }
        self.count = 0
    }

    /// Records the spans of `exchange`, whose head and trace these are.
    ///
    /// - Returns: How many spans have gathered, and how many bytes they have.
    mutating func record(
        _ exchange: Exchange, _ head: borrowing RequestHead, _ trace: borrowing TraceContext,
        _ texts: inout RepeatedTexts, _ snapshot: WorkerSnapshot, _ end: Moment
    ) -> (count: Int, size: Int) {
        recordServer(exchange, head, trace, &texts, snapshot, end)
        let composition = exchange.compositionSpan
        exchange.eachCall { recordCall($0, $1, $2, head, trace, composition, snapshot, end) }
        if composition.start > 0 { recordComposition(composition, exchange.route, trace, snapshot, end) }
        return (count, writer.count)
    }

    // MARK: - Kinds of spans

    private mutating func begin(
        _ span: TraceSpan, _ trace: borrowing TraceContext, _ end: Moment, parentIsRemote: Bool = false
    ) {
        var head = SpanWriter.Head(
            traceID: trace.traceID, span: span, flags: trace.flags, start: span.start &+ end.offset,
            end: span.end &+ end.offset)
        head.parentIsRemote = parentIsRemote
        writer.begin(head, state: trace.stateText)
    }

    private mutating func endSpan() {
        writer.end()
        count += 1
    }

    private mutating func recordServer(
        _ exchange: Exchange, _ head: borrowing RequestHead, _ trace: borrowing TraceContext,
        _ texts: inout RepeatedTexts, _ snapshot: WorkerSnapshot, _ end: Moment
    ) {
        var span = trace.serverSpan
        span.end = end.monotonic
        begin(span, trace, end, parentIsRemote: trace.hasRemoteParent)
        let channel = exchange.channel
        addServer(exchange, head, isSecure: exchange.isSecure, snapshot)
        addRequest(head, &texts, snapshot)
        let identity = exchange.identity
        if let connection = channel?.connection { addClient(identity, connection) }
        if identity.requestID.isEmpty {
            writer.addRequestID(identity.newRequestID)
        } else {
            writer.add("banyan.request_id", head.span(identity.requestID))
        }
        if exchange.upstream >= 0 { snapshot.spanBlocks.addServedBy(exchange.upstream, to: &writer) }
        if exchange.hasDecisions { addDecisions(of: exchange, snapshot, at: span.start &+ end.offset) }
        if let link = trace.link { writer.addLink(link) }
        endSpan()
    }

    /// Adds who asked: most often whoever has the connection, of whom everything is said with each request again.
    private mutating func addClient(_ identity: RequestIdentity, _ connection: Connection) {
        let peer = connection.peer
        if !peer.isUnix, identity.client == peer.address {
            var note = connection.note
            if note.isEmpty {
                note = SpanBlocks.client(peer)
                connection.note = note
            }
            writer.add(madeBefore: note.span)
            return
        }
        if let client = identity.client { add("client.address", client) }
        if !peer.isUnix {
            add("network.peer.address", peer.address)
            writer.add("network.peer.port", Int(peer.port))
        }
    }

    private mutating func recordComposition(
        _ span: TraceSpan, _ route: Int, _ trace: borrowing TraceContext, _ snapshot: WorkerSnapshot, _ end: Moment
    ) {
        begin(span, trace, end)
        writer.setName(Self.composition.span, route >= 0 ? snapshot.routePaths[route] : [])
        endSpan()
    }

    private static let composition = Array("compose".utf8)

    private mutating func recordCall(
        _ call: RecordedAttempt, _ note: AttemptNote?, _ number: Int, _ head: borrowing RequestHead,
        _ trace: borrowing TraceContext, _ composition: TraceSpan, _ snapshot: WorkerSnapshot, _ end: Moment
    ) {
        if let note {
            beginCall(note.span, trace, composition, end)
            addTarget(note.endpoint, note.upstream, of: call, head, snapshot)
            addMethod(of: call, snapshot)
            addOutcome(error: note.error, note.span.status, number, snapshot)
            endCall(call, wasReplaced: note.wasReplaced, note.fallback)
            return
        }
        beginCall(call.span, trace, composition, end)
        addTarget(call.endpoint, call.upstream, of: call, head, snapshot)
        if call.span.status == 200, number == 1, call.error == nil, call.method != .other {
            snapshot.spanBlocks.addGoodCall(call.method, to: &writer)
        } else {
            addMethod(of: call, snapshot)
            addOutcome(error: call.error, call.span.status, number, snapshot)
        }
        endCall(call, wasReplaced: call.wasReplaced, call.fallbackReason)
    }

    private mutating func beginCall(
        _ span: TraceSpan, _ trace: borrowing TraceContext, _ composition: TraceSpan, _ end: Moment
    ) {
        var span = span
        // One that was cut off has no end of its own.
        if span.end == 0 { span.end = end.monotonic }
        if composition.start > 0 { span.parentID = composition.spanID }
        begin(span, trace, end)
    }

    private mutating func endCall(_ call: RecordedAttempt, wasReplaced: Bool, _ fallback: FallbackReason?) {
        let part = call.partName
        if !part.isEmpty { writer.add("banyan.part", part) }
        if wasReplaced { writer.add("http.request.resend_count", 1) }
        if let fallback { writer.add("banyan.fallback", fallback.word) }
        endSpan()
    }

    /// Adds who was asked for what.
    private mutating func addTarget(
        _ endpoint: Endpoint?, _ upstream: Int, of call: RecordedAttempt, _ head: borrowing RequestHead,
        _ snapshot: WorkerSnapshot
    ) {
        if let endpoint {
            writer.add(madeBefore: endpoint.note.span)
            writer.add("url.full") { text in
                text.append(endpoint.origin)
                call.appendPath(of: head, at: endpoint, to: &text)
            }
        } else if upstream >= 0 {
            writer.add("banyan.upstream", snapshot.upstreams[upstream].name)
        }
    }

    private mutating func addMethod(of call: RecordedAttempt, _ snapshot: WorkerSnapshot) {
        if call.method == .other {
            // Names of spans are few: a method that nobody knows is none of them.
            writer.setName(Self.anyMethod.span)
            snapshot.spanBlocks.addMethod(.other, to: &writer)
            scratch.removeAll()
            call.appendMethod(to: &scratch)
            addScratch("http.request.method_original")
        } else {
            snapshot.spanBlocks.addCall(call.method, to: &writer)
        }
    }

    private mutating func addOutcome(
        error: StaticString?, _ status: UInt16, _ number: Int, _ snapshot: WorkerSnapshot
    ) {
        if status > 0 { snapshot.spanBlocks.addStatus(status, to: &writer) }
        if let error {
            writer.add("error.type", error)
            writer.setFailed()
        } else if status >= 400 {
            addStatusAsError(status)
        }
        snapshot.spanBlocks.addAttempt(number, to: &writer)
    }

    // MARK: - Attributes

    /// Adds the name, and what requests by the same route have in common.
    private mutating func addServer(
        _ exchange: Exchange, _ head: borrowing RequestHead, isSecure: Bool, _ snapshot: WorkerSnapshot
    ) {
        let route = exchange.route
        let status = exchange.statusForLog
        let cause = exchange.cause
        if cause == nil, route >= 0, head.method != .other, (100..<500).contains(status),
            servers.add(route, head.method, head.version, isSecure: isSecure, status: status, of: snapshot, to: &writer)
        {
            return
        }
        let method = head.span(head.methodRange)
        let isKnown = head.method != .other
        let name = isKnown ? method : Self.anyMethod.span
        if route >= 0 {
            writer.setName(name, snapshot.routePaths[route])
            snapshot.spanBlocks.addRoute(route, to: &writer)
        } else {
            writer.setName(name)
        }
        snapshot.spanBlocks.addMethod(head.method, to: &writer)
        if !isKnown { writer.add("http.request.method_original", method) }
        snapshot.spanBlocks.addProtocol(head.version, isSecure: isSecure, to: &writer)
        addOutcome(status: status, cause: cause, snapshot)
    }

    /// Adds what the request itself says (OpenTelemetry, HTTP server spans).
    private mutating func addRequest(
        _ head: borrowing RequestHead, _ texts: inout RepeatedTexts, _ snapshot: WorkerSnapshot
    ) {
        writer.add("url.path", head.span(head.targetPath))
        if head.hasQuery, snapshot.recording.tellsQuery {
            scratch.removeAll()
            QueryRedaction.append(head.span(head.query), to: &scratch)
            addScratch("url.query")
        }
        if let repeated = texts.entry(of: head) { return texts.addAttributes(repeated, to: &writer) }
        if head.hasAuthority {
            writer.add("server.address", head.span(head.host))
            if let port = head.port { writer.add("server.port", Int(port)) }
        }
        if let agent = head.fields.first(.userAgent) { writer.add("user_agent.original", head.value(agent)) }
    }

    private static let anyMethod = Array("HTTP".utf8)

    /// Adds the text that was just put together.
    private mutating func addScratch(_ key: StaticString) { Self.add(key, scratch, &writer) }

    private static func add(_ key: StaticString, _ text: borrowing ByteBuffer, _ writer: inout SpanWriter) {
        writer.add(key, text.span)
    }

    private mutating func add(_ key: StaticString, _ address: IPAddress) {
        scratch.removeAll()
        scratch.append(address)
        addScratch(key)
    }

    private mutating func addOutcome(status: UInt16, cause: Cause?, _ snapshot: WorkerSnapshot) {
        if status > 0 { snapshot.spanBlocks.addStatus(status, to: &writer) }
        if let cause {
            writer.add("error.type", cause.name)
            if status >= 500 { writer.setFailed() }
        } else if status >= 500 {
            addStatusAsError(status)
        }
    }

    private mutating func addStatusAsError(_ status: UInt16) {
        scratch.removeAll()
        scratch.appendDecimal(status)
        addScratch("error.type")
        writer.setFailed()
    }

    private mutating func addDecisions(of exchange: Exchange, _ snapshot: WorkerSnapshot, at time: UInt64) {
        let decisions = exchange.decisions
        for slot in 0..<decisions.count {
            if let result = decisions[slot] { addDecision(result, slot, snapshot, at: time) }
        }
    }

    private mutating func addDecision(_ result: FlagResult, _ slot: Int, _ snapshot: WorkerSnapshot, at time: UInt64) {
        writer.beginEvent("feature_flag.evaluation", at: time)
        writer.add("feature_flag.key", snapshot.slots[slot].keyText)
        scratch.removeAll()
        if snapshot.flags.appendVariantName(of: result, flag: snapshot.slots[slot].flag, to: &scratch) {
            addScratch("feature_flag.result.variant")
        }
        writer.add("feature_flag.result.reason", result.reason.attributeValue)
        writer.add("feature_flag.provider.name", "banyan")
        if let error = result.errorCode { writer.add("error.type", error.attributeValue) }
        writer.endEvent()
    }
}
