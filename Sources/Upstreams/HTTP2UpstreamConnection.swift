import ByteBuffers
import EventLoops
import HTTP2Framing
import HTTPMessage

/// One HTTP/2 connection to an endpoint, opened by libcurl and framed by nghttp2: many requests at a time.
///
/// It stays registered with the kernel from its opening to its end, and is always read: what a paused request has no
/// room for is bounded by the window of its stream, so that nobody holds up the others. What is ready to be sent at the
/// end of a turn of the loop goes out with one call to the system.
final class HTTP2UpstreamConnection: HTTP2Session, LoopClient, SocketClient {
    private let stream: ConnectionStream
    private let pool: HTTP2UpstreamPool
    private let loop: EventLoop
    /// What the connection was opened for, until the server's SETTINGS have come.
    var opening: HTTP2Opening?
    private var poll: SocketPoll<HTTP2UpstreamConnection>?
    private var timer: Deadline<HTTP2UpstreamConnection>?
    private var later: LaterWork<HTTP2UpstreamConnection>?
    var scanner = HTTP2FrameScanner(of: .server)
    var parser = HTTP2ResponseParser()
    var budget = HTTP2Budget(of: .server)
    /// Streams that nghttp2 has not closed, in no order.
    private var streams: [HTTP2UpstreamStream] = []
    /// Streams that pieces have come for in the input under way.
    private var touched: [HTTP2UpstreamStream] = []
    /// Streams whose output has fallen below the low-water mark.
    private var drained: [HTTP2UpstreamStream] = []
    /// The stream whose header block is being read, and what the block is.
    var blockStream: HTTP2UpstreamStream?
    var blockIsTrailers = false
    private var output = ByteBuffer()
    private var outputIsBlocked = false
    private var wasUsed = false
    private var takesNoMore = false
    private var isClosed = false
    var fault: StaticString?
    private var heardAt: UInt64 = 0
    /// When it began to be opened, and when it could take requests, in nanoseconds.
    private var openedAt: (began: UInt64, established: UInt64) = (0, 0)
    var hasHeardFrame = false
    /// Whether there may be input that the socket does not tell of.
    private var mustRead = false
    /// Noted by the pool: whether it is among those with room.
    var isListed = false

    private static let brokenRules: StaticString = "the server breaks the rules of HTTP/2"
    /// Requests that one connection carries at a time, where its peer does not want fewer.
    static let mostStreams = 100
    /// Bytes that one stream may have under way, and all of them: the second is opened again as bytes come, so that what
    /// waits for one stream takes nothing from the others.
    private static let streamWindow: UInt32 = 131_072
    private static let connectionWindow: Int32 = 1_048_576
    /// Output that is gathered for one call to the system.
    private static let gatherBytes = 65_536
    /// Reads in one event, so that others get their turn.
    private static let readsPerEvent = 4

    /// nil when the loop cannot watch the socket, or there is no memory; the stream is closed then.
    init?(_ stream: consuming ConnectionStream, pool: HTTP2UpstreamPool, opening: HTTP2Opening) {
        self.stream = stream
        self.pool = pool
        self.opening = opening
        loop = pool.loop
        super.init(pool.callbacks)
        let poll = SocketPoll(self, loop: loop)
        do { try poll.open(self.stream.socket) } catch { return nil }
        self.poll = poll
        timer = Deadline(self, loop: loop)
        later = LaterWork(self)
    }

    /// The peer's address in numbers.
    var peer: String { stream.peer }

    /// Whether the peer has closed it, or said something, without our knowing yet.
    func looksDead() -> Bool { stream.looksDead() }

    // MARK: - Requests

    /// How many requests it takes at a time.
    var capacity: Int { min(Int(mostStreams), Self.mostStreams) }

    /// Whether it can take another request.
    var hasRoom: Bool { opening == nil && !takesNoMore && !isClosed && streams.count < capacity }

    /// Whether its peer may have closed it for having no request.
    var mayBeStale: Bool { streams.isEmpty && wasUsed }

    /// Whether no request is on it.
    var isIdle: Bool { streams.isEmpty }

    /// Announces ourselves, and waits for the server to do so, too.
    func greet(until deadline: UInt64) {
        submit(
            [
                HTTP2Setting(.enablePush, 0), HTTP2Setting(.initialWindowSize, Self.streamWindow),
                HTTP2Setting(.maxHeaderListSize, UInt32(clamping: HeadLimits.upstream.head)),
            ], connectionWindow: Self.connectionWindow)
        timer?.schedule(at: deadline)
        poll?.watch(.readable)
        workLater()
    }

    /// Carries `attempt`: its head is sent at the end of the turn, with what of the body has come by then.
    func begin(_ attempt: UpstreamAttempt) {
        timer?.cancel()
        wasUsed = true
        let stream = pool.takeStream()
        attempt.transport = stream
        attempt.state = .active
        attempt.noteStart(on: openedAt)
        pool.head.removeAll(keeping: Self.gatherBytes)
        attempt.writeHead(into: &pool.head)
        let object = Unmanaged.passUnretained(stream).toOpaque()
        let hasBody = attempt.framing.hasBody
        let id = pool.fieldList.readRequest(&pool.head, isSecure: pool.address.isSecure) {
            submitRequest($0, hasBody: hasBody, object: object)
        }
        guard let id = id ?? nil else {
            refuse(attempt, stream, isNoHead: id == nil)
            return
        }
        stream.slot = streams.count
        streams.append(stream)
        budget.requestBegan()
        stream.open(id, attempt, on: self)
        sendLater()
    }

    private func refuse(_ attempt: UpstreamAttempt, _ stream: HTTP2UpstreamStream, isNoHead: Bool) {
        attempt.transport = nil
        pool.keep(stream)
        if isNoHead {
            attempt.fail(.protocolError("the request's head cannot be sent"))
        } else {
            // The connection has used up its streams.
            attempt.state = .waiting
            takeNoMore()
            pool.start(attempt, fresh: true)
        }
        sendLater()
    }

    /// Takes no more requests; it is closed when those that it has are over.
    func takeNoMore() {
        takesNoMore = true
        sendLater()
    }

    /// A request has waited in vain since `start`. A connection that has been silent all that time may be dead.
    func waitedInVain(since start: UInt64) { if heardAt <= start { takeNoMore() } }

    // MARK: - What streams ask for

    /// Resets the stream `id`.
    func reset(_ id: Int32, _ code: HTTP2ErrorCode) {
        submitReset(id, code)
        sendLater()
    }

    /// So many bytes of a stream have been handed on.
    func consumed(_ count: Int, of id: Int32) {
        consumeOfStream(count, id)
        sendLater()
    }

    /// There are bytes again for a stream that had none.
    func resume(_ id: Int32) {
        resumeBody(of: id)
        sendLater()
    }

    /// Sends trailers behind a request's body; false when there is nothing in them that may be sent.
    func submitTrailers(of attempt: UpstreamAttempt, _ id: Int32) -> Bool {
        pool.fieldList.readTrailers(&attempt.requestTrailers) { submitTrailers(id, $0) }
    }

    /// Tells the attempt of `stream`, when frames have been gathered, that it may send more.
    func tellWritable(_ stream: HTTP2UpstreamStream) { drained.append(stream) }

    /// Tells the attempt of `stream`, when the input has been read, that no more pieces are there for now.
    func tellPiecesEnd(_ stream: HTTP2UpstreamStream) { touched.append(stream) }

    func sendLater() { if let later, !isClosed { loop.atEndOfTurn(later) } }

    // MARK: - Events of the session

    /// The stream that nghttp2 knows by `id`.
    func stream(_ id: Int32) -> HTTP2UpstreamStream? {
        // SAFETY: the pointer was made from a stream that this connection keeps until nghttp2 has closed it.
        object(of: id).map { Unmanaged<HTTP2UpstreamStream>.fromOpaque($0).takeUnretainedValue() }
    }

    override func blockBegan(_ stream: Int32, opens: Bool) { beginBlock(stream) }
    override func fieldReceived(_ name: Span<UInt8>, _ value: Span<UInt8>) -> Bool { takeField(name, value) }
    override func frameReceived(_ frame: HTTP2Frame) { takeFrame(frame) }
    override func dataReceived(_ stream: Int32, _ bytes: Span<UInt8>) { takeData(stream, bytes) }
    override func frameSent(_ frame: HTTP2Frame) { noteSent(frame) }
    override func nextBody(of id: Int32, atMost most: Int) -> HTTP2Body { stream(id)?.nextBody(atMost: most) ?? .later }

    override func frameNotSent(_ frame: HTTP2Frame) {
        if frame.type == .headers { stream(frame.stream)?.headNotSent() }
    }

    override func sendData(of id: Int32, header: Span<UInt8>, count: Int) -> HTTP2Taking {
        guard output.count < Self.gatherBytes else { return .later }
        guard let stream = stream(id) else { return .streamIsGone }
        output.append(header)
        stream.takeBody(count, into: &output)
        return .taken
    }

    override func streamClosed(_ id: Int32, _ code: UInt32) {
        guard let stream = stream(id), stream.slot >= 0 else { return }
        if blockStream === stream { blockStream = nil }
        let last = streams.removeLast()
        if last !== stream {
            streams[stream.slot] = last
            last.slot = stream.slot
        }
        stream.slot = -1
        stream.closed(code)
        sendLater()
    }

    /// The server's SETTINGS have come.
    func greeted() {
        guard let opening else { return }
        self.opening = nil
        openedAt = (opening.begunAt, EventLoop.nanoseconds)
        timer?.cancel()
        if capacity == 0 {
            // Its place is given back with the failure.
            close(givingBack: false)
            pool.failed(opening, .overloaded)
        } else {
            pool.greeted(opening, self)
            sendLater()
        }
    }

    // MARK: - Reading

    func ready(_ events: Poll.Events) {
        if events.contains(.writable) { flush() }
        if !isClosed, events.contains(.readable) || events.contains(.disconnect) { read() }
    }

    private func read() {
        for _ in 0..<Self.readsPerEvent {
            if isClosed { return }
            switch loop.receive({ stream.receive(into: $0) }, { process($0) }) {
            case .bytes(let count):
                // A short read has emptied a plain socket; an encrypted one may hold another record.
                if !stream.holdsBytes, count < EventLoop.scratchSize { return }
            case .wouldBlock: return
            case .ended, .failed: return lose()
            }
        }
        if stream.holdsBytes {
            mustRead = true
            sendLater()
        }
    }

    private func process(_ input: Span<UInt8>) {
        heardAt = loop.now
        scan(input, at: heardAt)
        if fault == nil, take(input) != .taken, fault == nil { fault = Self.brokenRules }
        if outputIsBlocked, budget.unread(unsentFrames) != nil {
            fault = "the server reads nothing of what it asks for"
        }
        // Also what came on a connection that has ended meanwhile.
        while let stream = touched.popLast() { stream.piecesEnded() }
        if fault != nil { return lose() }
        sendLater()
    }

    // MARK: - Writing

    /// What was put off to the end of the turn.
    func workLater() {
        if mustRead, !isClosed {
            mustRead = false
            read()
        }
        if isClosed { return }
        if !outputIsBlocked { flush() }
        while let stream = drained.popLast() { stream.becameWritable() }
        if !isClosed { settle() }
    }

    private func flush() {
        while true {
            while !output.isEmpty {
                switch output.withUnsafeBytes({ stream.send($0) }) {
                case .bytes(let count): output.removeFirst(count)
                case .wouldBlock:
                    outputIsBlocked = true
                    poll?.watch([.readable, .writable])
                    return
                case .ended, .failed:
                    // The peer may have answered before it closed: what it said is read first.
                    output.removeAll()
                    read()
                    if !isClosed { lose() }
                    return
                }
            }
            guard gather() else { break }
        }
        if outputIsBlocked {
            outputIsBlocked = false
            poll?.watch(.readable)
        }
        while let stream = drained.popLast() { stream.becameWritable() }
    }

    /// Gathers frames up to the bound; false when there are none.
    private func gather() -> Bool {
        while output.count < Self.gatherBytes {
            switch next({ output.append($0) }) {
            case .bytes: break
            // A DATA frame for which there was no room is offered again.
            case .nothing: return !output.isEmpty
            case .failed:
                if !isClosed { lose() }
                return false
            }
        }
        return true
    }

    // MARK: - Ends

    /// Sees whether the connection is done with, unused, or has room for others.
    private func settle() {
        if isDone {
            // nghttp2 has ended it for what the server did, unless the server has ended it and nothing is left.
            if !streams.isEmpty || opening != nil { fault = Self.brokenRules }
            return lose()
        }
        guard opening == nil else { return }
        if hasRoom { pool.hasRoom(self) }
        guard streams.isEmpty, !isClosed else { return }
        if takesNoMore || pool.isRetired { return close() }
        if output.isEmpty { output.removeAll(keeping: 4_096) }
        if timer?.isScheduled == false { timer?.schedule(after: EndpointPool.idleTime) }
    }

    /// The connection is over: those who are on it are told, or carried elsewhere.
    private func lose() {
        guard !isClosed else { return }
        let lost = streams
        streams.removeAll()
        for stream in lost { stream.slot = -1 }
        blockStream = nil
        let wasOpening = opening
        opening = nil
        close(givingBack: wasOpening == nil)
        if let wasOpening { pool.failed(wasOpening, fault.map { .protocolError($0) } ?? .connectFailed) }
        // Whoever is told may give up others of them, which may carry the requests of other connections then.
        for stream in lost where stream.connection === self { stream.connectionLost(fault) }
    }

    func timeIsOver() {
        if let opening {
            self.opening = nil
            close(givingBack: false)
            pool.failed(opening, .connectTimeout)
        } else if streams.isEmpty {
            close()
        }
    }

    /// Closes the connection, on which no request may be any more.
    func close() { close(givingBack: true) }

    private func close(givingBack: Bool) {
        guard !isClosed else { return }
        isClosed = true
        poll?.release()
        poll = nil
        timer?.cancel()
        timer = nil
        discard()
        if givingBack { pool.gone(self) }
    }
}
