internal import CNghttp2

/// The functions that nghttp2 calls, and the settings of its sessions, for one role: made once for many connections.
///
/// Each function unwraps the session and calls one method of it.
package final class HTTP2Callbacks {
    /// Whose side of a connection it is.
    package enum Role: Sendable { case client, server }

    private let role: Role
    private var callbacks: OpaquePointer?
    private var options: OpaquePointer?

    /// Head bytes that nghttp2 may send: what the other side may send us, and what we add.
    private static let mostHeadBytes = 262_144

    /// The functions for sessions in `role`.
    package init(_ role: Role) {
        self.role = role
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

    /// nghttp2's side of `session`; nil when there is no memory.
    func makeSession(for session: HTTP2Session) -> OpaquePointer? {
        var raw: OpaquePointer?
        // SAFETY: the session deletes nghttp2's side before it goes, so that the pointer never dangles.
        let this = Unmanaged.passUnretained(session).toOpaque()
        switch role {
        case .client: nghttp2_session_client_new2(&raw, callbacks, this, options)
        case .server: nghttp2_session_server_new2(&raw, callbacks, this, options)
        }
        return raw
    }

    private func setReading(_ callbacks: OpaquePointer) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, data in
            with(data, frame) { session, frame in
                let opens = banyan_h2_headers_category(frame) == NGHTTP2_HCAT_REQUEST
                session.blockBegan(banyan_h2_header(frame).stream_id, opens: opens)
                return 0
            }
        }
        nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, _, name, nameCount, value, valueCount, _, data in
            with(data, name) { session, name in
                // SAFETY: both are bytes of nghttp2's that are valid during the call.
                session.fieldReceived(
                    Span(_unsafeElements: UnsafeBufferPointer(start: name, count: nameCount)),
                    Span(_unsafeElements: UnsafeBufferPointer(start: value, count: valueCount)))
                    ? 0 : failure
            }
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, data in
            with(data, frame) { session, frame in
                session.frameReceived(HTTP2Frame(frame))
                return 0
            }
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, stream, bytes, count, data in
            with(data, bytes) { session, bytes in
                // SAFETY: the bytes are a part of the input, valid during the call.
                session.dataReceived(
                    stream, Span(_unsafeElements: UnsafeBufferPointer(start: bytes, count: count)))
                return 0
            }
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, stream, code, data in
            with(data) {
                $0.streamClosed(stream, code)
                return 0
            }
        }
    }

    private func setWriting(_ callbacks: OpaquePointer) {
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, data in
            with(data, frame) { session, frame in
                session.frameSent(HTTP2Frame(frame))
                return 0
            }
        }
        nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) { _, frame, _, data in
            with(data, frame) { session, frame in
                session.frameNotSent(HTTP2Frame(frame))
                return 0
            }
        }
        nghttp2_session_callbacks_set_send_data_callback(callbacks) { _, frame, header, count, _, data in
            with(data, frame) { session, frame in
                guard let header else { return failure }
                // SAFETY: nghttp2 gives the nine bytes of a frame's header, valid during the call.
                let span = Span(_unsafeElements: UnsafeBufferPointer(start: header, count: 9))
                switch session.sendData(of: banyan_h2_header(frame).stream_id, header: span, count: count) {
                case .taken: return 0
                case .later: return NGHTTP2_ERR_WOULDBLOCK.rawValue
                case .streamIsGone: return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
                }
            }
        }
    }

    /// Where nghttp2 asks for the bytes of a body: at the session, by the number of the stream.
    var bodySource: nghttp2_data_provider {
        var provider = nghttp2_data_provider()
        provider.read_callback = { _, stream, _, most, flags, _, data in
            guard let flags, let data else { return Int(failure) }
            // SAFETY: see with(_:_:).
            let body = Unmanaged<HTTP2Session>.fromOpaque(data)._withUnsafeGuaranteedRef {
                $0.nextBody(of: stream, atMost: most)
            }
            let count: Int
            switch body {
            case .later: return Int(NGHTTP2_ERR_DEFERRED.rawValue)
            case .piece(let bytes): count = bytes
            case .last(let bytes):
                count = bytes
                flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
            case .beforeTrailers(let bytes):
                count = bytes
                flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue | NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
            }
            if count > 0 { flags.pointee |= NGHTTP2_DATA_FLAG_NO_COPY.rawValue }
            return count
        }
        return provider
    }
}

private let failure = NGHTTP2_ERR_CALLBACK_FAILURE.rawValue

extension HTTP2Frame {
    fileprivate init(_ frame: UnsafePointer<nghttp2_frame>) {
        let header = banyan_h2_header(frame)
        let isReset = header.type == HTTP2FrameType.reset.rawValue
        self.init(
            rawType: header.type, flags: header.flags, stream: header.stream_id,
            code: isReset ? banyan_h2_reset_code(frame) : 0)
    }
}

/// Calls `body` with the session behind nghttp2's pointer.
private func with(_ data: UnsafeMutableRawPointer?, _ body: (HTTP2Session) -> CInt) -> CInt {
    guard let data else { return failure }
    // SAFETY: the pointer was made from the session, which is alive while it calls nghttp2.
    return Unmanaged<HTTP2Session>.fromOpaque(data)._withUnsafeGuaranteedRef { body($0) }
}

/// Calls `body` with the session behind nghttp2's pointer, and with what nghttp2 speaks of.
private func with<Subject>(
    _ data: UnsafeMutableRawPointer?, _ subject: UnsafePointer<Subject>?,
    _ body: (HTTP2Session, UnsafePointer<Subject>) -> CInt
) -> CInt {
    guard let subject else { return failure }
    return with(data) { body($0, subject) }
}
