import ByteBuffers
import HTTPMessage

/// What became of a body, as values that can be compared.
struct ReadBody: Equatable {
    enum End: Equatable {
        case goesOn
        case whole
        case refused(String)
    }

    var content: [UInt8] = []
    var trailers: [ReadField] = []
    var end = End.goesOn

    /// Takes what there is of a body in `input` from `position` to `limit`; stops where it ends or is refused.
    mutating func take(
        _ decoder: inout BodyDecoder, _ input: [UInt8], _ position: inout Int, to limit: Int
    ) throws(BrokenProperty) {
        while end == .goesOn {
            let left = limit - position
            switch decoder.next(input.span.extracting(position..<limit)) {
            case .data(let range, let consumed):
                try require(range.count > 0 && range.end == consumed && consumed <= left, "data lies outside the input")
                content += input[(position + Int(range.start))..<(position + range.end)]
                position += consumed
            case .needMore(let consumed):
                try require(consumed == left, "a body that goes on leaves input behind")
                position += consumed
                try require(!decoder.isComplete, "a body that goes on is complete")
                return
            case .end(let consumed):
                try require(consumed <= left, "a body ends behind the input")
                position += consumed
                end = .whole
                try require(decoder.isComplete, "a body that has ended is not complete")
                trailers = try ReadField.all(of: decoder.chunks.trailers.fields, in: decoder.chunks.trailers.bytes)
            case .failed(let detail):
                end = .refused(detail.description)
            }
        }
        try require(decoder.received == UInt64(content.count) || end != .whole, "the count of content is wrong")
    }
}
