import Testing

@testable import GatewayCore

/// How descriptors are shared.
@Suite struct DescriptorBudgetTests {
    @Test(arguments: [
        // descriptors, workers, wanted connections of each: clients of each, upstreams
        (256, 1, 16_384, 128, 96), (256, 2, 16_384, 64, 96), (1_024, 2, 16_384, 256, 384), (1_024, 2, 100, 256, 696),
        (1_048_576, 2, 16_384, 262_144, 1_014_784), (64, 1, 16_384, 32, 1), (0, 0, 0, 1, 1),
    ])
    func nobodyTakesTheSharesOfOthers(descriptors: UInt64, workers: Int, wanted: Int, clients: Int, upstreams: Int) {
        let budget = DescriptorBudget(descriptors: descriptors, workers: workers)
        #expect(budget.connectionsPerWorker == clients)
        #expect(budget.upstreams(besides: wanted) == upstreams)
    }

    @Test func withoutABoundNothingOverflows() {
        let budget = DescriptorBudget(descriptors: .max, workers: 1)
        #expect(budget.connectionsPerWorker == .max / 2)
        #expect(budget.upstreams(besides: .max) == .max - .max / 2 - 1_024)
    }
}
