import ByteBuffers
import CNghttp2
import HTTPMessage

/// What nghttp2 tells of frames that came.
extension HTTP2Connection {
    /// A header block begins.
    func blockBegan(_ frame: UnsafePointer<nghttp2_frame>) -> CInt {
        let id = banyan_h2_header(frame).stream_id
        budget.blockBegan()
        block = .ignored
        blockStream = nil
        if banyan_h2_headers_category(frame) == NGHTTP2_HCAT_REQUEST {
            guard let stream = openStream(id) else {
                reset(id, NGHTTP2_REFUSED_STREAM)
                return 0
            }
            block = .request
            blockStream = stream
            if let exchange = stream.exchange { parser.begin(&exchange.head) }
        } else if let stream = stream(id), stream.phase == .body {
            block = .trailers
            blockStream = stream
        }
        return 0
    }

    /// A field of the block has been decoded.
    func fieldReceived(_ name: Span<UInt8>, _ value: Span<UInt8>) -> CInt {
        if let flood = budget.receivedField(name: name.count, value: value.count) { return refuse(flood) }
        guard let stream = blockStream else { return 0 }
        switch block {
        case .none, .ignored: break
        case .request: if let exchange = stream.exchange { parser.add(name, value, to: &exchange.head) }
        case .trailers:
            if stream.trailerFault == nil { stream.trailerFault = stream.trailers.add(name, value) }
        }
        return 0
    }

    /// A frame is whole; for a header block it is told once, when the block ends.
    func frameReceived(_ frame: UnsafePointer<nghttp2_frame>) -> CInt {
        let header = banyan_h2_header(frame)
        let endsStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        switch HTTP2FrameType(rawValue: header.type) {
        case .headers: blockEnded(endsStream: endsStream)
        case .data: if endsStream { stream(header.stream_id)?.requestEnded() }
        case .settings: isGreeted = true
        case .ping:
            if header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0 { pingAnswered() }
        default: break
        }
        return 0
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
    func dataReceived(_ id: Int32, _ bytes: Span<UInt8>) -> CInt {
        guard let stream = stream(id) else {
            consumed(bytes.count, of: id)
            return 0
        }
        budget.receivedBody(bytes.count)
        stream.dataReceived(bytes)
        return 0
    }

    /// Stops nghttp2: the client has passed a bound.
    private func refuse(_ flood: HTTP2Flood) -> CInt {
        self.flood = flood
        return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
    }
}
