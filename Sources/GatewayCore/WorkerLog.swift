import ByteBuffers
import DistributedTracing
import EventLoops
import FeatureFlags
import GatewayConfig
import Glibc
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
    private let loop: EventLoop
    private let sink: LogSink?
    private var log: AccessLog?
    private var timer: ActionTimer?
    private var record = AccessLogRecord()
    private var scratch = LogScratch()

    /// How long a line may wait for others, in milliseconds.
    private static let flushTime: UInt64 = 100

    /// A log to `sink`; nothing is written where that or the settings are nil.
    init(loop: EventLoop, sink: LogSink?, settings: AccessLogSettings?) {
        self.loop = loop
        self.sink = sink
        apply(settings)
        timer = ActionTimer(loop: loop) { [unowned self] in flush() }
    }

    /// Uses other settings from the next line on.
    func apply(_ settings: AccessLogSettings?) {
        flush()
        guard let sink, let settings else {
            log = nil
            return
        }
        log = AccessLog(format: settings.format, sampling: settings.sampling, sink: sink)
    }

    /// Hands on what has gathered.
    func flush() { log?.flush() }

    /// Writes the line of `exchange`, which has ended at the time `end`.
    func write(_ exchange: Exchange, at end: UInt64) {
        guard log != nil else { return }
        record.reset()
        scratch.fill(&record, from: exchange, at: end)
        // The other protocol of a tunnel has no requests that could be slow.
        if log?.sampling.isSlow(record.duration) == true, exchange.status != 101 { record.marks.insert(.slow) }
        log?.append(record, random: exchange.worker.ids.next())
        if timer?.isScheduled == false { timer?.schedule(after: Self.flushTime) }
    }
}

/// Gathers what a line says.
private struct LogScratch: ~Copyable {
    private var text = ByteBuffer()
    private var other = ByteBuffer()
    private var reason = ByteBuffer()

    init() {}

    mutating func fill(_ record: inout AccessLogRecord, from exchange: Exchange, at end: UInt64) {
        let duration = end &- exchange.receivedAt
        record.time = Self.wallClock &- Int64(clamping: duration)
        record.duration = duration
        record.traceID = (exchange.trace.traceID.high, exchange.trace.traceID.low)
        record.spanID = exchange.trace.serverSpan.spanID
        record.traceFlags = exchange.trace.flags.rawValue
        record.bytesIn = exchange.bytesReceived
        record.bytesOut = exchange.bytesSent
        record.attempts = UInt32(clamping: exchange.attempts)
        if exchange.upstreamTime > 0 { record.upstreamTime = exchange.upstreamTime }
        record.status = exchange.statusForLog
        record.marks = exchange.allMarks
        record.split = exchange.timeSplit(until: end)
        if let cause = exchange.cause { record.set(.cause, cause.name) }
        fillRequest(&record, exchange)
        guard let snapshot = exchange.snapshot else { return }
        if exchange.route >= 0 { record.set(.route, snapshot.routeNames[exchange.route]) }
        if exchange.upstream >= 0 {
            record.set(.upstream, snapshot.upstreams[exchange.upstream].name)
            if let address = exchange.upstreamAddress { record.set(.upstreamAddress, address) }
        }
        for slot in 0..<exchange.decisions.count {
            if let result = exchange.decisions[slot] { fillFlag(&record, snapshot, slot, result) }
        }
        exchange.fillParts(&record)
    }

    private mutating func fillRequest(_ record: inout AccessLogRecord, _ exchange: Exchange) {
        text.removeAll()
        exchange.appendRequestID(to: &text)
        record.set(.requestID, text.span)
        if let client = exchange.identity.client {
            text.removeAll()
            text.append(client)
            record.set(.client, text.span)
        }
        exchange.head.fill(&record, user: exchange.identity.user)
    }

    private mutating func fillFlag(
        _ record: inout AccessLogRecord, _ snapshot: WorkerSnapshot, _ slot: Int, _ result: FlagResult
    ) {
        text.removeAll()
        other.removeAll()
        reason.removeAll()
        text.append(snapshot.slots[slot].keyText)
        _ = snapshot.flags.appendVariantName(of: result, flag: snapshot.slots[slot].flag, to: &other)
        reason.append((result.errorCode?.attributeValue) ?? result.reason.attributeValue)
        record.addFlag(key: text.span, variant: other.span, reason: reason.span)
    }

    private static var wallClock: Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) &* 1_000_000_000 &+ Int64(now.tv_nsec)
    }
}

extension AccessLogRecord {
    /// Sets a field that is text.
    mutating func set(_ field: AccessLogField, _ text: [UInt8]) { set(field, text.span) }
}

extension HTTPVersion {
    /// The version as logs have it.
    fileprivate var logText: StaticString {
        switch self {
        case .http10: "HTTP/1.0"
        case .http11: "HTTP/1.1"
        case .http2: "HTTP/2.0"
        }
    }
}

extension RequestHead {
    /// Sets what the request itself says.
    fileprivate borrowing func fill(_ record: inout AccessLogRecord, user: ByteRange) {
        record.set(.method, span(methodRange))
        if hasAuthority { record.set(.host, span(authority)) }
        if hasQuery {
            let length = Int(query.start) - 1 - Int(target.start)
            record.set(.path, span(ByteRange(start: Int(target.start), count: length)))
            record.set(.query, span(query))
        } else {
            record.set(.path, span(target))
        }
        record.set(.protocolVersion, version.logText)
        if !user.isEmpty { record.set(.user, span(user)) }
        if let agent = fields.first(.userAgent) { record.set(.userAgent, value(agent)) }
        if let referer = fields.first(.referer) { record.set(.referer, value(referer)) }
    }
}
