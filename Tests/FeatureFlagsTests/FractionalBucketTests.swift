import ByteBuffers
import Testing

@testable import FeatureFlags

@Suite struct MurmurHash3Tests {
    /// The verification values that the author of MurmurHash3 and its ports publish, and those of flagd's own tests.
    @Test(
        arguments: [
            ("", 0, 0), ("", 1, 0x514E_28B7), ("", 0xFFFF_FFFF, 0x81F1_6F39), ("test", 0, 0xBA6B_D213),
            ("test", 0x9747_B28C, 0x704B_81DC), ("Hello, world!", 0, 0xC036_3E43),
            ("Hello, world!", 0x9747_B28C, 0x2488_4CBA),
            ("The quick brown fox jumps over the lazy dog", 0, 0x2E4F_F723),
            ("The quick brown fox jumps over the lazy dog", 0x9747_B28C, 0x2FA8_26CD),
            ("aaaa", 0x9747_B28C, 0x5A97_808A), ("aaa", 0x9747_B28C, 0x283E_0130), ("aa", 0x9747_B28C, 0x5D21_1726),
            ("a", 0x9747_B28C, 0x7FA0_9EA6), ("ππππππππ", 0x9747_B28C, 0xD580_63C1),
            ("fractional-flagjack", 0, 2_682_799_072), ("fractional-flagqueen", 0, 4_278_517_551),
            ("fractional-flagten", 0, 801_845_258), ("fractional-flagnine", 0, 1_406_129_861),
            ("fractional-flag3", 0, 604_371_928), ("ejOoVL", 0, 0), ("bY9fO-", 0, 1), ("SI7p-", 0, 2_147_483_647),
            ("6LvT0", 0, 2_147_483_648), ("ceQdGm", 0, 4_294_967_295),
            ("headerColorrachel@faas.com", 0, 1_805_633_606), ("headerColormonica@faas.com", 0, 3_314_683_759),
            ("headerColorjoey@faas.com", 0, 309_582_631), ("headerColorross@faas.com", 0, 1_595_699_981),
            ("my-seedrachel@faas.com", 0, 2_931_187_178), ("foo@foo.com", 0, 4_156_476_097),
            ("fractional-flag-shorthandjon@company.com", 0, 618_039_204),
            ("fractional-flag-shorthandjane@company.com", 0, 2_316_038_310),
        ] as [(String, UInt32, UInt32)])
    func hashes(text: String, seed: UInt32, expected: UInt32) {
        #expect(MurmurHash3.hash32(Array(text.utf8).span, seed: seed) == expected)
    }
}

@Suite struct FractionalBucketTests {
    @Test(
        arguments: [
            ("fractional-flagjack", 100, 62), ("fractional-flagqueen", 100, 99), ("fractional-flagten", 100, 18),
            ("fractional-flagnine", 100, 32), ("fractional-flag3", 100, 14), ("ejOoVL", 100, 0), ("bY9fO-", 100, 0),
            ("SI7p-", 100, 49), ("6LvT0", 100, 50), ("ceQdGm", 100, 99), ("foo@foo.com", 50, 48),
            ("ceQdGm", FractionalBucket.maximumWeight, FractionalBucket.maximumWeight - 1), ("ceQdGm", 1, 0),
        ] as [(String, UInt32, UInt32)])
    func places(key: String, total: UInt32, expected: UInt32) {
        #expect(FractionalBucket(key: Array(key.utf8).span, total: total)?.bucket == expected)
    }

    @Test(arguments: [0, FractionalBucket.maximumWeight + 1, UInt32.max])
    func refusesTotals(total: UInt32) {
        #expect(FractionalBucket(hash: 1, total: total) == nil)
    }

    @Test(
        arguments: [(5, 100), (50, 1000), (1, 3), (1, 1_000_000), (99, 100), (1, 2_147_483_647)] as [(UInt32, UInt32)])
    func selectsExactlyTheHashesBelowItsThreshold(weight: UInt32, total: UInt32) throws {
        let threshold = FractionalBucket.selectedHashes(weight: weight, total: total)
        let last = try #require(FractionalBucket(hash: UInt32(threshold - 1), total: total))
        let next = try #require(FractionalBucket(hash: UInt32(threshold), total: total))
        #expect(last.bucket < weight)
        #expect(next.bucket >= weight)
    }

    @Test func thresholdsDependOnTheShareAlone() {
        #expect(
            FractionalBucket.selectedHashes(weight: 5, total: 100)
                == FractionalBucket.selectedHashes(weight: 50, total: 1000))
        #expect(FractionalBucket.selectedHashes(weight: 0, total: 100) == 0)
        #expect(FractionalBucket.selectedHashes(weight: 100, total: 100) == 1 << 32)
        #expect(FractionalBucket.selectedHashes(weight: 101, total: 100) == 1 << 32)
        #expect(FractionalBucket.selectedHashes(weight: 1, total: 0) == 0)
    }
}
