import Aggregation
import ByteBuffers
import DistributedTracing
import EventLoops
import FeatureFlags
import HTTPListener
import HTTPMessage
import Routing
import Telemetry
import Upstreams

/// One request on its way through the gateway.
///
/// The phases are a contract (docs/architecture.md): identify, match, admit, decide, attempt, respond, finish. Each stands
/// in a method of its own, in this order; whoever adds a feature adds it to the phase where it belongs. An exchange is
/// used for one request after the other and keeps its memory.
final class Exchange: ServerExchange {
    /// Held, as a reference that never changes costs nothing to use; the worker lets go of its exchanges at its end.
    let worker: Worker
    /// The configuration that the exchange began with, and keeps to its end.
    private(set) var snapshot: WorkerSnapshot?
    /// Who asks.
    var identity: RequestIdentity { sender }
    var trace: TraceContext {
        _read { yield traceCell.value }
        _modify { yield &traceCell.value }
    }
    var captures: RouteCaptures {
        _read { yield capturesCell.value }
        _modify { yield &capturesCell.value }
    }
    private let traceCell = LoopCell(TraceContext())
    private let capturesCell = LoopCell(RouteCaptures())
    /// The route's number, -1 before and without a match.
    private(set) var route = -1
    private(set) var allowed: AllowedMethods?
    private(set) var decisions: DecisionVector {
        _read { yield decisionsCell.value }
        _modify { yield &decisionsCell.value }
    }
    private let decisionsCell = LoopCell(DecisionVector())
    /// Whether there is one.
    private(set) var hasDecisions = false
    /// Why the request did not get the answer it was sent for.
    var cause: Cause?
    /// The number of the upstream that answers, -1 before and without one.
    var upstream = -1
    var attempts = 0
    /// Under which key the request counts as being in work.
    var countedAs: UInt64 = 0
    /// Nanoseconds from the first attempt's start to its answer's head.
    var upstreamTime: UInt64 = 0
    /// When the request's head was whole, in nanoseconds; 0 where nobody measures.
    private(set) var headAt: UInt64 = 0
    /// What is worth knowing besides, for the log; as `sender`, only ever written whole.
    private(set) var marks = AccessLogMarks()
    /// Whether the client's connection is encrypted.
    private(set) var isSecure = false
    /// Whether nothing more of the request is to come.
    private(set) var requestIsWhole = true

    /// Whether the body was awaited before the upstream was asked, and when it was whole; 0 before.
    var awaitsBody = false
    var bodyAt: UInt64 = 0

    /// Whether spans of the exchange may be exported, so that what they tell has to be noted.
    private(set) var isRecorded = false
    /// Whether a view is answered whole or not at all, as the client prefers (RFC 7240 §4.4).
    private(set) var handlesStrictly = false
    /// Until when the whole exchange is bounded, in milliseconds of the loop's clock; `UInt64.max` where it is not.
    var boundedUntil: UInt64 = .max
    /// The composing of a view, from its first part to its answer; its start is 0 where there is none.
    private(set) var compositionSpan = TraceSpan(kind: .internal, spanID: 0, parentID: 0, start: 0)

    /// What flag rules see of the request.
    private(set) lazy var flagContext = RequestContext(self)
    /// Where the last attempt went, for the log.
    var endpoint: Endpoint?
    /// What was wrong with an upstream's answer, in fixed words, for the log.
    var upstreamFault: StaticString?

    // Only ever written whole, so that the compiler can see that no two accesses overlap.
    private var sender = RequestIdentity()
    var forward: ForwardExchange {
        if let forwarding { return forwarding }
        let made = ForwardExchange(self)
        forwarding = made
        return made
    }
    var aggregate: AggregateExchange {
        if let aggregating { return aggregating }
        let made = AggregateExchange(self)
        aggregating = made
        return made
    }
    // Both hold the exchange, until it is retired.
    private var forwarding: ForwardExchange?
    private var aggregating: AggregateExchange?
    private(set) lazy var deadline = ExchangeDeadline(self)
    private var runs = Action.nothing
    /// What it was busy with, up to its end.
    private(set) var ran = Action.nothing

    /// What the exchange is busy with.
    enum Action { case nothing, forward, aggregate }

    init(worker: Worker) { self.worker = worker }

    // MARK: - The way of a request

    override func headReceived() {
        requestIsWhole = !head.framing.hasBody
        if worker.snapshot.measuresTime { headAt = EventLoop.nanoseconds }
        identify()
        if let reason = worker.overloadReason { return refuse(reason) }
        guard let action = match() else { return }
        sample()
        guard admit(action) else { return }
        decide(action)
        switch action {
        case .forward(let plan): attempt(plan)
        case .aggregate(let plan): compose(plan)
        case .respond(let plan): plan.respond(self)
        case .redirect(let plan): plan.respond(self)
        }
    }

    /// Who asks, in which trace, under which id.
    private func identify() {
        let snapshot = worker.snapshot
        self.snapshot = snapshot
        let channel = channel
        isSecure = channel?.connection.isSecure == true
        worker.metrics.began(self)
        guard let channel else { return }
        let sender = snapshot.sender(of: head, peer: channel.peer, ids: &worker.ids)
        self.sender = sender
        let policy = sender.peerIsTrusted ? EdgePolicy.continue : snapshot.edge(of: channel.listenerIndex)
        trace.begin(
            from: head, policy: policy, propagation: snapshot.propagation, sampler: snapshot.sampler,
            ids: &worker.ids, at: receivedAt)
    }

    /// Too much is to be done already: those who are at work are to be finished.
    private func refuse(_ reason: OverloadReason) {
        worker.noteRefusal(reason)
        sample()
        fail(.overloaded)
    }

    /// Which route answers; nil when there is none and the client has been told so.
    private func match() -> RouteAction? {
        guard let snapshot else { return nil }
        if head.method == .connect || head.method == .trace { return refuse(.methodNotAllowed) }
        if isSecure, let channel, !Self.connection(channel.connection, serves: head) {
            return refuse(.misdirectedRequest)
        }
        if head.isAsterisk {
            // The question is about the server as a whole, and this is the server (RFC 9110 §9.3.7).
            sample()
            snapshot.aboutServer.respond(self)
            return nil
        }
        switch snapshot.match(head, captures: &captures) {
        case .route(let number):
            route = number
            return snapshot.actions[number]
        case .notFound:
            return refuse(.noRoute)
        case .methodNotAllowed(let methods):
            allowed = methods
            return refuse(.methodNotAllowed)
        }
    }

    private func refuse(_ cause: Cause) -> RouteAction? {
        sample()
        fail(cause)
        return nil
    }

    private static func connection(_ connection: Connection, serves head: borrowing RequestHead) -> Bool {
        !head.hasAuthority || connection.serves(head.span(head.host))
    }

    /// Whether the request may go on: no loop, a body that is within the route's bound, and a client that can read what
    /// it would get.
    private func admit(_ action: RouteAction) -> Bool {
        if let snapshot, ForwardingHeaders.via(of: head, names: snapshot.name) {
            fail(.loopDetected)
            return false
        }
        bodyLimit = action.bodyLimit
        if case .length(let length) = head.framing, length > bodyLimit {
            fail(.bodyTooLarge)
            return false
        }
        if case .aggregate = action, !head.admitsJSON {
            fail(.notAcceptable)
            return false
        }
        return true
    }

    /// Decides, where the caller did not, whether the trace is sampled, and so whether the exchange is recorded.
    private func sample() {
        guard let snapshot else { return }
        if route >= 0, let sampler = snapshot.samplers[route] { trace.resample(sampler) }
        if trace.decidesSampling, trace.flags.contains(.sampled), let rate = snapshot.recording.limit,
            !worker.spans.mayBegin(rate: rate, at: receivedAt)
        {
            trace.declineSampling()
        }
        isRecorded = worker.spans.mayRecord(trace, snapshot.recording)
    }

    /// Decides every flag that the route depends on, once, before anything is sent: all parts of a view and all services
    /// behind it act on the same decisions.
    private func decide(_ action: RouteAction) {
        guard let snapshot else { return }
        for slot in action.flagSlots { worker.decide(slot, for: self, snapshot) }
    }

    /// Sends the request to the side that was decided for, and its answer back.
    private func attempt(_ plan: ForwardPlan) {
        runs = .forward
        ran = .forward
        forward.begin(plan)
    }

    /// Composes a view from several upstreams.
    private func compose(_ plan: AggregateRoutePlan) {
        handlesStrictly = head.prefersStrictHandling()
        if let base = plan.base, forward.writeTarget({ aggregate.appendBaseTarget(plan, to: &$0) }) {
            return attempt(base)
        }
        runs = .aggregate
        ran = .aggregate
        aggregate.begin(plan)
    }

    // MARK: - Events of the client's side

    override func bodyReceived(_ bytes: Span<UInt8>) {
        switch runs {
        case .nothing: break
        case .forward: forward.send(bytes, of: self)
        case .aggregate: aggregate.receive(bytes)
        }
    }

    override func bodyEnded() {
        requestIsWhole = true
        switch runs {
        case .nothing: break
        case .forward: forward.endRequest()
        case .aggregate: aggregate.endRequest()
        }
    }

    override func downstreamWritable() {
        if runs == .forward { forward.resumeAnswer() }
    }

    override func requestFailed(_ failure: RequestFailure) {
        if snapshot == nil {
            identify()
            sample()
        }
        stop()
        switch failure {
        case .refused, .badBody:
            fail(refusal.map { Cause($0.cause) } ?? .badRequest, detail: refusal?.detail)
        case .bodyTooLarge: fail(.bodyTooLarge)
        case .headTimeout, .bodyTimeout: fail(.requestTimeout)
        // A tunnel has no other end than that one side leaves.
        case .clientClosed:
            if status == 101 { return }
            if cause == nil { cause = .clientClosed }
            if !wasAborted { mark(.clientGone) }
        case .shuttingDown: fail(.shuttingDown)
        }
    }

    /// The end, once, whatever happened.
    override func finished() {
        stop()
        let end = worker.moment()
        worker.metrics.ended(self, at: end.monotonic)
        worker.tell(of: self, head, trace, at: end)
        switch ran {
        case .nothing: break
        case .forward: forward.finish()
        case .aggregate: aggregate.finish()
        }
        ran = .nothing
        headAt = 0
        marks = AccessLogMarks()
        requestIsWhole = true
        isRecorded = false
        compositionSpan.start = 0
        handlesStrictly = false
        boundedUntil = .max
        snapshot = nil
        route = -1
        allowed = nil
        cause = nil
        upstream = -1
        attempts = 0
        upstreamTime = 0
        upstreamFault = nil
        endpoint = nil
        awaitsBody = false
        bodyAt = 0
        if hasDecisions { decisions.reset() }
        hasDecisions = false
    }

    override func retired() {
        forwarding = nil
        aggregating?.retired()
        aggregating = nil
    }

    /// Remembers what has become of a flag.
    func keep(_ result: FlagResult, in slot: Int) {
        decisions.set(result, in: slot)
        hasDecisions = true
    }

    /// Notes what is worth knowing.
    func mark(_ mark: AccessLogMark) {
        var marks = marks
        marks.insert(mark)
        self.marks = marks
    }

    /// A view begins to be composed.
    func beginComposition() {
        compositionSpan = TraceSpan(
            kind: .internal, spanID: worker.ids.nextSpanID(), parentID: trace.serverSpan.spanID,
            start: EventLoop.nanoseconds)
    }

    /// The parts are there, or are not awaited any more.
    func endComposition() {
        if compositionSpan.start > 0 { compositionSpan.end = EventLoop.nanoseconds }
    }

    /// The status that the client got, or would have got.
    var statusForLog: UInt16 {
        if status == 0, let cause { return FailureResponse(for: cause).status }
        return status
    }

    /// Ends what runs for the exchange.
    func stop() {
        switch runs {
        case .nothing: return
        case .forward:
            forward.stop()
            if forward.wasReplaced { mark(.retried) }
        case .aggregate:
            aggregate.stop()
            if aggregate.tookSecondConnection { mark(.retried) }
        }
        runs = .nothing
        deadline.cancel()
    }
}
