import Foundation

/// The times of one request, in nanoseconds since 1970: the clock of the day is read once, when the request arrives, and
/// what follows is measured from there, so that a clock that is set meanwhile makes no span end before it began.
struct RequestClock: Sendable {
    /// When the request arrived.
    let arrival: UInt64
    private let origin: ContinuousClock.Instant

    /// Begins now.
    init() {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        self.init(arrival: UInt64(clamping: time.tv_sec) &* 1_000_000_000 &+ UInt64(clamping: time.tv_nsec))
    }

    init(arrival: UInt64) {
        self.arrival = arrival
        origin = .now
    }

    /// The present moment.
    var now: UInt64 {
        let passed = (ContinuousClock.now - origin).components
        return arrival &+ UInt64(clamping: passed.seconds) &* 1_000_000_000
            &+ UInt64(clamping: passed.attoseconds / 1_000_000_000)
    }
}
