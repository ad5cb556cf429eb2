import Telemetry
import Upstreams

// What the log, spans and metrics are told of the upstreams that the exchange has asked.

extension Exchange {
    /// Adds the calls of a view to the access log's record.
    func fillParts(_ record: inout AccessLogRecord) {
        if ran == .aggregate { aggregate.fillParts(&record) }
    }

    /// Where the time of the upstream went that answered last or took longest, and when the last one was over; nil where
    /// none was asked, or nobody measured.
    var upstreamTimes: (times: AttemptTimes, over: UInt64)? {
        switch ran {
        case .nothing: nil
        case .forward: forward.times.endedAt > 0 ? (forward.times, forward.times.endedAt) : nil
        case .aggregate: aggregate.slowestTimes
        }
    }

    /// When the head of a forwarded answer came; 0 without one.
    var upstreamHeadAt: UInt64 { ran == .forward ? forward.times.headAt : 0 }

    /// The view whose parts a problem document has to tell of, as some of them may have changed something; or nil.
    var reportedView: AggregateExchange? { ran == .aggregate && aggregate.owesReport ? aggregate : nil }

    /// Counts what became of the parts of a view.
    func countParts(_ metrics: WorkerMetrics) {
        if ran == .aggregate { aggregate.countParts(metrics) }
    }

    /// Tells of each call of an upstream, with its number; with a note where another call has taken the attempt's place.
    func eachCall(_ body: (RecordedAttempt, AttemptNote?, Int) -> Void) {
        switch ran {
        case .nothing: break
        case .forward: if attempts > 0 { forward.eachCall(of: attempts, body) }
        case .aggregate: aggregate.eachCall(body)
        }
    }
}
