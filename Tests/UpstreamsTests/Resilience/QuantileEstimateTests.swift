import Testing

@testable import Upstreams

/// The running estimate of a quantile.
@Suite struct QuantileEstimateTests {
    @Test func fewTimesSayNothing() {
        var estimate = QuantileEstimate(percent: 95)
        for _ in 1..<QuantileEstimate.leastSamples { estimate.add(1_000) }
        #expect(estimate.value == nil)
        estimate.add(1_000)
        #expect(estimate.value != nil)
    }

    /// Times spread evenly between 1 and 10 ms, then ten times as long.
    @Test(arguments: [90, 95, 99])
    func itIsNearTheTruthAndFollowsIt(percent: Int) throws {
        var random = SplitMix(seed: 7)
        var estimate = QuantileEstimate(percent: percent)
        for scale in [1.0, 10.0, 1.0] {
            for _ in 0..<20_000 {
                let time = 1_000_000 + random.next() % 9_000_000
                estimate.add(UInt64(Double(time) * scale))
            }
            let truth = (1_000_000 + 9_000_000 * Double(percent) / 100) * scale
            var mean = 0.0
            for _ in 0..<1_000 {
                estimate.add(UInt64(Double(1_000_000 + random.next() % 9_000_000) * scale))
                mean += try #require(estimate.value) / 1_000
            }
            #expect(abs(mean - truth) < truth * 0.12, "\(mean) for \(truth)")
        }
    }

    @Test func anyTimeIsTaken() throws {
        var estimate = QuantileEstimate(percent: 50)
        for time in [0, .max, 1, .max, 0] as [UInt64] { for _ in 0..<200 { estimate.add(time) } }
        #expect(try #require(estimate.value).isFinite)
    }

    private struct SplitMix {
        var state: UInt64

        init(seed: UInt64) { state = seed }

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            return LoadBalancer.mixed(state)
        }
    }
}
