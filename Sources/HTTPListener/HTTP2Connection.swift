import ByteBuffers
import EventLoops
import HTTP2Framing
import HTTPMessage

/// HTTP/2 on a connection: one session of nghttp2, and a stream for each request in work.
///
/// What comes in is handed to nghttp2 at once; what goes out is gathered at the end of the loop's turn and sent with one
/// call to the system. An idle connection owns no buffers.
final class HTTP2Connection: HTTP2Session {
    let connection: Connection
    let server: HTTPServer
    private(set) var phase = Phase.open
    var parser: HTTP2RequestParser {
        _read { yield parserCell.value }
        _modify { yield &parserCell.value }
    }
    var budget: HTTP2Budget {
        _read { yield budgetCell.value }
        _modify { yield &budgetCell.value }
    }
    private var scanner: HTTP2FrameScanner {
        _read { yield scannerCell.value }
        _modify { yield &scannerCell.value }
    }
    /// The streams that have an exchange, in no order.
    private(set) var streams: [HTTP2Stream] {
        _read { yield streamsCell.value }
        _modify { yield &streamsCell.value }
    }
    private var spare: [HTTP2Stream] {
        _read { yield spareCell.value }
        _modify { yield &spareCell.value }
    }
    private var toDeliver: [HTTP2Stream] = []
    private var toTell: [HTTP2Stream] = []
    private let parserCell: LoopCell<HTTP2RequestParser>
    private let budgetCell = LoopCell(HTTP2Budget(of: .client))
    private let scannerCell = LoopCell(HTTP2FrameScanner(of: .client))
    private let streamsCell = LoopCell<[HTTP2Stream]>([])
    private let spareCell = LoopCell<[HTTP2Stream]>([])

    /// The header block that is being read.
    var block = Block.none
    var blockStream: HTTP2Stream?
    /// Whether the client's SETTINGS have come.
    var isGreeted = false
    /// The bound that the client has passed.
    var flood: HTTP2Flood?
    private var requests = 0
    private var readLimit = ReadLimit.firstHead
    /// Since when `readLimit` is what it is.
    private var limitedSince: UInt64
    /// Whether the connection has been idle for so long that it gave its memory back.
    private var isAtRest = false
    private var drain = Drain.no

    /// What the system has not taken yet.
    var held = ByteBuffer()
    var outputIsBlocked = false

    enum Phase {
        case open
        /// Nothing is read any more; what is left to say goes out, then the connection ends.
        case ending
        /// Nothing is said any more, either: what comes is thrown away until the client closes.
        case linger
        case closed
    }

    /// What a header block is.
    enum Block {
        case none, request, trailers
        /// Of a stream that is not served: read to keep the compression in step.
        case ignored
    }

    private enum ReadLimit { case firstHead, head, idle, none }

    /// How far a drain has come (RFC 9113 §6.8).
    private enum Drain: Equatable {
        case no
        /// The client was told, at this time, to open no more streams; those on their way are still served.
        case noticed(UInt64)
        /// The client was told which stream is the last.
        case last
    }

    /// The speaker on `connection`; nil when there is no memory.
    init?(on connection: Connection) {
        self.connection = connection
        server = connection.server
        parserCell = LoopCell(HTTP2RequestParser(limits: connection.server.limits.head))
        limitedSince = connection.loop.now
        super.init(connection.server.http2Callbacks)
        submit(
            [
                HTTP2Setting(.maxConcurrentStreams, UInt32(clamping: server.limits.streams)),
                HTTP2Setting(.initialWindowSize, ConnectionLimits.streamWindow),
                HTTP2Setting(.maxHeaderListSize, UInt32(clamping: server.limits.head.head)),
                HTTP2Setting(.noRFC7540Priorities, 1),
            ], connectionWindow: ConnectionLimits.connectionWindow)
        sendLater()
    }

    // MARK: - Reading

    /// Takes what the client has sent.
    func received(_ input: Span<UInt8>) {
        guard phase == .open else { return }
        flood = scan(input)
        let intake = flood == nil ? take(input) : .taken
        if intake != .taken, phase == .open {
            if intake == .flooded, flood == nil { flood = .pings }
            if flood == nil { end(intake == .foreign ? .protocolError : .internalError) }
        }
        if flood == nil, phase == .open, outputIsBlocked {
            flood = budget.unread(unsentFrames)
        }
        cutOffIfFlooded()
        updateReadLimit()
        sendLater()
    }

    /// Counts what has come before anything is done for it.
    private func scan(_ input: Span<UInt8>) -> HTTP2Flood? {
        let now = connection.loop.now
        return budget.receivedInput(input.count)
            ?? scanner.next(input) { budget.received($0, flags: $1, length: $2, at: now) }
    }

    // MARK: - Events of the session

    override func blockBegan(_ stream: Int32, opens: Bool) { beginBlock(stream, opens: opens) }
    override func fieldReceived(_ name: Span<UInt8>, _ value: Span<UInt8>) -> Bool { takeField(name, value) }
    override func frameReceived(_ frame: HTTP2Frame) { takeFrame(frame) }
    override func dataReceived(_ stream: Int32, _ bytes: Span<UInt8>) { takeData(stream, bytes) }
    override func frameSent(_ frame: HTTP2Frame) { noteSent(frame) }
    override func frameNotSent(_ frame: HTTP2Frame) { noteNotSent(frame) }
    override func nextBody(of id: Int32, atMost most: Int) -> HTTP2Body { stream(id)?.provide(atMost: most) ?? .later }
    override func sendData(of stream: Int32, header: Span<UInt8>, count: Int) -> HTTP2Taking {
        writeData(of: stream, header: header, count: count)
    }

    // MARK: - Streams

    /// The stream that nghttp2 knows by `id`, if it is served.
    func stream(_ id: Int32) -> HTTP2Stream? {
        guard let pointer = object(of: id) else { return nil }
        // SAFETY: the pointer was made from a stream that this connection keeps until nghttp2 has closed it.
        let stream = Unmanaged<HTTP2Stream>.fromOpaque(pointer).takeUnretainedValue()
        return stream.slot >= 0 ? stream : nil
    }

    /// Makes room for the stream `id`; nil when there is none.
    func openStream(_ id: Int32) -> HTTP2Stream? {
        guard phase == .open,
            budget.mayBegin(beside: streams.count, most: server.limits.streams, at: connection.loop.now)
        else { return nil }
        let stream = spare.popLast() ?? HTTP2Stream(of: self)
        stream.slot = streams.count
        streams.append(stream)
        stream.open(id, server.takeExchange())
        setObject(Unmanaged.passUnretained(stream).toOpaque(), of: id)
        shareEvenly(id)
        return stream
    }

    /// nghttp2 has closed the stream.
    override func streamClosed(_ id: Int32, _ code: UInt32) {
        guard let stream = stream(id) else { return }
        if stream.isInWork { workWasAbandoned() }
        if blockStream === stream { blockStream = nil }
        let last = streams.removeLast()
        if last !== stream {
            streams[stream.slot] = last
            last.slot = stream.slot
        }
        stream.slot = -1
        stream.closed()
        if spare.count < server.limits.streams { spare.append(stream) }
    }

    /// A request that was in work is given up because of its client.
    func workWasAbandoned() { budget.workAbandoned(at: connection.loop.now) }

    /// Begins a request whose head is whole.
    func begin(_ stream: HTTP2Stream, endsStream: Bool) {
        requests += 1
        if requests == server.limits.requestsPerConnection { announceEnd() }
        // A client that does not answer our PING is not waited for.
        if requests == server.limits.requestsPerConnection &+ server.limits.streams { endStreams() }
        stream.begin(endsStream: endsStream, declaredLength: parser.declaredLength)
    }

    /// Hands on, at the end of the turn, what waits for a stream's exchange.
    func deliverLater(_ stream: HTTP2Stream) {
        toDeliver.append(stream)
        sendLater()
    }

    /// Tells a stream's exchange, when frames have been gathered, that it may write again.
    func tellWritable(_ stream: HTTP2Stream) { toTell.append(stream) }

    /// The exchange has taken so many bytes of a body: the client may send as many more. Stream 0 is the connection.
    func consumed(_ count: Int, of id: Int32) {
        guard count > 0, phase == .open else { return }
        if id == 0 { consumeOfConnection(count) } else { consume(count, of: id) }
        sendLater()
    }

    // MARK: - The end of a turn

    private lazy var turnEnd = TurnEnd(self)

    private final class TurnEnd: DeferredWork {
        // The connection may end in the turn in which it puts this off.
        private weak var connection: HTTP2Connection?
        init(_ connection: HTTP2Connection) { self.connection = connection }
        override func run() { connection?.endTurn() }
    }

    /// Sends, at the end of the turn, what is ready.
    func sendLater() { if phase != .closed { connection.loop.atEndOfTurn(turnEnd) } }

    private func endTurn() {
        while let stream = toDeliver.popLast() { stream.deliver() }
        flush()
    }

    /// Sends what is ready, and lets go on what waited for that: at the end of a turn, or when the system takes more.
    func flush() {
        send()
        while let stream = toTell.popLast() { stream.becameWritable() }
        updateReadLimit()
    }

    // MARK: - Ends

    /// Cuts a client off that has passed a bound.
    func cutOffIfFlooded() {
        guard let flood, phase == .open else { return }
        end(.enhanceYourCalm)
        server.clientWasCutOff(flood)
    }

    /// Ends the connection with an error: what is in work is given up.
    func end(_ code: HTTP2ErrorCode) {
        guard phase == .open else { return }
        phase = .ending
        giveUpStreams()
        terminate(code)
        connection.limitReading(to: ConnectionLimits.lingerTime)
        sendLater()
    }

    /// All is said: ends the connection so that the client hears it (RFC 9112 §9.6 has the reason).
    func endWriting() {
        guard phase == .open || phase == .ending else { return }
        if phase == .open, !connection.hasUnreadBytes {
            connection.close()
            return
        }
        phase = .linger
        connection.endWriting()
        connection.limitReading(to: ConnectionLimits.lingerTime)
        updateWatch()
    }

    private func giveUpStreams() {
        blockStream = nil
        while let stream = streams.popLast() {
            stream.slot = -1
            stream.closed()
            // nghttp2 may still know it.
            spare.append(stream)
        }
    }

    /// The connection is closed: every exchange whose answer is not out is told that its client is gone.
    func connectionClosed() {
        phase = .closed
        giveUpStreams()
        toDeliver.removeAll()
        toTell.removeAll()
        discard()
    }

    // MARK: - Times

    /// Bounds what is read next, by what the connection is busy with.
    func updateReadLimit() {
        guard phase == .open else { return }
        let limit: ReadLimit =
            scanner.isInHead ? .head : !isGreeted ? .firstHead : streams.isEmpty ? .idle : .none
        guard limit != readLimit else { return }
        readLimit = limit
        limitedSince = connection.loop.now
        switch limit {
        // The time of the first head runs from the accept.
        case .firstHead: break
        case .head: connection.limitReading(to: server.limits.headTimeout)
        case .idle:
            isAtRest = false
            connection.limitReading(to: min(server.limits.idleTimeout, ConnectionLimits.restTime))
        case .none: connection.readWithoutLimit()
        }
    }

    /// Since when it waits for a request, or for the rest of one's head; nil while there is one in work.
    var waitsSince: UInt64? { outputIsBlocked || streams.contains { $0.hasRequest } ? nil : limitedSince }

    /// Says, as far as the system takes it at once, that the connection ends and which requests were seen.
    func sayFarewell() {
        end(.noError)
        flush()
    }

    /// What is read next has not come in time.
    func readTimeIsOver() {
        guard phase == .open else { return connection.close() }
        if readLimit == .idle, !isAtRest, server.limits.idleTimeout > ConnectionLimits.restTime {
            isAtRest = true
            spare.removeAll()
            connection.limitReading(to: server.limits.idleTimeout - ConnectionLimits.restTime)
        } else {
            end(.noError)
        }
    }

    // MARK: - Drain

    /// Tells the client to open no more streams, without refusing those that are on their way; a PING shows when it has
    /// heard of it.
    private func announceEnd() {
        guard drain == .no, phase == .open else { return }
        drain = .noticed(connection.loop.now)
        submitShutdownNotice()
        submitPing()
        sendLater()
    }

    /// The client has answered our PING.
    func pingAnswered() { if case .noticed = drain { endStreams() } }

    /// Tells the client which stream is the last.
    private func endStreams() {
        guard phase == .open, drain != .last else { return }
        drain = .last
        submitGoAway()
        sendLater()
    }

    /// Ends the connection without failing a request; told again and again during a drain.
    func closeIfIdle(since now: UInt64) {
        if phase == .linger { return connection.close() }
        switch drain {
        case .no: announceEnd()
        case .noticed(let time): if now &- time >= ConnectionLimits.drainIdleTime { endStreams() }
        case .last: break
        }
    }

    /// The drain time is over: an answer that has not begun becomes 503, everything else is cut off.
    func drainTimeIsOver() {
        guard phase == .open else { return }
        for stream in streams { stream.fail(.shuttingDown) }
        endStreams()
        flush()
    }
}
