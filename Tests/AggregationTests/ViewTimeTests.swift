import Testing

@testable import Aggregation

@Suite struct ViewTimeTests {
    @Test(
        arguments: [
            (5000, 4950), (500, 450), (499, 450), (100, 90), (10, 9), (9, 9), (1, 1), (0, 0),
            (UInt64.max, UInt64.max - 50),
        ] as [(UInt64, UInt64)])
    func aReserveIsKept(_ timeout: UInt64, _ expected: UInt64) {
        #expect(ViewTime.forParts(of: timeout) == expected)
    }

    @Test(
        arguments: [
            (2000, 4950, .own(2000)), (2000, 2000, .shared(2000)), (2000, 1, .shared(1)), (2000, 0, .none),
            (1, 0, .none), (0, 1, .none), (0, 0, .none),
        ] as [(UInt64, UInt64, ViewTime)])
    func aPartGetsWhatIsLeft(_ part: UInt64, _ left: UInt64, _ expected: ViewTime) {
        #expect(ViewTime(part: part, left: left) == expected)
    }
}
