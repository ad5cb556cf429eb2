import ByteBuffers
import HTTPMessage

/// A body of four chunks, 1 KiB each, which comes in one piece.
struct ChunkDecoding: Workload, ~Copyable {
    private let text: [UInt8]
    private var decoder = BodyDecoder()

    /// The content, and one for the end.
    let once: UInt64 = 4 * 1024 + 1

    init() {
        let chunk = Array("400\r\n".utf8) + Array(repeating: UInt8(ascii: "x"), count: 1024) + Array("\r\n".utf8)
        text = chunk + chunk + chunk + chunk + Array("0\r\n\r\n".utf8)
    }

    mutating func check() throws(WrongResult) { try require(run(1), is: once) }

    mutating func run(_ times: Int) -> UInt64 {
        let text = text
        var content: UInt64 = 0
        for _ in 0..<times {
            decoder.begin(.chunked)
            var position = 0
            reading: while true {
                switch decoder.next(text.span.extracting(position..<text.count)) {
                case .data(let range, let consumed):
                    content &+= UInt64(range.count)
                    position += consumed
                case .end:
                    content &+= 1
                    break reading
                case .needMore, .failed: break reading
                }
            }
        }
        return content
    }
}
