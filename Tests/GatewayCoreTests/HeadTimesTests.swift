import Testing

@testable import GatewayCore

/// After which time a second attempt is made.
@Suite struct HeadTimesTests {
    /// The loop may count up to a millisecond that has passed before: the wait is never shorter than the time.
    @Test(arguments: [(200_000, 2), (900_000, 2), (1_300_000, 3), (5_200_000, 7), (7_300_000_000, 7_301)])
    func theWaitIsNeverShorter(nanoseconds: UInt64, milliseconds: UInt64) {
        var times = HeadTimes()
        times.use([nil, 99])
        for _ in 0..<1_000 { times.note(nanoseconds, of: 1) }
        let found = times.milliseconds(1) ?? 0
        // The estimate is within a tenth.
        #expect(found * 1_000_000 >= nanoseconds / 10 * 9 + 1_000_000, "\(found)")
        #expect(found <= milliseconds + milliseconds / 10 + 1, "\(found)")
        #expect(times.milliseconds(0) == nil && times.milliseconds(7) == nil)
    }
}
