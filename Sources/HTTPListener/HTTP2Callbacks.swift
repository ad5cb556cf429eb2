import CNghttp2

/// The functions that nghttp2 calls, and the settings of its sessions: made once for each server.
///
/// Each function unwraps the connection and calls one method of it.
final class HTTP2Callbacks {
    private var callbacks: OpaquePointer?
    private var options: OpaquePointer?

    /// Head bytes of an answer that nghttp2 may send: what an upstream may send us, and what we add.
    private static let mostHeadBytes = 262_144

    init() {
        nghttp2_session_callbacks_new(&callbacks)
        nghttp2_option_new(&options)
        guard let callbacks, let options else { return }
        // Windows are opened as exchanges take bytes; messages are checked by the rules that hold for HTTP/1, too.
        nghttp2_option_set_no_auto_window_update(options, 1)
        nghttp2_option_set_no_http_messaging(options, 1)
        nghttp2_option_set_no_closed_streams(options, 1)
        nghttp2_option_set_max_send_header_block_length(options, Self.mostHeadBytes)
        // The budget's bounds are lower than those of the library, which would end the connection without a word.
        nghttp2_option_set_stream_reset_rate_limit(options, 1_000_000, 1_000_000)
        nghttp2_option_set_max_continuations(options, 1_000)
        setReading(callbacks)
        setWriting(callbacks)
    }

    deinit {
        nghttp2_session_callbacks_del(callbacks)
        nghttp2_option_del(options)
    }

    /// A server's side of a connection; nil when there is no memory.
    func makeSession(for connection: HTTP2Connection) -> OpaquePointer? {
        var session: OpaquePointer?
        // SAFETY: the connection deletes the session before it goes, so that the pointer never dangles.
        nghttp2_session_server_new2(&session, callbacks, Unmanaged.passUnretained(connection).toOpaque(), options)
        return session
    }

    private func setReading(_ callbacks: OpaquePointer) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, data in
            with(data, frame) { $0.blockBegan($1) }
        }
        nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, _, name, nameCount, value, valueCount, _, data in
            with(data, name) { connection, name in
                // SAFETY: both are bytes of nghttp2's that are valid during the call.
                connection.fieldReceived(
                    Span(_unsafeElements: UnsafeBufferPointer(start: name, count: nameCount)),
                    Span(_unsafeElements: UnsafeBufferPointer(start: value, count: valueCount)))
            }
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, data in
            with(data, frame) { $0.frameReceived($1) }
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, stream, bytes, count, data in
            with(data, bytes) { connection, bytes in
                // SAFETY: the bytes are a part of the input, valid during the call.
                connection.dataReceived(
                    stream, Span(_unsafeElements: UnsafeBufferPointer(start: bytes, count: count)))
            }
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, stream, _, data in
            with(data) { $0.streamClosed(stream) }
        }
    }

    private func setWriting(_ callbacks: OpaquePointer) {
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, data in
            with(data, frame) { $0.frameSent($1) }
        }
        nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) { _, frame, _, data in
            with(data, frame) { $0.frameNotSent($1) }
        }
        nghttp2_session_callbacks_set_send_data_callback(callbacks) { _, frame, header, count, _, data in
            with(data, frame) { connection, frame in
                guard let header else { return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }
                return connection.sendData(frame, header, count)
            }
        }
    }

    /// Where nghttp2 finds the bytes of an answer's body.
    static func bodySource(of stream: HTTP2Stream) -> nghttp2_data_provider {
        var provider = nghttp2_data_provider()
        // SAFETY: nghttp2 asks for the body of an open stream only, and the connection keeps those alive.
        provider.source.ptr = Unmanaged.passUnretained(stream).toOpaque()
        provider.read_callback = { _, _, _, count, flags, source, _ in
            guard let flags, let pointer = source?.pointee.ptr else {
                return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
            }
            return Unmanaged<HTTP2Stream>.fromOpaque(pointer)._withUnsafeGuaranteedRef {
                $0.provide(atMost: count, &flags.pointee)
            }
        }
        return provider
    }
}

/// Calls `body` with the connection behind nghttp2's pointer.
private func with(_ data: UnsafeMutableRawPointer?, _ body: (HTTP2Connection) -> CInt) -> CInt {
    guard let data else { return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }
    // SAFETY: the pointer was made from the connection, which is alive while it calls nghttp2.
    return Unmanaged<HTTP2Connection>.fromOpaque(data)._withUnsafeGuaranteedRef { body($0) }
}

/// Calls `body` with the connection behind nghttp2's pointer, and with what nghttp2 speaks of.
private func with<Subject>(
    _ data: UnsafeMutableRawPointer?, _ subject: UnsafePointer<Subject>?,
    _ body: (HTTP2Connection, UnsafePointer<Subject>) -> CInt
) -> CInt {
    guard let subject else { return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }
    return with(data) { body($0, subject) }
}
