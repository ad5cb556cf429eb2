package import ByteBuffers
internal import CZlib

/// Compresses whole texts, one after the other, in the gzip format (RFC 1952).
package struct GzipEncoder: ~Copyable {
    private let stream: UnsafeMutablePointer<z_stream>

    /// An encoder for this level, 1 (fast) to 9 (small); nil when there is no memory.
    package init?(level: Int32 = 1) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        if banyan_deflate_init_gzip(stream, level) != Z_OK {
            stream.deallocate()
            return nil
        }
    }

    deinit {
        // SAFETY: the stream was initialised, and nobody else has it.
        deflateEnd(stream)
        stream.deallocate()
    }

    /// Appends the compressed form of `text` to `buffer`; false where zlib fails, and what was appended is of no use.
    package mutating func encode(_ text: borrowing Span<UInt8>, to buffer: inout ByteBuffer) -> Bool {
        guard text.count < Int(UInt32.max) / 2, deflateReset(stream) == Z_OK else { return false }
        let stream = stream
        let room = Int(deflateBound(stream, UInt(text.count)))
        return text.withUnsafeBufferPointer { source in
            // SAFETY: zlib reads `source` during the calls below only, and never writes to it.
            stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
            stream.pointee.avail_in = UInt32(source.count)
            var isDone = false
            _ = buffer.write(minimum: room) { free in
                // SAFETY: zlib writes at most avail_out bytes, all of which are the buffer's.
                stream.pointee.next_out = free.bindMemory(to: UInt8.self).baseAddress
                stream.pointee.avail_out = UInt32(clamping: free.count)
                let given = stream.pointee.avail_out
                // The bound holds for one call.
                isDone = deflate(stream, Z_FINISH) == Z_STREAM_END
                return Int(given - stream.pointee.avail_out)
            }
            stream.pointee.next_in = nil
            return isDone
        }
    }
}
