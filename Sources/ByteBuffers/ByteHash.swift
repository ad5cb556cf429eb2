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
        } else if count >= 4 {
            // SAFETY: there are at least four bytes, and every bit pattern is a UInt32.
            let first = raw.unsafeLoadUnaligned(fromUncheckedByteOffset: 0, as: UInt32.self)
            // SAFETY: as above.
            let last = raw.unsafeLoadUnaligned(fromUncheckedByteOffset: count - 4, as: UInt32.self)
            state = fold(state ^ (UInt64(UInt32(littleEndian: first)) << 32 | UInt64(UInt32(littleEndian: last))))
        } else if count > 0 {
            let first = UInt64(self[unchecked: 0]) << 16
            let middle = UInt64(self[unchecked: count >> 1]) << 8
            state = fold(state ^ (first | middle | UInt64(self[unchecked: count - 1])))
        }
        return fold(state ^ 0xE703_7ED1_A0B4_28DB)
    }
}
