import ByteBuffers

/// The seam between an attempt and what carries it: a connection with our own HTTP/1.1 framing
/// (``UpstreamConnection``), a stream of one with HTTP/2 (``HTTP2UpstreamStream``), or a whole transfer of libcurl
/// (``CurlTransfer``).
///
/// A transport calls the attempt's events on its loop; the attempt calls these. The class is abstract: each method is
/// overridden, and dispatch costs one indirect call.
package class UpstreamTransport {
    /// Whether more of the request's body is held than should be.
    var isFull: Bool { false }

    /// Whether the connection was used before, so that its peer may have closed it without our knowing.
    var mayBeStale: Bool { false }

    /// Whether the peer may say that it has done nothing for the request, so that any method may be sent again.
    var mayBeRefused: Bool { false }

    /// Sends a piece of the request's body.
    func send(_ bytes: Span<UInt8>) {}

    /// Ends the request.
    func endRequest() {}

    /// Stops reading the answer.
    func pause() {}

    /// Goes on reading it.
    func resume() {}

    /// Lets go of the attempt, and takes in its answer by itself, where that is worth it; `endpoint` is where the attempt has
    /// its place, which the answer takes over. False where it is not: nothing has changed then.
    func takesInAnswer(at endpoint: Endpoint) -> Bool { false }

    /// Cuts the attempt off.
    func cancel() {}
}
