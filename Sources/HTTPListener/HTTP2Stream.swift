import ByteBuffers
import EventLoops
import HTTP2Framing
import HTTPMessage

/// One request and its answer on an HTTP/2 connection. Used again for other streams of the same connection.
final class HTTP2Stream: ExchangeChannel {
    unowned let http2: HTTP2Connection
    /// The stream's number; 0 while it is none.
    private(set) var id: Int32 = 0
    /// Its place in the connection's list.
    var slot = -1
    private(set) var exchange: ServerExchange?
    /// Whether the exchange has been told of its request, so that it must be told of its end, too.
    private(set) var exchangeIsTold = false
    private(set) var phase = Phase.head

    /// Bytes of the body that wait: while the exchange has paused it, and before it is known to be whole.
    private var pending: ByteBuffer {
        _read { yield pendingCell.value }
        _modify { yield &pendingCell.value }
    }
    private let pendingCell = LoopCell(ByteBuffer())
    private var bodyIsPaused = false
    /// Bytes of the body as the head declares them.
    private var declaredLength: UInt64?
    private var received: UInt64 = 0
    /// Whether the client has ended its side.
    private(set) var hasEndStream = false
    var trailers: TrailerSection {
        _read { yield trailersCell.value }
        _modify { yield &trailersCell.value }
    }
    private let trailersCell = LoopCell(TrailerSection())
    var trailerFault: StaticString?

    /// Whether the stream is being reset: nothing more is read or written.
    private(set) var isReset = false
    var answer: Answer {
        _read { yield answerCell.value }
        _modify { yield &answerCell.value }
    }
    private let answerCell = LoopCell(Answer())
    private var readTimer: HTTP2StreamTimer?
    private var writeTimer: HTTP2StreamTimer?

    /// What is read next.
    enum Phase {
        case head
        case body
        /// Nothing: the request is whole, or its rest is not wanted.
        case over
    }

    init(of http2: HTTP2Connection) {
        self.http2 = http2
        super.init(on: http2.connection)
    }

    /// Whether its request has come as far as to its exchange, and the answer is not all out.
    var hasRequest: Bool { exchangeIsTold }

    /// Whether the exchange still works for the request.
    var isInWork: Bool {
        guard exchangeIsTold, let exchange else { return false }
        return !exchange.hasEnded
    }

    override var isOpen: Bool { id != 0 && !isReset && !connection.isClosed }

    // MARK: - Life

    /// Begins with the stream `id`.
    func open(_ id: Int32, _ exchange: ServerExchange) {
        self.id = id
        self.exchange = exchange
        exchange.prepare(on: self, at: EventLoop.nanoseconds)
    }

    /// The head is whole and may be answered.
    func begin(endsStream: Bool, declaredLength: UInt64?) {
        guard let exchange else { return }
        hasEndStream = endsStream
        self.declaredLength = declaredLength
        phase = endsStream ? .over : .body
        if !endsStream {
            limitReading()
            // A body of no bytes is whole, for the upstream, with the head: its end is waited for.
            if declaredLength == 0 { return }
            awaitsContinue = exchange.head.expectsContinue
        }
        exchangeIsTold = true
        exchange.headReceived()
    }

    /// The head is refused as it would be in HTTP/1.1: with an answer.
    func refuse(endsStream: Bool) {
        hasEndStream = endsStream
        fail(.refused)
    }

    /// The stream is closed. The exchange is told of its end, and of a client that did not wait for it.
    func closed() {
        guard let exchange else { return }
        http2.consumed(pending.count, of: 0)
        let isCut = exchangeIsTold && !(exchange.hasEnded && (exchange.output.isEmpty || exchange.response == .aborted))
        isReset = true
        if isCut { exchange.requestFailed(.clientClosed) }
        if exchangeIsTold { exchange.finished() }
        self.exchange = nil
        exchange.reset()
        http2.server.giveBack(exchange)
        forget()
    }

    private func forget() {
        id = 0
        exchangeIsTold = false
        phase = .head
        pending.removeAll(keeping: 16_384)
        bodyIsPaused = false
        declaredLength = nil
        received = 0
        hasEndStream = false
        trailers.removeAll()
        trailerFault = nil
        isReset = false
        awaitsContinue = false
        answer.forget()
        readTimer?.cancel()
        writeTimer?.cancel()
    }

    /// Resets the stream with `code`, whatever has been sent.
    func reset(_ code: HTTP2ErrorCode) {
        guard id != 0, !isReset else { return }
        isReset = true
        phase = .over
        readTimer?.cancel()
        writeTimer?.cancel()
        http2.reset(id, code)
    }

    /// The request is no message of HTTP/2: the stream is reset, and what was begun for it is stopped.
    func malformed(_ detail: StaticString) {
        reset(.protocolError)
        guard exchangeIsTold, let exchange, !exchange.hasEnded else { return }
        http2.workWasAbandoned()
        exchange.refusal = .badRequest(detail)
        exchange.requestFailed(.badBody)
        if !exchange.hasEnded { exchange.abortResponse() }
    }

    /// Ends the request because of something that its client did or did not do. Its rest is thrown away; the exchange
    /// may still answer at once.
    func fail(_ failure: RequestFailure) {
        guard let exchange, !isReset else { return }
        phase = .over
        readTimer?.cancel()
        exchangeIsTold = true
        exchange.requestFailed(failure)
        switch exchange.response {
        case .none: reset(.internalError)
        case .head, .body: exchange.abortResponse()
        case .ended, .aborted: break
        }
    }

    // MARK: - The request

    /// Takes a piece of the body.
    func dataReceived(_ bytes: Span<UInt8>) {
        guard phase == .body, let exchange, !exchange.hasEnded else {
            http2.consumed(bytes.count, of: id)
            return
        }
        awaitsContinue = false
        received &+= UInt64(bytes.count)
        if let declaredLength, received > declaredLength {
            http2.consumed(bytes.count, of: id)
            malformed("the body is longer than Content-Length")
            return
        }
        exchange.bytesReceived = received
        if received > exchange.bodyLimit {
            http2.consumed(bytes.count, of: id)
            fail(.bodyTooLarge)
            return
        }
        // The piece that would make the body whole waits for the frame that says that it is: until then the upstream
        // must not see a complete request.
        if bodyIsPaused || !pending.isEmpty || received == declaredLength {
            pending.append(bytes)
        } else {
            exchange.bodyReceived(bytes)
            http2.consumed(bytes.count, of: id)
        }
        if !bodyIsPaused, phase == .body { limitReading() }
    }

    /// The client has ended its side.
    func requestEnded() {
        hasEndStream = true
        guard phase == .body else { return }
        if let exchange, exchange.hasEnded {
            // The answer did not wait for the body, which was not counted: it is not taken back for that.
            phase = .over
            readTimer?.cancel()
            return
        }
        if let declaredLength, received < declaredLength {
            malformed("the body is shorter than Content-Length")
            return
        }
        if let trailerFault {
            malformed(trailerFault)
            return
        }
        readTimer?.cancel()
        if declaredLength == 0 {
            phase = .over
            exchangeIsTold = true
            exchange?.headReceived()
        } else {
            deliver()
        }
    }

    /// Hands on what waited.
    func deliver() {
        guard phase == .body, !bodyIsPaused, let exchange else { return }
        if !pending.isEmpty, hasEndStream || received != declaredLength {
            var waiting = ByteBuffer()
            swap(&waiting, &pending)
            exchange.bodyReceived(waiting.span)
            http2.consumed(waiting.count, of: id)
            waiting.removeAll(keeping: 16_384)
            swap(&waiting, &pending)
        }
        guard hasEndStream, phase == .body else { return }
        phase = .over
        exchange.bodyEnded()
    }

    override func appendRequestTrailers(policy: FieldPolicy, to buffer: inout ByteBuffer) {
        guard trailers.fields.count > 0 else { return }
        ForwardingHeaders.appendTrailers(of: trailers, policy: policy, into: &buffer)
    }

    override func pauseBody() {
        guard phase == .body else { return }
        bodyIsPaused = true
        readTimer?.cancel()
    }

    override func resumeBody() {
        guard bodyIsPaused else { return }
        bodyIsPaused = false
        guard phase == .body else { return }
        if !hasEndStream { limitReading() }
        if !pending.isEmpty || hasEndStream { http2.deliverLater(self) }
    }

    // MARK: - Times

    private func limitReading() {
        let timer = readTimer ?? HTTP2StreamTimer(self, .read)
        readTimer = timer
        timer.schedule(after: http2.server.limits.bodyTimeout)
    }

    /// Bounds how long the client may take nothing of what is written.
    func limitWriting(anew: Bool) {
        let timer = writeTimer ?? HTTP2StreamTimer(self, .write)
        writeTimer = timer
        if anew || !timer.isScheduled { timer.schedule(after: http2.server.limits.writeTimeout) }
    }

    /// Takes that bound away.
    func writeWithoutLimit() { writeTimer?.cancel() }

    fileprivate func timeIsOver(_ kind: HTTP2StreamTimer.Kind) {
        switch kind {
        case .read: fail(.bodyTimeout)
        // While the system takes nothing, the stream cannot go on, whatever its client does: the connection's own bound
        // says when that has lasted too long.
        case .write where http2.outputIsBlocked: limitWriting(anew: true)
        case .write: reset(.cancel)
        }
        http2.sendLater()
    }

    // MARK: - The answer

    override func sendContinue(_ exchange: ServerExchange) {
        exchange.output.append("100")
        endInterim(exchange)
    }

    override func beginHead(_ exchange: ServerExchange, status: UInt16) { exchange.output.appendDecimal(status) }

    override func endInterim(_ exchange: ServerExchange) {
        if isOpen { http2.submitInterim(self, exchange) }
        exchange.output.removeAll()
    }

    override func endHead(_ exchange: ServerExchange, _ body: ResponseBody) {
        switch body {
        case .none, .length(0): answer.state = .headIsHeld
        // Nobody goes over to another protocol here (RFC 9113 §8.6), so a tunnel is a stream like others.
        case .length, .stream, .tunnel:
            if isOpen { http2.submitHead(self, exchange, hasBody: true) }
            exchange.output.removeAll()
            answer.state = .submitted
        }
    }

    override func write(_ exchange: ServerExchange, _ bytes: Span<UInt8>) { exchange.output.append(bytes) }

    override func flush() {
        guard answer.state == .submitted, isOpen else { return }
        if answer.isDeferred {
            answer.isDeferred = false
            http2.resume(id)
        }
        limitWriting(anew: false)
        http2.sendLater()
    }

    override func responseEnded(_ exchange: ServerExchange, trailers: borrowing ByteBuffer) {
        if answer.state == .headIsHeld {
            // An answer without a body ends with its head, in one frame.
            if isOpen { http2.submitHead(self, exchange, hasBody: false) }
            exchange.output.removeAll()
            answer.state = .submitted
            return
        }
        if exchange.bodyMode == .stream, !trailers.isEmpty { answer.trailers.append(trailers.span) }
        flush()
    }

    override func responseAborted(_ exchange: ServerExchange) { reset(.internalError) }
}

/// A deadline of a stream.
private final class HTTP2StreamTimer: EventLoops.Timer {
    enum Kind { case read, write }

    private unowned let stream: HTTP2Stream
    private let kind: Kind

    init(_ stream: HTTP2Stream, _ kind: Kind) {
        self.stream = stream
        self.kind = kind
        super.init(loop: stream.connection.loop)
    }

    override func fire() { stream.timeIsOver(kind) }
}
