import ByteBuffers
import HTTP2Framing
import HTTPMessage

/// What the session tells of frames that came and went.
extension HTTP2UpstreamConnection {
    /// Looks at the frames before nghttp2 gets them.
    func scan(_ input: Span<UInt8>, at now: UInt64) {
        let flood =
            budget.receivedInput(input.count)
            ?? scanner.next(input) { type, flags, length in
                if !hasHeardFrame {
                    hasHeardFrame = true
                    if type != HTTP2FrameType.settings.rawValue { fault = "the server does not speak HTTP/2" }
                }
                return budget.received(type, flags: flags, length: length, at: now)
            }
        if flood != nil, fault == nil { fault = "the server sends more frames than it may" }
    }

    /// A header block begins.
    func beginBlock(_ id: Int32) {
        budget.blockBegan()
        blockStream = nil
        guard let stream = stream(id), let attempt = stream.attempt else { return }
        switch stream.phase {
        case .head: parser.begin(&attempt.head)
        case .body: break
        case .over: return
        }
        blockIsTrailers = stream.phase == .body
        blockStream = stream
    }

    /// A field of the block has been decoded.
    func takeField(_ name: Span<UInt8>, _ value: Span<UInt8>) -> Bool {
        guard budget.receivedField(name: name.count, value: value.count) == nil else {
            fault = "a header block is far too large"
            return false
        }
        guard let stream = blockStream, let attempt = stream.attempt else { return true }
        if blockIsTrailers { stream.addTrailer(name, value) } else { parser.add(name, value, to: &attempt.head) }
        return true
    }

    /// A frame is whole; for a header block it is told once, when the block ends.
    func takeFrame(_ frame: HTTP2Frame) {
        switch frame.type {
        case .headers: blockEnded(endsStream: frame.endsStream)
        case .data: if frame.endsStream { stream(frame.stream)?.answerEnded() }
        case .reset: stream(frame.stream)?.isResetByPeer = true
        case .settings: if !frame.isAcknowledgement { greeted() }
        case .goAway: takeNoMore()
        default: break
        }
    }

    private func blockEnded(endsStream: Bool) {
        guard let stream = blockStream, let attempt = stream.attempt else { return }
        blockStream = nil
        if blockIsTrailers {
            stream.trailersReceived(endsStream: endsStream)
        } else {
            let outcome = parser.finish(&attempt.head, requestMethod: attempt.method, endsStream: endsStream)
            stream.headReceived(outcome, endsStream: endsStream)
        }
    }

    /// A piece of a body has come.
    func takeData(_ id: Int32, _ bytes: Span<UInt8>) {
        // For the connection the bytes are taken at once: what waits, waits in the window of its own stream.
        consumeOfConnection(bytes.count)
        guard let stream = stream(id) else { return }
        budget.receivedBody(bytes.count)
        stream.dataReceived(bytes)
    }

    /// A frame has been put among what is sent.
    func noteSent(_ frame: HTTP2Frame) {
        switch frame.type {
        case .data:
            budget.dataSent()
            if frame.endsStream { stream(frame.stream)?.frameSent(endsStream: true) }
        case .headers: stream(frame.stream)?.frameSent(endsStream: frame.endsStream)
        default: break
        }
    }
}
