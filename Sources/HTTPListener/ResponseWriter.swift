package import ByteBuffers
import HTTPMessage

/// How an exchange writes its answer. A complete answer goes out with one system call; a longer one as it comes.
extension ServerExchange {
    /// Sends `100 Continue` if the client waits for it.
    package final func sendContinue() {
        guard head.expectsContinue, response == .none, let connection, connection.awaitsContinue else { return }
        connection.awaitsContinue = false
        output.append("HTTP/1.1 100 Continue\r\n\r\n")
        connection.flush()
    }

    /// Begins an interim answer (1xx); the caller appends its fields to `output`, then calls ``endInterim()``.
    /// HTTP/1.0 clients know no interim answers: the caller asks ``canTakeInterim`` first.
    package final func beginInterim(status: UInt16) { appendStatusLine(status) }

    /// Ends an interim answer and sends it.
    package final func endInterim() {
        output.append("\r\n")
        connection?.flush()
    }

    /// Whether an interim answer may be sent now.
    package final var canTakeInterim: Bool {
        response == .none && head.version == .http11 && connection?.isOpen == true
    }

    /// Begins the answer's head: the caller appends its fields to `output` and calls ``endHead(_:hasDate:)``.
    package final func beginHead(status: UInt16) {
        precondition(response == .none, "one answer for each request")
        response = .head
        self.status = status
        appendStatusLine(status)
    }

    private final func appendStatusLine(_ status: UInt16) {
        output.append("HTTP/1.1 ")
        output.appendDecimal(status)
        output.append(" ")
        output.append(StatusCode.reasonPhrase(status))
        output.append("\r\n")
    }

    /// Ends the answer's head with the framing of its body, which follows by ``write(_:)``.
    ///
    /// - Parameters:
    ///   - body: how the body is sent.
    ///   - hasDate: whether a `Date` field was written already.
    package final func endHead(_ body: ResponseBody, hasDate: Bool = false) {
        guard let connection else { return }
        response = .body
        bodyMode = body
        switch body {
        case .none(let declared):
            if let declared { appendContentLength(declared) }
        case .length(let length):
            appendContentLength(length)
        case .stream where head.version == .http11:
            isChunked = true
            output.append("Transfer-Encoding: chunked\r\n")
        case .stream:
            connection.mustClose = true
        }
        if !hasDate { connection.server.appendDate(to: &output) }
        connection.decidePersistence()
        if connection.mustClose {
            output.append("Connection: close\r\n")
        } else if head.version == .http10 {
            output.append("Connection: keep-alive\r\n")
        }
        output.append("\r\n")
    }

    private final func appendContentLength(_ length: UInt64) {
        output.append("Content-Length: ")
        output.appendDecimal(length)
        output.append("\r\n")
    }

    /// Sends a piece of the body. Pieces after which ``outputIsFull`` holds are kept, but the source should pause until
    /// ``downstreamWritable()``. What a body without bytes must not have is dropped.
    package final func write(_ bytes: Span<UInt8>) {
        guard response == .body, let connection, bytes.count > 0 else { return }
        if case .none = bodyMode { return }
        bytesSent &+= UInt64(bytes.count)
        if isChunked { output.appendChunkHeader(size: bytes.count) }
        if bytes.count >= HTTP1Connection.directWriteSize, connection.isOpen {
            connection.flush(with: bytes, chunkEnd: isChunked)
        } else {
            output.append(bytes)
            if isChunked { output.append("\r\n") }
        }
        if outputIsFull { outputWasFull = true }
    }

    /// Sends a piece of the body, as ``write(_:)`` for a span does.
    package final func write(_ bytes: [UInt8]) { write(bytes.span) }

    /// Sends what has been written so far; to be called at the end of each event that wrote something.
    package final func flush() { connection?.flush() }

    /// Ends the answer regularly and sends it.
    ///
    /// - Parameter trailers: field lines that follow a chunked body, each with its line's end; dropped otherwise.
    package final func endResponse(trailers: borrowing ByteBuffer) {
        guard response == .body, let connection else { return }
        if case .length(let length) = bodyMode, bytesSent != length {
            abortResponse()
            return
        }
        if isChunked {
            output.append("0\r\n")
            output.append(trailers.span)
            output.append("\r\n")
        }
        response = .ended
        connection.responseEnded()
    }

    /// Ends the answer regularly and sends it.
    package final func endResponse() { endResponse(trailers: ByteBuffer()) }

    /// Cuts the answer off: the connection is closed so that the client sees that it is not whole.
    package final func abortResponse() {
        guard response != .ended, response != .aborted, let connection else { return }
        response = .aborted
        connection.responseAborted()
    }

    /// Stops reading the request's body until ``resumeBody()``.
    package final func pauseBody() { connection?.pauseBody() }

    /// Goes on reading the request's body.
    package final func resumeBody() { connection?.resumeBody() }
}
