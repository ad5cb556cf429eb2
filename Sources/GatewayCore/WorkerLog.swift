import ByteBuffers
import DistributedTracing
import EventLoops
import FeatureFlags
import GatewayConfig
import HTTPListener
import HTTPMessage
import Telemetry

/// How requests are logged: compiled from `gateway.accessLog`.
struct AccessLogSettings {
    var format: AccessLogFormat
    var sampling: AccessLogSampling
    /// Whether lines may tell where the time of a request went.
    var tellsTimeSplit: Bool

    /// The settings of `section`.
    ///
    /// - Throws: `AccessLogFormatError` for a template that is none.
    init(_ section: AccessLogSection) throws(AccessLogFormatError) {
        format =
            switch section.format {
            case .json: .json
            case .combined: .combined
            case .template(let text): try AccessLogFormat(parsing: text)
            }
        sampling = AccessLogSampling(
            ratio: section.sample, slow: section.slow.milliseconds.map { $0.nanoseconds })
        tellsTimeSplit = format.tellsTimeSplit(findingSlow: section.slow != .none)
    }
}

extension LogOutput {
    /// Where the access log goes.
    init(_ output: AccessLogSection.Output) {
        switch output {
        case .standardOutput: self = .standardOutput
        case .file(let path): self = .file(path)
        }
    }
}

/// The access log of one worker: turns an exchange that has ended into a line, and hands lines on in bunches.
final class WorkerLog {
    private let sink: LogSink?
    private let desk = LoopCell(LogDesk())
    private var timer: ActionTimer?
    /// Whether the timer runs.
    private var isWaiting = false

    /// How long a line may wait for others, in milliseconds.
    private static let flushTime: UInt64 = 100

    /// A log to `sink`; nothing is written where that or the settings are nil.
    init(loop: EventLoop, sink: LogSink?, settings: AccessLogSettings?) {
        self.sink = sink
        apply(settings)
        timer = ActionTimer(loop: loop) { [unowned self] in timeIsOver() }
    }

    /// Uses other settings from the next line on.
    func apply(_ settings: AccessLogSettings?) {
        flush()
        desk.use { [sink] desk in
            guard let sink, let settings else { return desk.use(nil) }
            desk.use(AccessLog(format: settings.format, sampling: settings.sampling, sink: sink))
        }
    }

    /// Hands on what has gathered.
    func flush() { desk.use { $0.flush() } }

    private func timeIsOver() {
        isWaiting = false
        flush()
    }

    /// Writes the line of `exchange`, which has ended at `end`, while its worker was draining or not.
    func write(
        _ exchange: Exchange, _ head: borrowing RequestHead, _ trace: borrowing TraceContext,
        _ texts: inout RepeatedTexts, at end: Moment, isDraining: Bool
    ) {
        let isWritten = desk.use { $0.write(exchange, head, trace, &texts, at: end, isDraining: isDraining) }
        guard isWritten, !isWaiting else { return }
        isWaiting = true
        timer?.schedule(after: Self.flushTime)
    }
}

/// The log with the memory in which a line is put together: one value, so that a whole line is one access to it.
private struct LogDesk: ~Copyable {
    private var log: AccessLog?
    // Of the log, what is asked for at every line: to read it there would be to copy all of its settings.
    private var sampling = AccessLogSampling(ratio: 0)
    private var fields = AccessLogFieldSet()
    private var isJSON = false
    private var record = AccessLogRecord()
    private var text = ByteBuffer()
    private var other = ByteBuffer()
    private var reason = ByteBuffer()

    init() {}

    /// Writes to `next` from now on; nil writes nothing.
    mutating func use(_ next: consuming AccessLog?) {
        log = next
        sampling = log?.sampling ?? AccessLogSampling(ratio: 0)
        fields = log?.format.fields ?? AccessLogFieldSet()
        isJSON = log?.format.isJSON == true
    }

    /// Hands on what has gathered.
    mutating func flush() { log?.flush() }

    /// Writes the line of an exchange that has ended at `end`; false where it has none.
    mutating func write(
        _ exchange: Exchange, _ head: borrowing RequestHead, _ trace: borrowing TraceContext,
        _ texts: inout RepeatedTexts, at end: Moment, isDraining: Bool
    ) -> Bool {
        guard log != nil else { return false }
        let duration = end.monotonic &- exchange.receivedAt
        let status = exchange.statusForLog
        var marks = exchange.finalMarks
        if isDraining { marks.insert(.draining) }
        // The other protocol of a tunnel has no requests that could be slow.
        if sampling.isSlow(duration), exchange.status != 101 { marks.insert(.slow) }
        // Whether there is a line comes first: what is not logged is not put together.
        let random = sampling.keepsAll ? 0 : exchange.worker.ids.next()
        guard sampling.keeps(status: status, hasCause: exchange.cause != nil, marks: marks, random: random) else {
            return false
        }
        record.reset()
        record.time = Int64(bitPattern: end.wall) &- Int64(clamping: duration)
        record.duration = duration
        record.status = status
        record.marks = marks
        if isJSON ? marks.contains(.slow) : log?.format.tellsTimeSplit(findingSlow: false) == true {
            record.split = exchange.timeSplit(until: end.monotonic)
        }
        fillFigures(from: exchange)
        trace.fill(&record)
        let snapshot = exchange.snapshot ?? exchange.worker.snapshot
        if exchange.hasDecisions { fillFlags(from: exchange, snapshot) }
        exchange.fillParts(&record)
        if isJSON {
            if exchange.identity.requestID.isEmpty { record.newRequestID = exchange.identity.newRequestID }
            let repeated = texts.entry(of: head)
            log?.appendJSON(record) { group, line in
                exchange.appendLogTexts(group, of: head, texts, repeated, snapshot, to: &line)
            }
        } else {
            exchange.fillTexts(&record, from: head, fields, snapshot)
            log?.append(record)
        }
        return true
    }

    private mutating func fillFigures(from exchange: Exchange) {
        record.bytesIn = exchange.bytesReceived
        record.bytesOut = exchange.bytesSent
        record.attempts = UInt32(clamping: exchange.attempts)
        let upstreamTime = exchange.upstreamTime
        if upstreamTime > 0 { record.upstreamTime = upstreamTime }
    }

    private mutating func fillFlags(from exchange: Exchange, _ snapshot: WorkerSnapshot) {
        for slot in 0..<exchange.decisions.count {
            if let result = exchange.decisions[slot] { fillFlag(snapshot, slot, result) }
        }
    }

    private mutating func fillFlag(_ snapshot: WorkerSnapshot, _ slot: Int, _ result: FlagResult) {
        text.removeAll()
        other.removeAll()
        reason.removeAll()
        text.append(snapshot.slots[slot].keyText)
        _ = snapshot.flags.appendVariantName(of: result, flag: snapshot.slots[slot].flag, to: &other)
        reason.append((result.errorCode?.attributeValue) ?? result.reason.attributeValue)
        Self.addFlag(text, other, reason, to: &record)
    }

    private static func addFlag(
        _ key: borrowing ByteBuffer, _ variant: borrowing ByteBuffer, _ reason: borrowing ByteBuffer,
        to record: inout AccessLogRecord
    ) {
        record.addFlag(key: key.span, variant: variant.span, reason: reason.span)
    }
}

extension AccessLogRecord {
    /// Sets a field that is text.
    mutating func set(_ field: AccessLogField, _ text: [UInt8]) { set(field, text.span) }
}

extension TraceContext {
    /// Sets what says which trace it is.
    fileprivate borrowing func fill(_ record: inout AccessLogRecord) {
        record.traceID = (traceID.high, traceID.low)
        record.spanID = serverSpan.spanID
        record.traceFlags = flags.rawValue
    }
}
