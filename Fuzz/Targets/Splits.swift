/// The ways in which an input is cut into pieces: a reader must make the same of each.
enum Splits {
    /// Whole, at points that the input itself decides, and byte by byte; each as the offsets of the cuts.
    static func of(_ input: [UInt8]) -> [[Int]] {
        [[], derived(from: input), Array(stride(from: 1, to: input.count, by: 1))]
    }

    /// Up to seven cuts that are the same for the same input.
    static func derived(from input: [UInt8]) -> [Int] {
        guard !input.isEmpty else { return [] }
        // FNV-1a, then steps of a linear congruential generator, whose high bits are good enough for this.
        var state: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in input { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
        var cuts: [Int] = []
        for _ in 0..<(1 + state % 7) {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            cuts.append(Int((state >> 33) % UInt64(input.count + 1)))
        }
        return cuts.sorted()
    }
}
