import ByteBuffers
import HTTPMessage

/// A body in chunks, and what follows it on the connection.
enum ChunksFuzz {
    /// What became of the body, and how much of the input was its.
    private struct Reading: Equatable {
        var body: ReadBody
        /// Meaningful only where the body has ended: a refusal comes wherever the input was cut.
        var end: Int
    }

    static func check(_ input: [UInt8]) throws(BrokenProperty) {
        let splits = Splits.of(input)
        let whole = try read(input, cutAt: splits[0], .chunked)
        for cuts in splits.dropFirst() {
            try requireSame(whole, try read(input, cutAt: cuts, .chunked), "read otherwise when cut at \(cuts)")
        }
        for field in whole.body.trailers {
            try require(
                !["content-length", "transfer-encoding", "host", "connection", "trailer", "authorization"].contains(
                    field.key), "\(field.key) is a trailer")
        }
        if whole.body.end == .whole {
            try requireSame(plainContent(Array(input.prefix(whole.end))), whole.body.content, "the content is another")
            try checkWrittenAnew(whole.body.content)
        }
        for length in [0, UInt64(input.count / 2), UInt64(input.count), UInt64(input.count) + 1] {
            let framing = BodyFraming.length(length)
            let expected = try read(input, cutAt: [], framing)
            try require(
                (expected.body.end == .whole) == (length <= input.count)
                    && expected.body.content == Array(input.prefix(Int(length))), "a body with a length is another")
            for cuts in splits.dropFirst() {
                try requireSame(expected, try read(input, cutAt: cuts, framing), "read otherwise when cut at \(cuts)")
            }
        }
    }

    private static func read(
        _ input: [UInt8], cutAt cuts: [Int], _ framing: BodyFraming
    ) throws(BrokenProperty) -> Reading {
        var decoder = BodyDecoder()
        decoder.begin(framing)
        var body = ReadBody()
        var position = 0
        for limit in cuts + [input.count] where body.end == .goesOn {
            try body.take(&decoder, input, &position, to: limit)
        }
        return Reading(body: body, end: body.end == .whole ? position : 0)
    }

    /// The content of a body that is known to be good, read without looking left or right.
    private static func plainContent(_ input: [UInt8]) -> [UInt8] {
        var content: [UInt8] = []
        var rest = input[...]
        while true {
            let digits = rest.prefix { $0.hexValue != nil }
            guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 16), size > 0,
                let lineEnd = rest.firstIndex(of: UInt8(ascii: "\n")), rest.endIndex - lineEnd > size
            else { return content }
            content += rest[(lineEnd + 1)..<(lineEnd + 1 + size)]
            rest = rest[(lineEnd + 1 + size)...].dropFirst(2)
        }
    }

    /// What the encoder writes is what was meant.
    private static func checkWrittenAnew(_ content: [UInt8]) throws(BrokenProperty) {
        let middle = content.count / 3
        var out = ByteBuffer()
        out.appendChunk(content.span.extracting(0..<middle))
        let mark = out.beginChunk()
        out.append(content.span.extracting(middle..<content.count))
        out.endChunk(mark)
        out.appendLastChunk()
        let bytes = Array(copying: out)
        let again = try read(bytes, cutAt: [], .chunked)
        try require(
            again.body.content == content && again.body.end == .whole && again.end == bytes.count,
            "chunks that are written read otherwise")
    }
}
