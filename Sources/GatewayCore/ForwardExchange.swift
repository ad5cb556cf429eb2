import ByteBuffers
import DistributedTracing
import EventLoops
import HTTPListener
import HTTPMessage
import Telemetry
import Upstreams

/// Relays one request to one upstream, and its answer back, in both directions as it comes.
final class ForwardExchange: RoutedAttempt {
    private(set) var plan: ForwardPlan?
    /// How the path is changed; kept to the end of the exchange.
    private var rewrite: RewriteTemplate?
    /// The path and query that are asked for in place of the client's; empty for the client's.
    private var writtenTarget = ByteBuffer()
    private var hasWrittenTarget = false
    private var bodyIsHeld = false
    /// Whether the body is awaited before anything is sent; what has come of it.
    private var isGathering = false
    private let gatheredCell = LoopCell(ByteBuffer())
    private var gathered: ByteBuffer {
        _read { yield gatheredCell.value }
        _modify { yield &gatheredCell.value }
    }
    private var isTunnel = false
    /// Whether something of an answer has been passed on before its head.
    private var hasHinted = false
    /// Where a second attempt is that is made beside a slow first one, and whether there was one.
    var hedging = Hedging.none
    var hasHedged = false
    lazy var hedge = HedgeAttempt(self)
    lazy var hedgePause = HedgePause(self)

    /// Where a hedge is.
    enum Hedging {
        case none
        /// Its time has not come.
        case waiting
        /// Both attempts are under way.
        case running
        /// The first attempt has failed.
        case alone
        /// Its answer is passed on.
        case won
    }

    /// The longest body that is awaited before the upstream is asked, in bytes.
    private static let mostGathered: UInt64 = 65_536
    /// The memory for it that is kept from request to request.
    private static let keptForBodies = 16_384

    // MARK: - The request

    /// Lets `write` append the path and query to ask for in place of the client's; returns whether it has.
    func writeTarget(_ write: (inout ByteBuffer) -> Bool) -> Bool {
        writtenTarget.removeAll()
        hasWrittenTarget = write(&writtenTarget)
        return hasWrittenTarget
    }

    /// Forgets what is told of when the exchange is over.
    func finish() { hasWrittenTarget = false }

    /// Picks the upstream and begins.
    func begin(_ plan: ForwardPlan) {
        guard let snapshot = exchange.snapshot else { return }
        self.plan = plan
        forgetTimes(measuring: snapshot.measuresTime)
        forgetSpan()
        hasHinted = false
        hasHedged = false
        prepare(for: plan.target, snapshot)
        rewrite = plan.rewrite
        exchange.upstream = upstream
        method = exchange.head.method
        framing = exchange.head.framing
        asksUpgrade = plan.allowsWebSocket && exchange.head.asksForWebSocket
        exchange.limit(to: min(plan.totalTimeout ?? snapshot.upstreams[upstream].totalTimeout, exchange.patience))
        exchange.sendContinue()
        bodyIsAtHand = false
        if gathersBody { return }
        start()
        holdBody()
    }

    /// Whether the body is awaited before the upstream is asked: a client that sends it slowly costs the upstream nothing
    /// then, and most bodies have come with their heads.
    private var gathersBody: Bool {
        guard case .length(1...Self.mostGathered) = framing else { return false }
        gathered.removeAll(keeping: Self.keptForBodies)
        isGathering = true
        exchange.awaitsBody = true
        return true
    }

    /// Hands the request to the upstream.
    private func start() {
        let now = bodyIsAtHand || exchange.headAt == 0 ? EventLoop.nanoseconds : exchange.headAt
        if bodyIsAtHand { exchange.bodyAt = now }
        attempt(at: now)
    }

    override func begun() {
        exchange.upstream = upstream
        exchange.endpoint = endpoint
        if let plan, plan.hedges { prepareHedge(plan) }
    }

    override func useTimeouts(of plan: UpstreamPlan) {
        var times = plan.timeouts
        if let head = self.plan?.headTimeout { times.head = head }
        if let idle = self.plan?.idleTimeout { times.idle = idle }
        timeouts = times
    }

    override var retryRules: RetryRules? { plan?.retry ?? super.retryRules }

    override var timeLeft: UInt64 { exchange.timeLeft }

    override var mayBeSentAgain: Bool {
        guard mayBeSentElsewhere, bodyIsAtHand || !framing.hasBody, !asksUpgrade else { return false }
        return method.isIdempotent || plan?.repeatsWithKey == true && exchange.head.bearsIdempotencyKey
    }

    override var mayBeSentElsewhere: Bool { exchange.canRespond && !hasHinted }

    /// Ends what runs, without an answer.
    func stop() {
        let end = exchange.cause == .upstreamTimeout ? AttemptEnd.totalTimeout : .cancelled
        if hedging != .none { stopHedge(end) }
        stop(end)
        plan = nil
        bodyIsHeld = false
        isTunnel = false
        isGathering = false
        gathered.removeAll(keeping: Self.keptForBodies)
    }

    /// Stops reading the client's body while there is nowhere to put it.
    private func holdBody() {
        guard isUnderWay, framing != .none || isTunnel, isFull, !bodyIsHeld else { return }
        bodyIsHeld = true
        exchange.pauseBody()
    }

    func send(_ bytes: Span<UInt8>, of exchange: Exchange) {
        if isGathering {
            gathered.append(bytes)
            return
        }
        send(bytes)
        holdBody()
    }

    /// Ends the request, with the trailers that the client sent.
    func endRequest() {
        if isGathering {
            isGathering = false
            bodyIsAtHand = true
            start()
            return
        }
        var trailers = ByteBuffer()
        if let plan { exchange.channel?.appendRequestTrailers(policy: plan.requestPolicy, to: &trailers) }
        endBody(trailers: trailers)
    }

    override func started() {
        guard bodyIsAtHand else { return releaseBody() }
        var body = ByteBuffer()
        swap(&body, &gathered)
        send(body.span)
        swap(&body, &gathered)
        endBody()
    }

    override func writable() { releaseBody() }

    private func releaseBody() {
        guard bodyIsHeld else { return }
        bodyIsHeld = false
        exchange.resumeBody()
    }

    override func writeHead(into buffer: inout ByteBuffer) {
        guard let plan, let endpoint, let snapshot = exchange.snapshot else { return }
        write(exchange.head, of: exchange, for: plan, to: endpoint, span.spanID, snapshot, into: &buffer)
    }

    /// The same for a second attempt beside this one.
    func writeHead(of hedge: HedgeAttempt, into buffer: inout ByteBuffer) {
        guard let plan, let endpoint = hedge.endpoint, let snapshot = exchange.snapshot else { return }
        write(exchange.head, of: exchange, for: plan, to: endpoint, hedge.span.spanID, snapshot, into: &buffer)
    }

    /// Writes the head of the upstream's request after that of the client's, to which this is the one access.
    private func write(
        _ head: borrowing RequestHead, of exchange: Exchange, for plan: ForwardPlan, to endpoint: Endpoint,
        _ spanID: UInt64, _ snapshot: WorkerSnapshot, into buffer: inout ByteBuffer
    ) {
        let upstream = snapshot.upstreams[upstream]
        head.copy(head.methodRange, to: &buffer)
        buffer.append(" ")
        if hasWrittenTarget {
            buffer.append(endpoint.pathPrefix)
            Self.append(writtenTarget, to: &buffer)
        } else {
            appendPath(of: head, at: endpoint, to: &buffer)
            if head.hasQuery {
                buffer.append("?")
                head.copy(head.query, to: &buffer)
            }
        }
        buffer.append(" HTTP/1.1\r\nHost: ")
        upstream.host.append(head, endpoint: endpoint, to: &buffer)
        buffer.append("\r\n")
        let left = exchange.timeLeft
        let tightens =
            left != .max && plan.mayTighten && head.isGRPC
            && head.grpcOutlasts(milliseconds: left)
        ForwardingHeaders.appendEndToEndFields(
            of: head, policy: tightens ? plan.tightenedPolicy : plan.requestPolicy,
            peerIsTrusted: exchange.identity.peerIsTrusted, into: &buffer)
        buffer.append(plan.requestLines)
        exchange.appendGatewayFields(of: head, spanID: spanID, to: &buffer)
        if tightens { DeadlineFields.appendGRPC(milliseconds: left, into: &buffer) }
        // A tunnel outlives the wait for its beginning.
        if !asksUpgrade { exchange.appendDeadline(min(left, headTime), to: &buffer) }
        switch framing {
        case .none, .untilClose: break
        case .length(let length):
            buffer.append("Content-Length: ")
            buffer.appendDecimal(length)
            buffer.append("\r\n")
        case .chunked: buffer.append("Transfer-Encoding: chunked\r\n")
        }
        if asksUpgrade {
            buffer.append("Connection: Upgrade\r\nUpgrade: websocket\r\n")
        } else if head.acceptsTrailers {
            buffer.append("TE: trailers\r\nConnection: TE\r\n")
        }
        buffer.append("\r\n")
    }

    private static func append(_ target: borrowing ByteBuffer, to buffer: inout ByteBuffer) {
        buffer.append(target.span)
    }

    /// Milliseconds that an answer has to begin, if that is known: while the request's body is under way, it is not.
    private var headTime: UInt64 { !framing.hasBody || bodyIsAtHand ? timeouts.head : .max }

    override func appendMethod(to buffer: inout ByteBuffer) {
        exchange.head.copy(exchange.head.methodRange, to: &buffer)
    }

    override func appendPath(of head: borrowing RequestHead, at endpoint: Endpoint, to buffer: inout ByteBuffer) {
        buffer.append(endpoint.pathPrefix)
        if hasWrittenTarget {
            let start = buffer.count
            Self.append(writtenTarget, to: &buffer)
            if let query = buffer.span.firstIndex(of: UInt8(ascii: "?"), from: start) { buffer.truncate(to: query) }
        } else if let rewrite {
            rewrite.append(exchange, to: &buffer)
        } else {
            head.copy(head.path, to: &buffer)
        }
    }

    // MARK: - The answer

    override func interimReceived() {
        // Early hints are for the client (RFC 8297); other interim answers concern this hop alone.
        guard let plan, head.status == 103, exchange.canTakeInterim else { return }
        hasHinted = true
        exchange.beginInterim(status: 103)
        ForwardingHeaders.appendEndToEndFields(of: head, removing: plan.responsePolicy, into: &exchange.output)
        exchange.endInterim()
    }

    override func headReceived() {
        guard let plan, let snapshot = exchange.snapshot else { return }
        if head.status == 101, !head.switchesToWebSocket {
            cancel()
            failed(.protocolError("an upgrade to something that was not asked for"))
            return
        }
        let headAt = noteHead()
        exchange.upstreamTime = headAt &- times.startedAt
        span.status = head.status
        if plan.hedges { exchange.worker.headTimes.note(exchange.upstreamTime, of: exchange.route) }
        if hedging != .none, hedgeGoesOn(afterStatus: head.status, plan) { return }
        if isDropped(status: head.status) { return }
        passOnHead(of: self, plan, snapshot)
    }

    /// Begins the client's answer with the head of that of `attempt`.
    func passOnHead(of attempt: RecordedAttempt, _ plan: ForwardPlan, _ snapshot: WorkerSnapshot) {
        exchange.beginHead(status: attempt.span.status)
        let form = Self.relay(attempt.head, by: plan, exchange, snapshot, instead: fallbackReason, to: &exchange.output)
        isTunnel = form.body == .tunnel
        exchange.endHead(form.body, hasDate: form.hasDate)
        if isTunnel { exchange.beginTunnel() }
    }

    /// Writes the fields of the client's answer after the head of the upstream's; this is the one access to both.
    ///
    /// - Returns: How the answer's body ends, and whether the answer is dated.
    private static func relay(
        _ head: borrowing ResponseHead, by plan: ForwardPlan, _ exchange: Exchange, _ snapshot: WorkerSnapshot,
        instead reason: FallbackReason?, to output: inout ByteBuffer
    ) -> (body: ResponseBody, hasDate: Bool) {
        ForwardingHeaders.appendEndToEndFields(of: head, removing: plan.responsePolicy, into: &output)
        output.append(plan.responseLines)
        ForwardingHeaders.appendVia(of: head, gateway: snapshot.name, into: &output)
        output.append(snapshot.upstreams[exchange.upstream].servedByLine)
        if let reason {
            output.append("Banyan-Fallback: ")
            output.append(reason.word)
            output.append("\r\n")
        }
        exchange.appendOwnFields(to: &output)
        let hasDate = head.fields.contains(.date)
        if head.status == 101 {
            output.append("Connection: Upgrade\r\nUpgrade: websocket\r\n")
            return (.tunnel, hasDate)
        }
        switch head.framing {
        case .none: return (.none(declared: head.contentLength), hasDate)
        case .length(let length): return (.length(length), hasDate)
        case .chunked, .untilClose: return (.stream, hasDate)
        }
    }

    override func bodyReceived(_ bytes: Span<UInt8>) {
        if isDropping { return }
        exchange.write(bytes)
        if exchange.outputIsFull { pause() }
    }

    override func piecesEnded() { if isDropping { dropped() } else { exchange.flush() } }

    override func ended() {
        if isDropping { return dropped() }
        succeeded()
        if fallbackReason != nil { exchange.mark(.fallback) }
        exchange.endResponse(trailers: trailers)
    }

    override func failed(_ failure: UpstreamFailure) {
        switch hedging {
        case .running:
            hedging = .alone
            conclude(AttemptEnd(failure, of: self), error: Cause(failure).name)
            return
        case .waiting: stopHedge(.cancelled)
        case .none, .alone, .won: break
        }
        super.failed(failure)
    }

    override func gaveUp(_ trouble: AttemptTrouble, _ end: AttemptEnd) {
        if case .failure(.protocolError(let fault)) = trouble { exchange.upstreamFault = fault }
        var retryAfter: UInt32?
        if case .refusal(.open(let time)) = trouble { retryAfter = UInt32(clamping: (time + 999) / 1_000) }
        exchange.fail(trouble.cause, retryAfter: retryAfter)
    }
}

extension Exchange {
    /// Appends the field that tells an upstream how long it is waited for: so many milliseconds, or less if a trusted peer
    /// waits no longer; nothing where there is no bound.
    func appendDeadline(_ milliseconds: UInt64, to buffer: inout ByteBuffer) {
        let least = min(milliseconds, patience)
        if least != .max { DeadlineFields.append(milliseconds: least, into: &buffer) }
    }

    /// Appends the fields by which the gateway speaks to an upstream: where the request comes from, its id, its trace.
    func appendGatewayFields(of head: borrowing RequestHead, spanID: UInt64, to buffer: inout ByteBuffer) {
        guard let snapshot else { return }
        ForwardingHeaders.appendForwardingFields(
            of: head, peer: identity.peer, scheme: isSecure ? .https : .http, peerIsTrusted: identity.peerIsTrusted,
            gateway: snapshot.name, into: &buffer)
        if isSecure, let channel, let certificate = channel.connection.clientCertificate {
            snapshot.certificateFields(of: channel.listenerIndex)?.append(certificate, to: &buffer)
        }
        buffer.append("X-Request-Id: ")
        appendRequestID(to: &buffer)
        buffer.append("\r\n")
        trace.inject(spanID: spanID, into: &buffer)
    }
}
