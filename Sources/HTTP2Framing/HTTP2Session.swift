internal import CNghttp2

/// One side of an HTTP/2 connection: an owner of an nghttp2 session, which frames what is sent and tells of what came.
///
/// Subclasses say what an event means; the calls that have nghttp2 do something are the methods below. No sockets and no
/// clock: bytes go in by ``take(_:)`` and come out by ``next(_:)``. It belongs to one loop.
open class HTTP2Session {
    private final var raw: OpaquePointer?
    private final let callbacks: HTTP2Callbacks
    private final var isInside = false
    private final var isToEnd = false

    /// A session in the role of `callbacks`; nil when there is no memory.
    package init?(_ callbacks: HTTP2Callbacks) {
        self.callbacks = callbacks
        raw = callbacks.makeSession(for: self)
        if raw == nil { return nil }
    }

    deinit { nghttp2_session_del(raw) }

    // MARK: - Events

    /// A header block begins; `opens` says whether it is the request of a new stream.
    open func blockBegan(_ stream: Int32, opens: Bool) {}

    /// A field of the block has been decoded; false ends the reading, for good.
    open func fieldReceived(_ name: Span<UInt8>, _ value: Span<UInt8>) -> Bool { true }

    /// A frame is whole; for a header block it is told once, when the block ends.
    open func frameReceived(_ frame: HTTP2Frame) {}

    /// A piece of a body has come. It takes up the windows until it is told to be consumed.
    open func dataReceived(_ stream: Int32, _ bytes: Span<UInt8>) {}

    /// A stream is over; `code` is why (RFC 9113 §7).
    open func streamClosed(_ stream: Int32, _ code: UInt32) {}

    /// A frame has been put among what is to be sent.
    open func frameSent(_ frame: HTTP2Frame) {}

    /// A frame cannot be sent: of a head that is too large, for instance.
    open func frameNotSent(_ frame: HTTP2Frame) {}

    /// How much of a body may be sent next, `most` bytes being allowed.
    open func nextBody(of stream: Int32, atMost most: Int) -> HTTP2Body { .later }

    /// Takes a DATA frame whose length ``nextBody(of:atMost:)`` has said: its nine bytes of header are given, `count`
    /// bytes of the body are to follow.
    open func sendData(of stream: Int32, header: Span<UInt8>, count: Int) -> HTTP2Taking { .streamIsGone }

    // MARK: - Life

    /// Whether nghttp2 still has the session.
    package final var isAlive: Bool { raw != nil }

    /// Ends the session: at once, or when nghttp2, which is calling, has returned.
    package final func discard() {
        if isInside {
            isToEnd = true
        } else {
            nghttp2_session_del(raw)
            raw = nil
        }
    }

    private final func inside<Result>(_ body: (OpaquePointer) -> Result) -> Result? {
        guard let raw else { return nil }
        isInside = true
        let result = body(raw)
        isInside = false
        if isToEnd { discard() }
        return result
    }

    // MARK: - Bytes

    /// What became of bytes that were taken.
    package enum Intake {
        case taken
        /// They do not begin as a client does.
        case foreign
        /// nghttp2 has too many answers to control frames waiting.
        case flooded
        /// The session is of no more use.
        case failed
    }

    /// Takes what the peer has sent; events come inside this call.
    package final func take(_ input: Span<UInt8>) -> Intake {
        let status = inside { raw in
            input.withUnsafeBufferPointer { nghttp2_session_mem_recv(raw, $0.baseAddress, $0.count) }
        }
        guard let status else { return .failed }
        if status >= 0 { return .taken }
        switch Int32(truncatingIfNeeded: status) {
        case NGHTTP2_ERR_FLOODED.rawValue: return .flooded
        case NGHTTP2_ERR_BAD_CLIENT_MAGIC.rawValue: return .foreign
        default: return .failed
        }
    }

    /// What ``next(_:)`` has found.
    package enum Output {
        case bytes
        /// Nothing more is to be sent now.
        case nothing
        /// The session is of no more use.
        case failed
    }

    /// Hands the next frame that is to be sent, if there is one and it is no DATA frame, to `body`.
    package final func next(_ body: (Span<UInt8>) -> Void) -> Output {
        var bytes: UnsafePointer<UInt8>?
        guard let count = inside({ nghttp2_session_mem_send($0, &bytes) }), count >= 0 else { return .failed }
        guard count > 0, let bytes else { return .nothing }
        // SAFETY: nghttp2 gives so many bytes, valid until it is called again.
        body(Span(_unsafeElements: UnsafeBufferPointer(start: bytes, count: count)))
        return .bytes
    }

    /// Frames that wait to be sent.
    package final var unsentFrames: Int { raw.map { nghttp2_session_get_outbound_queue_size($0) } ?? 0 }

    /// Whether neither side has anything more to say.
    package final var isDone: Bool {
        guard let raw else { return true }
        return nghttp2_session_want_read(raw) == 0 && nghttp2_session_want_write(raw) == 0
    }

    // MARK: - The connection

    /// Announces `settings`, and so many bytes that the peer may have under way in all streams together.
    package final func submit(_ settings: [HTTP2Setting], connectionWindow: Int32) {
        guard let raw else { return }
        let entries = settings.map { nghttp2_settings_entry(settings_id: $0.kind.rawValue, value: $0.value) }
        nghttp2_submit_settings(raw, Self.noFlags, entries, entries.count)
        nghttp2_session_set_local_window_size(raw, Self.noFlags, 0, connectionWindow)
    }

    /// How many streams the peer allows us at a time.
    package final var mostStreams: UInt32 {
        raw.map { nghttp2_session_get_remote_settings($0, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) } ?? 0
    }

    /// Ends the connection with `code`, once what is to be sent now has been.
    package final func terminate(_ code: HTTP2ErrorCode) {
        if let raw { nghttp2_session_terminate_session(raw, code.rawValue) }
    }

    /// Tells the peer to open no more streams; those on their way are still served.
    package final func submitShutdownNotice() { if let raw { nghttp2_submit_shutdown_notice(raw) } }

    package final func submitPing() { if let raw { nghttp2_submit_ping(raw, Self.noFlags, nil) } }

    /// Tells the peer that the last stream that was begun is the last one.
    package final func submitGoAway() {
        guard let raw else { return }
        let last = nghttp2_session_get_last_proc_stream_id(raw)
        nghttp2_submit_goaway(raw, Self.noFlags, last, HTTP2ErrorCode.noError.rawValue, nil, 0)
    }

    // MARK: - Streams

    /// What ``setObject(_:of:)`` has kept for a stream.
    package final func object(of stream: Int32) -> UnsafeMutableRawPointer? {
        raw.flatMap { nghttp2_session_get_stream_user_data($0, stream) }
    }

    /// Keeps a pointer with a stream, which costs less to find than by looking for it.
    package final func setObject(_ object: UnsafeMutableRawPointer?, of stream: Int32) {
        if let raw { nghttp2_session_set_stream_user_data(raw, stream, object) }
    }

    /// Gives a stream its share in turn, whatever the peer says: else one of them could hold up the others.
    package final func shareEvenly(_ stream: Int32) {
        guard let raw else { return }
        var priority = nghttp2_extpri(urgency: UInt32(NGHTTP2_EXTPRI_DEFAULT_URGENCY), inc: 1)
        nghttp2_session_change_extpri_stream_priority(raw, stream, &priority, 1)
    }

    /// Opens a stream with a request; `object` is kept with it.
    ///
    /// - Returns: the stream, or nil when the connection has none left.
    package final func submitRequest(
        _ fields: HTTP2Fields, hasBody: Bool, object: UnsafeMutableRawPointer
    ) -> Int32? {
        guard let raw else { return nil }
        let stream: Int32
        if hasBody {
            var source = callbacks.bodySource
            stream = nghttp2_submit_request(raw, nil, fields.base, fields.count, &source, object)
        } else {
            stream = nghttp2_submit_request(raw, nil, fields.base, fields.count, nil, object)
        }
        return stream > 0 ? stream : nil
    }

    /// Answers a request; without a body the head ends the answer.
    package final func submitAnswer(_ stream: Int32, _ fields: HTTP2Fields, hasBody: Bool) {
        guard let raw else { return }
        if hasBody {
            var source = callbacks.bodySource
            nghttp2_submit_response(raw, stream, fields.base, fields.count, &source)
        } else {
            nghttp2_submit_response(raw, stream, fields.base, fields.count, nil)
        }
    }

    package final func submitInterim(_ stream: Int32, _ fields: HTTP2Fields) {
        if let raw { nghttp2_submit_headers(raw, Self.noFlags, stream, nil, fields.base, fields.count, nil) }
    }

    /// Ends a stream with trailers, after the last byte of its body.
    package final func submitTrailers(_ stream: Int32, _ fields: HTTP2Fields) {
        if let raw { nghttp2_submit_trailer(raw, stream, fields.base, fields.count) }
    }

    package final func submitReset(_ stream: Int32, _ code: HTTP2ErrorCode) {
        if let raw { nghttp2_submit_rst_stream(raw, Self.noFlags, stream, code.rawValue) }
    }

    /// There are bytes again for a stream that had none.
    package final func resumeBody(of stream: Int32) { if let raw { nghttp2_session_resume_data(raw, stream) } }

    /// So many bytes of a stream's body are taken, for the stream and for the connection: the peer may send as many more.
    package final func consume(_ count: Int, of stream: Int32) {
        if let raw { nghttp2_session_consume(raw, stream, count) }
    }

    /// So many bytes are taken as far as the connection is concerned.
    package final func consumeOfConnection(_ count: Int) {
        if let raw { nghttp2_session_consume_connection(raw, count) }
    }

    /// So many bytes are taken as far as the stream is concerned.
    package final func consumeOfStream(_ count: Int, _ stream: Int32) {
        if let raw { nghttp2_session_consume_stream(raw, stream, count) }
    }

    private static let noFlags = UInt8(NGHTTP2_FLAG_NONE.rawValue)
}
