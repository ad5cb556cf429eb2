import ByteBuffers
import Compression
import DistributedTracing
import EventLoops
import Logging
import Telemetry
import Upstreams

/// What carries spans to a collector, on a thread and a loop of its own: one batch after the other, each until the collector
/// has it, does not want it, or its time is over.
final class ExportLoop {
    private let loop: EventLoop
    private let queue: SpanQueue
    private let settings: ExportSettings
    private let envelope: OTLPEnvelope
    private let upstreams: UpstreamSet
    private var upstream: Upstream?
    private let discovery: Discovery
    /// Where spans are printed, if they are.
    private var output: LogSink?
    private let log: Logger
    private var random: IDGenerator
    private var gzip = GzipEncoder()
    private var attempt: ExportAttempt?
    private var timer: ActionTimer?
    private var limit: ActionTimer?
    private var end: ActionTimer?

    private var request = ByteBuffer()
    /// Memory for what requests are compressed into; empty between two of them.
    private var spare = ByteBuffer()
    private var isCompressed = false
    /// The spans of the batch that is under way; 0 where there is none.
    private var underWay = 0
    private var retry = ExportRetry(until: 0)
    private var isEnding = false
    /// Whether the batch waits to be sent again.
    private var isPausing = false
    /// Whether the last batch was lost, which has been said.
    private var isFailing = false

    /// A loop for the spans of `queue`. To be called on the thread that it will run on.
    ///
    /// - Throws: `EventLoopError` when the system has no descriptor or memory left.
    init(
        queue: SpanQueue, settings: ExportSettings, target: ExportTarget?, log: Logger, random: IDGenerator
    ) throws(EventLoopError) {
        let loop = try EventLoop()
        guard let upstreams = UpstreamSet(loop: loop) else {
            throw EventLoopError(outOfMemoryDoing: "set up libcurl")
        }
        self.loop = loop
        discovery = try Discovery(loop: loop)
        self.queue = queue
        self.settings = settings
        self.upstreams = upstreams
        self.log = log
        self.random = random
        envelope = OTLPEnvelope(attributes: settings.resource, scope: "banyan", version: ExportLoop.version)
        if let target {
            let bounds = [UpstreamBounds(connections: 1)]
            upstream = upstreams.apply(discovery.use([target.definition]), bounds: bounds).first
            discovery.changed = { [unowned self] in
                upstream = upstreams.apply(discovery.definitions, bounds: bounds).first
            }
            let attempt = ExportAttempt(path: target.path, headers: settings.headers) { [unowned self] in finished($0) }
            attempt.timeouts.head = settings.timeout
            attempt.timeouts.idle = settings.timeout
            attempt.timeouts.connect = settings.timeout
            self.attempt = attempt
        } else {
            output = try? LogSink(.standardOutput)
        }
        timer = ActionTimer(loop: loop) { [unowned self] in go() }
        limit = ActionTimer(loop: loop) { [unowned self] in timeIsOver() }
        end = ActionTimer(loop: loop) { [unowned self] in giveUp() }
    }

    /// How long the end waits for standard output, in nanoseconds.
    private static let flushTime: UInt64 = 1_000_000_000

    /// The version of the scope that spans name.
    static let version = "0.1.0"

    /// Lets other threads wake the loop; `order` is asked then whether it has to end, and within how many milliseconds.
    func makeWakeup(_ order: @escaping () -> UInt64?) throws(EventLoopError) -> Wakeup {
        try Wakeup(loop: loop) { [unowned self] in
            if let milliseconds = order() { end(within: milliseconds) } else if underWay == 0, queue.hasBatch { go() }
        }
    }

    /// Exports until it is told to end and all is out.
    func run() {
        timer?.schedule(after: settings.delay)
        loop.run()
        attempt?.cancel()
        output?.close(within: Self.flushTime)
        upstreams.retire()
    }

    /// Exports what waits, and ends the loop then.
    private func end(within milliseconds: UInt64) {
        if isEnding { return }
        isEnding = true
        end?.schedule(after: milliseconds)
        // A pause would outlast what is left of the process.
        if underWay == 0 || isPausing { go() }
    }

    // MARK: - One batch

    /// Begins with the next batch, or waits for one.
    private func go() {
        guard underWay == 0 else { return send() }
        let chunks = queue.take(atMost: settings.batch)
        if chunks.isEmpty {
            if isEnding { loop.stop() } else { timer?.schedule(after: settings.delay) }
            return
        }
        underWay = chunks.reduce(0) { $0 + $1.spans }
        request.removeAll(keeping: 1 << 20)
        if let output { return print(chunks, to: output) }
        envelope.begin(chunks.reduce(0) { $0 + $1.count }, to: &request)
        if settings.compresses == true {
            for chunk in chunks { request.append(chunk.span) }
            compress()
            attempt?.take(&request, isCompressed: isCompressed)
        } else {
            attempt?.take(&request, chunks)
        }
        let (deadline, overflow) = loop.now.addingReportingOverflow(settings.patience)
        retry = ExportRetry(until: overflow ? .max : deadline)
        send()
    }

    /// Prints the spans, a span a line.
    private func print(_ chunks: [SpanChunk], to output: LogSink) {
        for chunk in chunks { Self.tell(chunk, to: &request) }
        output.submit(&request, lines: underWay)
        queue.settle(exported: underWay)
        underWay = 0
        timer?.schedule(after: isEnding || queue.hasBatch ? 0 : settings.delay)
    }

    private static func tell(_ chunk: SpanChunk, to text: inout ByteBuffer) {
        for range in SpanText.spans(in: chunk.span) {
            SpanText.append(chunk.span.slice(range), to: &text)
            text.append("\n")
        }
    }

    private func compress() {
        isCompressed = false
        guard var encoder = gzip.take() else { return }
        spare.removeAll(keeping: 1 << 20)
        if encoder.encode(request.span, to: &spare) {
            swap(&spare, &request)
            isCompressed = true
        }
        gzip = consume encoder
    }

    private func send() {
        guard let attempt, let upstream else { return }
        isPausing = false
        timer?.cancel()
        limit?.schedule(after: settings.timeout)
        if upstream.start(attempt, UpstreamOrder(random: random.next())) != nil {
            finished(ExportAttempt.Outcome(result: .unreachable, failure: .overloaded))
        }
    }

    private func timeIsOver() {
        if let attempt { finished(attempt.giveUp()) }
    }

    private func finished(_ outcome: ExportAttempt.Outcome) {
        limit?.cancel()
        switch retry.decide(outcome.result, at: loop.now, random: random.next()) {
        case .retry(let wait):
            report(outcome, "they are sent again")
            isPausing = true
            timer?.schedule(after: wait)
            return
        case .exported:
            let refused = min(outcome.partial.rejected, underWay)
            queue.settle(exported: underWay - refused, refused: refused)
            reportSuccess(outcome.partial)
        case .refused:
            queue.settle(refused: underWay)
            report(outcome, "they are lost")
        case .givenUp:
            queue.settle(failed: underWay)
            report(outcome, "they are lost")
        }
        underWay = 0
        attempt?.forget()
        if isEnding || queue.hasBatch {
            // From the loop, not from inside the event of an attempt that is not over yet.
            timer?.schedule(after: 0)
        } else {
            timer?.schedule(after: settings.delay)
        }
    }

    /// The time for the end is over: what is left is lost.
    private func giveUp() {
        attempt?.cancel()
        var lost = underWay
        underWay = 0
        while true {
            let chunks = queue.take(atMost: .max)
            if chunks.isEmpty { break }
            lost += chunks.reduce(0) { $0 + $1.spans }
        }
        queue.settle(failed: lost)
        if lost > 0 { log.warning("spans were not exported before the end", metadata: ["spans": "\(lost)"]) }
        loop.stop()
    }

    // MARK: - The log

    /// Said once when it begins and once when it is over, not for each batch.
    private func report(_ outcome: ExportAttempt.Outcome, _ consequence: String) {
        if isFailing { return }
        isFailing = true
        let reason =
            switch outcome.result {
            case .answered(let status, _): "the collector answers \(status)"
            case .unreachable: "the collector does not answer (\(outcome.failure.map { "\($0)" } ?? "nothing"))"
            }
        log.warning("spans are not exported: \(reason); \(consequence)", metadata: ["spans": "\(underWay)"])
    }

    private func reportSuccess(_ partial: PartialSuccess) {
        if partial != PartialSuccess() {
            log.warning(
                "the collector refuses spans or has a word about them",
                metadata: ["spans": "\(partial.rejected)", "message": "\(partial.message)"])
        }
        if isFailing { log.info("spans are exported again") }
        isFailing = false
    }
}

/// Where a collector is reached.
struct ExportTarget: Sendable {
    var definition: UpstreamDefinition
    /// The path of requests.
    var path: String
}
