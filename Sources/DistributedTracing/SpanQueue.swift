package import ByteBuffers
import Synchronization

/// Spans that one worker has recorded together, as ``SpanWriter`` has written them.
package final class SpanChunk: @unchecked Sendable {
    // SAFETY: filled by whoever makes the chunk, before anybody else has it; read only from then on.
    private let bytes: ByteBuffer
    /// How many spans there are.
    package let spans: Int

    /// A chunk of `spans` spans, which stand in these bytes.
    package init(_ bytes: consuming ByteBuffer, spans: Int) {
        self.bytes = bytes
        self.spans = spans
    }

    /// The bytes.
    package var span: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get {
            // SAFETY: the memory stays where it is for as long as the chunk lives, which the span cannot outlive.
            let memory = bytes.withUnsafeBytes { $0.assumingMemoryBound(to: UInt8.self) }
            return _overrideLifetime(Span(_unsafeElements: memory), borrowing: self)
        }
    }

    /// How many bytes there are.
    package var count: Int { bytes.count }
}

/// What waits to be exported: workers put spans in, the exporter takes them out.
///
/// The lock is held for as long as it takes to put a reference into a list. Where the exporter is slower than the workers,
/// or a collector takes nothing at all, the oldest spans are dropped and counted; a worker never waits.
package final class SpanQueue: Sendable {
    /// What became of spans that are not under way any more, and how many wait.
    package struct Counts: Equatable, Sendable {
        /// Spans that were recorded.
        package var recorded: UInt64 = 0
        /// Spans that a collector has taken.
        package var exported: UInt64 = 0
        /// Spans that had to make room for newer ones.
        package var overflowed: UInt64 = 0
        /// Spans that a collector refused.
        package var refused: UInt64 = 0
        /// Spans that no collector took in the time that was given for it.
        package var failed: UInt64 = 0
        /// Spans that wait, or are on their way to the collector.
        package var waiting: UInt64 = 0

        /// Spans that were lost.
        package var dropped: UInt64 { overflowed + refused + failed }
    }

    private struct State {
        /// Those before `first` are gone.
        var chunks: [SpanChunk?] = []
        var first = 0
        var waiting = 0
        var counts = Counts()
        var isAsked = false

        /// Takes the oldest out.
        mutating func removeFirst() -> SpanChunk? {
            guard first < chunks.count, let chunk = chunks[first] else { return nil }
            chunks[first] = nil
            first += 1
            waiting -= chunk.spans
            if first > 64, first * 2 > chunks.count {
                chunks.removeFirst(first)
                first = 0
            }
            return chunk
        }

        var oldest: SpanChunk? { first < chunks.count ? chunks[first] : nil }
    }

    private let state = Mutex(State())
    private let capacity: Int
    private let batch: Int
    private let recent: RecentTraces?
    private let wake: @Sendable () -> Void

    /// A queue of at most `capacity` spans; one of none passes them on to `recent` alone.
    ///
    /// - Parameters:
    ///   - recent: Who else wants to see the spans.
    ///   - batch: With so many spans the exporter is woken.
    ///   - wake: Wakes the exporter; called on the threads of workers, and once only until ``take(atMost:)`` is called.
    package init(
        capacity: Int, batch: Int, recent: RecentTraces? = nil, wake: @escaping @Sendable () -> Void = {}
    ) {
        self.capacity = capacity
        self.batch = batch
        self.recent = recent
        self.wake = wake
    }

    /// Puts the spans of `buffer` in, which is empty afterwards.
    package func put(_ buffer: inout ByteBuffer, spans: Int) {
        var bytes = ByteBuffer()
        if buffer.count * 2 >= buffer.capacity {
            // Handed over as they are: the next ones will need as much room.
            bytes = ByteBuffer(capacity: buffer.capacity)
            swap(&bytes, &buffer)
        } else {
            bytes.reserve(buffer.count)
            bytes.append(buffer.span)
            buffer.removeAll()
        }
        let chunk = SpanChunk(bytes, spans: spans)
        recent?.keep(chunk)
        let wakes = state.withLock { state in
            state.counts.recorded += UInt64(spans)
            if capacity == 0 { return false }
            state.chunks.append(chunk)
            state.waiting += spans
            while state.waiting > capacity, let oldest = state.removeFirst() {
                state.counts.overflowed += UInt64(oldest.spans)
            }
            let isDue = state.waiting >= batch && !state.isAsked
            if isDue { state.isAsked = true }
            return isDue
        }
        if wakes { wake() }
    }

    /// Takes the oldest spans out: whole chunks, and more than one only as long as they come to at most `most` spans.
    package func take(atMost most: Int) -> [SpanChunk] {
        state.withLock { state in
            state.isAsked = false
            var taken: [SpanChunk] = []
            var count = 0
            while let next = state.oldest, taken.isEmpty || count + next.spans <= most {
                taken.append(next)
                count += next.spans
                _ = state.removeFirst()
            }
            state.counts.waiting += UInt64(count)
            return taken
        }
    }

    /// Whether a whole batch waits.
    package var hasBatch: Bool { state.withLock { $0.waiting >= batch } }

    /// Whether nothing waits.
    package var isEmpty: Bool { state.withLock { $0.waiting == 0 } }

    /// Says what became of spans that were taken out.
    package func settle(exported: Int = 0, refused: Int = 0, failed: Int = 0) {
        state.withLock { state in
            state.counts.exported += UInt64(exported)
            state.counts.refused += UInt64(refused)
            state.counts.failed += UInt64(failed)
            state.counts.waiting -= min(UInt64(exported + refused + failed), state.counts.waiting)
        }
    }

    /// What became of all spans so far.
    package var counts: Counts {
        state.withLock { state in
            var counts = state.counts
            counts.waiting += UInt64(state.waiting)
            return counts
        }
    }
}
