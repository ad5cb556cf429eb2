import NIOCore
import Synchronization

/// Spans that wait for the exporter. At the bound the oldest make room, so that a collector that is away costs spans, and
/// neither memory nor time.
final class SpanQueue: Sendable {
    private struct State {
        var spans = CircularBuffer<SpanRecord>()
        var dropped = 0
        var isClosed = false
    }

    private let state = Mutex(State())
    private let capacity: Int
    private let batch: Int
    /// Called when there have come to be enough spans for a request.
    private let isFull: @Sendable () -> Void

    init(capacity: Int, batch: Int, isFull: @escaping @Sendable () -> Void) {
        self.capacity = capacity
        self.batch = batch
        self.isFull = isFull
    }

    /// Takes the spans of a request in.
    func append(_ spans: [SpanRecord]) {
        let isNowFull = state.withLock { state in
            let before = state.spans.count
            if state.isClosed {
                state.dropped += spans.count
                return false
            }
            for span in spans {
                if state.spans.count == capacity {
                    state.spans.removeFirst()
                    state.dropped += 1
                }
                state.spans.append(span)
            }
            return before < batch && state.spans.count >= batch
        }
        if isNowFull { isFull() }
    }

    /// Takes the oldest spans out, as many as a request has; none where fewer than `least` wait.
    func take(atLeast least: Int) -> [SpanRecord] {
        state.withLock { state in
            guard state.spans.count >= least else { return [] }
            let spans = Array(state.spans.prefix(batch))
            state.spans.removeFirst(spans.count)
            return spans
        }
    }

    /// How many had to make room so far.
    var dropped: Int { state.withLock { $0.dropped } }

    /// Drops what waits, and whatever comes from now on.
    func close() {
        state.withLock { state in
            state.isClosed = true
            state.dropped += state.spans.count
            state.spans.removeAll()
        }
    }
}
