import DistributedTracing
import EventLoops
import HTTPListener
import HTTPMessage

/// Which requests are recorded, and what is told of them: compiled from `gateway.tracing`.
struct RecordingRules: Equatable, Sendable {
    /// Whether requests that failed are recorded although their trace is not sampled.
    var keepsErrors = false
    /// Requests that took longer, in nanoseconds, are recorded although their trace is not sampled; nil for none.
    var slow: UInt64?
    /// The most traces that begin here in a second and are sampled, by all workers; nil means no bound.
    var limit: Double?
    /// Whether the query is told of.
    var tellsQuery = false
}

/// Records the spans of one worker's requests, and hands them on in bunches. Where nothing is exported it does nothing.
final class SpanRecorder {
    private let queue: SpanQueue?
    private var timer: ActionTimer?
    /// Whether the timer runs.
    private var isWaiting = false
    private let desk = LoopCell(SpanDesk())
    private var allowance = SamplingAllowance()
    private let batch: Int
    private let workers: Int

    /// How long spans may wait for others, in milliseconds.
    private static let flushTime: UInt64 = 200
    /// Beyond this many bytes they are handed on: with the last span they fit into 64 KiB.
    private static let flushSize = 57_344

    /// A recorder that hands spans on to `sink`; nil records nothing.
    init(loop: EventLoop, sink: SpanSink?) {
        queue = sink?.queue
        batch = sink?.batch ?? 1
        workers = max(sink?.workers ?? 1, 1)
        guard queue != nil else { return }
        timer = ActionTimer(loop: loop) { [unowned self] in timeIsOver() }
    }

    /// Whether a request of this trace may be recorded: if not, nothing needs to be noted for it.
    func mayRecord(_ trace: borrowing TraceContext, _ rules: RecordingRules) -> Bool {
        queue != nil && (trace.flags.contains(.sampled) || rules.keepsErrors || rules.slow != nil)
    }

    /// Whether one more trace of ours may be sampled.
    func mayBegin(rate: Double, at now: UInt64) -> Bool { allowance.take(rate: rate / Double(workers), at: now) }

    /// Hands on what has gathered.
    func flush() { if let queue { desk.use { $0.hand(to: queue) } } }

    private func timeIsOver() {
        isWaiting = false
        flush()
    }

    /// Records the spans of `exchange`, which has ended at `end`.
    func record(
        _ exchange: Exchange, _ head: borrowing RequestHead, _ trace: borrowing TraceContext,
        _ texts: inout RepeatedTexts, at end: Moment
    ) {
        guard exchange.isRecorded, let snapshot = exchange.snapshot,
            snapshot.recording.keeps(exchange, trace, at: end.monotonic)
        else { return }
        let (count, size) = desk.use { $0.record(exchange, head, trace, &texts, snapshot, end) }
        if count >= batch || size >= Self.flushSize {
            flush()
        } else if !isWaiting {
            isWaiting = true
            timer?.schedule(after: Self.flushTime)
        }
    }
}

extension RecordingRules {
    /// Whether the spans of an exchange that has ended are kept.
    fileprivate func keeps(_ exchange: Exchange, _ trace: borrowing TraceContext, at end: UInt64) -> Bool {
        // What is recorded without such rules is sampled.
        if !keepsErrors, slow == nil { return true }
        if trace.flags.contains(.sampled) { return true }
        if keepsErrors, exchange.statusForLog >= 500 { return true }
        guard let slow else { return false }
        return end &- exchange.receivedAt > slow
    }
}

/// Where the workers' spans go.
struct SpanSink: Sendable {
    var queue: SpanQueue
    /// How many are handed on together.
    var batch: Int
    /// How many workers share it.
    var workers: Int
}
