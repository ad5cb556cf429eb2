import ByteBuffers
internal import CZlib

/// Expands a text in the gzip format (RFC 1952) as it comes, piece by piece, up to a bound.
///
/// The bound counts what comes out, and by itself what goes in: neither a small text that becomes a large one nor a long
/// row of members without content costs more than that. What comes out is handed over in small pieces, and nothing of it
/// is kept.
package struct GzipDecoder: ~Copyable {
    /// What became of a piece.
    package enum Outcome: Equatable, Sendable {
        /// All of it was taken in.
        case taken
        /// The text is not gzip, or damaged, or something else follows it.
        case corrupt
        /// More came out, or went in, than may.
        case tooLarge
    }

    private let stream: UnsafeMutablePointer<z_stream>
    private var room = ByteBuffer()
    private let limit: Int
    private var taken = 0
    private var given = 0
    /// Whether what has come so far ends with a whole member.
    private var isBetweenMembers = false
    private var verdict = Outcome.taken

    /// How much is handed over at a time, in bytes.
    private static let pieceSize = 32 * 1024

    /// A decoder for one text of at most `limit` bytes; nil when there is no memory.
    package init?(limit: Int) {
        self.limit = limit
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        if banyan_inflate_init_gzip(stream) != Z_OK {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        // SAFETY: the stream was initialised, and nobody else has it.
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Whether what has come so far is one whole text: one member or several (RFC 1952 §2.2), each with the length and
    /// the check sum that it says it has.
    package var isWhole: Bool { isBetweenMembers && verdict == .taken }

    /// Takes in a piece of the compressed text, and hands over what comes of it; `consume` says whether it wants more.
    ///
    /// After anything but `taken` nothing is taken in any more, and the answer stays the same.
    package mutating func decode(_ bytes: Span<UInt8>, _ consume: (Span<UInt8>) -> Bool) -> Outcome {
        if verdict == .taken { verdict = take(bytes, consume) }
        return verdict
    }

    private mutating func take(_ bytes: Span<UInt8>, _ consume: (Span<UInt8>) -> Bool) -> Outcome {
        taken += bytes.count
        if taken > limit { return .tooLarge }
        let stream = stream
        return bytes.withUnsafeBufferPointer { source in
            // SAFETY: zlib reads `source` during this call only, and never writes to it.
            stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
            stream.pointee.avail_in = UInt32(clamping: source.count)
            defer { stream.pointee.next_in = nil }
            while true {
                if isBetweenMembers {
                    if stream.pointee.avail_in == 0 { return .taken }
                    // Another member, or what is none and is found out to be so.
                    guard inflateReset(stream) == Z_OK else { return .corrupt }
                    isBetweenMembers = false
                }
                let status = fill()
                // Without anything to go in, nothing comes out; but that is no fault of the text.
                if status == Z_BUF_ERROR, stream.pointee.avail_in == 0 { return .taken }
                guard status == Z_OK || status == Z_STREAM_END else { return .corrupt }
                given += room.count
                if given > limit { return .tooLarge }
                let isFull = room.count >= Self.pieceSize
                if !room.isEmpty, !consume(room.span) { return .taken }
                isBetweenMembers = status == Z_STREAM_END
                // Without room left there may be more to come out, though nothing is left to go in.
                if stream.pointee.avail_in == 0, !isFull || isBetweenMembers { return .taken }
            }
        }
    }

    /// Fills `room` with what comes next.
    private mutating func fill() -> Int32 {
        var status = Z_OK
        let stream = stream
        room.removeAll()
        _ = room.write(minimum: Self.pieceSize) { free in
            // SAFETY: zlib writes at most avail_out bytes, all of which are the buffer's.
            stream.pointee.next_out = free.bindMemory(to: UInt8.self).baseAddress
            stream.pointee.avail_out = UInt32(Self.pieceSize)
            status = inflate(stream, Z_NO_FLUSH)
            let written = Self.pieceSize - Int(stream.pointee.avail_out)
            stream.pointee.next_out = nil
            return written
        }
        return status
    }
}
