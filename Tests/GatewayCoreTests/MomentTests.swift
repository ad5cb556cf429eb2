import EventLoops
import Glibc
import Testing

@testable import GatewayCore

/// The wall clock is looked at now and then only, and never for longer than a millisecond not at all.
@Suite struct MomentTests {
    private static let start: UInt64 = 5_000_000_000
    private static let date: UInt64 = 1_700_000_000_000_000_000

    @Test func aLookAtTheWallClockHoldsForAMillisecond() {
        var clock = MomentClock()
        var looks = 0
        func moment(after nanoseconds: UInt64, set: UInt64 = 0) -> Moment {
            clock.moment(at: Self.start + nanoseconds) {
                looks += 1
                return Self.date + nanoseconds + set
            }
        }
        #expect(moment(after: 0).wall == Self.date)
        #expect(looks == 1)
        for nanoseconds in stride(from: 0, through: MomentClock.validity, by: 100_000) {
            #expect(moment(after: nanoseconds, set: 7).wall == Self.date + nanoseconds)
        }
        #expect(looks == 1)
        // Somebody has set the clock, forwards and then back behind where it was.
        #expect(moment(after: MomentClock.validity + 1, set: 60_000_000_000).wall == Self.date + 60_001_000_001)
        #expect(looks == 2)
        #expect(moment(after: 2 * MomentClock.validity + 1, set: 0).wall == Self.date + 60_002_000_001)
        #expect(moment(after: 2 * MomentClock.validity + 2, set: 0).wall == Self.date + 2_000_002)
        #expect(looks == 3)
    }

    @Test func aClockThatWasSetIsSeenWithinAMillisecondWheneverItIsAsked() {
        var clock = MomentClock()
        var set: UInt64 = 0
        for step in 0..<10_000 as Range<UInt64> {
            let now = step * 37_000
            if step % 100 == 0 { set += 1_000_000_000 }
            let moment = clock.moment(at: Self.start + now) { Self.date + now + set }
            let due = Self.date + now + set
            #expect(moment.monotonic == Self.start + now)
            let isFresh = moment.wall == due
            let sinceSet = step % 100 * 37_000
            #expect(isFresh || sinceSet <= MomentClock.validity, "\(step)")
        }
    }

    @Test func nowIsNowOnBothClocks() {
        var clock = MomentClock()
        for _ in 0..<1000 {
            let before = (Self.wall(), EventLoop.nanoseconds)
            let moment = clock.now()
            let after = (Self.wall(), EventLoop.nanoseconds)
            #expect(moment.monotonic >= before.1 && moment.monotonic <= after.1)
            // Both clocks are kept in step, but not to the nanosecond; and a look holds for a while.
            #expect(moment.wall + 5_000_000 >= before.0 && moment.wall <= after.0 + 5_000_000)
        }
    }

    private static func wall() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
