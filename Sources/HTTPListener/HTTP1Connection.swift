import ByteBuffers
import EventLoops
import HTTPMessage

/// HTTP/1 on a connection: reads requests one after the other, and writes their answers in order.
///
/// At most one request is in work; what a client sends ahead waits here, up to a bound, then in the system. An idle
/// connection owns no buffers: the exchange brings them, and goes back to the server when its answer is out.
final class HTTP1Connection: ExchangeChannel {
    let server: HTTPServer
    var mustClose = false
    var exchange: ServerExchange?
    var phase = Phase.head
    var outputIsBlocked = false

    private let parserCell: LoopCell<HTTP1RequestParser>
    var parser: HTTP1RequestParser {
        _read { yield parserCell.value }
        _modify { yield &parserCell.value }
    }
    var body = BodyDecoder()
    private let pendingCell = LoopCell(ByteBuffer())
    var pending: ByteBuffer {
        _read { yield pendingCell.value }
        _modify { yield &pendingCell.value }
    }
    var requests = 0
    var isProcessing = false
    /// Whether bytes follow, in the input that is being processed, behind what has been taken of it.
    var hasMoreInput = false
    var bodyIsPaused = false
    /// Whether the connection has gone over to another protocol: there are no messages any more.
    var isTunnel = false
    var headIsTimed = false
    /// Whether the exchange has been told of its request, so that it must be told of its end, too.
    var exchangeIsTold = false
    private var bodyIsChunked = false
    private var writingHasEnded = false
    /// Since when nothing is in work on it, or the head that has begun to come.
    var idleSince: UInt64

    /// What is read next.
    enum Phase {
        /// A request's head, or its first byte.
        case head
        /// The body of the request in work.
        case body
        /// Nothing, before the answer is out: what comes waits.
        case answer
        /// Nothing: what comes is thrown away until the client closes.
        case linger
        case closed
    }

    /// Pieces of at least this size go to the system from where they are, together with what was gathered before.
    private static let directWriteSize = 8_192

    override init(on connection: Connection) {
        server = connection.server
        parserCell = LoopCell(HTTP1RequestParser(limits: connection.server.limits.head))
        idleSince = connection.loop.now
        super.init(on: connection)
    }

    override var isOpen: Bool { phase != .closed && !writingHasEnded }

    // MARK: - Reading

    // MARK: - The request

    override func appendRequestTrailers(policy: FieldPolicy, to buffer: inout ByteBuffer) {
        guard body.chunks.trailers.fields.count > 0 else { return }
        ForwardingHeaders.appendTrailers(of: body.chunks.trailers, policy: policy, into: &buffer)
    }

    override func pauseBody() {
        guard phase == .body, !bodyIsPaused else { return }
        bodyIsPaused = true
        connection.readWithoutLimit()
        if !isProcessing { updateWatch() }
    }

    override func resumeBody() {
        guard bodyIsPaused else { return }
        bodyIsPaused = false
        limitBody()
        if isProcessing { return }
        if pending.isEmpty { updateWatch() } else { connection.loop.atEndOfTurn(resumption) }
    }

    private lazy var resumption = Resumption(self)

    private final class Resumption: DeferredWork {
        // The connection may end in the turn in which it puts this off.
        private weak var connection: HTTP1Connection?
        init(_ connection: HTTP1Connection) { self.connection = connection }
        override func run() { connection?.processPending() }
    }

    // MARK: - The answer

    override func sendContinue(_ exchange: ServerExchange) {
        exchange.output.append("HTTP/1.1 100 Continue\r\n\r\n")
        flush()
    }

    override func beginHead(_ exchange: ServerExchange, status: UInt16) {
        exchange.output.append("HTTP/1.1 ")
        exchange.output.appendDecimal(status)
        exchange.output.append(" ")
        exchange.output.append(StatusCode.reasonPhrase(status))
        exchange.output.append("\r\n")
    }

    override func endInterim(_ exchange: ServerExchange) {
        exchange.output.append("\r\n")
        flush()
    }

    override func endHead(_ exchange: ServerExchange, _ body: ResponseBody) {
        bodyIsChunked = false
        if body == .tunnel {
            beginTunnel(exchange)
            return
        }
        if body == .stream {
            if exchange.head.version == .http11 {
                bodyIsChunked = true
                exchange.output.append("Transfer-Encoding: chunked\r\n")
            } else {
                mustClose = true
            }
        }
        // A body that is not read to its end would be taken for the next request.
        if server.isDraining || phase != .answer { mustClose = true }
        if mustClose {
            exchange.output.append("Connection: close\r\n")
        } else if exchange.head.version == .http10 {
            exchange.output.append("Connection: keep-alive\r\n")
        }
        exchange.output.append("\r\n")
    }

    /// What the client sends from now on is passed on as it comes. The upstream's silence ends the tunnel, not the client's.
    private func beginTunnel(_ exchange: ServerExchange) {
        exchange.output.append("\r\n")
        isTunnel = true
        mustClose = true
        phase = .body
        self.body.begin(.untilClose)
        bodyIsPaused = false
        connection.readWithoutLimit()
        if !pending.isEmpty { connection.loop.atEndOfTurn(resumption) }
    }

    override func write(_ exchange: ServerExchange, _ bytes: Span<UInt8>) {
        if bodyIsChunked { exchange.output.appendChunkHeader(size: bytes.count) }
        if bytes.count >= Self.directWriteSize, isOpen {
            send(exchange, with: bytes)
        } else {
            exchange.output.append(bytes)
            if bodyIsChunked { exchange.output.append("\r\n") }
        }
    }

    override func responseEnded(_ exchange: ServerExchange, trailers: borrowing ByteBuffer) {
        if bodyIsChunked {
            exchange.output.append("0\r\n")
            exchange.output.append(trailers.span)
            exchange.output.append("\r\n")
        }
        flush()
    }

    override func responseAborted(_ exchange: ServerExchange) {
        flush()
        connection.reset()
    }

    override func flush() {
        guard phase != .closed, let exchange else { return }
        var hasMoved = false
        while !exchange.output.isEmpty {
            let result = exchange.output.withUnsafeBytes { connection.send($0) }
            guard case .bytes(let count) = result else {
                blocked(by: result, hasMoved)
                return
            }
            exchange.output.removeFirst(count)
            hasMoved = true
        }
        unblocked(exchange)
    }

    /// Sends what the exchange has written and `bytes` behind it, copying only what the system does not take.
    private func send(_ exchange: ServerExchange, with bytes: Span<UInt8>) {
        let lineEnd: StaticString = bodyIsChunked ? "\r\n" : ""
        let held = exchange.output.count
        // While output is held back by the client, trying again for each piece would be a call for nothing.
        let result =
            outputIsBlocked
            ? TransferResult.wouldBlock
            : exchange.output.withUnsafeBytes { first in
                bytes.withUnsafeBytes { second in
                    connection.send(
                        first, second,
                        // SAFETY: the text of a static string lives for ever.
                        UnsafeRawBufferPointer(start: lineEnd.utf8Start, count: lineEnd.utf8CodeUnitCount))
                }
            }
        var taken = 0
        if case .bytes(let count) = result { taken = count }
        exchange.output.removeFirst(min(taken, held))
        let ofBytes = min(max(taken - held, 0), bytes.count)
        exchange.output.append(bytes.extracting(ofBytes...))
        for index in max(taken - held - bytes.count, 0)..<max(lineEnd.utf8CodeUnitCount, 0) {
            exchange.output.append(lineEnd.utf8Start[index])
        }
        if exchange.output.isEmpty {
            unblocked(exchange)
        } else {
            blocked(by: result == .bytes(taken) ? .wouldBlock : result, taken > 0)
        }
    }

    private func blocked(by result: TransferResult, _ hasMoved: Bool) {
        guard case .wouldBlock = result else {
            connection.close()
            return
        }
        // Only what the client takes gives it more time: an upstream that goes on sending must not.
        if hasMoved || !outputIsBlocked {
            connection.limitWriting(to: server.limits.writeTimeout)
        }
        if !outputIsBlocked {
            outputIsBlocked = true
            updateWatch()
        }
        if let exchange, exchange.outputWasFull, exchange.output.count < ConnectionLimits.lowWater {
            exchange.outputWasFull = false
            exchange.downstreamWritable()
        }
    }

    private func unblocked(_ exchange: ServerExchange) {
        if outputIsBlocked {
            outputIsBlocked = false
            connection.writeWithoutLimit()
            updateWatch()
        }
        if exchange.outputWasFull {
            exchange.outputWasFull = false
            exchange.downstreamWritable()
        }
        tryFinish()
    }

    // MARK: - Ends

    /// Ends the exchange when its answer is out.
    func tryFinish() {
        guard let exchange, exchange.response == .ended, exchange.output.isEmpty else { return }
        finishExchange()
        if mustClose {
            endWriting()
            return
        }
        phase = .head
        idleSince = connection.loop.now
        connection.limitReading(to: server.limits.idleTimeout)
        if !isProcessing, !pending.isEmpty { connection.loop.atEndOfTurn(resumption) }
    }

    private func finishExchange() {
        guard let exchange else { return }
        self.exchange = nil
        if exchangeIsTold { exchange.finished() }
        exchangeIsTold = false
        exchange.reset()
        server.giveBack(exchange)
    }

    /// Says that no more answers come, and reads on until the client has seen it: closing at once with bytes unread would
    /// make the system throw away an answer that is still on its way (RFC 9112 §9.6).
    private func endWriting() {
        if phase == .answer, pending.isEmpty, !hasMoreInput, !connection.hasUnreadBytes {
            connection.close()
            return
        }
        phase = .linger
        writingHasEnded = true
        idleSince = connection.loop.now
        pending.removeAll(keeping: 0)
        connection.endWriting()
        connection.limitReading(to: ConnectionLimits.lingerTime)
        if !isProcessing { updateWatch() }
    }

    /// Ends the request in work because of something that its client did or did not do. Nothing that it sends from now
    /// on is read as a message; the exchange may still answer at once, and then the connection ends.
    func fail(_ failure: RequestFailure) {
        mustClose = true
        phase = .linger
        connection.readWithoutLimit()
        guard let exchange else {
            connection.close()
            return
        }
        exchangeIsTold = true
        exchange.requestFailed(failure)
        switch exchange.response {
        case .none: connection.close()
        case .head, .body: exchange.abortResponse()
        case .ended, .aborted: break
        }
    }

    /// The connection is closed; an exchange whose answer is not out is told that its client is gone.
    func connectionClosed() {
        phase = .closed
        if let exchange, exchangeIsTold, !(exchange.hasEnded && exchange.output.isEmpty) {
            exchange.requestFailed(.clientClosed)
        }
        finishExchange()
    }

    // MARK: - Times

    /// What is read next has not come in time.
    func readTimeIsOver() {
        switch phase {
        case .head where parser.hasBegun: fail(.headTimeout)
        case .body: fail(.bodyTimeout)
        case .head, .linger, .answer: connection.close()
        case .closed: break
        }
    }

    /// Closes a connection that waits for a request and has been silent for a while; told during a drain.
    func closeIfIdle(since now: UInt64) {
        if phase == .head, !parser.hasBegun, now &- idleSince >= ConnectionLimits.drainIdleTime { connection.close() }
        if writingHasEnded { connection.close() }
    }

    /// Since when it waits for a request, or for the rest of one's head; nil while there is one in work.
    var waitsSince: UInt64? { phase == .head || writingHasEnded ? idleSince : nil }

    /// The drain time is over: an answer that has not begun becomes 503, everything else is cut off.
    func drainTimeIsOver() {
        if phase == .body || phase == .answer { fail(.shuttingDown) }
    }
}
