import ByteBuffers
import HTTPMessage

/// Checks an answer that libcurl has read, line by line: libcurl passes on much that HTTP forbids, from a head that is
/// cut in the middle to two lengths that differ (security.md §4).
///
/// The lines go through the parser that our own connections use, so that there is one truth about what an answer is. A
/// pure value: no libcurl, no clock.
struct TransferHeadChecker: ~Copyable {
    private var parser = HTTP1ResponseParser()
    private var trailers = ChunkedDecoder()
    private var phase = Phase.status
    private var method = Method.get
    private var isHTTP2 = false
    private var interimHeads = 0
    private var framing = BodyFraming.none
    private var received: UInt64 = 0

    private enum Phase { case status, fields, body, trailers }

    /// What a line has brought.
    enum Event: Equatable {
        case more
        /// An interim head is whole.
        case interim
        /// The final head is whole.
        case head
        case failed(StaticString)

        static func == (left: Event, right: Event) -> Bool {
            switch (left, right) {
            case (.more, .more), (.interim, .interim), (.head, .head): true
            case (.failed(let one), .failed(let other)): "\(one)" == "\(other)"
            default: false
            }
        }
    }

    /// How an answer stands when its transfer has ended in good order.
    enum End { case whole, withoutHead, short }

    /// A checker that waits for an answer to GET.
    init() {}

    /// Awaits the answer to a request with `method`.
    mutating func expectAnswer(to method: Method, overHTTP2 isHTTP2: Bool) {
        self.method = method
        self.isHTTP2 = isHTTP2
        phase = .status
        interimHeads = 0
        framing = .none
        received = 0
        parser.reset()
        trailers.reset()
    }

    /// Whether anything of the answer has come.
    var hasBegun: Bool { phase != .status || interimHeads > 0 }

    /// Whether the final head is whole.
    var hasPassedHead: Bool { phase == .body || phase == .trailers }

    /// Whether nothing more of the body can come.
    var isComplete: Bool {
        guard hasPassedHead else { return false }
        switch framing {
        case .none: return true
        case .length(let length): return received == length
        case .chunked, .untilClose: return false
        }
    }

    /// Takes one line with its end, of a head or behind the body.
    mutating func take(_ line: Span<UInt8>, into head: inout ResponseHead) -> Event {
        switch phase {
        case .status: return takeStatusLine(line, into: &head)
        case .fields: return parse(line, into: &head)
        case .body, .trailers: return takeTrailer(line)
        }
    }

    private mutating func takeStatusLine(_ line: Span<UInt8>, into head: inout ResponseHead) -> Event {
        phase = .fields
        guard isHTTP2 else { return parse(line, into: &head) }
        // libcurl writes the pseudo-header as a status line of its own.
        guard line.count > 7, line.extracting(0..<7).equals("HTTP/2 ") else {
            return .failed("the server did not agree to HTTP/2")
        }
        let version: StaticString = "HTTP/1.1 "
        let event = version.withUTF8Buffer { parse($0.span, into: &head) }
        guard case .more = event else { return event }
        return parse(line.extracting(7...), into: &head)
    }

    private mutating func parse(_ bytes: Span<UInt8>, into head: inout ResponseHead) -> Event {
        switch parser.consume(bytes, into: &head, requestMethod: method) {
        case .incomplete: return .more
        case .failed(let error): return .failed(error.detail)
        case .complete:
            if isHTTP2 { head.version = .http2 }
            if head.isInterim {
                interimHeads += 1
                if interimHeads > HTTP1ClientCodec.mostInterimHeads { return .failed("too many interim answers") }
                phase = .status
                return .interim
            }
            if isHTTP2, head.framing == .chunked || head.connection != [] {
                return .failed("an HTTP/2 answer has a field of the connection")
            }
            phase = .body
            framing = head.framing
            return .head
        }
    }

    private mutating func takeTrailer(_ line: Span<UInt8>) -> Event {
        if line.count == 2, line[0] == UInt8(ascii: "\r") { return .more }
        if phase == .body {
            phase = .trailers
            let lastChunk: StaticString = "0\r\n"
            lastChunk.withUTF8Buffer { _ = trailers.next($0.span) }
        }
        if case .failed(let detail) = trailers.next(line) { return .failed(detail) }
        return .more
    }

    /// Counts bytes of the body; false when they cannot belong to the answer.
    mutating func takeBody(_ count: Int) -> Bool {
        guard phase == .body else { return false }
        received &+= UInt64(count)
        switch framing {
        case .none: return count == 0
        case .length(let length): return received <= length
        case .chunked, .untilClose: return true
        }
    }

    /// The transfer has ended: how the answer stands.
    mutating func end() -> End {
        guard hasPassedHead else { return .withoutHead }
        if case .length(let length) = framing, received < length { return .short }
        guard phase == .trailers else { return .whole }
        let emptyLine: StaticString = "\r\n"
        if case .end = emptyLine.withUTF8Buffer({ trailers.next($0.span) }) { return .whole }
        return .short
    }

    /// Appends the trailer lines that may be passed on, after ``end()``.
    func appendTrailers(to buffer: inout ByteBuffer) {
        guard phase == .trailers, trailers.trailers.fields.count > 0 else { return }
        ForwardingHeaders.appendTrailers(of: trailers.trailers, policy: FieldPolicy(), into: &buffer)
    }
}
