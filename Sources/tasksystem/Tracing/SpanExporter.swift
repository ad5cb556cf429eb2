import NIOCore
import Synchronization

/// Exports spans beside the requests: takes them in, and sends them when there are enough or a while has passed.
final class SpanExporter: Sendable {
    private let queue: SpanQueue
    private let client: CollectorClient
    private let wakes: AsyncStream<Void>.Continuation
    private let ticks: Task<Void, Never>
    private let run: Task<ExportRun.Counts, Never>

    /// Begins.
    ///
    /// - Parameter report: takes a line when exporting begins to fail, when it works again, and when spans are lost.
    init(_ settings: ExportSettings, report: @escaping @Sendable (String) -> Void) {
        // What comes while a batch is under way is one wake.
        let (stream, wakes) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let queue = SpanQueue(capacity: settings.queue, batch: settings.batch) { wakes.yield() }
        let client = CollectorClient(settings)
        let delay = settings.delay
        ticks = Task {
            while (try? await Task.sleep(for: delay)) != nil { wakes.yield() }
        }
        run = Task {
            var run = ExportRun(settings: settings, queue: queue, client: client, report: report)
            return await run.run(stream)
        }
        self.queue = queue
        self.client = client
        self.wakes = wakes
    }

    /// Takes spans in, at once and whatever the collector does.
    func record(_ spans: [SpanRecord]) {
        queue.append(spans)
    }

    /// Sends what is left, as far as that is possible within `grace`, and ends.
    ///
    /// - Returns: what became of all spans.
    @discardableResult
    func shutdown(within grace: Duration) async -> ExportRun.Counts {
        wakes.finish()
        ticks.cancel()
        let deadline = Task { [run] in
            try? await Task.sleep(for: grace)
            run.cancel()
        }
        let counts = await run.value
        deadline.cancel()
        await client.close()
        return counts
    }
}
