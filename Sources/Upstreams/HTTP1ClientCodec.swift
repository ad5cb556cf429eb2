import ByteBuffers
import HTTPMessage

/// Reads the answers on one upstream connection: interim heads, the head, the body, its end. No sockets, no clock.
struct HTTP1ClientCodec: ~Copyable {
    private var parser = HTTP1ResponseParser()
    private var body = BodyDecoder()
    private var phase = Phase.idle
    private var method = Method.get
    private var upgradeAsked = false
    private var interimHeads = 0

    private enum Phase { case idle, head, body }

    /// What the input brought. `consumed` bytes of it have been taken.
    enum Event {
        case needMore
        /// An interim head is in `head`.
        case interim(consumed: Int)
        /// The final head is in `head`; a body follows unless `isWhole`.
        case head(consumed: Int, isWhole: Bool)
        /// A piece of the body; the answer is whole with it when `isWhole`.
        case data(ByteRange, consumed: Int, isWhole: Bool)
        /// The answer is whole.
        case end(consumed: Int)
        case failed(StaticString)
    }

    /// Interim answers that one request may bring (security.md §4).
    static let mostInterimHeads = 10

    /// A codec that waits for no answer.
    init() {}

    /// Whether an answer is awaited or under way.
    var isBusy: Bool { phase != .idle }

    /// Whether a byte of the answer to the present request has come.
    var hasBegun: Bool { phase == .body || interimHeads > 0 || parser.hasBegun }

    /// Whether the final head of the answer under way has come.
    var hasPassedHead: Bool { phase == .body }

    /// Appends the trailer lines of the answer that has just become whole, those that may be passed on.
    func appendTrailers(to buffer: inout ByteBuffer) {
        guard body.chunks.trailers.fields.count > 0 else { return }
        ForwardingHeaders.appendTrailers(of: body.chunks.trailers, policy: FieldPolicy(), into: &buffer)
    }

    /// Whether the protocol was switched: what comes are bytes of another protocol, up to the connection's end.
    private(set) var isTunnel = false

    /// Awaits the answer to a request with `method`, which may be 101 when the request asks for an upgrade.
    mutating func expectAnswer(to method: Method, upgradeAsked: Bool = false) {
        self.method = method
        self.upgradeAsked = upgradeAsked
        isTunnel = false
        phase = .head
        interimHeads = 0
        parser.reset()
    }

    /// Takes `input` up to the next event.
    mutating func next(_ input: Span<UInt8>, head: inout ResponseHead) -> Event {
        switch phase {
        case .idle: .failed("bytes that belong to no answer")
        case .head: readHead(input, &head)
        case .body: readBody(input)
        }
    }

    private mutating func readHead(_ input: Span<UInt8>, _ head: inout ResponseHead) -> Event {
        switch parser.consume(input, into: &head, requestMethod: method, upgradeAsked: upgradeAsked) {
        case .incomplete: return .needMore
        case .failed(let error):
            return .failed(error.detail)
        case .complete(let consumed):
            if head.isInterim {
                interimHeads += 1
                if interimHeads > Self.mostInterimHeads { return .failed("too many interim answers") }
                return .interim(consumed: consumed)
            }
            isTunnel = head.status == 101
            body.begin(isTunnel ? .untilClose : head.framing)
            phase = body.isComplete ? .idle : .body
            return .head(consumed: consumed, isWhole: body.isComplete)
        }
    }

    private mutating func readBody(_ input: Span<UInt8>) -> Event {
        switch body.next(input) {
        case .data(let range, let consumed):
            if body.isComplete { phase = .idle }
            return .data(range, consumed: consumed, isWhole: body.isComplete)
        case .needMore: return .needMore
        case .end(let consumed):
            phase = .idle
            return .end(consumed: consumed)
        case .failed(let detail): return .failed(detail)
        }
    }

    /// The connection was closed by its peer. Returns whether the answer under way is whole by that.
    mutating func finishAtClose() -> Bool {
        guard phase == .body, body.finishAtClose() else { return false }
        phase = .idle
        return true
    }
}
