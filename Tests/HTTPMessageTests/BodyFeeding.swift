import ByteBuffers
import HTTPMessage
import Testing

/// What became of a body.
struct ReadBody: Equatable {
    enum End: Equatable {
        case complete(consumed: Int)
        case incomplete
        case failed(String)
    }

    var content: [UInt8] = []
    /// `name: value` of each trailer that may be passed on.
    var trailers: [String] = []
    var end = End.incomplete

    var text: String { String(decoding: content, as: UTF8.self) }
}

enum BodyFeeding {
    /// Feeds `bytes` cut at `cuts`; each rest that a step leaves is given again, as a connection does.
    static func feed(_ bytes: [UInt8], cuts: [Int] = [], into decoder: inout BodyDecoder) -> ReadBody {
        var read = ReadBody()
        var position = 0
        for end in cuts + [bytes.count] {
            steps: while true {
                switch decoder.next(bytes.span.extracting(position..<end)) {
                case .data(let range, let consumed):
                    read.content += bytes[(position + Int(range.start))..<(position + range.end)]
                    position += consumed
                case .needMore(let consumed):
                    position += consumed
                    if position != end { read.end = .failed("not all of the input was taken") }
                    break steps
                case .end(let consumed):
                    read.end = .complete(consumed: position + consumed)
                    for index in 0..<decoder.chunks.trailers.fields.count {
                        let field = decoder.chunks.trailers.fields[index]
                        let bytes = decoder.chunks.trailers.bytes.span
                        read.trailers.append(bytes.slice(field.name).text + ": " + bytes.slice(field.value).text)
                    }
                    return read
                case .failed(let detail):
                    read.end = .failed(detail.description)
                    return read
                }
            }
        }
        return read
    }

    /// Feeds `bytes` whole, byte by byte and in every split in two, and expects the same each time.
    static func feedInEverySplit(
        _ bytes: [UInt8], framing: BodyFraming = .chunked, sourceLocation: SourceLocation = #_sourceLocation
    ) -> ReadBody {
        var decoder = BodyDecoder()
        decoder.begin(framing)
        let whole = feed(bytes, into: &decoder)
        decoder.begin(framing)
        let single = feed(bytes, cuts: Array(stride(from: 1, to: bytes.count, by: 1)), into: &decoder)
        #expect(single == whole, "byte by byte", sourceLocation: sourceLocation)
        for cut in stride(from: 0, through: bytes.count, by: bytes.count > 2000 ? 97 : 1) {
            decoder.begin(framing)
            let split = feed(bytes, cuts: [cut], into: &decoder)
            if split != whole {
                #expect(split == whole, "split at \(cut)", sourceLocation: sourceLocation)
                break
            }
        }
        return whole
    }
}
