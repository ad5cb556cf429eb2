package import ByteBuffers

/// The head of a request: the bytes as received and what was read from them.
///
/// One head is reused for all requests of a connection: ``reset()`` keeps its memory. All ranges point into ``bytes``.
public struct RequestHead: ~Copyable {
    /// The head as received, with the normalised path appended where it differs from the received one.
    package var bytes = ByteBuffer()
    /// The fields, in order.
    package var fields = HeaderBlock()
    /// The method; its text is at ``methodRange``.
    package var method = Method.other
    package var methodRange = ByteRange()
    package var version = HTTPVersion.http11
    /// The request target as received.
    package var target = ByteRange()
    /// The normalised path, which is matched and sent upstream: `/...`, `*` for the asterisk form, empty for CONNECT.
    package var path = ByteRange()
    /// The query without `?`, byte for byte; see ``hasQuery``.
    package var query = ByteRange()
    /// Whether a `?` was there, possibly with nothing behind it.
    package var hasQuery = false
    /// The authority of the absolute form, else the value of `Host`; case as received.
    package var authority = ByteRange()
    /// The host of the authority without its port, an IPv6 address with its brackets.
    package var host = ByteRange()
    /// The port of the authority, if it names one.
    package var port: UInt16?
    /// Whether there is an authority: always, but for HTTP/1.0 requests without `Host`.
    package var hasAuthority = false
    /// Whether the target is `*` (RFC 9112 §3.2.4), or the absolute form that means it.
    package var isAsterisk = false
    /// How the body ends; never ``BodyFraming/untilClose``.
    package var framing = BodyFraming.none
    /// Whether the client allows another request on the connection (RFC 9112 §9.3).
    package var keepsAlive = false
    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1).
    package var expectsContinue = false
    /// What the `Connection` fields say.
    package var connection: ConnectionOptions = []

    package init() {}

    /// The value of the field at `index`.
    @_lifetime(borrow self)
    package borrowing func value(_ index: Int) -> Span<UInt8> { bytes.span(fields[index].value) }

    /// The name of the field at `index`, as received.
    @_lifetime(borrow self)
    package borrowing func name(_ index: Int) -> Span<UInt8> { bytes.span(fields[index].name) }

    /// Appends the bytes of `range` to `buffer`.
    package borrowing func copy(_ range: ByteRange, to buffer: inout ByteBuffer) { bytes.copy(range, to: &buffer) }

    /// The bytes of `range`.
    @_lifetime(borrow self)
    package borrowing func span(_ range: ByteRange) -> Span<UInt8> { bytes.span(range) }

    /// Whether the client takes trailers: an element of its `TE` fields is `trailers` (RFC 9110 §10.1.4).
    package var acceptsTrailers: Bool {
        var next = fields.first(.te)
        while let index = next {
            let list = value(index)
            var cursor = ListCursor()
            while let range = cursor.next(in: list) {
                if list.slice(range).equalsIgnoringCase("trailers") { return true }
            }
            next = fields.firstIndex(of: .te, after: index)
        }
        return false
    }

    /// Takes over what the request line said.
    mutating func take(_ line: RequestLine) {
        method = line.method
        methodRange = line.methodRange
        version = line.version
        target = line.target
    }

    /// Takes over what the target said.
    mutating func take(_ parts: RequestTarget) {
        path = parts.path
        query = parts.query
        hasQuery = parts.hasQuery
        authority = parts.authority
        host = parts.host
        port = parts.port
        hasAuthority = parts.hasAuthority
        isAsterisk = parts.isAsterisk
    }

    /// Appends the normal form of the path where it differs from what was received.
    mutating func normalisePath() -> PathFault? {
        let before = bytes.count
        if let fault = bytes.appendNormalisedPath(path) { return fault }
        let normal = ByteRange(start: before, count: bytes.count - before)
        if bytes.span(path).equals(bytes.span(normal)) {
            bytes.truncate(to: before)
        } else {
            path = normal
        }
        return nil
    }

    /// Appends the path that an absolute form without one means.
    mutating func addPath() {
        path = ByteRange(start: bytes.count, count: 1)
        bytes.append(isAsterisk ? UInt8(ascii: "*") : UInt8(ascii: "/"))
    }

    /// Empties the head for the next request; memory is kept.
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
        method = .other
        methodRange = ByteRange()
        version = .http11
        target = ByteRange()
        path = ByteRange()
        query = ByteRange()
        hasQuery = false
        authority = ByteRange()
        host = ByteRange()
        port = nil
        hasAuthority = false
        isAsterisk = false
        framing = .none
        keepsAlive = false
        expectsContinue = false
        connection = []
    }
}
