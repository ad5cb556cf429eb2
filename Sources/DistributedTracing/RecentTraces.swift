package import ByteBuffers
import Synchronization

/// The spans that were recorded last, for whoever wants to look at a trace without a tracing system.
///
/// It holds what workers have handed on anyway: references to the same memory, up to a number of spans. Nothing is made of
/// them before somebody asks.
package final class RecentTraces: Sendable {
    private struct State {
        var chunks: [SpanChunk] = []
        var spans = 0
    }

    private let state = Mutex(State())
    /// How many traces are told of at most.
    package let traces: Int
    private let capacity: Int

    /// How many spans are kept for each trace that is asked for: views of a dozen parts leave room for single requests.
    private static let spansPerTrace = 16

    /// The last `traces` traces.
    package init(traces: Int) {
        self.traces = traces
        capacity = traces * Self.spansPerTrace
    }

    /// Keeps spans; the oldest make room.
    func keep(_ chunk: SpanChunk) {
        state.withLock { state in
            state.chunks.append(chunk)
            state.spans += chunk.spans
            var excess = 0
            while excess + 1 < state.chunks.count, state.spans - state.chunks[excess].spans >= capacity {
                state.spans -= state.chunks[excess].spans
                excess += 1
            }
            state.chunks.removeFirst(excess)
        }
    }

    /// Appends the traces, the latest first, as an array of JSON: each an object with its `traceId` and its `spans`.
    ///
    /// - Parameters:
    ///   - limit: how many at most; not more than ``traces`` in any case.
    ///   - only: the one that is wanted, nil for all.
    package func append(to buffer: inout ByteBuffer, limit: Int = .max, only wanted: TraceID? = nil) {
        let limit = min(limit, traces)
        let chunks = state.withLock { $0.chunks }
        var order: [TraceID] = []
        var found: [TraceID: [Place]] = [:]
        for (number, chunk) in chunks.enumerated().reversed() {
            for range in SpanText.spans(in: chunk.span).reversed() {
                guard let id = SpanText.traceID(of: chunk.span.slice(range)) else { continue }
                if let wanted, id != wanted { continue }
                if found[id] == nil {
                    if order.count == limit { continue }
                    order.append(id)
                }
                found[id, default: []].append(Place(chunk: number, range: range))
            }
        }
        buffer.append("[")
        for (index, id) in order.enumerated() {
            buffer.append(index == 0 ? "{\"traceId\":\"" : ",\n{\"traceId\":\"")
            id.write(to: &buffer)
            buffer.append("\",\"spans\":[")
            for (position, place) in (found[id] ?? []).reversed().enumerated() {
                if position > 0 { buffer.append(",") }
                let chunk = chunks[place.chunk]
                SpanText.append(chunk.span.slice(place.range), to: &buffer)
            }
            buffer.append("]}")
        }
        buffer.append("]\n")
    }

    /// Where a span stands.
    private struct Place {
        var chunk: Int
        var range: ByteRange
    }
}
