import EventLoops
package import HTTP2Framing
import Logging

/// Clients of HTTP/2 that were cut off for a flood: counted by kind, and told in the log, at most once a second.
final class FloodReport {
    /// How many were cut off since the start, by kind.
    private(set) var counts = FloodCounts()
    private var reported = FloodCounts()
    private let log: Logger
    private var timer: ActionTimer?

    /// The shortest time between two lines, in milliseconds.
    private static let period: UInt64 = 1_000

    init(loop: EventLoop, log: Logger) {
        self.log = log
        timer = ActionTimer(loop: loop) { [unowned self] in report() }
    }

    /// Takes what all workers have counted.
    func note(_ counts: FloodCounts) {
        guard counts != self.counts else { return }
        self.counts = counts
        if timer?.isScheduled == false { report() }
    }

    private func report() {
        guard counts != reported else { return }
        var metadata: Logger.Metadata = [:]
        for kind in HTTP2Flood.allCases where counts[kind] > reported[kind] {
            metadata["\(kind.name)"] = "\(counts[kind] - reported[kind])"
        }
        log.warning("clients cut off for floods of HTTP/2 frames", metadata: metadata)
        reported = counts
        timer?.schedule(after: Self.period)
    }
}

/// A number for each kind of flood.
package typealias FloodCounts = KindCounts<HTTP2Flood>
