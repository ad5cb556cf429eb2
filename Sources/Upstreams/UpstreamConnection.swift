import ByteBuffers
import EventLoops
import HTTPMessage

/// One HTTP/1.1 connection to an endpoint, opened by libcurl and framed by us: one request at a time, then the next.
///
/// It stays registered with the kernel from its opening to its end, also while nobody uses it: whatever happens to an
/// idle connection ends it at once, so that a closed one neither spins the loop nor gets a request.
final class UpstreamConnection: UpstreamTransport, LoopClient, SocketClient {
    private let stream: ConnectionStream
    private let pool: ConnectionPool
    private let loop: EventLoop
    /// When it began to be opened, in nanoseconds.
    private let openedSince: UInt64
    private let codecCell = LoopCell(HTTP1ClientCodec())
    private let outputCell = LoopCell(ByteBuffer())
    private let pendingCell = LoopCell(ByteBuffer())
    private var codec: HTTP1ClientCodec {
        _read { yield codecCell.value }
        _modify { yield &codecCell.value }
    }
    private var output: ByteBuffer {
        _read { yield outputCell.value }
        _modify { yield &outputCell.value }
    }
    private var pending: ByteBuffer {
        _read { yield pendingCell.value }
        _modify { yield &pendingCell.value }
    }
    private var attempt: UpstreamAttempt?
    private var poll: SocketPoll<UpstreamConnection>?
    private var timer: Deadline<UpstreamConnection>?
    private var later: LaterWork<UpstreamConnection>?
    private var requestIsWhole = false
    private var wasUsed = false
    private var isPaused = false
    private var isProcessing = false
    private var outputIsBlocked = false
    private var outputWasFull = false
    private var isClosed = false

    static let highWater = 65_536
    static let lowWater = 16_384
    private static let directWriteSize = 8_192
    /// Reads in one event, so that others get their turn.
    private static let readsPerEvent = 4

    /// nil when the loop cannot watch the socket; the stream is closed then.
    init?(_ stream: consuming ConnectionStream, pool: ConnectionPool, loop: EventLoop, openedSince: UInt64) {
        self.stream = stream
        self.pool = pool
        self.loop = loop
        self.openedSince = openedSince
        super.init()
        let poll = SocketPoll(self, loop: loop)
        do { try poll.open(self.stream.socket) } catch { return nil }
        self.poll = poll
        timer = Deadline(self, loop: loop)
        later = LaterWork(self)
        poll.watch(.readable)
    }

    /// The peer's address in numbers.
    var peer: String { stream.peer }

    /// Whether the peer has closed it without our knowing yet.
    func looksDead() -> Bool { stream.looksDead() }

    // MARK: - Requests

    /// Carries `attempt`: its head is written at once, and sent with what of the body follows in this turn.
    func begin(_ attempt: UpstreamAttempt) {
        self.attempt = attempt
        attempt.transport = self
        attempt.state = .active
        // Its first request begins when it is there.
        attempt.noteStart(on: wasUsed ? nil : (openedSince, .max))
        codec.expectAnswer(to: attempt.method, upgradeAsked: attempt.asksUpgrade)
        requestIsWhole = !attempt.framing.hasBody
        isPaused = false
        attempt.writeHead(into: &output)
        if attempt.wasReplaced { attempt.replayBody() } else { attempt.started() }
        guard self.attempt === attempt else { return }
        if requestIsWhole {
            flush()
        } else {
            timer?.schedule(after: attempt.timeouts.idle)
            flushLater()
        }
    }

    override var isFull: Bool { output.count >= Self.highWater }

    override var mayBeStale: Bool { wasUsed }

    override func send(_ bytes: Span<UInt8>) {
        guard let attempt, !isClosed else { return }
        let isChunked = attempt.framing == .chunked
        if isChunked { output.appendChunkHeader(size: bytes.count) }
        if bytes.count >= Self.directWriteSize, !outputIsBlocked {
            flush(with: bytes)
        } else {
            output.append(bytes)
        }
        if isClosed { return }
        if isChunked { output.append("\r\n") }
        if isFull { outputWasFull = true }
        timer?.schedule(after: attempt.timeouts.idle)
        flushLater()
    }

    override func endRequest() {
        guard let attempt, !isClosed else { return }
        if attempt.framing == .chunked {
            output.append("0\r\n")
            Self.append(attempt.requestTrailers, to: &output)
            output.append("\r\n")
        }
        requestIsWhole = true
        flush()
    }

    private static func append(_ lines: borrowing ByteBuffer, to output: inout ByteBuffer) { output.append(lines.span) }

    override func pause() {
        isPaused = true
        timer?.cancel()
        updateWatch()
    }

    override func resume() {
        guard isPaused, let attempt else { return }
        isPaused = false
        timer?.schedule(after: attempt.timeouts.idle)
        updateWatch()
        if !pending.isEmpty || stream.holdsBytes, let later { loop.atEndOfTurn(later) }
    }

    override func cancel() {
        attempt = nil
        close()
    }

    /// Only before anything of the answer has come: what has come is in the hands of the attempt.
    override func takesInAnswer(at endpoint: Endpoint) -> Bool {
        guard let attempt, !isClosed, requestIsWhole, output.isEmpty, !sendingFailed, !attempt.asksUpgrade,
            !codec.hasBegun, pending.isEmpty, !isPaused
        else { return false }
        let leftover = LeftoverAnswer(at: endpoint, loop: loop)
        guard pool.keep(leftover: leftover) else { return false }
        leftover.begin(on: self)
        self.attempt = leftover
        timer?.cancel()
        return true
    }

    // MARK: - Writing

    private func flushLater() {
        if let later { loop.atEndOfTurn(later) }
    }

    private func flush() {
        while !output.isEmpty, !isClosed {
            guard sent(output.withUnsafeBytes { stream.send($0) }) else { return }
        }
        wroteAll()
    }

    private func flush(with bytes: Span<UInt8>) {
        let held = output.count
        let result = output.withUnsafeBytes { first in bytes.withUnsafeBytes { stream.send(first, $0) } }
        guard case .bytes(let count) = result else {
            output.append(bytes)
            _ = sent(result)
            return
        }
        output.removeFirst(min(count, held))
        output.append(bytes.extracting(max(count - held, 0)...))
        if !output.isEmpty { flush() }
    }

    /// Notes what a send has brought; false when no more should be sent now.
    private func sent(_ result: TransferResult) -> Bool {
        switch result {
        case .bytes(let count):
            output.removeFirst(count)
            return true
        case .wouldBlock:
            if !outputIsBlocked {
                outputIsBlocked = true
                updateWatch()
            }
            return false
        case .ended, .failed:
            // The peer may have answered before it closed: what it said is read first.
            output.removeAll()
            requestIsWhole = false
            sendingFailed = true
            flushLater()
            return false
        }
    }

    private var sendingFailed = false

    private func wroteAll() {
        if outputIsBlocked {
            outputIsBlocked = false
            updateWatch()
        }
        if requestIsWhole, let attempt, !codec.hasBegun { timer?.schedule(after: attempt.timeouts.head) }
        if outputWasFull {
            outputWasFull = false
            attempt?.writable()
        }
    }

    // MARK: - Reading

    /// Something can be done with the socket.
    func ready(_ events: Poll.Events) {
        if events.contains(.writable) { flush() }
        if isClosed { return }
        if events.contains(.readable) { read() } else if events.contains(.disconnect), attempt == nil { close() }
    }

    /// What was put off to the end of the turn.
    func workLater() {
        if isClosed { return }
        if !pending.isEmpty, !isPaused { processPending() }
        if isClosed { return }
        if sendingFailed {
            read()
            if !isClosed, attempt != nil, !codec.hasBegun { ended() }
            return
        }
        if !output.isEmpty, !outputIsBlocked { flush() }
        if stream.holdsBytes, !isPaused, attempt != nil, !isClosed { read() }
    }

    private func read() {
        for _ in 0..<Self.readsPerEvent {
            if isPaused || isClosed { return }
            let result = loop.receive({ stream.receive(into: $0) }) { process($0) }
            switch result {
            case .bytes(let count):
                // A short read has emptied a plain socket; an encrypted one may hold another record.
                if !stream.holdsBytes, count < EventLoop.scratchSize { return }
            case .wouldBlock: return
            case .ended, .failed:
                ended()
                return
            }
        }
        if stream.holdsBytes { flushLater() }
    }

    private func processPending() {
        var waiting = ByteBuffer()
        swap(&waiting, &pending)
        process(waiting.span)
    }

    private func process(_ input: Span<UInt8>) {
        isProcessing = true
        var position = 0
        while position < input.count, !isClosed {
            guard let attempt else {
                // Nobody asked: such bytes could be taken for the next request's answer.
                close()
                break
            }
            if isPaused {
                pending.append(input.extracting(position...))
                break
            }
            switch codec.next(input.extracting(position...), head: &attempt.head) {
            case .needMore:
                position = input.count
            case .interim(let consumed):
                position += consumed
                attempt.interimReceived()
            case .head(let consumed, let isWhole):
                position += consumed
                timer?.schedule(after: attempt.timeouts.idle)
                if codec.isTunnel { beginTunnel(attempt) }
                attempt.deliverHead()
                if isWhole { finish(attempt, rest: input.count - position) }
            case .data(let range, let consumed, let isWhole):
                let piece = input.extracting(position...).slice(range)
                position += consumed
                timer?.schedule(after: attempt.timeouts.idle)
                attempt.bodyReceived(piece)
                if isWhole { finish(attempt, rest: input.count - position) }
            case .end(let consumed):
                position += consumed
                finish(attempt, rest: input.count - position)
            case .failed(let detail):
                fail(codec.hasPassedHead ? .truncated : .protocolError(detail))
            }
        }
        isProcessing = false
        if let attempt, codec.isBusy, codec.hasPassedHead { attempt.piecesEnded() }
    }

    /// The request goes on in another protocol, whose end only closing the connection tells.
    private func beginTunnel(_ attempt: UpstreamAttempt) {
        requestIsWhole = false
        attempt.beginTunnel()
    }

    private func updateWatch() {
        guard let poll, !isClosed else { return }
        var events: Poll.Events = outputIsBlocked ? .writable : []
        if !isPaused { events.insert(.readable) }
        poll.watch(events)
    }

    // MARK: - Ends

    /// The answer is whole. `rest` bytes behind it belong to nothing.
    private func finish(_ attempt: UpstreamAttempt, rest: Int) {
        guard self.attempt === attempt else { return }
        self.attempt = nil
        codec.appendTrailers(to: &attempt.trailers)
        let isReusable =
            attempt.head.keepsAlive && requestIsWhole && output.isEmpty && pending.isEmpty && rest == 0 && !isClosed
        attempt.finish()
        wasUsed = true
        if isPaused {
            // The attempt paused at its last piece: the connection is watched again, for the next one and for its end.
            isPaused = false
            updateWatch()
        }
        if isReusable { pool.release(self) } else { close() }
        attempt.ended()
    }

    /// The peer has closed the connection.
    private func ended() {
        guard let attempt else {
            close()
            return
        }
        if codec.finishAtClose() {
            finish(attempt, rest: 0)
            return
        }
        if !codec.hasBegun, wasUsed, !attempt.wasReplaced, attempt.mayBeRepeated, attempt.replayIsWhole {
            replace(attempt)
            return
        }
        fail(codec.hasPassedHead ? .truncated : .closed)
    }

    /// The connection had been closed before our request reached anybody: another one takes the request over, once.
    private func replace(_ attempt: UpstreamAttempt) {
        self.attempt = nil
        attempt.wasReplaced = true
        attempt.state = .waiting
        attempt.transport = nil
        close()
        pool.start(attempt, fresh: true)
    }

    private func fail(_ failure: UpstreamFailure) {
        let failed = attempt
        attempt = nil
        close()
        failed?.fail(failure)
    }

    /// Waits for the next request for at most `milliseconds`.
    func rest(for milliseconds: UInt64) { timer?.schedule(after: milliseconds) }

    /// What the connection waits for has not come in time.
    func timeIsOver() {
        guard attempt != nil else {
            close()
            return
        }
        // A tunnel that has fallen silent has no end that could be missing.
        if codec.isTunnel { return ended() }
        attempt?.fellSilent = codec.hasPassedHead
        fail(codec.hasPassedHead ? .truncated : .timeout)
    }

    /// Closes the connection. An attempt on it must have been taken care of.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        poll?.release()
        poll = nil
        timer?.cancel()
        timer = nil
        pool.idleEnded(self)
        pool.gone()
    }
}
