import ByteBuffers
import CNghttp2
import EventLoops
import HTTPMessage

/// HTTP/2 on a connection: one session of nghttp2, and a stream for each request in work.
///
/// What comes in is handed to nghttp2 at once; what goes out is gathered at the end of the loop's turn and sent with one
/// call to the system. An idle connection owns no buffers.
final class HTTP2Connection {
    let connection: Connection
    let server: HTTPServer
    /// nghttp2's side; nil once it is deleted.
    private(set) var session: OpaquePointer?
    private(set) var phase = Phase.open
    var parser: HTTP2RequestParser
    var budget = HTTP2Budget()
    private var scanner = HTTP2FrameScanner()
    /// The streams that have an exchange, in no order.
    private(set) var streams: [HTTP2Stream] = []
    private var spare: [HTTP2Stream] = []
    private var toDeliver: [HTTP2Stream] = []
    private var toTell: [HTTP2Stream] = []

    /// The header block that is being read.
    var block = Block.none
    var blockStream: HTTP2Stream?
    /// Whether the client's SETTINGS have come.
    var isGreeted = false
    /// The bound that the client has passed.
    var flood: HTTP2Flood?
    private var requests = 0
    private var readLimit = ReadLimit.firstHead
    /// Whether the connection has been idle for so long that it gave its memory back.
    private var isAtRest = false
    private var drain = Drain.no

    /// What the system has not taken yet.
    var held = ByteBuffer()
    var outputIsBlocked = false
    private var isInSession = false

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
        parser = HTTP2RequestParser(limits: connection.server.limits.head)
        guard let session = server.http2Callbacks.makeSession(for: self) else { return nil }
        self.session = session
        let settings = [
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue),
                value: UInt32(clamping: server.limits.streams)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue), value: ConnectionLimits.streamWindow),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
                value: UInt32(clamping: server.limits.head.head)),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES.rawValue), value: 1),
        ]
        nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), settings, settings.count)
        nghttp2_session_set_local_window_size(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, ConnectionLimits.connectionWindow)
        sendLater()
    }

    deinit { nghttp2_session_del(session) }

    // MARK: - Reading

    /// Takes what the client has sent.
    func received(_ input: Span<UInt8>) {
        guard phase == .open, let session else { return }
        flood = scan(input)
        let status =
            flood != nil
            ? 0
            : inSession {
                input.withUnsafeBufferPointer { nghttp2_session_mem_recv(session, $0.baseAddress, $0.count) }
            }
        if status < 0, phase == .open {
            if status == Int(NGHTTP2_ERR_FLOODED.rawValue), flood == nil { flood = .pings }
            if flood == nil {
                let isForeign = status == Int(NGHTTP2_ERR_BAD_CLIENT_MAGIC.rawValue)
                end(isForeign ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_INTERNAL_ERROR)
            }
        }
        if flood == nil, phase == .open, outputIsBlocked {
            flood = budget.unread(nghttp2_session_get_outbound_queue_size(session))
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

    /// Calls nghttp2, and deletes the session afterwards if the connection was closed meanwhile.
    func inSession<Result>(_ body: () -> Result) -> Result {
        isInSession = true
        let result = body()
        isInSession = false
        if phase == .closed { deleteSession() }
        return result
    }

    private func deleteSession() {
        nghttp2_session_del(session)
        session = nil
    }

    // MARK: - Streams

    /// The stream that nghttp2 knows by `id`, if it is served.
    func stream(_ id: Int32) -> HTTP2Stream? {
        guard let session, let pointer = nghttp2_session_get_stream_user_data(session, id) else { return nil }
        // SAFETY: the pointer was made from a stream that this connection keeps until nghttp2 has closed it.
        let stream = Unmanaged<HTTP2Stream>.fromOpaque(pointer).takeUnretainedValue()
        return stream.slot >= 0 ? stream : nil
    }

    /// Makes room for the stream `id`; nil when there is none.
    func openStream(_ id: Int32) -> HTTP2Stream? {
        guard phase == .open, let session,
            budget.mayBegin(beside: streams.count, most: server.limits.streams, at: connection.loop.now)
        else { return nil }
        let stream = spare.popLast() ?? HTTP2Stream(of: self)
        stream.slot = streams.count
        streams.append(stream)
        stream.open(id, server.takeExchange())
        nghttp2_session_set_stream_user_data(session, id, Unmanaged.passUnretained(stream).toOpaque())
        // All streams get their share in turn, whatever a client says: else one of them could hold up the others.
        var priority = nghttp2_extpri(urgency: UInt32(NGHTTP2_EXTPRI_DEFAULT_URGENCY), inc: 1)
        nghttp2_session_change_extpri_stream_priority(session, id, &priority, 1)
        return stream
    }

    /// nghttp2 has closed the stream.
    func streamClosed(_ id: Int32) -> CInt {
        guard let stream = stream(id) else { return 0 }
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
        return 0
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
        guard count > 0, phase == .open, let session else { return }
        if id == 0 {
            nghttp2_session_consume_connection(session, count)
        } else {
            nghttp2_session_consume(session, id, count)
        }
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
        end(NGHTTP2_ENHANCE_YOUR_CALM)
        server.clientWasCutOff(flood)
    }

    /// Ends the connection with an error: what is in work is given up.
    func end(_ code: nghttp2_error_code) {
        guard phase == .open, let session else { return }
        phase = .ending
        giveUpStreams()
        nghttp2_session_terminate_session(session, code.rawValue)
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
        if !isInSession { deleteSession() }
    }

    // MARK: - Times

    /// Bounds what is read next, by what the connection is busy with.
    func updateReadLimit() {
        guard phase == .open else { return }
        let limit: ReadLimit =
            scanner.isInHead ? .head : !isGreeted ? .firstHead : streams.isEmpty ? .idle : .none
        guard limit != readLimit else { return }
        readLimit = limit
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

    /// What is read next has not come in time.
    func readTimeIsOver() {
        guard phase == .open else { return connection.close() }
        if readLimit == .idle, !isAtRest, server.limits.idleTimeout > ConnectionLimits.restTime {
            isAtRest = true
            spare.removeAll()
            connection.limitReading(to: server.limits.idleTimeout - ConnectionLimits.restTime)
        } else {
            end(NGHTTP2_NO_ERROR)
        }
    }

    // MARK: - Drain

    /// Tells the client to open no more streams, without refusing those that are on their way; a PING shows when it has
    /// heard of it.
    private func announceEnd() {
        guard drain == .no, phase == .open, let session else { return }
        drain = .noticed(connection.loop.now)
        nghttp2_submit_shutdown_notice(session)
        nghttp2_submit_ping(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil)
        sendLater()
    }

    /// The client has answered our PING.
    func pingAnswered() { if case .noticed = drain { endStreams() } }

    /// Tells the client which stream is the last.
    private func endStreams() {
        guard let session, phase == .open, drain != .last else { return }
        drain = .last
        let last = nghttp2_session_get_last_proc_stream_id(session)
        nghttp2_submit_goaway(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, NGHTTP2_NO_ERROR.rawValue, nil, 0)
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
