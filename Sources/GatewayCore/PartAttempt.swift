import Aggregation
import ByteBuffers
import DistributedTracing
import EventLoops
import HTTPListener
import HTTPMessage
import Routing
import Telemetry
import Upstreams

/// One attempt to get one part of a view.
final class PartAttempt: RoutedAttempt {
    /// Held until the view is retired, to which it belongs.
    private let view: AggregateExchange
    let loop: EventLoop
    private let number: Int
    /// The part that the call is for, from its start on.
    private var part = 0
    private lazy var deadline = PartDeadline(self)
    private var content: PartContent {
        _read { yield contentCell.value }
        _modify { yield &contentCell.value }
    }
    private let contentCell = LoopCell(PartContent())
    /// Why the answer's content cannot be used, if there is any.
    private var obstacle: PartFailure.Reason?
    private var begunAt: UInt64 = 0
    /// When it was asked for, in milliseconds of the loop's clock.
    private var askedAt: UInt64 = 0
    /// When the time of the part is over whose first attempt it is; 0 before that has begun.
    private var partEndsAt: UInt64 = 0
    /// Nanoseconds until the part was answered or given up.
    private(set) var duration: UInt64 = 0

    init(_ view: AggregateExchange, number: Int) {
        self.view = view
        loop = view.exchange.worker.loop
        self.number = number
        super.init(view.exchange)
    }

    /// Forgets the last view.
    func forget(measuring isMeasured: Bool) {
        forgetTimes(measuring: isMeasured)
        forgetSpan()
        duration = 0
        (askedAt, partEndsAt) = (0, 0)
    }

    /// Milliseconds for which its answer has been under way, or here.
    var age: UInt64 { askedAt > 0 ? loop.now - askedAt : 0 }

    /// Milliseconds that the part has left whose first attempt it is. All calls of a part share its time.
    func partTimeLeft(_ timeout: UInt64) -> UInt64 {
        if partEndsAt == 0 { partEndsAt = loop.now &+ timeout }
        return partEndsAt > loop.now ? partEndsAt - loop.now : 0
    }

    func start() {
        guard let plan = view.plan, let snapshot = exchange.snapshot else { return }
        (part, framing) = Self.request(view.run, plan.plan, number)
        askedAt = loop.now
        switch ViewTime(part: view.timeLeft(of: part, plan.plan.parts[part].timeout), left: view.timeLeft) {
        case .own(let time): deadline.schedule(after: time)
        // The view's own deadline ends the part, too.
        case .shared: deadline.cancel()
        case .none: return fail(PartFailure(.timeout), .partTimeout)
        }
        method = plan.methods[part]
        bodyIsAtHand = true
        isOnceOnly = plan.plan.parts[part].isStep
        prepare(for: plan.targets[part], snapshot)
        begunAt = EventLoop.nanoseconds
        attempt(at: begunAt)
    }

    // A step is a write: nobody repeats it who is not sure that it was not made.
    override var mayBeSentAgain: Bool { method.isIdempotent && !isOnceOnly }

    override var retryRules: RetryRules? { view.plan?.requests[part].retry ?? super.retryRules }

    override func word(for trouble: AttemptTrouble, _ end: AttemptEnd) -> StaticString { reason(trouble, end).word }

    // A body that falls silent is cut for who passes it on; here nothing was, and it is the time that was over.
    private func reason(_ trouble: AttemptTrouble, _ end: AttemptEnd) -> PartFailure.Reason {
        end == .idleTimeout ? .timeout : PartFailure.Reason(trouble)
    }

    override func gaveUp(_ trouble: AttemptTrouble, _ end: AttemptEnd) {
        if trouble.nothingWasSent { view.run.requestLost(number) }
        fail(PartFailure(reason(trouble, end)), end)
    }

    /// Stops without a result.
    func stop() {
        endSpan(of: exchange)
        done(view.run.failure(of: part)?.reason == .timeout ? .viewTimeout : .cancelled)
    }

    private func done(_ end: AttemptEnd) {
        deadline.cancel()
        content.end()
        stop(end)
        if begunAt > 0, duration == 0 { duration = EventLoop.nanoseconds &- begunAt }
        begunAt = 0
    }

    private func fail(_ failure: PartFailure, _ end: AttemptEnd) {
        endSpan(of: exchange, error: failure.reason.word)
        done(end)
        view.run.partFailed(number, failure)
        view.perform()
    }

    func timeIsOver() {
        fail(PartFailure(.timeout), .partTimeout)
    }

    // MARK: - The request

    /// Milliseconds until the part is given up.
    override var timeLeft: UInt64 {
        let left = view.timeLeft
        guard deadline.isScheduled else { return left }
        return min(left, deadline.deadline > loop.now ? deadline.deadline - loop.now : 0)
    }

    private static func request(
        _ run: borrowing AggregateRun, _ plan: AggregatePlan, _ number: Int
    ) -> (part: Int, framing: BodyFraming) {
        let part = run.part(of: number)
        return (part, plan.parts[part].hasBody ? .length(UInt64(run.body(of: number).count)) : .none)
    }

    override func writeHead(into buffer: inout ByteBuffer) {
        guard let plan = view.plan, let endpoint, let snapshot = exchange.snapshot else { return }
        write(exchange.head, view.run, for: plan, to: endpoint, snapshot, into: &buffer)
    }

    /// Writes the head of the request after what the run has made and that of the client's, to which this is the one access.
    private func write(
        _ head: borrowing RequestHead, _ run: borrowing AggregateRun, for plan: AggregateRoutePlan,
        to endpoint: Endpoint, _ snapshot: WorkerSnapshot, into buffer: inout ByteBuffer
    ) {
        buffer.append(plan.methodNames[part])
        buffer.append(" ")
        buffer.append(endpoint.pathPrefix)
        buffer.append(run.target(of: number))
        buffer.append(" HTTP/1.1\r\nHost: ")
        snapshot.upstreams[upstream].host.append(head, endpoint: endpoint, to: &buffer)
        buffer.append("\r\n")
        ForwardingHeaders.appendEndToEndFields(
            of: head, policy: plan.requests[part].policy, peerIsTrusted: exchange.identity.peerIsTrusted,
            into: &buffer)
        buffer.append(plan.requests[part].acceptLine)
        buffer.append(run.headerLines(of: number))
        exchange.appendGatewayFields(of: head, spanID: span.spanID, to: &buffer)
        exchange.appendDeadline(timeLeft, to: &buffer)
        if case .length(let length) = framing {
            buffer.append(plan.requests[part].contentTypeLine)
            buffer.append("Content-Length: ")
            buffer.appendDecimal(length)
            buffer.append("\r\n")
        }
        buffer.append("\r\n")
    }

    private static func appendTarget(_ run: borrowing AggregateRun, _ number: Int, to buffer: inout ByteBuffer) {
        buffer.append(run.target(of: number))
    }

    override func started() {
        view.run.requestSent(number)
        guard framing != .none else { return }
        var body = ByteBuffer()
        Self.appendBody(view.run, number, to: &body)
        send(body.span)
        endBody()
    }

    private static func appendBody(_ run: borrowing AggregateRun, _ number: Int, to buffer: inout ByteBuffer) {
        buffer.append(run.body(of: number))
    }

    override var partName: [UInt8] { view.plan?.names[part] ?? [] }

    override func appendMethod(to buffer: inout ByteBuffer) {
        if let plan = view.plan { buffer.append(plan.methodNames[part]) }
    }

    override func appendPath(of head: borrowing RequestHead, at endpoint: Endpoint, to buffer: inout ByteBuffer) {
        buffer.append(endpoint.pathPrefix)
        let start = buffer.count
        Self.appendTarget(view.run, number, to: &buffer)
        if let query = buffer.span.firstIndex(of: UInt8(ascii: "?"), from: start) { buffer.truncate(to: query) }
    }

    // MARK: - The answer

    override func headReceived() {
        if isMeasured { _ = noteHead() }
        span.status = head.status
        if isDropped(status: head.status) { return }
        let isStep = view.plan?.plan.parts[part].isStep == true
        let seen = Self.tell(head, to: &view.run, number, &content, isStep: isStep)
        obstacle = seen.obstacle
        // A status that fails the part ends the attempt at once.
        if seen.wants { view.perform() }
    }

    /// Tells the run of an answer's head; this is the one access to both. Returns why the content cannot be used, and whether the run wants something now.
    private static func tell(
        _ head: borrowing ResponseHead, to run: inout AggregateRun, _ call: Int, _ content: inout PartContent,
        isStep: Bool
    ) -> (obstacle: PartFailure.Reason?, wants: Bool) {
        run.answerBegan(call, status: head.status)
        if let length = head.contentLength { run.answerHas(contentLength: length, call) }
        head.tell(&run, call)
        let obstacle = content.begin(head)
        if let obstacle, !isStep { run.answerIsUnusable(call, obstacle) }
        return (obstacle, run.wantsAction)
    }

    override func piecesEnded() { if isDropping { dropped() } }

    override func bodyReceived(_ bytes: Span<UInt8>) {
        if isDropping { return }
        if let reason = obstacle {
            // The answer of a step may be of any type as long as there is nothing in it.
            view.run.answerIsUnusable(number, reason)
        } else if !content.receive(bytes, for: number, of: &view.run) {
            return
        }
        view.perform()
    }

    override func ended() {
        if isDropping { return dropped() }
        let isWhole = content.isWhole
        succeeded()
        done(.ok)
        if let reason = fallbackReason {
            exchange.mark(.fallback)
            view.run.answerIsFromElsewhere(number, reason.word)
        }
        if !isWhole { view.run.partFailed(number, PartFailure(.badCoding)) }
        view.run.answerEnded(number)
        view.perform()
    }
}

/// The time that one part may take.
private final class PartDeadline: EventLoops.Timer {
    private unowned let part: PartAttempt

    init(_ part: PartAttempt) {
        self.part = part
        super.init(loop: part.loop)
    }

    override func fire() { part.timeIsOver() }
}
