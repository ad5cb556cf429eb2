import ByteBuffers
import CNghttp2
import EventLoops

/// How frames go out: those that are ready are gathered, up to a bound, and sent together.
extension HTTP2Connection {
    // MARK: - What streams ask for

    /// Resets the stream `id`.
    func reset(_ id: Int32, _ code: nghttp2_error_code) {
        guard phase == .open, let session else { return }
        nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, code.rawValue)
        sendLater()
    }

    /// Takes the interim head that the exchange has written.
    func submitInterim(_ stream: HTTP2Stream, _ exchange: ServerExchange) {
        guard phase == .open, let session else { return }
        server.responseHead.read(&exchange.output) { fields, count in
            nghttp2_submit_headers(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, nil, fields, count, nil)
        }
        sendLater()
    }

    /// Takes the final head that the exchange has written; without a body it ends the answer.
    func submitHead(_ stream: HTTP2Stream, _ exchange: ServerExchange, hasBody: Bool) {
        guard phase == .open, let session else { return }
        server.responseHead.read(&exchange.output) { fields, count in
            if hasBody {
                var source = HTTP2Callbacks.bodySource(of: stream)
                nghttp2_submit_response(session, stream.id, fields, count, &source)
            } else {
                nghttp2_submit_response(session, stream.id, fields, count, nil)
            }
        }
        sendLater()
    }

    /// Takes the trailers of a stream's answer; called from ``HTTP2Stream/provide(atMost:_:)``.
    func submitTrailers(_ stream: HTTP2Stream) {
        guard let session else { return }
        server.responseHead.readTrailers(&stream.answer.trailers) { fields, count in
            nghttp2_submit_trailer(session, stream.id, fields, count)
        }
    }

    /// There are bytes again for a stream that had none.
    func resume(_ id: Int32) {
        guard phase == .open, let session else { return }
        nghttp2_session_resume_data(session, id)
    }

    // MARK: - What nghttp2 asks for

    /// Takes a DATA frame: its header, and so many bytes of its stream's answer.
    func sendData(
        _ frame: UnsafePointer<nghttp2_frame>, _ header: UnsafePointer<UInt8>, _ count: Int
    ) -> CInt {
        guard server.gathered.count < ConnectionLimits.gatherBytes else { return NGHTTP2_ERR_WOULDBLOCK.rawValue }
        guard let stream = stream(banyan_h2_header(frame).stream_id) else {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
        }
        // SAFETY: nghttp2 gives the nine bytes of a frame's header, valid during the call.
        server.gathered.append(Span(_unsafeElements: UnsafeBufferPointer(start: header, count: 9)))
        stream.takeBody(count, into: &server.gathered)
        return 0
    }

    /// A frame has been gathered.
    func frameSent(_ frame: UnsafePointer<nghttp2_frame>) -> CInt {
        let header = banyan_h2_header(frame)
        switch HTTP2FrameType(rawValue: header.type) {
        case .data:
            budget.dataSent()
            fallthrough
        case .headers:
            // The rest of a request that has its answer is not wanted (RFC 9113 §8.1).
            if header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0,
                let stream = stream(header.stream_id), !stream.hasEndStream
            {
                stream.reset(NGHTTP2_NO_ERROR)
            }
        case .reset: noteReset(banyan_h2_reset_code(frame))
        default: break
        }
        return 0
    }

    /// Counts the resets that a client has brought about.
    private func noteReset(_ code: UInt32) {
        switch nghttp2_error_code(code) {
        case NGHTTP2_PROTOCOL_ERROR, NGHTTP2_FLOW_CONTROL_ERROR, NGHTTP2_STREAM_CLOSED, NGHTTP2_FRAME_SIZE_ERROR,
            NGHTTP2_REFUSED_STREAM:
            if let flood = budget.streamFailed(at: connection.loop.now) { self.flood = flood }
        default: break
        }
    }

    /// A frame cannot be sent: of a head that is too large, for instance.
    func frameNotSent(_ frame: UnsafePointer<nghttp2_frame>) -> CInt {
        let header = banyan_h2_header(frame)
        if HTTP2FrameType(rawValue: header.type) == .headers {
            stream(header.stream_id)?.reset(NGHTTP2_INTERNAL_ERROR)
        }
        return 0
    }

    // MARK: - Sending

    /// Sends what is ready, as far as the system takes it.
    func send() {
        guard phase == .open || phase == .ending else { return }
        while true {
            guard sendHeld() else { return }
            let more = gather()
            cutOffIfFlooded()
            if server.gathered.isEmpty, !more { break }
            let isGone = !sendGathered()
            if isGone || phase == .closed { return }
        }
        unblocked()
        if let session, nghttp2_session_want_read(session) == 0, nghttp2_session_want_write(session) == 0 {
            endWriting()
        }
    }

    /// Sends what the system did not take before; false when it takes no more, or the connection is gone.
    private func sendHeld() -> Bool {
        while !held.isEmpty {
            let result = held.withUnsafeBytes { connection.send($0) }
            guard case .bytes(let count) = result else { return blocked(by: result) }
            held.removeFirst(count)
            if !held.isEmpty { connection.limitWriting(to: server.limits.writeTimeout) }
        }
        held.removeAll(keeping: 0)
        return true
    }

    /// Gathers frames up to the bound; says whether there may be more.
    private func gather() -> Bool {
        guard let session else { return false }
        var more = true
        let status: Int = inSession {
            while server.gathered.count < ConnectionLimits.gatherBytes {
                var bytes: UnsafePointer<UInt8>?
                let count = nghttp2_session_mem_send(session, &bytes)
                guard count > 0, let bytes else {
                    more = server.gathered.count >= ConnectionLimits.gatherBytes
                    return count
                }
                // SAFETY: nghttp2 gives so many bytes, valid until it is called again.
                server.gathered.append(Span(_unsafeElements: UnsafeBufferPointer(start: bytes, count: count)))
            }
            return 0
        }
        if status < 0 { connection.close() }
        return more && phase != .closed
    }

    /// Sends what was gathered, and keeps what the system does not take; false when that is something.
    private func sendGathered() -> Bool {
        defer { server.gathered.removeAll() }
        guard phase != .closed else { return false }
        guard !server.gathered.isEmpty else { return true }
        let result = server.gathered.withUnsafeBytes { connection.send($0) }
        var taken = 0
        if case .bytes(let count) = result { taken = count }
        guard taken < server.gathered.count else { return true }
        server.gathered.copy(ByteRange(start: taken, count: server.gathered.count - taken), to: &held)
        return blocked(by: result == .bytes(taken) ? .wouldBlock : result)
    }

    private func blocked(by result: TransferResult) -> Bool {
        guard case .wouldBlock = result else {
            connection.close()
            return false
        }
        if !outputIsBlocked {
            outputIsBlocked = true
            connection.limitWriting(to: server.limits.writeTimeout)
            updateWatch()
        }
        return false
    }

    private func unblocked() {
        guard outputIsBlocked else { return }
        outputIsBlocked = false
        connection.writeWithoutLimit()
        updateWatch()
    }

    /// Watches for what can go on.
    func updateWatch() {
        guard phase != .closed else { return }
        connection.watch(outputIsBlocked ? [.readable, .writable] : .readable)
    }
}
