package import ByteBuffers
import HTTPMessage

/// How an exchange writes its answer. A complete answer goes out with one system call; a longer one as it comes.
extension ServerExchange {
    /// Sends `100 Continue` if the client waits for it.
    package final func sendContinue() {
        guard head.expectsContinue, response == .none, let channel, channel.awaitsContinue else { return }
        channel.awaitsContinue = false
        channel.sendContinue(self)
    }

    /// Begins an interim answer (1xx); the caller appends its fields to `output`, then calls ``endInterim()``.
    /// HTTP/1.0 clients know no interim answers: the caller asks ``canTakeInterim`` first.
    package final func beginInterim(status: UInt16) {
        self.status = status
        channel?.beginHead(self, status: status)
    }

    /// Ends an interim answer and sends it.
    package final func endInterim() {
        channel?.endInterim(self)
        status = 0
    }

    /// Whether an interim answer may be sent now.
    package final var canTakeInterim: Bool {
        response == .none && head.version != .http10 && channel?.isOpen == true
    }

    /// Begins the answer's head: the caller appends its fields to `output` and calls ``endHead(_:hasDate:)``.
    package final func beginHead(status: UInt16) {
        precondition(response == .none, "one answer for each request")
        response = .head
        self.status = status
        channel?.beginHead(self, status: status)
    }

    /// Ends the answer's head with the framing of its body, which follows by ``write(_:)``.
    ///
    /// - Parameters:
    ///   - body: how the body is sent.
    ///   - hasDate: whether a `Date` field was written already.
    package final func endHead(_ body: ResponseBody, hasDate: Bool = false) {
        guard let channel else { return }
        response = .body
        bodyMode = body
        switch body {
        case .none(let declared):
            if let declared { appendContentLength(declared) }
        case .length(let length): appendContentLength(length)
        case .stream: break
        case .tunnel: bodyLimit = .max
        }
        if !hasDate { channel.connection.server.appendDate(to: &output) }
        channel.endHead(self, body)
    }

    private final func appendContentLength(_ length: UInt64) {
        output.append("Content-Length: ")
        output.appendDecimal(length)
        output.append("\r\n")
    }

    /// Sends a piece of the body. Pieces after which ``outputIsFull`` holds are kept, but the source should pause until
    /// ``downstreamWritable()``. What a body without bytes must not have is dropped, as is what exceeds its length.
    package final func write(_ bytes: Span<UInt8>) {
        guard response == .body, let channel, bytes.count > 0 else { return }
        switch bodyMode {
        case .none: return
        case .length(let length) where UInt64(bytes.count) > length &- bytesSent:
            abortResponse()
            return
        case .length, .stream, .tunnel: break
        }
        bytesSent &+= UInt64(bytes.count)
        channel.write(self, bytes)
        if outputIsFull { outputWasFull = true }
    }

    /// Sends a piece of the body, as ``write(_:)`` for a span does.
    package final func write(_ bytes: [UInt8]) { write(bytes.span) }

    /// Sends what has been written so far; to be called at the end of each event that wrote something.
    package final func flush() { channel?.flush() }

    /// Ends the answer regularly and sends it.
    ///
    /// - Parameter trailers: field lines that follow a body of no declared length, each with its line's end; dropped
    ///   where they cannot be sent.
    package final func endResponse(trailers: borrowing ByteBuffer) {
        guard response == .body, let channel else { return }
        if case .length(let length) = bodyMode, bytesSent != length {
            abortResponse()
            return
        }
        response = .ended
        channel.responseEnded(self, trailers: trailers)
    }

    /// Ends the answer regularly and sends it.
    package final func endResponse() { endResponse(trailers: ByteBuffer()) }

    /// Cuts the answer off: the client sees that it is not whole.
    package final func abortResponse() {
        guard response != .ended, response != .aborted, let channel else { return }
        response = .aborted
        channel.responseAborted(self)
    }

    /// Stops reading the request's body until ``resumeBody()``.
    package final func pauseBody() { channel?.pauseBody() }

    /// Goes on reading the request's body.
    package final func resumeBody() { channel?.resumeBody() }
}
