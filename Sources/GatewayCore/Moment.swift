import EventLoops
import Glibc

/// One moment on both clocks.
struct Moment: Equatable {
    /// Nanoseconds of the monotonic clock, by which times are measured.
    let monotonic: UInt64
    /// What has to be added to the monotonic clock for nanoseconds after 1970 in UTC.
    let offset: UInt64

    /// The same moment in nanoseconds after 1970 in UTC.
    var wall: UInt64 { monotonic &+ offset }
}

/// Tells the time, and looks at the wall clock only now and then: how far it is from the monotonic one changes when
/// somebody sets it, and hardly otherwise.
struct MomentClock {
    private var offset: UInt64 = 0
    private var lookedAt: UInt64 = 0

    /// For how long an offset holds, in nanoseconds.
    static let validity: UInt64 = 1_000_000

    /// Now.
    mutating func now() -> Moment { moment(at: EventLoop.nanoseconds, wall: Self.wall) }

    /// The moment `monotonic`, at which `wall` tells the nanoseconds after 1970 if it is asked.
    mutating func moment(at monotonic: UInt64, wall: () -> UInt64) -> Moment {
        if lookedAt == 0 || monotonic &- lookedAt > Self.validity {
            offset = wall() &- monotonic
            lookedAt = monotonic
        }
        return Moment(monotonic: monotonic, offset: offset)
    }

    private static func wall() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
