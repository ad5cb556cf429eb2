import ByteBuffers
import DistributedTracing
import EventLoops
import FeatureFlags
import Glibc
import HTTPListener
import HTTPMessage
import Upstreams

/// Which requests are recorded, and what is told of them: compiled from `gateway.tracing`.
struct RecordingRules: Equatable, Sendable {
    /// Whether requests that failed are recorded although their trace is not sampled.
    var keepsErrors = false
    /// Requests that took longer, in nanoseconds, are recorded although their trace is not sampled; nil for none.
    var slow: UInt64?
    /// The most traces that begin here in a second and are sampled, by all workers; nil means no bound.
    var limit: Double?
    /// Whether the query is told of.
    var tellsQuery = false
}

/// Records the spans of one worker's requests, and hands them on in bunches. Where nothing is exported it does nothing.
final class SpanRecorder {
    private let queue: SpanQueue?
    private var timer: ActionTimer?
    private var writer = SpanWriter()
    private var spans = ByteBuffer()
    private var count = 0
    private var scratch = ByteBuffer()
    private var allowance = SamplingAllowance()
    /// When the exchange that is being recorded has ended.
    private var now: UInt64 = 0
    private let batch: Int
    private let workers: Int

    /// How long spans may wait for others, in milliseconds.
    private static let flushTime: UInt64 = 200
    /// Beyond this many bytes they are handed on.
    private static let flushSize = 131_072

    /// A recorder that hands spans on to `sink`; nil records nothing.
    init(loop: EventLoop, sink: SpanSink?) {
        queue = sink?.queue
        batch = sink?.batch ?? 1
        workers = max(sink?.workers ?? 1, 1)
        guard queue != nil else { return }
        timer = ActionTimer(loop: loop) { [unowned self] in flush() }
    }

    /// Whether a request of this trace may be recorded: if not, nothing needs to be noted for it.
    func mayRecord(_ trace: borrowing TraceContext, _ rules: RecordingRules) -> Bool {
        queue != nil && (trace.flags.contains(.sampled) || rules.keepsErrors || rules.slow != nil)
    }

    /// Whether one more trace of ours may be sampled.
    func mayBegin(rate: Double, at now: UInt64) -> Bool { allowance.take(rate: rate / Double(workers), at: now) }

    /// Hands on what has gathered.
    func flush() {
        guard count > 0 else { return }
        queue?.put(&spans, spans: count)
        count = 0
    }

    // MARK: - One request

    /// Records the spans of `exchange`, which has ended at `end`, in nanoseconds of the monotonic clock.
    func record(_ exchange: Exchange, at end: UInt64) {
        guard exchange.isRecorded, let snapshot = exchange.snapshot, snapshot.recording.keeps(exchange, at: end)
        else { return }
        now = end
        let clock = Self.wallClock &- EventLoop.nanoseconds
        recordServer(exchange, snapshot, clock)
        exchange.eachCall { recordCall($0, $1, of: exchange, snapshot, clock) }
        if exchange.compositionSpan.start > 0 { recordComposition(exchange, snapshot, clock) }
        if count >= batch || spans.count >= Self.flushSize {
            flush()
        } else if timer?.isScheduled == false {
            timer?.schedule(after: Self.flushTime)
        }
    }

    private func begin(_ span: TraceSpan, of exchange: Exchange, _ clock: UInt64, parentIsRemote: Bool = false) {
        var head = SpanWriter.Head(
            traceID: exchange.trace.traceID, span: span, flags: exchange.trace.flags, start: span.start &+ clock,
            end: span.end &+ clock)
        head.parentIsRemote = parentIsRemote
        Self.begin(head, exchange.trace, &writer)
    }

    private static func begin(_ head: SpanWriter.Head, _ trace: borrowing TraceContext, _ writer: inout SpanWriter) {
        writer.begin(head, state: trace.stateText)
    }

    private func end() {
        writer.end(into: &spans)
        count += 1
    }

    private func recordServer(_ exchange: Exchange, _ snapshot: WorkerSnapshot, _ clock: UInt64) {
        var span = exchange.trace.serverSpan
        span.end = now
        begin(span, of: exchange, clock, parentIsRemote: exchange.trace.hasRemoteParent)
        exchange.head.write(
            to: &writer, route: exchange.route >= 0 ? snapshot.routePaths[exchange.route] : [],
            isSecure: exchange.channel?.connection.isSecure == true)
        if snapshot.recording.tellsQuery, exchange.head.hasQuery {
            scratch.removeAll()
            exchange.head.appendQuery(to: &scratch)
            writer.add("url.query", scratch)
        }
        let status = exchange.statusForLog
        if status > 0 { writer.add("http.response.status_code", Int(status)) }
        if let cause = exchange.cause {
            writer.add("error.type", cause.name)
            if status >= 500 { writer.setFailed() }
        } else if status >= 500 {
            scratch.removeAll()
            scratch.appendDecimal(status)
            writer.add("error.type", scratch)
            writer.setFailed()
        }
        if let client = exchange.identity.client { add("client.address", client) }
        if let peer = exchange.channel?.peer, !peer.isUnix {
            add("network.peer.address", peer.address)
            writer.add("network.peer.port", Int(peer.port))
        }
        scratch.removeAll()
        exchange.appendRequestID(to: &scratch)
        writer.add("banyan.request_id", scratch)
        if exchange.upstream >= 0 {
            writer.add("banyan.served_by", snapshot.upstreams[exchange.upstream].name)
        }
        for slot in 0..<exchange.decisions.count {
            guard let result = exchange.decisions[slot] else { continue }
            writer.beginEvent("feature_flag.evaluation", at: span.start &+ clock)
            writer.add("feature_flag.key", snapshot.slots[slot].keyText)
            scratch.removeAll()
            if snapshot.flags.appendVariantName(of: result, flag: snapshot.slots[slot].flag, to: &scratch) {
                writer.add("feature_flag.result.variant", scratch)
            }
            writer.add("feature_flag.result.reason", result.reason.attributeValue)
            writer.add("feature_flag.provider.name", "banyan")
            if let error = result.errorCode { writer.add("error.type", error.attributeValue) }
            writer.endEvent()
        }
        if let link = exchange.trace.link { writer.addLink(link) }
        end()
    }

    private func recordComposition(_ exchange: Exchange, _ snapshot: WorkerSnapshot, _ clock: UInt64) {
        begin(exchange.compositionSpan, of: exchange, clock)
        writer.setName(Self.composition.span, exchange.route >= 0 ? snapshot.routePaths[exchange.route] : [])
        end()
    }

    private static let composition = Array("compose".utf8)

    private func recordCall(
        _ call: RecordedAttempt, _ number: Int, of exchange: Exchange, _ snapshot: WorkerSnapshot, _ clock: UInt64
    ) {
        var span = call.span
        // One that was cut off has no end of its own.
        if span.end == 0 { span.end = now }
        if exchange.compositionSpan.start > 0 { span.parentID = exchange.compositionSpan.spanID }
        begin(span, of: exchange, clock)
        scratch.removeAll()
        call.appendMethod(to: &scratch)
        Self.setName(scratch, &writer)
        writer.add("http.request.method", scratch)
        if let endpoint = call.endpoint {
            writer.add("server.address", endpoint.host)
            writer.add("server.port", Int(endpoint.port))
            scratch.removeAll()
            scratch.append(endpoint.isSecure ? "https://" : "http://")
            scratch.append(endpoint.hostField)
            call.appendPath(to: &scratch)
            writer.add("url.full", scratch)
            writer.add("network.protocol.version", endpoint.isHTTP2 ? "2" : "1.1")
        }
        if span.status > 0 { writer.add("http.response.status_code", Int(span.status)) }
        if let error = call.error {
            writer.add("error.type", error)
            writer.setFailed()
        } else if span.status >= 400 {
            scratch.removeAll()
            scratch.appendDecimal(span.status)
            writer.add("error.type", scratch)
            writer.setFailed()
        }
        if call.upstream >= 0 { writer.add("banyan.upstream", snapshot.upstreams[call.upstream].name) }
        if !call.partName.isEmpty { writer.add("banyan.part", call.partName) }
        writer.add("banyan.attempt", number)
        if call.wasReplaced { writer.add("http.request.resend_count", 1) }
        end()
    }

    private static func setName(_ text: borrowing ByteBuffer, _ writer: inout SpanWriter) {
        writer.setName(text.span)
    }

    private func add(_ key: StaticString, _ address: IPAddress) {
        scratch.removeAll()
        scratch.append(address)
        writer.add(key, scratch)
    }

    private static var wallClock: UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return UInt64(now.tv_sec) &* 1_000_000_000 &+ UInt64(now.tv_nsec)
    }
}

extension RecordingRules {
    /// Whether the spans of an exchange that has ended are kept.
    fileprivate func keeps(_ exchange: Exchange, at end: UInt64) -> Bool {
        if exchange.trace.flags.contains(.sampled) { return true }
        if keepsErrors, exchange.statusForLog >= 500 { return true }
        guard let slow else { return false }
        return end &- exchange.receivedAt > slow
    }
}

extension SpanWriter {
    /// Adds an attribute whose text stands in `buffer`.
    fileprivate mutating func add(_ key: StaticString, _ buffer: borrowing ByteBuffer) { add(key, buffer.span) }
}

/// Where the workers' spans go.
struct SpanSink: Sendable {
    var queue: SpanQueue
    /// How many are handed on together.
    var batch: Int
    /// How many workers share it.
    var workers: Int
}

extension RequestHead {
    /// Writes what the request itself says (OpenTelemetry, HTTP server spans).
    fileprivate borrowing func write(to writer: inout SpanWriter, route: [UInt8], isSecure: Bool) {
        let method = span(methodRange)
        let isKnown = self.method != .other
        if isKnown { writer.setName(method, route) } else { writer.setName(Self.anyMethod.span, route) }
        if isKnown {
            writer.add("http.request.method", method)
        } else {
            writer.add("http.request.method", "_OTHER")
            writer.add("http.request.method_original", method)
        }
        writer.add("url.scheme", isSecure ? "https" : "http")
        if hasQuery {
            let length = Int(query.start) - 1 - Int(target.start)
            writer.add("url.path", span(ByteRange(start: Int(target.start), count: length)))
        } else {
            writer.add("url.path", span(target))
        }
        if !route.isEmpty { writer.add("http.route", route) }
        writer.add("network.protocol.version", version == .http2 ? "2" : version == .http11 ? "1.1" : "1.0")
        if hasAuthority {
            let host = span(authority)
            let port = host.portStart
            writer.add("server.address", host.extracting(0..<(port ?? host.count)))
            if let port, let number = host.number(from: port + 1) { writer.add("server.port", number) }
        }
        if let agent = fields.first(.userAgent) { writer.add("user_agent.original", value(agent)) }
    }

    /// Appends the query without the secrets in it.
    fileprivate borrowing func appendQuery(to buffer: inout ByteBuffer) {
        QueryRedaction.append(span(query), to: &buffer)
    }

    private static let anyMethod = Array("HTTP".utf8)
}

extension Span where Element == UInt8 {
    /// Where the colon before the port of an authority stands; nil where there is no port.
    fileprivate var portStart: Int? {
        var index = count - 1
        while index >= 0, case 0x30...0x39 = self[index] { index -= 1 }
        return index > 0 && self[index] == UInt8(ascii: ":") ? index : nil
    }

    /// The decimal number from `start` on.
    fileprivate func number(from start: Int) -> Int? {
        guard start < count, count - start <= 5 else { return nil }
        var value = 0
        for index in start..<count { value = value * 10 + Int(self[index]) - 0x30 }
        return value
    }
}
