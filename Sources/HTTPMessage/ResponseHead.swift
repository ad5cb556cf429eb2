package import ByteBuffers

/// The head of an upstream's response: the bytes as received and what was read from them. The reason phrase is dropped.
///
/// One head is reused for all responses of a connection: ``reset()`` keeps its memory. All ranges point into ``bytes``.
public struct ResponseHead: ~Copyable {
    /// The head as received.
    package var bytes = ByteBuffer()
    /// The fields, in order.
    package var fields = HeaderBlock()
    package var version = HTTPVersion.http11
    /// The status code, 100...599; 1xx heads are reported like others, and the final one follows them.
    package var status: UInt16 = 0
    /// How the body ends, for the method of the request: ``BodyFraming/none`` for HEAD, 1xx, 204, 304.
    package var framing = BodyFraming.none
    /// What `Content-Length` says, also where no body follows (HEAD, 304: RFC 9110 §8.6); nil in 1xx and 204, which
    /// must not have it.
    package var contentLength: UInt64?
    /// Whether the connection may carry another request once the body has been read to its end.
    package var keepsAlive = false
    /// What the `Connection` fields say.
    package var connection: ConnectionOptions = []

    package init() {}

    /// Whether it is an interim response (RFC 9110 §15.2); 101 is final for the connection.
    package var isInterim: Bool { status >= 100 && status < 200 && status != 101 }

    /// The value of the field at `index`.
    @_lifetime(borrow self)
    package borrowing func value(_ index: Int) -> Span<UInt8> { bytes.span(fields[index].value) }

    /// The name of the field at `index`, as received.
    @_lifetime(borrow self)
    package borrowing func name(_ index: Int) -> Span<UInt8> { bytes.span(fields[index].name) }

    /// The bytes of `range`.
    @_lifetime(borrow self)
    package borrowing func span(_ range: ByteRange) -> Span<UInt8> { bytes.span(range) }

    /// Empties the head for the next response; memory is kept.
    package mutating func reset() {
        bytes.removeAll()
        fields.removeAll()
        clear()
    }

    /// Empties the head and gives its memory back: for a connection that falls idle.
    package mutating func releaseMemory() {
        bytes.removeAll(keeping: 0)
        fields.releaseMemory()
        clear()
    }

    private mutating func clear() {
        version = .http11
        status = 0
        framing = .none
        contentLength = nil
        keepsAlive = false
        connection = []
    }
}
