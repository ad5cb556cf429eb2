import ByteBuffers
import HTTP2Framing

/// How the body of an answer comes to nghttp2: it asks for the length that it may send, then for the bytes.
extension HTTP2Stream {
    /// Where the answer of a stream stands.
    struct Answer: ~Copyable {
        var state = State.none
        /// nghttp2 has asked for bytes when there were none; it asks again when it is told to.
        var isDeferred = false
        /// Trailer lines that follow the body, each with its line's end.
        var trailers = ByteBuffer()

        enum State {
            case none
            /// The head is written and its end is not: an answer without a body, which goes out as a whole.
            case headIsHeld
            case submitted
        }

        mutating func forget() {
            state = .none
            isDeferred = false
            trailers.removeAll(keeping: 4096)
        }
    }

    /// How many bytes of the body may be sent now: none and the end, or nghttp2's sign that more come later.
    func provide(atMost most: Int) -> HTTP2Body {
        guard let exchange, exchange.response != .aborted else {
            answer.isDeferred = true
            return .later
        }
        let held = exchange.output.count
        let hasEnded = exchange.response == .ended
        if held == 0, !hasEnded {
            answer.isDeferred = true
            return .later
        }
        let count = min(held, most)
        guard hasEnded, count == held else { return .piece(count) }
        let hasTrailers = !answer.trailers.isEmpty && http2.submitTrailers(self)
        return hasTrailers ? .beforeTrailers(count) : .last(count)
    }

    /// Moves so many bytes of the body behind `target`.
    func takeBody(_ count: Int, into target: inout ByteBuffer) {
        guard let exchange else { return }
        exchange.output.copy(ByteRange(start: 0, count: count), to: &target)
        exchange.output.removeFirst(count)
        if exchange.output.isEmpty { writeWithoutLimit() } else { limitWriting(anew: true) }
        if exchange.outputWasFull, exchange.output.count < ConnectionLimits.lowWater { http2.tellWritable(self) }
    }

    /// The client has taken so much that the source of the body may go on.
    func becameWritable() {
        guard let exchange, exchange.outputWasFull, exchange.output.count < ConnectionLimits.lowWater else { return }
        exchange.outputWasFull = false
        exchange.downstreamWritable()
    }
}
