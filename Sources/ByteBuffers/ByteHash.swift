extension Span where Element == UInt8 {
    /// A 64-bit hash of the bytes under `seed`: each eight bytes are folded in by a multiplication of 64 × 64 bits.
    ///
    /// For tables and change tags, not for cryptography. With a seed that is not known outside, names cannot be chosen
    /// to collide; with a fixed seed the same bytes give the same value in every process on every platform.
    @inlinable public func hash64(seed: UInt64) -> UInt64 {
        @inline(__always) func fold(_ value: UInt64) -> UInt64 {
            let product = value.multipliedFullWidth(by: 0xA076_1D64_78BD_642F)
            return product.high ^ product.low
        }
        let raw = bytes
        var state = fold(seed ^ 0x9E37_79B9_7F4A_7C15 ^ UInt64(truncatingIfNeeded: count))
        if count >= 8 {
            var offset = 0
            while offset < count - 8 {
                // SAFETY: eight bytes from offset lie within the span, and every bit pattern is a UInt64.
                let word = raw.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
                state = fold(state ^ UInt64(littleEndian: word))
                offset += 8
            }
            // SAFETY: there are at least eight bytes, and every bit pattern is a UInt64.
            let last = raw.unsafeLoadUnaligned(fromUncheckedByteOffset: count - 8, as: UInt64.self)
            state = fold(state ^ UInt64(littleEndian: last))
        } else {
            var tail: UInt64 = 0
            var index = 0
            while index < count {
                tail = (tail << 8) | UInt64(self[unchecked: index])
                index += 1
            }
            state = fold(state ^ tail)
        }
        return fold(state ^ 0xE703_7ED1_A0B4_28DB)
    }
}
