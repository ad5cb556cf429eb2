import ByteBuffers

/// Reads a body whichever way it is framed (RFC 9112 §6.3), without copying it. Reused: ``begin(_:)`` starts the next.
package struct BodyDecoder: ~Copyable {
    private var framing = BodyFraming.none
    /// Bytes that have not come yet, for a body with a length.
    private var remaining: UInt64 = 0
    /// The decoder for chunked bodies: its trailers are whole once the body has ended, and none for other framings.
    package private(set) var chunks = ChunkedDecoder()
    private var hasEnded = true

    /// Bytes of content so far.
    package private(set) var received: UInt64 = 0

    /// A decoder that has nothing to read.
    package init() {}

    /// Starts to read a body with this framing; memory is kept.
    package mutating func begin(_ framing: BodyFraming) {
        self.framing = framing
        received = 0
        remaining = 0
        chunks.reset()
        switch framing {
        case .none:
            hasEnded = true
        case .length(let length):
            remaining = length
            hasEnded = length == 0
        case .chunked, .untilClose:
            hasEnded = false
        }
    }

    /// Whether the body is known to have been read to its end, so that what follows is the next message.
    package var isComplete: Bool { hasEnded }

    /// Reads `input` up to the next break in its content, the end of the body, or its own end.
    package mutating func next(_ input: Span<UInt8>) -> BodyStep {
        if hasEnded { return .end(consumed: 0) }
        switch framing {
        case .none:
            return .end(consumed: 0)
        case .length:
            let count = Int(Swift.min(remaining, UInt64(input.count), UInt64(UInt32.max)))
            if count == 0 { return .needMore(consumed: 0) }
            remaining -= UInt64(count)
            hasEnded = remaining == 0
            return data(count)
        case .chunked:
            let step = chunks.next(input)
            switch step {
            case .data(let range, _): received &+= UInt64(range.count)
            case .end: hasEnded = true
            case .needMore, .failed: break
            }
            return step
        case .untilClose:
            let count = Swift.min(input.count, Int(UInt32.max))
            return count == 0 ? .needMore(consumed: 0) : data(count)
        }
    }

    private mutating func data(_ count: Int) -> BodyStep {
        received &+= UInt64(count)
        return .data(ByteRange(start: 0, count: count), consumed: count)
    }

    /// Tells that the connection has been closed in good order. Returns whether the body is whole: it was before, or
    /// the close is what ends it. False means that it was cut short (RFC 9112 §8).
    package mutating func finishAtClose() -> Bool {
        if case .untilClose = framing { hasEnded = true }
        return hasEnded
    }

    /// Gives memory back: for a connection that falls idle.
    package mutating func releaseMemory() { chunks.releaseMemory() }
}
