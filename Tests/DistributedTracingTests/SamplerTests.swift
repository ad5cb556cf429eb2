import Testing

@testable import DistributedTracing

struct SamplerTests {
    /// OpenTelemetry, tracestate probability sampling: the rejection threshold as 14 hexadecimal digits.
    @Test(
        arguments: [
            (1.0, 0x0), (0.5, 0x80_0000_0000_0000), (0.25, 0xc0_0000_0000_0000), (0.1, 0xe6_6666_6666_6668),
            (0.01, 0xfd_70a3_d70a_3d70), (0.0, 0x100_0000_0000_0000), (-1.0, 0x100_0000_0000_0000), (7.0, 0x0),
            (Double.nan, 0x100_0000_0000_0000), (Double.infinity, 0x0),
        ] as [(Double, UInt64)])
    func threshold(_ ratio: Double, _ expected: UInt64) {
        #expect(Sampler(ratio: ratio).threshold == expected)
    }

    @Test("only the right-most 56 bits decide, and at the threshold it is yes")
    func boundary() {
        let half = Sampler(ratio: 0.5)
        #expect(half.samplesRoot(TraceID(high: 0, low: 0x0080_0000_0000_0000)))
        #expect(!half.samplesRoot(TraceID(high: .max, low: 0xFF7F_FFFF_FFFF_FFFF)))
        #expect(Sampler(ratio: 1).samplesRoot(TraceID(high: 1, low: 0)))
        #expect(!Sampler(ratio: 0).samplesRoot(TraceID(high: .max, low: .max)))
    }

    @Test(arguments: [0.01, 0.1, 0.5, 0.9])
    func share(_ ratio: Double) {
        var ids = IDGenerator(seed: 5, 6, 7, 8)
        let sampler = Sampler(ratio: ratio)
        let count = (0..<100_000).count { _ in sampler.samplesRoot(ids.nextTraceID()) }
        // Five standard deviations of the binomial distribution.
        #expect(abs(Double(count) - 100_000 * ratio) < 5 * (100_000 * ratio * (1 - ratio)).squareRoot())
    }

    @Test("the generator gives the numbers of the published algorithm for the seed 1, 2, 3, 4")
    func generator() {
        var ids = IDGenerator(seed: 1, 2, 3, 4)
        let numbers = (0..<10).map { _ in ids.next() }
        #expect(
            numbers == [
                11520, 0, 1_509_978_240, 1_215_971_899_390_074_240, 1_216_172_134_540_287_360, 607_988_272_756_665_600,
                16_172_922_978_634_559_625, 8_476_171_486_693_032_832, 10_595_114_339_597_558_777,
                2_904_607_092_377_533_576,
            ])
    }

    @Test("an id is never zero, also where the generator's number is")
    func neverZero() {
        var ids = IDGenerator(seed: 1, 2, 3, 4)
        #expect(ids.nextTraceID() == TraceID(high: 11520, low: 1_509_978_240))
        var other = IDGenerator(seed: 1, 2, 3, 4)
        _ = other.next()
        #expect(other.nextSpanID() == 1_509_978_240)
        var unseeded = IDGenerator(seed: 0, 0, 0, 0)
        #expect(Set((0..<1_000).map { _ in unseeded.next() }).count == 1_000)
    }
}
