import Foundation

/// The exporter's work: one batch at a time, again where that makes sense, and lines about it that are not repeated.
struct ExportRun {
    /// What became of spans.
    struct Counts: Equatable, Sendable {
        /// The collector has them.
        var exported = 0
        /// They made room for others, or were left at the end.
        var dropped = 0
        /// The collector did not take them.
        var lost = 0
    }

    private struct Batch {
        var body: Data
        var count: Int
        var since: ContinuousClock.Instant
    }

    private static let firstPause = Duration.seconds(1)
    private static let longestPause = Duration.seconds(16)

    private let settings: ExportSettings
    private let queue: SpanQueue
    private let client: CollectorClient
    private let report: @Sendable (String) -> Void
    private var counts = Counts()
    /// The batch that is tried again.
    private var batch: Batch?
    private var pause = firstPause
    private var notBefore = ContinuousClock.now
    /// Spans that were lost when the last line was written; nil while all is well.
    private var lostAtFailure: Int?

    init(
        settings: ExportSettings, queue: SpanQueue, client: CollectorClient,
        report: @escaping @Sendable (String) -> Void
    ) {
        self.settings = settings
        self.queue = queue
        self.client = client
        self.report = report
    }

    /// Exports at each wake, and what is left when there will be no more.
    mutating func run(_ wakes: AsyncStream<Void>) async -> Counts {
        for await _ in wakes { await export(isLast: false) }
        await export(isLast: true)
        counts.lost += batch?.count ?? 0
        queue.close()
        counts.dropped = queue.dropped
        let left = counts.lost + counts.dropped
        if left > 0 { report("\(left) of \(left + counts.exported) spans were not exported") }
        return counts
    }

    private mutating func export(isLast: Bool) async {
        // At a wake everything that waits is sent, and then only whole batches: the rest has time.
        var least = 1
        while !Task.isCancelled {
            if batch == nil { batch = next(atLeast: least) }
            guard let current = batch, isLast || .now >= notBefore else { return }
            least = isLast ? 1 : settings.batch
            switch await client.post(current.body) {
            case .taken(let rejected, let message):
                batch = nil
                pause = Self.firstPause
                if rejected > 0 || !message.isEmpty {
                    failed("it rejects \(rejected) of \(current.count) spans: \(message)")
                } else {
                    recovered()
                }
                counts.exported += max(0, current.count - rejected)
                counts.lost += min(rejected, current.count)
            case .refused(let reason):
                batch = nil
                failed(reason)
                counts.lost += current.count
            case .later(let reason, let asked):
                failed(reason)
                notBefore = .now + (asked ?? pause * Double.random(in: 0.9...1.1))
                pause = min(pause * 2, Self.longestPause)
                if current.since.duration(to: .now) >= settings.patience {
                    batch = nil
                    counts.lost += current.count
                }
                // At the end there is no time to wait for a better moment.
                return
            }
        }
    }

    private mutating func next(atLeast least: Int) -> Batch? {
        let spans = queue.take(atLeast: least)
        guard !spans.isEmpty else { return nil }
        do {
            let body = try TraceDocument(resource: settings.resource, spans: spans).encoded()
            return Batch(body: body, count: spans.count, since: .now)
        } catch {
            // Text and whole numbers always encode; if they do not, that is told like any other loss.
            failed("\(error)")
            counts.lost += spans.count
            return nil
        }
    }

    private mutating func failed(_ reason: String) {
        guard lostAtFailure == nil else { return }
        lostAtFailure = counts.lost + queue.dropped
        // Without the query: there may be a key in it.
        report("spans cannot be exported to \(settings.url.prefix { $0 != "?" }): \(reason)")
    }

    private mutating func recovered() {
        guard let before = lostAtFailure else { return }
        lostAtFailure = nil
        report("spans are exported again; \(counts.lost + queue.dropped - before) were lost")
    }
}
