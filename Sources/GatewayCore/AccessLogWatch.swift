import EventLoops
import Glibc
import Logging
import Telemetry

/// Says in the control log that lines of the access log are lost: once when that begins and once when it is over, however
/// many there are. It belongs to the control plane's loop.
final class AccessLogWatch {
    private let sink: LogSink
    private let log: Logger
    private var seen: LogSink.Counts
    private var lostBefore: UInt64 = 0
    private var isLosing = false
    private var timer: ActionTimer?

    /// How often the sink is looked at while lines are lost, in milliseconds.
    private static let interval: UInt64 = 1_000

    /// Watches `sink`, which makes ``lossWasTold()`` be called on `loop`.
    init(_ sink: LogSink, loop: EventLoop, log: Logger) {
        self.sink = sink
        seen = sink.counts
        self.log = log
        timer = ActionTimer(loop: loop) { [unowned self] in lookAgain() }
    }

    /// Something went wrong in the sink since it was last looked at.
    func lossWasTold() {
        guard !isLosing else { return }
        // First, so that a loss between the two lines is told again.
        sink.tellNextLoss()
        let counts = sink.counts
        if counts.dropped > seen.dropped {
            isLosing = true
            lostBefore = seen.dropped
            log.error("lines of the access log are lost", metadata: ["reason": "\(reason(counts))"])
            timer?.schedule(after: Self.interval)
        } else if counts.failures > seen.failures {
            log.error(
                "the access log could not be opened anew, lines go to the old file",
                metadata: ["reason": "\(reason(counts))"])
        }
        seen = counts
    }

    /// It is over when lines have been written since, and none was lost for a while. Without traffic nobody knows.
    private func lookAgain() {
        sink.tellNextLoss()
        let counts = sink.counts
        if counts.dropped == seen.dropped, sink.hasWrittenSinceLoss {
            isLosing = false
            log.notice(
                "the access log takes all lines again", metadata: ["lost": "\(counts.dropped - lostBefore)"])
        } else {
            timer?.schedule(after: Self.interval)
        }
        seen = counts
    }

    private func reason(_ counts: LogSink.Counts) -> String {
        guard counts.failures > seen.failures else { return "its output is too slow" }
        // SAFETY: strerror returns a string for every number, and only this thread asks in this process.
        return String(cString: strerror(counts.lastError))
    }
}
