package import ByteBuffers
package import EventLoops
import Glibc
package import HTTPMessage

/// One HTTP/1 connection of a client: reads requests one after the other, and writes their answers in order.
///
/// At most one request is in work; what a client sends ahead waits here, up to a bound, then in the system. An idle
/// connection owns no buffers: the exchange brings them, and goes back to the server when its answer is out.
package final class HTTP1Connection: Poll {
    package unowned let server: HTTPServer
    /// The client's end.
    package let peer: PeerAddress
    /// Which of the configured listeners accepted it.
    package let listenerIndex: Int
    var slot = -1
    var mustClose = false
    var awaitsContinue = false

    private var descriptor: Descriptor
    private var exchange: ServerExchange?
    private var parser: HTTP1RequestParser
    private var body = BodyDecoder()
    private var pending = ByteBuffer()
    private var phase = Phase.head
    private var requests = 0
    private var isProcessing = false
    /// Whether bytes follow, in the input that is being processed, behind what has been taken of it.
    private var hasMoreInput = false
    private var bodyIsPaused = false
    private var headIsTimed = false
    /// Whether the exchange has been told of its request, so that it must be told of its end, too.
    private var exchangeIsTold = false
    private var outputIsBlocked = false
    private var writingHasEnded = false
    private var idleSince: UInt64
    private var readTimer: ConnectionTimer?
    private var writeTimer: ConnectionTimer?

    /// What is read next.
    private enum Phase {
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
    static let directWriteSize = 8_192

    init(server: HTTPServer, descriptor: consuming Descriptor, peer: PeerAddress, listener: Int) {
        self.server = server
        self.descriptor = descriptor
        self.peer = peer
        listenerIndex = listener
        parser = HTTP1RequestParser(limits: server.limits.head)
        idleSince = server.loop.now
        super.init(loop: server.loop)
    }

    func start() {
        let timer = ConnectionTimer(self, .read)
        readTimer = timer
        do {
            try open(descriptor.number)
        } catch {
            close()
            return
        }
        timer.schedule(after: server.limits.headTimeout)
        watch(.readable)
    }

    /// Whether the client can still be written to.
    package var isOpen: Bool { phase != .closed && !writingHasEnded }

    // MARK: - Reading

    public override func ready(_ events: Events) {
        if events.contains(.writable) { flush() }
        if phase == .closed { return }
        if events.contains(.readable), watched.contains(.readable) {
            read()
        } else if events.contains(.disconnect) {
            close()
        }
    }

    private func read() {
        let number = descriptor.number
        let result = loop.receive({ Descriptor.receive(number, into: $0) }) { input in
            if pending.isEmpty || phase == .linger {
                process(input)
            } else {
                // What waits goes first, also in the turn in which an answer has ended and it is not taken up yet.
                pending.append(input)
                updateWatch()
            }
        }
        switch result {
        case .bytes, .wouldBlock: break
        case .ended, .failed: close()
        }
    }

    /// Takes input through as many requests as it holds and can be begun.
    private func process(_ input: Span<UInt8>) {
        isProcessing = true
        var position = 0
        reading: while position < input.count {
            switch phase {
            case .head: position += readHead(input.extracting(position...))
            case .body where !bodyIsPaused: position += readBody(input.extracting(position...))
            case .linger: position = input.count
            case .closed: break reading
            case .body, .answer:
                pending.append(input.extracting(position...))
                break reading
            }
        }
        isProcessing = false
        hasMoreInput = false
        updateWatch()
    }

    /// Goes on with what waited. Requests that are answered at once are taken in a loop, never by recursion.
    private func processPending() {
        while !isProcessing, !pending.isEmpty, phase == .head || (phase == .body && !bodyIsPaused) {
            var waiting = ByteBuffer()
            swap(&waiting, &pending)
            process(waiting.span)
        }
        updateWatch()
    }

    private func readHead(_ input: Span<UInt8>) -> Int {
        let exchange = exchangeForHead()
        switch parser.consume(input, into: &exchange.head) {
        case .incomplete:
            if parser.hasBegun, !headIsTimed {
                headIsTimed = true
                if requests > 0 { readTimer?.schedule(after: server.limits.headTimeout) }
            }
            return input.count
        case .complete(let consumed):
            hasMoreInput = consumed < input.count
            begin(exchange)
            return consumed
        case .failed(let error):
            exchange.refusal = error
            fail(.refused)
            return input.count
        }
    }

    private func exchangeForHead() -> ServerExchange {
        if let exchange { return exchange }
        let fresh = server.takeExchange()
        fresh.prepare(on: self, at: EventLoop.nanoseconds)
        exchange = fresh
        return fresh
    }

    private func begin(_ exchange: ServerExchange) {
        requests += 1
        headIsTimed = false
        mustClose = !exchange.head.keepsAlive || requests >= server.limits.requestsPerConnection
        let framing = exchange.head.framing
        if framing == .none || framing == .length(0) {
            phase = .answer
            readTimer?.cancel()
        } else {
            phase = .body
            body.begin(framing)
            awaitsContinue = exchange.head.expectsContinue
            bodyIsPaused = false
            readTimer?.schedule(after: server.limits.bodyTimeout)
        }
        exchangeIsTold = true
        exchange.headReceived()
    }

    private func readBody(_ input: Span<UInt8>) -> Int {
        guard let exchange else { return input.count }
        awaitsContinue = false
        switch body.next(input) {
        case .data(let range, let consumed):
            exchange.bytesReceived &+= UInt64(range.count)
            if exchange.bytesReceived > exchange.bodyLimit {
                fail(.bodyTooLarge)
                return input.count
            }
            readTimer?.schedule(after: server.limits.bodyTimeout)
            hasMoreInput = consumed < input.count
            exchange.bodyReceived(input.slice(range))
            if body.isComplete { endBody(exchange) }
            return consumed
        case .needMore(let consumed):
            return consumed
        case .end(let consumed):
            hasMoreInput = consumed < input.count
            endBody(exchange)
            return consumed
        case .failed(let detail):
            exchange.refusal = .badRequest(detail)
            fail(.badBody)
            return input.count
        }
    }

    private func endBody(_ exchange: ServerExchange) {
        guard phase == .body else { return }
        phase = .answer
        readTimer?.cancel()
        exchange.bodyEnded()
    }

    /// Appends the trailer lines of the request's body that may be passed on; to be called in ``ServerExchange/bodyEnded()``.
    package func appendRequestTrailers(policy: FieldPolicy, to buffer: inout ByteBuffer) {
        guard body.chunks.trailers.fields.count > 0 else { return }
        ForwardingHeaders.appendTrailers(of: body.chunks.trailers, policy: policy, into: &buffer)
    }

    /// Stops reading the body of the request in work.
    func pauseBody() {
        guard phase == .body, !bodyIsPaused else { return }
        bodyIsPaused = true
        readTimer?.cancel()
        if !isProcessing { updateWatch() }
    }

    /// Goes on reading it. What waited is delivered at the end of the loop turn at the latest, never from inside the call.
    func resumeBody() {
        guard bodyIsPaused else { return }
        bodyIsPaused = false
        readTimer?.schedule(after: server.limits.bodyTimeout)
        if isProcessing { return }
        if pending.isEmpty { updateWatch() } else { loop.atEndOfTurn(resumption) }
    }

    private lazy var resumption = Resumption(self)

    private final class Resumption: DeferredWork {
        // The connection may end in the turn in which it puts this off.
        private weak var connection: HTTP1Connection?
        init(_ connection: HTTP1Connection) { self.connection = connection }
        override func run() { connection?.processPending() }
    }

    private func updateWatch() {
        if phase == .closed { return }
        var events: Events = outputIsBlocked ? .writable : []
        let isFull = pending.count >= ConnectionLimits.pipelineBytes || (phase == .body && bodyIsPaused)
        events.insert(isFull ? .disconnect : .readable)
        watch(events)
    }

    // MARK: - Writing

    /// Sends what the exchange has written.
    func flush() {
        guard phase != .closed, let exchange else { return }
        while !exchange.output.isEmpty {
            let number = descriptor.number
            let result = exchange.output.withUnsafeBytes { Descriptor.send(number, $0) }
            guard case .bytes(let count) = result else {
                blocked(by: result)
                return
            }
            exchange.output.removeFirst(count)
        }
        unblocked(exchange)
    }

    /// Sends what the exchange has written and `bytes` behind it, copying only what the system does not take.
    func flush(with bytes: Span<UInt8>, chunkEnd: Bool) {
        guard let exchange else { return }
        let number = descriptor.number
        let lineEnd: StaticString = chunkEnd ? "\r\n" : ""
        let held = exchange.output.count
        // While output is held back by the client, trying again for each piece would be a call for nothing.
        let result =
            outputIsBlocked
            ? TransferResult.wouldBlock
            : exchange.output.withUnsafeBytes { first in
                bytes.withUnsafeBytes { second in
                    Descriptor.send(
                        number, first, second,
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
            blocked(by: result == .bytes(taken) ? .wouldBlock : result)
        }
    }

    private func blocked(by result: TransferResult) {
        guard case .wouldBlock = result else {
            close()
            return
        }
        if !outputIsBlocked {
            outputIsBlocked = true
            updateWatch()
        }
        let timer = writeTimer ?? ConnectionTimer(self, .write)
        writeTimer = timer
        timer.schedule(after: server.limits.writeTimeout)
        if let exchange, exchange.outputWasFull, exchange.output.count < ConnectionLimits.lowWater {
            exchange.outputWasFull = false
            exchange.downstreamWritable()
        }
    }

    private func unblocked(_ exchange: ServerExchange) {
        if outputIsBlocked {
            outputIsBlocked = false
            writeTimer?.cancel()
            updateWatch()
        }
        if exchange.outputWasFull {
            exchange.outputWasFull = false
            exchange.downstreamWritable()
        }
        tryFinish()
    }

    /// Decides, when the answer's head is written, whether another request may follow on this connection.
    func decidePersistence() {
        // A body that is not read to its end would be taken for the next request.
        if server.isDraining || phase != .answer { mustClose = true }
    }

    func responseEnded() { flush() }

    func responseAborted() {
        flush()
        guard phase != .closed else { return }
        // A plain close would look like the regular end of a body that has no length: a reset cannot be mistaken.
        var hard = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor.number, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    // MARK: - Ends

    /// Ends the exchange when its answer is out.
    private func tryFinish() {
        guard let exchange, exchange.response == .ended, exchange.output.isEmpty else { return }
        finishExchange()
        if mustClose {
            endWriting()
            return
        }
        phase = .head
        idleSince = loop.now
        readTimer?.schedule(after: server.limits.idleTimeout)
        if !isProcessing, !pending.isEmpty { loop.atEndOfTurn(resumption) }
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
        if phase == .answer, pending.isEmpty, !hasMoreInput, !hasUnreadBytes {
            close()
            return
        }
        phase = .linger
        writingHasEnded = true
        pending.removeAll(keeping: 0)
        shutdown(descriptor.number, CInt(SHUT_WR))
        readTimer?.schedule(after: ConnectionLimits.lingerTime)
        if !isProcessing { updateWatch() }
    }

    /// Whether the client has sent what the system still holds.
    private var hasUnreadBytes: Bool {
        var byte: UInt8 = 0
        return recv(descriptor.number, &byte, 1, CInt(MSG_PEEK | MSG_DONTWAIT)) > 0
    }

    /// Ends the request in work because of something that its client did or did not do. Nothing that it sends from now
    /// on is read as a message; the exchange may still answer at once, and then the connection ends.
    private func fail(_ failure: RequestFailure) {
        mustClose = true
        phase = .linger
        readTimer?.cancel()
        guard let exchange else {
            close()
            return
        }
        exchangeIsTold = true
        exchange.requestFailed(failure)
        switch exchange.response {
        case .none: close()
        case .head, .body: exchange.abortResponse()
        case .ended, .aborted: break
        }
    }

    /// Closes the connection, whatever it is doing; an exchange whose answer is not out is told that its client is gone.
    package func close() {
        guard phase != .closed else { return }
        phase = .closed
        release()
        readTimer?.cancel()
        writeTimer?.cancel()
        if let exchange, exchangeIsTold, !(exchange.hasEnded && exchange.output.isEmpty) {
            exchange.requestFailed(.clientClosed)
        }
        finishExchange()
        descriptor = Descriptor(owning: -1)
        server.closed(self)
    }

    // MARK: - Times

    fileprivate func timeIsOver(_ kind: ConnectionTimer.Kind) {
        if kind == .write {
            close()
            return
        }
        switch phase {
        case .head where parser.hasBegun: fail(.headTimeout)
        case .body: fail(.bodyTimeout)
        case .head, .linger, .answer: close()
        case .closed: break
        }
    }

    /// Closes a connection that waits for a request and has been silent for a while; told during a drain.
    func closeIfIdle(since now: UInt64) {
        if phase == .head, !parser.hasBegun, now &- idleSince >= ConnectionLimits.drainIdleTime { close() }
        if writingHasEnded { close() }
    }

    /// The drain time is over: an answer that has not begun becomes 503, everything else is cut off.
    func drainTimeIsOver() {
        if phase == .body || phase == .answer { fail(.shuttingDown) }
    }
}

/// A deadline of a connection.
private final class ConnectionTimer: EventLoops.Timer {
    enum Kind { case read, write }

    private unowned let connection: HTTP1Connection
    private let kind: Kind

    init(_ connection: HTTP1Connection, _ kind: Kind) {
        self.connection = connection
        self.kind = kind
        super.init(loop: connection.loop)
    }

    override func fire() { connection.timeIsOver(kind) }
}
