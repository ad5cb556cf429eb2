import ByteBuffers
import EventLoops
import HTTP2Framing

/// How frames go out: those that are ready are gathered, up to a bound, and sent together.
extension HTTP2Connection {
    // MARK: - What streams ask for

    /// Resets the stream `id`.
    func reset(_ id: Int32, _ code: HTTP2ErrorCode) {
        guard phase == .open else { return }
        submitReset(id, code)
        sendLater()
    }

    /// Takes the interim head that the exchange has written.
    func submitInterim(_ stream: HTTP2Stream, _ exchange: ServerExchange) {
        guard phase == .open else { return }
        server.fieldList.readAnswer(&exchange.output) { submitInterim(stream.id, $0) }
        sendLater()
    }

    /// Takes the final head that the exchange has written; without a body it ends the answer.
    func submitHead(_ stream: HTTP2Stream, _ exchange: ServerExchange, hasBody: Bool) {
        guard phase == .open else { return }
        server.fieldList.readAnswer(&exchange.output) { submitAnswer(stream.id, $0, hasBody: hasBody) }
        sendLater()
    }

    /// Takes the trailers of a stream's answer, called from ``HTTP2Stream/provide(atMost:)``; false when there is nothing in
    /// them that may be sent.
    func submitTrailers(_ stream: HTTP2Stream) -> Bool {
        server.fieldList.readTrailers(&stream.answer.trailers) { submitTrailers(stream.id, $0) }
    }

    /// There are bytes again for a stream that had none.
    func resume(_ id: Int32) {
        if phase == .open { resumeBody(of: id) }
    }

    // MARK: - What nghttp2 asks for

    /// Takes a DATA frame: its header, and so many bytes of its stream's answer.
    func writeData(of id: Int32, header: Span<UInt8>, count: Int) -> HTTP2Taking {
        guard server.gathered.count < ConnectionLimits.gatherBytes else { return .later }
        guard let stream = stream(id) else { return .streamIsGone }
        server.gathered.append(header)
        stream.takeBody(count, into: &server.gathered)
        return .taken
    }

    /// A frame has been gathered.
    func noteSent(_ frame: HTTP2Frame) {
        switch frame.type {
        case .data:
            budget.dataSent()
            fallthrough
        case .headers:
            // The rest of a request that has its answer is not wanted (RFC 9113 §8.1).
            if frame.endsStream, let stream = stream(frame.stream), !stream.hasEndStream { stream.reset(.noError) }
        case .reset: noteReset(frame.code)
        default: break
        }
    }

    /// Counts the resets that a client has brought about.
    private func noteReset(_ code: UInt32) {
        switch HTTP2ErrorCode(rawValue: code) {
        case .protocolError, .flowControlError, .streamClosed, .frameSizeError, .refusedStream:
            if let flood = budget.streamFailed(at: connection.loop.now) { self.flood = flood }
        default: break
        }
    }

    /// A frame cannot be sent: of a head that is too large, for instance.
    func noteNotSent(_ frame: HTTP2Frame) {
        if frame.type == .headers { stream(frame.stream)?.reset(.internalError) }
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
        if isAlive, isDone { endWriting() }
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
        while server.gathered.count < ConnectionLimits.gatherBytes {
            switch next({ server.gathered.append($0) }) {
            case .bytes: break
            // A DATA frame for which there was no room is offered again.
            case .nothing: return server.gathered.count >= ConnectionLimits.gatherBytes && phase != .closed
            case .failed:
                if phase != .closed { connection.close() }
                return false
            }
        }
        return phase != .closed
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
