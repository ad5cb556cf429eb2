package import ByteBuffers
package import HTTPMessage

/// Where an exchange's request comes from and its answer goes to: an HTTP/1 connection, for as long as the request is in
/// work on it, or one stream of a connection that carries several.
package class ExchangeChannel {
    /// The connection beneath.
    package final let connection: Connection
    /// Whether the client still waits for `100 Continue`.
    final var awaitsContinue = false

    init(on connection: Connection) { self.connection = connection }

    /// The client's end.
    package final var peer: PeerAddress { connection.peer }

    /// Which of the configured listeners accepted the connection.
    package final var listenerIndex: Int { connection.listenerIndex }

    /// Whether the client can still be written to.
    package var isOpen: Bool { !connection.isClosed }

    // MARK: - The request

    /// Stops reading the body of the request.
    func pauseBody() {}

    /// Goes on reading it. What waited is delivered at the end of the loop turn at the latest, never from inside the call.
    func resumeBody() {}

    /// Appends the trailer lines of the request's body that may be passed on; to be called in ``ServerExchange/bodyEnded()``.
    package func appendRequestTrailers(policy: FieldPolicy, to buffer: inout ByteBuffer) {}

    // MARK: - The answer

    /// Sends `100 Continue`.
    func sendContinue(_ exchange: ServerExchange) {}

    /// Appends what stands before the fields of a head with this status.
    func beginHead(_ exchange: ServerExchange, status: UInt16) {}

    /// Ends an interim head and sends it.
    func endInterim(_ exchange: ServerExchange) {}

    /// Ends a final head, whose body is of this kind.
    func endHead(_ exchange: ServerExchange, _ body: ResponseBody) {}

    /// Takes a piece of the answer's body.
    func write(_ exchange: ServerExchange, _ bytes: Span<UInt8>) {}

    /// Sends what the exchange has written.
    func flush() {}

    /// The answer is written to its end; `trailers` are field lines, each with its line's end.
    func responseEnded(_ exchange: ServerExchange, trailers: borrowing ByteBuffer) {}

    /// The answer breaks off: the client must see that it is not whole.
    func responseAborted(_ exchange: ServerExchange) {}
}
