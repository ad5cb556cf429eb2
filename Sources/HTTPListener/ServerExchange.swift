public import ByteBuffers
public import EventLoops
public import HTTPMessage

/// Why a request or its answer did not come to a regular end, as seen on the client's side.
public enum RequestFailure: Equatable, Sendable {
    /// The head breaks the rules: ``ServerExchange/refusal`` says which; the connection is closed after the answer.
    case refused
    /// The framing of the body breaks the rules: ``ServerExchange/refusal`` says which.
    case badBody
    /// The body is longer than ``ServerExchange/bodyLimit``.
    case bodyTooLarge
    /// The head did not come in time.
    case headTimeout
    /// The body fell silent.
    case bodyTimeout
    /// The client is gone, or does not take the answer any more.
    case clientClosed
    /// The drain time is over.
    case shuttingDown
}

/// How the body of an answer is sent.
package enum ResponseBody: Equatable, Sendable {
    /// No body follows: HEAD, 204, 304. `declared` is the length that a body would have, where it is known.
    case none(declared: UInt64?)
    /// So many bytes follow.
    case length(UInt64)
    /// Bytes follow until ``ServerExchange/endResponse()``: chunked, or until close for HTTP/1.0.
    case stream
    /// The connection speaks another protocol from now on (101): what the client sends comes by
    /// ``ServerExchange/bodyReceived(_:)``, what is written goes out as it is, until either side ends.
    case tunnel
}

/// One request and its answer on a downstream connection: subclasses of the upper rooms answer it.
///
/// The connection calls the events in this order: ``headReceived()``, then for a request with a body
/// ``bodyReceived(_:)`` as bytes come, and ``bodyEnded()``; ``requestFailed(_:)`` may come at any time, also first;
/// ``downstreamWritable()`` follows an output that was full; ``finished()`` is the last one, once, whatever happened.
/// Afterwards the object is used again for another request. It belongs to its connection's loop.
open class ServerExchange {
    /// The request's head; valid from ``headReceived()`` on.
    public final var head: RequestHead {
        @inlinable _read { yield headCell.value }
        @inlinable _modify { yield &headCell.value }
    }
    /// What goes to the client: heads are written here, by ``beginHead(status:)``, the caller's fields, ``endHead(_:)``.
    public final var output: ByteBuffer {
        @inlinable _read { yield outputCell.value }
        @inlinable _modify { yield &outputCell.value }
    }
    @usableFromInline final let headCell = LoopCell(RequestHead())
    @usableFromInline final let outputCell = LoopCell(ByteBuffer())
    // What other rooms read stands in private storage that is only ever read and written whole, so that the compiler
    // can see that no two accesses overlap, and leaves out the check that it would make at each.

    /// Where the request came from and its answer goes to, until ``finished()``.
    package internal(set) final var channel: ExchangeChannel? {
        get { place }
        set { place = newValue }
    }
    /// Bytes that the request's body may have; to be set in ``headReceived()``.
    package final var bodyLimit: UInt64 {
        get { figures.bodyLimit }
        set { figures.bodyLimit = newValue }
    }
    /// Bytes of the request's body received, without framing.
    package internal(set) final var bytesReceived: UInt64 {
        get { figures.bytesReceived }
        set { figures.bytesReceived = newValue }
    }
    /// Bytes of the answer's body written, without framing.
    package internal(set) final var bytesSent: UInt64 {
        get { figures.bytesSent }
        set { figures.bytesSent = newValue }
    }
    /// The status of the answer, 0 before there is one.
    package internal(set) final var status: UInt16 {
        get { figures.status }
        set { figures.status = newValue }
    }
    /// When the first byte of the request came, in nanoseconds of the monotonic clock.
    package internal(set) final var receivedAt: UInt64 {
        get { figures.receivedAt }
        set { figures.receivedAt = newValue }
    }
    /// What is wrong with a request that was refused.
    package internal(set) final var refusal: RequestError? {
        get { fault }
        set { fault = newValue }
    }
    private final var place: ExchangeChannel?
    private final var figures = Figures()
    private final var fault: RequestError?
    final var response = ResponseState.none
    final var bodyMode = ResponseBody.none(declared: nil)
    final var outputWasFull = false

    private struct Figures {
        var bodyLimit = UInt64.max
        var bytesReceived: UInt64 = 0
        var bytesSent: UInt64 = 0
        var receivedAt: UInt64 = 0
        var status: UInt16 = 0
    }

    /// Where the answer stands.
    enum ResponseState {
        case none, head, body, ended
        /// Cut off: the client must see that it is not whole.
        case aborted
    }

    /// A fresh exchange.
    package init() {}

    // MARK: - Events

    /// The head is whole. The body follows unless `head.framing` is none.
    open func headReceived() {}

    /// A piece of the body, valid during the call.
    open func bodyReceived(_ bytes: Span<UInt8>) {}

    /// The request is whole. Not called for a request without a body.
    open func bodyEnded() {}

    /// The request cannot go on. Where ``canRespond`` says so, it may still be answered; the connection closes after it.
    open func requestFailed(_ failure: RequestFailure) {}

    /// The output has fallen below the low-water mark after it was above the high one.
    open func downstreamWritable() {}

    /// The exchange is over. Everything that refers to it must let go now.
    open func finished() {}

    /// The exchange will not be used again: what it made for itself, and what refers to it, may go.
    open func retired() {}

    // MARK: - What subclasses ask

    /// Whether an answer can still be begun.
    package final var canRespond: Bool { response == .none && channel?.isOpen == true }

    /// Whether a final head has been written.
    package final var hasResponded: Bool { response != .none }

    /// Whether the answer has been written to its end.
    package final var hasEnded: Bool { response == .ended || response == .aborted }

    /// Whether the answer was cut off.
    package final var wasAborted: Bool { response == .aborted }

    /// Whether the source of the answer should pause.
    package final var outputIsFull: Bool { output.count >= ConnectionLimits.highWater }

    final func prepare(on channel: ExchangeChannel, at time: UInt64) {
        self.channel = channel
        figures = Figures(receivedAt: time)
        refusal = nil
        response = .none
        bodyMode = .none(declared: nil)
        outputWasFull = false
    }

    final func reset() {
        channel = nil
        head.reset()
        output.removeAll(keeping: 16_384)
    }
}
