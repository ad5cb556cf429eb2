import ByteBuffers

/// Where a user falls among the weights of a `fractional` rule: flagd's arithmetic since flagd/core 0.15.0 ("version
/// 2").
///
/// With the growing variant as the **first** bucket and the order of buckets kept, raising its share only adds users
/// and lowering it takes away those that came last, whatever the sum of weights is (see `selectedHashes`).
package struct FractionalBucket: BitwiseCopyable, Equatable, Sendable {
    /// The greatest weight and the greatest sum of weights: Int32.max.
    package static let maximumWeight: UInt32 = 2_147_483_647

    /// The hash of the bucketing key.
    package var hash: UInt32
    /// The place among the weights, in 0 ..< `total`.
    package var bucket: UInt32
    /// The sum of the weights.
    package var total: UInt32

    /// The place of `hash` among weights that add up to `total`; nil unless `total` is in 1 ... `maximumWeight`.
    package init?(hash: UInt32, total: UInt32) {
        guard total > 0, total <= Self.maximumWeight else { return nil }
        self.hash = hash
        self.total = total
        bucket = UInt32(truncatingIfNeeded: (UInt64(hash) &* UInt64(total)) >> 32)
    }

    /// The place of `key`, which is hashed as it is.
    package init?(key: Span<UInt8>, total: UInt32) {
        self.init(hash: MurmurHash3.hash32(key), total: total)
    }

    /// How many of the 2^32 hashes a first bucket of `weight` selects of weights that add up to `total`: a hash is
    /// selected if and only if it is less than this. 0 for a `total` of 0; a weight beyond the total selects all.
    package static func selectedHashes(weight: UInt32, total: UInt32) -> UInt64 {
        guard total > 0 else { return 0 }
        let share = UInt64(min(weight, total)) << 32
        return (share + UInt64(total) - 1) / UInt64(total)
    }
}
