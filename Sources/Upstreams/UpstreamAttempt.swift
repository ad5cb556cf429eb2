public import ByteBuffers
public import EventLoops
public import HTTPMessage

/// How long an attempt may wait, in milliseconds; `UInt64.max` is for ever.
package struct AttemptTimeouts: Equatable, Sendable {
    /// To open a connection, waiting for a place included.
    package var connect: UInt64 = 1_000
    /// From the end of the request to the end of the answer's head.
    package var head: UInt64 = 15_000
    /// Between two pieces of a body, in either direction.
    package var idle: UInt64 = 60_000

    /// The defaults.
    package init() {}
}

/// One try to have a request answered by one endpoint: the request's side of the seam to the transports.
///
/// Events come in this order: ``writeHead(into:)`` and ``started()`` (when a pooled connection turned out dead and a new
/// one took its place, the head is asked for again, and ``writable()`` may follow), ``interimReceived()`` any number of
/// times, ``headReceived()``, ``bodyReceived(_:)`` and ``piecesEnded()`` as bytes come, ``ended()``. ``failed(_:)`` may come
/// instead of any of them; after ``ended()``, ``failed(_:)`` or ``cancel()`` nothing comes, and the object may be used
/// again. It belongs to one loop.
open class UpstreamAttempt {
    /// The head of the answer, interim or final; valid from its event on.
    public final var head: ResponseHead {
        @inlinable _read { yield headCell.value }
        @inlinable _modify { yield &headCell.value }
    }
    /// Trailer field lines of the answer, each with its line's end; complete at ``ended()``.
    public final var trailers: ByteBuffer {
        @inlinable _read { yield trailersCell.value }
        @inlinable _modify { yield &trailersCell.value }
    }
    @usableFromInline final let headCell = LoopCell(ResponseHead())
    @usableFromInline final let trailersCell = LoopCell(ByteBuffer())
    // What other rooms use stands in private storage that is only ever read and written whole, so that the compiler can
    // see that no two accesses overlap, and leaves out the check that it would make at each.

    /// The method of the request.
    package final var method: Method {
        get { request.method }
        set { request.method = newValue }
    }
    /// How the request's body is framed: none, a length, or chunked.
    package final var framing: BodyFraming {
        get { request.framing }
        set { request.framing = newValue }
    }
    /// Whether the request asks for another protocol (RFC 9110 §7.8): the answer may be 101 then, and what comes behind
    /// it, in both directions, are that protocol's bytes until either side ends.
    package final var asksUpgrade: Bool {
        get { request.asksUpgrade }
        set { request.asksUpgrade = newValue }
    }
    package final var timeouts: AttemptTimeouts {
        get { request.timeouts }
        set { request.timeouts = newValue }
    }
    /// Whether the whole body of the request is there to be sent at ``started()``: it does not depend on a client then.
    package final var bodyIsAtHand: Bool {
        get { request.bodyIsAtHand }
        set { request.bodyIsAtHand = newValue }
    }
    /// Whether the request may be sent a second time only where it is certain that nobody has read the first, whatever its
    /// method.
    package final var isOnceOnly: Bool {
        get { request.isOnceOnly }
        set { request.isOnceOnly = newValue }
    }
    /// Whether the request may be sent again though it is not known what became of it.
    final var mayBeRepeated: Bool { request.method.isIdempotent && !request.isOnceOnly }
    /// The endpoint that the attempt goes to, from ``Upstream/start(_:random:hash:)`` on.
    package internal(set) final var endpoint: Endpoint? {
        get { target }
        set { target = newValue }
    }
    /// Where its time goes; kept until the next use.
    package final var times: AttemptTimes { stamps }
    /// Whether all of them are wanted.
    package private(set) final var isMeasured: Bool {
        get { marks.isMeasured }
        set { marks.isMeasured = newValue }
    }
    /// Whether it failed because the answer's body fell silent: such a body is truncated, too.
    package internal(set) final var fellSilent: Bool {
        get { marks.fellSilent }
        set { marks.fellSilent = newValue }
    }
    /// Whether another connection had to take the request over: the first was dead, or its peer refused the request.
    package internal(set) final var wasReplaced: Bool {
        get { marks.wasReplaced }
        set { marks.wasReplaced = newValue }
    }
    /// The number of that endpoint among those of its upstream.
    package final var endpointNumber: Int { report.number }
    /// The status of the final head, 0 before.
    package final var answeredWith: UInt16 { report.status }
    private final var report = Report()
    private final var request = Request()
    private final var target: Endpoint?
    private final var stamps = AttemptTimes()
    private final var marks = Marks()
    final var state = State.idle
    final var transport: UpstreamTransport?
    private final let replay = LoopCell(ByteBuffer())
    final var replayIsWhole = true
    final var bodyHasEnded = false
    /// Whether it has a place among those whose bodies are still awaited.
    private final var isUploading = false
    /// Trailer field lines of the request, kept until its end is written.
    final var requestTrailers: ByteBuffer {
        _read { yield requestTrailersCell.value }
        _modify { yield &requestTrailersCell.value }
    }
    private final let requestTrailersCell = LoopCell(ByteBuffer())
    /// Until when it may wait for a connection, in milliseconds of the loop's clock.
    final var waitDeadline: UInt64 = .max
    final var isCountedAsPending = false

    enum State {
        case idle, waiting, active
    }

    /// What is asked for, and how long that may take.
    private struct Request {
        var method = Method.get
        var framing = BodyFraming.none
        var asksUpgrade = false
        var bodyIsAtHand = false
        var isOnceOnly = false
        var timeouts = AttemptTimeouts()
    }

    /// What the endpoint is told of at the end.
    private struct Report {
        var number = 0
        /// When it was given to the endpoint, in milliseconds.
        var begunAt: UInt64 = 0
        var random: UInt64 = 0
        var tickets = BreakerTickets()
        var status: UInt16 = 0
    }

    /// Why an attempt is given up.
    package enum CancelReason: Sendable {
        /// Nobody wants the answer any more.
        case unwanted
        /// The upstream was waited for in vain.
        case timeIsOver
    }

    private struct Marks {
        var isMeasured = false
        var fellSilent = false
        var wasReplaced = false
    }

    /// What is kept of a request's body in case another connection has to take it over, in bytes.
    static let mostReplay = 65_536

    /// A fresh attempt.
    package init() {}

    // MARK: - Events

    /// Writes the request's head, with its framing and the empty line.
    open func writeHead(into buffer: inout ByteBuffer) {}

    /// The head is written: the body may follow by ``send(_:)`` and ``endBody()``.
    open func started() {}

    /// An interim answer (1xx) is in `head`.
    open func interimReceived() {}

    /// The final head is in `head`.
    open func headReceived() {}

    /// A piece of the answer's body, valid during the call. After ``pause()`` the rest waits.
    open func bodyReceived(_ bytes: Span<UInt8>) {}

    /// For now no more pieces are there: what was gathered may be sent on.
    open func piecesEnded() {}

    /// The answer is whole.
    open func ended() {}

    /// The attempt has failed.
    open func failed(_ failure: UpstreamFailure) {}

    /// The request's output has fallen below the low-water mark after ``isFull``.
    open func writable() {}

    // MARK: - What subclasses do

    /// Whether a connection has taken the request, so that its body can be sent.
    package final var isStarted: Bool { state == .active }

    /// Whether the attempt is under way.
    package final var isRunning: Bool { state != .idle }

    /// Whether the source of the request's body should pause until ``writable()``.
    package final var isFull: Bool { transport?.isFull ?? true }

    /// Sends a piece of the request's body; only between ``started()`` and ``endBody()``.
    package final func send(_ bytes: Span<UInt8>) {
        if state == .waiting, wasReplaced {
            replay.value.append(bytes)
            return
        }
        guard state == .active, let transport, bytes.count > 0 else { return }
        if replayIsWhole {
            // Kept only where it can be of use: for a request that may be repeated if the connection turns out dead, or
            // for any that may be refused unread.
            let isOfUse = transport.mayBeRefused || transport.mayBeStale && mayBeRepeated
            if !isOfUse || replay.value.count + bytes.count > Self.mostReplay {
                replayIsWhole = false
                replay.value.removeAll()
            } else {
                replay.value.append(bytes)
            }
        }
        transport.send(bytes)
    }

    /// Ends the request's body; one that has none, or one of no bytes, has ended with its head.
    ///
    /// - Parameter trailers: field lines that follow a chunked body, each with its line's end; dropped otherwise.
    package final func endBody(trailers: borrowing ByteBuffer) {
        guard state == .active || wasReplaced, !bodyHasEnded else { return }
        bodyHasEnded = true
        if isMeasured { stamps.requestEnds(at: EventLoop.nanoseconds) }
        endUpload()
        requestTrailers.append(trailers.span)
        transport?.endRequest()
    }

    /// Ends the request's body.
    package final func endBody() { endBody(trailers: ByteBuffer()) }

    /// Stops the answer until ``resume()``; it still may end or fail.
    package final func pause() {
        if isMeasured { stamps.pauses(at: EventLoop.nanoseconds) }
        transport?.pause()
    }

    /// Goes on with the answer. Pieces come from the loop, never from inside this call.
    package final func resume() {
        if isMeasured { stamps.resumes(at: EventLoop.nanoseconds) }
        transport?.resume()
    }

    /// Ends the attempt without another event. What the upstream was doing for it is cut off.
    package final func cancel(because reason: CancelReason = .unwanted) {
        switch state {
        case .idle: return
        case .waiting:
            if let transport { transport.cancel() } else { endpoint?.pool.forget(self) }
        case .active: transport?.cancel()
        }
        // A server is to blame for what it had in hand: a request that it has, all of it.
        let isToBlame = reason == .timeIsOver && state == .active && bodyHasEnded
        finish(report.status > 0 ? OutlierOutcome(status: Int(report.status)) : isToBlame ? .noAnswer : .local)
    }

    /// Ends the attempt without another event, as one whose answer is not wanted any more. Where the request has been sent and
    /// its answer can be taken in with little effort, the connection is kept for the next one; what comes of that counts for
    /// nothing.
    package final func abandon() {
        guard state == .active, let transport, let endpoint, transport.takesInAnswer(at: endpoint) else {
            return cancel()
        }
        finish(.local, keepsPlace: true)
    }

    final func prepare(
        for endpoint: Endpoint, number: Int, tickets: BreakerTickets, at now: UInt64, random: UInt64
    ) {
        self.endpoint = endpoint
        report = Report(number: number, begunAt: now, random: random, tickets: tickets)
        state = .waiting
        fellSilent = false
        wasReplaced = false
        replay.value.removeAll()
        replayIsWhole = true
        bodyHasEnded = !framing.hasBody
        isUploading = !bodyIsAtHand && framing.hasBody
        trailers.removeAll()
        requestTrailers.removeAll()
        endpoint.attemptBegan()
    }

    /// It waits at another endpoint from now on.
    final func move(to endpoint: Endpoint, number: Int) {
        target?.attemptLeft()
        target = endpoint
        report.number = number
        // It was let pass by another breaker, which hears no more of it.
        report.tickets.endpoint = nil
        endpoint.attemptBegan()
    }

    /// The protocol was switched: bytes of the new one may be sent, and cannot be sent again.
    final func beginTunnel() {
        bodyHasEnded = false
        replayIsWhole = false
        replay.value.removeAll()
    }

    /// The final head is in `head`: notes its status, and tells of it.
    final func deliverHead() {
        report.status = head.status
        if let endpoint, endpoint.rules.adaptive != nil { endpoint.measured(EventLoop.nanoseconds &- stamps.startedAt) }
        headReceived()
    }

    /// The answer is whole: lets go of everything; called before the last event.
    final func finish() { finish(OutlierOutcome(status: Int(report.status))) }

    private final func finish(_ outcome: OutlierOutcome, keepsPlace: Bool = false) {
        guard state != .idle else { return }
        state = .idle
        transport = nil
        if isMeasured { stamps.ends(at: EventLoop.nanoseconds) }
        endUpload()
        guard let endpoint else { return }
        let now = endpoint.now
        let time = now > report.begunAt ? now - report.begunAt : 0
        endpoint.attemptEnded(
            outcome, milliseconds: time, report.tickets, at: now, random: report.random, keepsPlace: keepsPlace)
    }

    private final func endUpload() {
        if isUploading { endpoint?.bounds.giveUpload() }
        isUploading = false
    }

    // MARK: - Times

    /// Forgets the times of the last use; to be called before the next one begins.
    ///
    /// - Parameter isMeasured: whether all of ``times`` is wanted, which costs two or three looks at the clock.
    package final func forgetTimes(measuring isMeasured: Bool) {
        self.isMeasured = isMeasured
        wasReplaced = false
        stamps = AttemptTimes()
    }

    /// Notes that the final head is there; for ``headReceived()`` of those who want to know. Returns when that was.
    package final func noteHead() -> UInt64 {
        let now = EventLoop.nanoseconds
        stamps.headComes(at: now)
        return now
    }

    /// It has to wait for a connection.
    final func noteWaiting() { if isMeasured { stamps.waits(at: EventLoop.nanoseconds) } }

    /// A connection is being opened for it.
    final func noteOpening() { if isMeasured { stamps.waitsForOpening(at: EventLoop.nanoseconds) } }

    /// What it waits for, and waits for no longer, was its turn.
    final func noteTurn() { if isMeasured { stamps.waitsInTurn() } }

    /// A connection takes it: one that was `opened` while it may have waited, or another.
    final func noteStart(on opened: (began: UInt64, established: UInt64)?) {
        let now = EventLoop.nanoseconds
        if isMeasured {
            stamps.starts(at: now, on: opened, hasBody: framing.hasBody)
        } else {
            stamps.starts(at: now)
        }
    }

    final func fail(_ failure: UpstreamFailure) {
        guard state != .idle else { return }
        // A wait for somebody else's connection says nothing about the server.
        finish(failure == .overloaded || isCountedAsPending ? .local : .noAnswer)
        failed(failure)
    }

    /// Sends again what was kept, after a dead connection was replaced.
    final func replayBody() {
        guard let transport else { return }
        Self.send(replay.value, on: transport)
        guard framing != .none else { return }
        // A source that paused while there was no connection would not hear of this one otherwise.
        if bodyHasEnded { transport.endRequest() } else { writable() }
    }

    private static func send(_ kept: borrowing ByteBuffer, on transport: UpstreamTransport) {
        if kept.count > 0 { transport.send(kept.span) }
    }
}
