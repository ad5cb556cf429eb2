import ByteBuffers
import EventLoops
import HTTP2Framing
import HTTPMessage

/// One request and its answer on an HTTP/2 connection. Used again for others, of any connection of its pool.
///
/// It serves two: nghttp2, from the request to the stream's end, and the attempt, from the request to the end of the
/// answer. Either may be done first: an answer that is whole waits here for an attempt that has paused.
final class HTTP2UpstreamStream: UpstreamTransport, LoopClient {
    private unowned let pool: HTTP2UpstreamPool
    /// The connection that nghttp2 has the stream on.
    private(set) var connection: HTTP2UpstreamConnection?
    private(set) var attempt: UpstreamAttempt?
    private var id: Int32 = 0
    /// Its place in the connection's list; -1 when nghttp2 no longer has it.
    var slot = -1
    /// What of the answer comes next.
    private(set) var phase = Phase.head
    /// Counts how often it was used, to tell one use from the next.
    private var use: UInt64 = 0
    /// What of the request's body has not been sent.
    private var output = ByteBuffer()
    private var outputWasFull = false
    private var isDeferred = false
    private var bodyHasEnded = false
    private var headIsSent = false
    private var requestIsSent = false
    /// What of the answer waits for the end of the input that it came with, so that small frames are handed on together,
    /// or for an attempt that has paused: at most what the stream's window lets in.
    private var pending = ByteBuffer()
    private var trailers = TrailerSection()
    private var trailerFault: StaticString?
    private var received: UInt64 = 0
    private var interimHeads = 0
    private var isPaused = false
    private var isTouched = false
    /// Whether the peer has reset the stream.
    var isResetByPeer = false
    private var timer: Deadline<HTTP2UpstreamStream>?
    private var waitsSince: UInt64 = 0
    private var later: LaterWork<HTTP2UpstreamStream>?

    enum Phase {
        case head, body
        /// Nothing: the answer is whole, or not wanted.
        case over
    }

    /// Bytes of a frame that is handed on by itself, and of a piece that was put together.
    private static let largeFrame = 16_384
    private static let pieceSize = 65_536

    init(pool: HTTP2UpstreamPool) {
        self.pool = pool
        super.init()
        timer = Deadline(self, loop: pool.loop)
        later = LaterWork(self)
    }

    // MARK: - Life

    /// Begins with `attempt`, whose head has been submitted as the stream `id`.
    func open(_ id: Int32, _ attempt: UpstreamAttempt, on connection: HTTP2UpstreamConnection) {
        self.id = id
        self.attempt = attempt
        self.connection = connection
        use &+= 1
        phase = .head
        outputWasFull = false
        isDeferred = false
        bodyHasEnded = !attempt.framing.hasBody
        headIsSent = false
        requestIsSent = false
        trailerFault = nil
        received = 0
        interimHeads = 0
        isPaused = false
        isTouched = false
        isResetByPeer = false
        wait(atMost: bodyHasEnded ? attempt.timeouts.head : attempt.timeouts.idle)
        if attempt.wasReplaced { attempt.replayBody() } else { attempt.started() }
    }

    /// The attempt is done with.
    private func detach() {
        attempt = nil
        phase = .over
        timer?.cancel()
        if slot < 0 { rest() }
    }

    private func rest() {
        connection = nil
        output.removeAll(keeping: UpstreamConnection.highWater)
        pending.removeAll(keeping: Self.pieceSize)
        trailers.removeAll()
        pool.keep(self)
    }

    private func reset(_ code: HTTP2ErrorCode) { if slot >= 0 { connection?.reset(id, code) } }

    private func fail(_ failure: UpstreamFailure) {
        guard let attempt else { return }
        detach()
        attempt.fail(failure)
    }

    /// Another connection takes the request over, once.
    private func replace() {
        guard let attempt else { return }
        detach()
        attempt.wasReplaced = true
        attempt.state = .waiting
        attempt.transport = nil
        pool.start(attempt, fresh: true)
    }

    private func wait(atMost milliseconds: UInt64) {
        waitsSince = pool.loop.now
        timer?.schedule(after: milliseconds)
    }

    func workLater() { deliver() }

    func timeIsOver() {
        guard attempt != nil else { return }
        connection?.waitedInVain(since: waitsSince)
        reset(.cancel)
        attempt?.fellSilent = phase != .head
        fail(phase == .head ? .timeout : .truncated)
    }

    // MARK: - What the attempt asks for

    override var isFull: Bool { output.count >= UpstreamConnection.highWater }

    // Any connection may turn out dead under it, others being on it or not.
    override var mayBeStale: Bool { true }

    override var mayBeRefused: Bool { true }

    override func send(_ bytes: Span<UInt8>) {
        guard let attempt, slot >= 0, !bodyHasEnded else { return }
        output.append(bytes)
        if isFull { outputWasFull = true }
        if !isPaused { wait(atMost: attempt.timeouts.idle) }
        goOnSending()
    }

    override func endRequest() {
        guard slot >= 0 else { return }
        bodyHasEnded = true
        goOnSending()
    }

    private func goOnSending() {
        guard isDeferred else { return }
        isDeferred = false
        connection?.resume(id)
    }

    override func pause() {
        isPaused = true
        timer?.cancel()
    }

    override func resume() {
        guard isPaused, let attempt else { return }
        isPaused = false
        if phase != .over { wait(atMost: attempt.timeouts.idle) }
        if !pending.isEmpty, let later { pool.loop.atEndOfTurn(later) }
    }

    override func cancel() {
        reset(.cancel)
        detach()
    }

    // MARK: - The request

    /// How much of the body may be sent now.
    func nextBody(atMost most: Int) -> HTTP2Body {
        guard let attempt else { return .later }
        let count = min(output.count, most)
        guard bodyHasEnded, count == output.count else {
            if count > 0 { return .piece(count) }
            isDeferred = true
            return .later
        }
        let hasTrailers =
            attempt.framing == .chunked && !attempt.requestTrailers.isEmpty
            && connection?.submitTrailers(of: attempt, id) == true
        return hasTrailers ? .beforeTrailers(count) : .last(count)
    }

    /// Moves so many bytes of the body behind `target`.
    func takeBody(_ count: Int, into target: inout ByteBuffer) {
        output.copy(ByteRange(start: 0, count: count), to: &target)
        output.removeFirst(count)
        guard let attempt else { return }
        if !isPaused { wait(atMost: attempt.timeouts.idle) }
        if outputWasFull, output.count < UpstreamConnection.lowWater { connection?.tellWritable(self) }
    }

    /// The source of the body may go on.
    func becameWritable() {
        guard outputWasFull, output.count < UpstreamConnection.lowWater, let attempt else { return }
        outputWasFull = false
        attempt.writable()
    }

    /// A frame of the request has been gathered that is not content, or the last one.
    func frameSent(endsStream: Bool) {
        headIsSent = true
        guard endsStream else { return }
        requestIsSent = true
        if phase == .head, let attempt { wait(atMost: attempt.timeouts.head) }
    }

    /// nghttp2 could not send the head; it closes the stream.
    func headNotSent() {
        guard let attempt, phase == .head, attempt.wasReplaced || !attempt.replayIsWhole else { return }
        fail(.protocolError("the request's head cannot be sent"))
    }

    // MARK: - The answer

    /// A head is whole, in the attempt's.
    func headReceived(_ outcome: HTTP2ResponseParser.Outcome, endsStream: Bool) {
        guard let attempt else { return }
        switch outcome {
        case .malformed(let detail): breaksRules(detail)
        case .interim:
            interimHeads += 1
            if interimHeads > HTTP1ClientCodec.mostInterimHeads { return breaksRules("too many interim answers") }
            attempt.interimReceived()
        case .final:
            phase = .body
            if !isPaused { wait(atMost: attempt.timeouts.idle) }
            touch()
            attempt.deliverHead()
            if endsStream { answerEnded() }
        }
    }

    /// A piece of the body has come.
    func dataReceived(_ bytes: Span<UInt8>) {
        guard let attempt, phase != .over else { return }
        guard phase == .body else { return breaksRules("content stands before a head") }
        received &+= UInt64(bytes.count)
        switch attempt.head.framing {
        case .none where bytes.count > 0:
            // Such an answer has no content, whatever the server sends.
            reset(.protocolError)
            return finish()
        case .length(let length) where received > length: return breaksRules("the body is longer than Content-Length")
        default: break
        }
        if !isPaused {
            wait(atMost: attempt.timeouts.idle)
            touch()
        }
        if isPaused || !pending.isEmpty || bytes.count < Self.largeFrame {
            pending.append(bytes)
            return
        }
        attempt.bodyReceived(bytes)
        if slot >= 0 { connection?.consumed(bytes.count, of: id) }
    }

    func addTrailer(_ name: Span<UInt8>, _ value: Span<UInt8>) {
        if trailerFault == nil { trailerFault = trailers.add(name, value) }
    }

    /// A header block behind the head is whole.
    func trailersReceived(endsStream: Bool) {
        if let trailerFault { return breaksRules(trailerFault) }
        if endsStream { answerEnded() } else { breaksRules("a header block in the middle of a body") }
    }

    /// The answer is whole.
    func answerEnded() {
        guard let attempt, phase != .over else { return }
        guard phase == .body else { return breaksRules("the answer has no head") }
        if case .length(let length) = attempt.head.framing, received < length {
            return breaksRules("the body is shorter than Content-Length")
        }
        phase = .over
        timer?.cancel()
        if pending.isEmpty { finish() }
    }

    private func touch() {
        guard !isTouched else { return }
        isTouched = true
        connection?.tellPiecesEnd(self)
    }

    /// For now no more pieces are there.
    func piecesEnded() {
        isTouched = false
        if isPaused || pending.isEmpty { attempt?.piecesEnded() } else { deliver() }
    }

    private func breaksRules(_ detail: StaticString) {
        reset(.protocolError)
        fail(phase == .head ? .protocolError(detail) : .truncated)
    }

    /// Hands on what waited.
    func deliver() {
        guard !isPaused, !pending.isEmpty, let attempt else { return }
        let use = use
        var waiting = ByteBuffer()
        swap(&waiting, &pending)
        var taken = 0
        while !waiting.isEmpty, !isPaused, self.attempt === attempt, self.use == use {
            let count = min(waiting.count, Self.pieceSize)
            Self.hand(waiting, count, to: attempt)
            waiting.removeFirst(count)
            taken += count
        }
        guard self.attempt === attempt, self.use == use else { return }
        swap(&waiting, &pending)
        if slot >= 0 { connection?.consumed(taken, of: id) }
        if phase == .over, pending.isEmpty { finish() } else { attempt.piecesEnded() }
    }

    private static func hand(_ bytes: borrowing ByteBuffer, _ count: Int, to attempt: UpstreamAttempt) {
        attempt.bodyReceived(bytes.span.extracting(0..<count))
    }

    /// The attempt has the whole answer. What is left of the request is not wanted any more.
    private func finish() {
        guard let attempt else { return }
        if trailers.fields.count > 0 { Self.append(trailers, to: attempt) }
        if !requestIsSent { reset(.noError) }
        detach()
        attempt.finish()
        attempt.ended()
    }

    private static func append(_ trailers: borrowing TrailerSection, to attempt: UpstreamAttempt) {
        ForwardingHeaders.appendTrailers(of: trailers, policy: FieldPolicy(), into: &attempt.trailers)
    }

    // MARK: - The stream's end

    /// nghttp2 has closed the stream.
    func closed(_ code: UInt32) {
        guard let attempt else { return rest() }
        // The whole answer waits for the attempt.
        if phase == .over {
            connection = nil
            return
        }
        let code = HTTP2ErrorCode(rawValue: code)
        switch phase {
        case .head where code == .refusedStream && interimHeads == 0 && !attempt.wasReplaced && attempt.replayIsWhole:
            // The peer says that it has done nothing for the request, so that any method may be sent again.
            replace()
        case .head where code == .refusedStream || isResetByPeer: fail(.closed)
        case .head: fail(.protocolError("the answer breaks the rules of HTTP/2"))
        case .body where code == .noError && attempt.head.framing == .length(received) && isResetByPeer: answerEnded()
        case .body, .over: breakOff()
        }
    }

    /// The rest of the body will not come.
    private func breakOff() {
        let use = use
        deliver()
        // Whoever got the last piece may have had enough of it, and the stream carry another request by now.
        if self.use == use { fail(.truncated) }
    }

    /// The connection is gone; `fault` is what its peer did wrong, if that was the reason.
    func connectionLost(_ fault: StaticString?) {
        guard let attempt else { return rest() }
        switch phase {
        case .over: connection = nil
        case .body: breakOff()
        case .head:
            if let fault { return fail(.protocolError(fault)) }
            let mayBeRepeated = interimHeads == 0 && (attempt.mayBeRepeated || !headIsSent)
            if mayBeRepeated, !attempt.wasReplaced, attempt.replayIsWhole { replace() } else { fail(.closed) }
        }
    }
}
