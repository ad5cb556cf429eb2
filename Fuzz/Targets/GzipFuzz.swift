import ByteBuffers
import Compression

/// What services send as gzip: bounded, alike however it is cut, and what was compressed comes back.
enum GzipFuzz {
    /// Small, so that the fuzzer comes upon it.
    private static let limit = 2048

    /// What became of a text.
    private struct Reading: Equatable {
        var outcome = GzipDecoder.Outcome.taken
        var isWhole = false
        var content: [UInt8] = []
    }

    static func check(_ input: [UInt8]) throws(BrokenProperty) {
        let splits = Splits.of(input)
        let whole = try read(input, cutAt: splits[0], limit: limit)
        for cuts in splits.dropFirst() {
            let cut = try read(input, cutAt: cuts, limit: limit)
            // What had come out before a fault depends on the pieces; the verdict does not, but that a text which is both
            // too large and damaged is refused for what is come upon first.
            if whole.outcome == .taken || cut.outcome == .taken {
                try requireSame(whole, cut, "read otherwise when cut at \(cuts)")
            }
        }
        let wide = try read(input, cutAt: [], limit: 1 << 20)
        if whole.outcome == .taken {
            try requireSame(whole, wide, "a wider bound changes what is within the narrow one")
        }
        if wide.isWhole {
            try require(input.count >= 18, "a text that is shorter than a header and a trailer is whole")
            try checkFollowed(input, wide)
        }
        try checkRoundTrip(input)
    }

    /// Gives a decoder the pieces, as long as it takes them.
    private static func read(
        _ input: [UInt8], cutAt cuts: [Int], limit: Int
    ) throws(BrokenProperty) -> Reading {
        guard var decoder = GzipDecoder(limit: limit) else { throw BrokenProperty("there is no decoder") }
        var reading = Reading()
        var start = 0
        for end in cuts + [input.count] where reading.outcome == .taken {
            reading.outcome = decoder.decode(input.span.extracting(start..<end)) { piece in
                for index in 0..<piece.count { reading.content.append(piece[index]) }
                return true
            }
            start = end
        }
        reading.isWhole = decoder.isWhole
        try require(reading.content.count <= limit, "more comes out than may")
        try require(reading.outcome == .taken || !reading.isWhole, "a text that is refused is whole")
        if reading.outcome != .taken {
            let again = decoder.decode(input.span) { _ in false }
            try require(again == reading.outcome && !decoder.isWhole, "a refusal does not stay one")
        }
        return reading
    }

    /// Members may follow each other, and nothing else may follow one.
    private static func checkFollowed(_ input: [UInt8], _ reading: Reading) throws(BrokenProperty) {
        let twice = try read(input + input, cutAt: [], limit: 1 << 21)
        try require(twice.isWhole, "two whole texts are no whole one")
        try requireSame(twice.content, reading.content + reading.content, "two texts are read otherwise")
        let followed = try read(input + [0x0A], cutAt: [], limit: 1 << 21)
        try require(!followed.isWhole, "a byte behind a text is taken for a part of it")
    }

    /// What the encoder writes is read as what it was; without its last byte it is not whole.
    private static func checkRoundTrip(_ text: [UInt8]) throws(BrokenProperty) {
        guard var encoder = GzipEncoder() else { throw BrokenProperty("there is no encoder") }
        var out = ByteBuffer()
        try require(encoder.encode(text.span, to: &out), "a text cannot be compressed")
        let bytes = Array(copying: out)
        let again = try read(bytes, cutAt: Splits.derived(from: bytes), limit: 1 << 20)
        try require(again.isWhole && again.content == text, "what was compressed is another text")
        let cut = try read(Array(bytes.dropLast()), cutAt: [], limit: 1 << 20)
        try require(!cut.isWhole, "a text that is cut is whole")
    }
}
