import HTTPListener
import Telemetry
import Upstreams

/// Where the time of an exchange went, and what else is worth a mark in the access log.
extension Exchange {
    /// The split of the time up to `end`; nil where nobody measured. Of a view, what concerns upstreams is that of the
    /// part that took longest.
    func timeSplit(until end: UInt64) -> TimeSplit? {
        guard let snapshot, snapshot.measuresTime else { return nil }
        var split = TimeSplit()
        guard headAt > 0 else {
            // The head did not come, or was none.
            split.parse = end &- receivedAt
            return split
        }
        split.parse = headAt &- receivedAt
        // A body that is awaited before the upstream is asked is uploaded, too.
        let awaited = awaitsBody ? (bodyAt > headAt ? bodyAt : end) &- headAt : 0
        guard let (times, over) = upstreamTimes else {
            split.upload = awaited
            split.write = end &- headAt &- awaited
            return split
        }
        split.queue = times.queue
        split.connect = times.connect
        split.upload = awaited &+ times.upload
        split.firstByte = times.firstByte
        split.body = times.body
        split.write = (end > over ? end - over : 0) &+ times.paused
        return split
    }

    /// The marks of an exchange that is over, but for those that depend on the log and on the worker.
    var finalMarks: AccessLogMarks {
        var marks = marks
        if status == 101 { marks.insert(.tunnel) }
        if wasAborted, status > 0, !marks.contains(.clientGone) { marks.insert(.truncated) }
        return marks
    }
}
