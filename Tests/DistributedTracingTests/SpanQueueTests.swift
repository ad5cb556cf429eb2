import ByteBuffers
import Synchronization
import Testing

@testable import DistributedTracing

/// Spans between those who record them and the one who exports them: bounded, the oldest make room, and every one is
/// accounted for.
@Suite struct SpanQueueTests {
    private final class Tally: Sendable {
        private let sum = Mutex(0)
        var value: Int { sum.withLock { $0 } }
        func add(_ count: Int) { sum.withLock { $0 += count } }
    }

    private static func put(_ queue: SpanQueue, _ text: String, spans: Int) {
        var buffer = ByteBuffer()
        buffer.append(Array(text.utf8))
        queue.put(&buffer, spans: spans)
        let left = buffer.count
        #expect(left == 0)
    }

    private static func text(_ chunks: [SpanChunk]) -> String { chunks.map { $0.span.text }.joined() }

    @Test func theOldestComeFirstAndAtMostABatch() {
        let queue = SpanQueue(capacity: 100, batch: 10)
        for (number, letter) in "abcdef".enumerated() { Self.put(queue, String(letter), spans: number + 1) }
        #expect(queue.counts == .init(recorded: 21, waiting: 21) && queue.hasBatch && !queue.isEmpty)
        #expect(Self.text(queue.take(atMost: 6)) == "abc")
        // A chunk is never cut.
        #expect(Self.text(queue.take(atMost: 1)) == "d")
        #expect(queue.counts.waiting == 21, "what is on its way waits, too")
        queue.settle(exported: 8, refused: 1, failed: 1)
        #expect(queue.counts == .init(recorded: 21, exported: 8, refused: 1, failed: 1, waiting: 11))
        #expect(Self.text(queue.take(atMost: 100)) == "ef" && queue.isEmpty && queue.take(atMost: 1).isEmpty)
    }

    @Test func theOldestMakeRoom() {
        let queue = SpanQueue(capacity: 10, batch: 5)
        for letter in "abcdefghij" { Self.put(queue, String(letter), spans: 3) }
        #expect(Self.text(queue.take(atMost: 100)) == "hij")
        #expect(queue.counts == .init(recorded: 30, overflowed: 21, waiting: 9))
        #expect(queue.counts.dropped == 21)
        // What alone is more than the queue holds does not stay.
        Self.put(queue, "x", spans: 11)
        #expect(queue.isEmpty && queue.counts.overflowed == 32)
    }

    @Test func theExporterIsWokenOnceForABatch() {
        let woken = Tally()
        let queue = SpanQueue(capacity: 1_000, batch: 10) { woken.add(1) }
        for _ in 0..<9 { Self.put(queue, "a", spans: 1) }
        #expect(woken.value == 0)
        for _ in 0..<50 { Self.put(queue, "a", spans: 1) }
        #expect(woken.value == 1)
        _ = queue.take(atMost: 10)
        Self.put(queue, "a", spans: 1)
        #expect(woken.value == 2)
    }

    /// Many threads put in while one takes out: nothing is lost or counted twice.
    @Test func everySpanIsAccountedFor() async {
        let queue = SpanQueue(capacity: 500, batch: 100)
        let taken = Tally()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask { for _ in 0..<500 { Self.put(queue, "aa", spans: 2) } }
            }
            group.addTask {
                for _ in 0..<300 {
                    let count = queue.take(atMost: 64).reduce(0) { $0 + $1.spans }
                    queue.settle(exported: count)
                    taken.add(count)
                    await Task.yield()
                }
            }
        }
        let rest = queue.take(atMost: .max).reduce(0) { $0 + $1.spans }
        let counts = queue.counts
        #expect(counts.recorded == 4_000)
        #expect(Int(counts.exported) == taken.value)
        #expect(Int(counts.exported + counts.overflowed) + rest == 4_000)
    }

    @Test func oneWithoutRoomPassesThemOn() {
        let recent = RecentTraces(traces: 10)
        let queue = SpanQueue(capacity: 0, batch: 1, recent: recent)
        var spans = ByteBuffer()
        SpanSamples.write(trace: 1, name: "GET", to: &spans)
        queue.put(&spans, spans: 1)
        #expect(queue.isEmpty && queue.counts == .init(recorded: 1))
        var text = ByteBuffer()
        recent.append(to: &text)
        #expect(text.text.contains("\"name\":\"GET\""))
    }
}
