import ByteBuffers

/// MurmurHash3, the variant for x86 with 32 bits of result: what every flagd implementation buckets users with.
///
/// Not a defence against chosen keys: whoever may choose a bucketing key may choose a bucket.
package enum MurmurHash3 {
    /// The hash of `bytes`, read as little-endian blocks of four.
    package static func hash32(_ bytes: Span<UInt8>, seed: UInt32 = 0) -> UInt32 {
        var hash = seed
        let length = bytes.count
        var index = 0
        while index &+ 4 <= length {
            let block =
                UInt32(bytes[index]) | UInt32(bytes[index &+ 1]) << 8 | UInt32(bytes[index &+ 2]) << 16
                | UInt32(bytes[index &+ 3]) << 24
            hash ^= scrambled(block)
            hash = rotated(hash, by: 13) &* 5 &+ 0xE654_6B64
            index &+= 4
        }
        var tail: UInt32 = 0
        var shift: UInt32 = 0
        while index < length {
            tail |= UInt32(bytes[index]) << shift
            shift &+= 8
            index &+= 1
        }
        // A tail of zero scrambles to zero, so no tail needs no case of its own.
        hash ^= scrambled(tail)
        hash ^= UInt32(truncatingIfNeeded: length)
        hash = (hash ^ hash >> 16) &* 0x85EB_CA6B
        hash = (hash ^ hash >> 13) &* 0xC2B2_AE35
        return hash ^ hash >> 16
    }

    private static func scrambled(_ block: UInt32) -> UInt32 {
        rotated(block &* 0xCC9E_2D51, by: 15) &* 0x1B87_3593
    }

    private static func rotated(_ value: UInt32, by count: UInt32) -> UInt32 {
        value << count | value >> (32 &- count)
    }
}
