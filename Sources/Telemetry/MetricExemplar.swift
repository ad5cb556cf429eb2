import Synchronization

/// An observation by which a bucket points to a trace.
package struct MetricExemplar: Equatable, Sendable {
    /// The trace's id.
    package var trace: (high: UInt64, low: UInt64)
    /// The id of the span that was measured.
    package var span: UInt64
    /// What was observed, in the histogram's unit.
    package var value: UInt64
    /// When, in nanoseconds of the monotonic clock; never 0.
    package var time: UInt64

    /// An exemplar.
    package init(trace: (high: UInt64, low: UInt64), span: UInt64, value: UInt64, time: UInt64) {
        self.trace = trace
        self.span = span
        self.value = value
        self.time = time
    }

    package static func == (left: MetricExemplar, right: MetricExemplar) -> Bool {
        left.trace == right.trace && left.span == right.span && left.value == right.value && left.time == right.time
    }

    // MARK: - In a row

    /// A version, then the fields.
    static let cellCount = 6
    /// How often a reader looks again that met the writer.
    private static let attempts = 8

    /// Replaces what stands in `cells`, for one writer. The version is odd meanwhile, so that a reader can tell.
    func store(in cells: MetricTable.Cells) {
        let version = cells[0].load(ordering: .relaxed)
        cells[0].store(version &+ 1, ordering: .relaxed)
        atomicMemoryFence(ordering: .releasing)
        cells[1].store(trace.high, ordering: .relaxed)
        cells[2].store(trace.low, ordering: .relaxed)
        cells[3].store(span, ordering: .relaxed)
        cells[4].store(value, ordering: .relaxed)
        cells[5].store(time, ordering: .relaxed)
        cells[0].store(version &+ 2, ordering: .releasing)
    }

    /// What stands in `cells`; nil where nothing does, or where it changes each time that is looked.
    init?(loadingFrom cells: MetricTable.Cells) {
        for _ in 0..<Self.attempts {
            let version = cells[0].load(ordering: .acquiring)
            if version == 0 { return nil }
            if version & 1 == 1 { continue }
            let trace = (cells[1].load(ordering: .relaxed), cells[2].load(ordering: .relaxed))
            let span = cells[3].load(ordering: .relaxed)
            let value = cells[4].load(ordering: .relaxed)
            let time = cells[5].load(ordering: .relaxed)
            atomicMemoryFence(ordering: .acquiring)
            guard cells[0].load(ordering: .relaxed) == version else { continue }
            self.init(trace: trace, span: span, value: value, time: time)
            return
        }
        return nil
    }
}
