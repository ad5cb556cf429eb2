import ByteBuffers
import Testing

@Suite struct ByteHashTests {
    private func hash(_ bytes: [UInt8], seed: UInt64 = 0) -> UInt64 { bytes.span.hash64(seed: seed) }

    /// Every bit of every byte counts, wherever it stands and however long the text is.
    @Test(arguments: 1...40)
    func everyBitCounts(_ length: Int) {
        let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
        var seen: Set<UInt64> = [hash(bytes)]
        for place in 0..<length {
            for bit in 0..<8 {
                var changed = bytes
                changed[place] ^= 1 << UInt8(bit)
                seen.insert(hash(changed))
            }
        }
        #expect(seen.count == 8 * length + 1)
    }

    @Test func lengthAndSeedCount() {
        let hashes = (0..<40).map { hash([UInt8](repeating: 0, count: $0)) }
        #expect(Set(hashes).count == 40)
        #expect(hash([1, 2, 3], seed: 1) != hash([1, 2, 3], seed: 2))
    }

    /// Entity tags are kept by clients: the values must stay what they are, on every platform.
    @Test(
        arguments: [
            ("", 0, 0x14cbb45e71663f30),
            ("a", 0, 0x11926b0bdac92208),
            ("abc", 0, 0x644e470b84484b5a),
            ("abcd", 0, 0xc932251327582396),
            ("abcdefgh", 0, 0xe147dbbc1ecf1bc6),
            ("abcdefghi", 1, 0xa44a6297983d5592),
        ] as [(String, UInt64, UInt64)])
    func valuesStayTheSame(_ text: String, _ seed: UInt64, _ expected: UInt64) {
        #expect(hash(Array(text.utf8), seed: seed) == expected)
    }
}
