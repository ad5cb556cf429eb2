package import ByteBuffers

/// Where a chunk of yet unknown size begins; see ``ByteBuffers/ByteBuffer/beginChunk()``.
package struct ChunkMark: Sendable {
    fileprivate let position: Int
}

/// The chunked transfer coding, written (RFC 9112 §7.1).
extension ByteBuffer {
    /// Appends the size line of a chunk of `size` bytes; the data and ``appendChunkEnd()`` must follow. Nothing is
    /// appended for a size of 0, which would end the body.
    package mutating func appendChunkHeader(size: Int) {
        guard size > 0 else { return }
        appendHex(UInt64(size), digits: (Int.bitWidth - size.leadingZeroBitCount + 3) / 4)
        append("\r\n")
    }

    /// Appends the line end behind the data of a chunk.
    package mutating func appendChunkEnd() { append("\r\n") }

    /// Appends `data` as one chunk, or nothing if it is empty.
    package mutating func appendChunk(_ data: Span<UInt8>) {
        guard data.count > 0 else { return }
        appendChunkHeader(size: data.count)
        append(data)
        appendChunkEnd()
    }

    /// Appends the last chunk and an empty trailer section: the end of the body.
    package mutating func appendLastChunk() { append("0\r\n\r\n") }

    /// Begins a chunk whose size is known only when it is whole: data is appended, then ``endChunk(_:)`` is called.
    /// Many small pieces become one chunk in that way. Nothing may be taken from the front of the buffer in between.
    package mutating func beginChunk() -> ChunkMark {
        let mark = ChunkMark(position: count)
        append("00000000\r\n")
        return mark
    }

    /// Ends the chunk that began at `mark`: fills in its size, or takes the size line back if no data came.
    /// The data must be shorter than 4 GiB, as the buffer's is.
    package mutating func endChunk(_ mark: ChunkMark) {
        let start = mark.position + 10
        guard count > start else {
            truncate(to: mark.position)
            return
        }
        var rest = UInt64(count - start)
        for digit in stride(from: mark.position + 7, through: mark.position, by: -1) {
            let nibble = UInt8(truncatingIfNeeded: rest & 15)
            self[digit] = nibble < 10 ? nibble + UInt8(ascii: "0") : nibble - 10 + UInt8(ascii: "a")
            rest >>= 4
        }
        append("\r\n")
    }
}
