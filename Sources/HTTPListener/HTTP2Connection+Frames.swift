import ByteBuffers
import HTTP2Framing
import HTTPMessage

/// What nghttp2 tells of frames that came.
extension HTTP2Connection {
    /// A header block begins.
    func beginBlock(_ id: Int32, opens: Bool) {
        budget.blockBegan()
        block = .ignored
        blockStream = nil
        if opens {
            guard let stream = openStream(id) else {
                reset(id, .refusedStream)
                return
            }
            block = .request
            blockStream = stream
            if let exchange = stream.exchange { parser.begin(&exchange.head) }
        } else if let stream = stream(id), stream.phase == .body {
            block = .trailers
            blockStream = stream
        }
    }

    /// A field of the block has been decoded.
    func takeField(_ name: Span<UInt8>, _ value: Span<UInt8>) -> Bool {
        if let flood = budget.receivedField(name: name.count, value: value.count) { return refuse(flood) }
        guard let stream = blockStream else { return true }
        switch block {
        case .none, .ignored: break
        case .request: if let exchange = stream.exchange { parser.add(name, value, to: &exchange.head) }
        case .trailers:
            if stream.trailerFault == nil { stream.trailerFault = stream.trailers.add(name, value) }
        }
        return true
    }

    /// A frame is whole; for a header block it is told once, when the block ends.
    func takeFrame(_ frame: HTTP2Frame) {
        switch frame.type {
        case .headers: blockEnded(endsStream: frame.endsStream)
        case .data: if frame.endsStream { stream(frame.stream)?.requestEnded() }
        case .settings: isGreeted = true
        case .ping: if frame.isAcknowledgement { pingAnswered() }
        default: break
        }
    }

    private func blockEnded(endsStream: Bool) {
        let block = block
        self.block = .none
        guard let stream = blockStream else { return }
        blockStream = nil
        switch block {
        case .none, .ignored: break
        case .request: headEnded(stream, endsStream)
        case .trailers:
            if endsStream {
                stream.requestEnded()
            } else {
                stream.malformed("a header block in the middle of a body")
            }
        }
    }

    private func headEnded(_ stream: HTTP2Stream, _ endsStream: Bool) {
        guard let exchange = stream.exchange else { return }
        switch parser.finish(&exchange.head, endsStream: endsStream) {
        case .accepted: begin(stream, endsStream: endsStream)
        case .malformed(let detail): stream.malformed(detail)
        case .refused(let error):
            exchange.refusal = error
            stream.refuse(endsStream: endsStream)
        }
    }

    /// A piece of a body has come.
    func takeData(_ id: Int32, _ bytes: Span<UInt8>) {
        guard let stream = stream(id) else { return consumed(bytes.count, of: id) }
        budget.receivedBody(bytes.count)
        stream.dataReceived(bytes)
    }

    /// Stops nghttp2: the client has passed a bound.
    private func refuse(_ flood: HTTP2Flood) -> Bool {
        self.flood = flood
        return false
    }
}
