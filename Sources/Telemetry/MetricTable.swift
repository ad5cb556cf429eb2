import Synchronization

/// The buckets of a histogram.
package struct HistogramShape: Sendable {
    /// The greatest value of each bucket but the last one, rising, in the unit in which is observed.
    package let bounds: [UInt64]
    /// How many of that unit make one of the metric's own.
    package let scale: UInt64
    /// Whether buckets remember an observation of a sampled trace.
    package let hasExemplars: Bool

    /// A shape.
    package init(bounds: [UInt64], scale: UInt64, hasExemplars: Bool = false) {
        self.bounds = bounds
        self.scale = scale
        self.hasExemplars = hasExemplars
    }

    var bucketCount: Int { bounds.count + 1 }
    /// Buckets, then the sum.
    var cellCount: Int { bucketCount + 1 }
}

/// The figures of one or several metrics that share their labels, as one worker counts them.
///
/// One thread counts, any other may read at any time; neither waits for the other. A set of labels is a number of 64 bits
/// that whoever counts packs and whoever reads unpacks. Its figures stand in a row; a row is found by hashing the number,
/// and the last one used without. Memory is allocated at the first sight of a set only. Beyond what the admission allows
/// everything goes to one row together, whose key is ``overflow``.
// SAFETY: what another thread reads is atomic: the cells of rows, which have one writer, and the number of rows, whose
// releasing store comes after the row's memory was made. Rows never move and live as long as the table. Everything else,
// the places by key among it, belongs to the thread that counts; a place is the hash within the mask of their number.
package final class MetricTable: @unchecked Sendable {
    typealias Cells = UnsafeMutablePointer<Atomic<UInt64>>

    /// The key of the row for everything that has none of its own.
    package static let overflow = UInt64.max

    let counters: Int
    let histograms: [HistogramShape]
    private let admission: MetricAdmission
    /// Cells of one row: the key, the counters, the histograms, the exemplars.
    private let width: Int
    /// Where each histogram and its exemplars begin in a row.
    private let places: [Place]
    private let chunks: UnsafeMutablePointer<Cells?>
    private let mostChunks: Int
    private let published = Atomic<Int>(0)
    /// As many places as a power of two says, at most half of them taken.
    private var slots: UnsafeMutableBufferPointer<Slot>
    private var used = 0
    private var last: Slot

    /// The bounds of all histograms, one after the other: a copy, so that workers share no reference counts.
    private let bounds: UnsafeMutablePointer<UInt64>
    private var overflowCells: Cells?

    private struct Place {
        /// Where its buckets begin in a row.
        var histogram: Int
        /// Where its exemplars begin; 0 for none.
        var exemplars: Int
        /// Where its bounds begin, and how many there are.
        var bounds: Int
        var boundCount: Int
    }

    private struct Slot {
        var key: UInt64
        /// nil for a place that is free.
        var cells: Cells?
    }

    private static let rowsPerChunk = 16

    /// A table without rows.
    ///
    /// - Parameters:
    ///   - admission: shared with the tables of other workers for the same metrics.
    ///   - counters: how many plain numbers a row has.
    ///   - histograms: the histograms of a row.
    package init(_ admission: MetricAdmission, counters: Int = 0, histograms: [HistogramShape] = []) {
        self.admission = admission
        self.counters = counters
        self.histograms = histograms
        var width = 1 + counters
        var places: [Place] = []
        let allBounds = histograms.flatMap(\.bounds)
        bounds = .allocate(capacity: allBounds.count + 1)
        for (index, bound) in allBounds.enumerated() { (bounds + index).initialize(to: bound) }
        var boundsStart = 0
        for shape in histograms {
            let start = width
            width += shape.cellCount
            places.append(
                Place(
                    histogram: start, exemplars: shape.hasExemplars ? width : 0, bounds: boundsStart,
                    boundCount: shape.bounds.count))
            boundsStart += shape.bounds.count
            if shape.hasExemplars { width += shape.bucketCount * MetricExemplar.cellCount }
        }
        self.width = width
        self.places = places
        mostChunks = admission.most / Self.rowsPerChunk + 1
        chunks = .allocate(capacity: mostChunks)
        chunks.initialize(repeating: nil, count: mostChunks)
        slots = Self.free(64)
        last = Slot(key: 0, cells: nil)
    }

    deinit {
        slots.deallocate()
        for index in 0..<mostChunks {
            guard let chunk = chunks[index] else { continue }
            chunk.deinitialize(count: width * Self.rowsPerChunk)
            chunk.deallocate()
        }
        chunks.deallocate()
        bounds.deallocate()
    }

    // MARK: - Counting

    /// Adds to a counter of the row for `key`. Adding the two's complement subtracts.
    package func add(_ amount: UInt64 = 1, to counter: Int, of key: UInt64) {
        let cells = row(key)
        Self.add(amount, cells + (1 + counter))
    }

    /// Sets a counter of the row for `key`.
    package func set(_ value: UInt64, in counter: Int, of key: UInt64) {
        row(key)[1 + counter].store(value, ordering: .relaxed)
    }

    /// Notes a value in a histogram of the row for `key`.
    package func observe(_ value: UInt64, in number: Int = 0, of key: UInt64, exemplar: MetricExemplar? = nil) {
        let cells = row(key)
        let place = places[number]
        // SAFETY: what is added to the pointers stays within a row, and within the bounds, by the way both were laid out.
        let bounds = bounds + place.bounds
        var bucket = 0
        while bucket < place.boundCount, value > bounds[bucket] { bucket += 1 }
        Self.add(1, cells + (place.histogram + bucket))
        Self.add(value, cells + (place.histogram + place.boundCount + 1))
        if let exemplar, place.exemplars > 0 {
            exemplar.store(in: cells + (place.exemplars + bucket * MetricExemplar.cellCount))
        }
    }

    /// One thread writes: there is nothing that an addition in one step would be needed for.
    private static func add(_ amount: UInt64, _ cell: Cells) {
        cell.pointee.store(cell.pointee.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    // MARK: - Rows

    private func row(_ key: UInt64) -> Cells {
        if key == last.key, let cells = last.cells { return cells }
        var place = place(of: key)
        if slots[place].cells == nil {
            if used * 2 >= slots.count {
                grow()
                place = self.place(of: key)
            }
            let cells = newRow(key)
            // Sets without a row are remembered, so that nobody is asked again; but not for ever more of them.
            if used < admission.most * 4 {
                slots[place] = Slot(key: key, cells: cells)
                used += 1
            }
            last = Slot(key: key, cells: cells)
        } else {
            last = slots[place]
        }
        return last.cells ?? newRow(key)
    }

    /// Where the key stands, or the free place where it belongs.
    private func place(of key: UInt64) -> Int {
        let mask = slots.count - 1
        var place = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
        while slots[place].cells != nil, slots[place].key != key { place = (place + 1) & mask }
        return place
    }

    private func grow() {
        let old = slots
        slots = Self.free(old.count * 2)
        for slot in old where slot.cells != nil { slots[place(of: slot.key)] = slot }
        old.deallocate()
    }

    private static func free(_ count: Int) -> UnsafeMutableBufferPointer<Slot> {
        let slots = UnsafeMutableBufferPointer<Slot>.allocate(capacity: count)
        slots.initialize(repeating: Slot(key: 0, cells: nil))
        return slots
    }

    /// A row for a key that was never seen, or the one for all that have none.
    private func newRow(_ key: UInt64) -> Cells {
        if key != Self.overflow, used < admission.most * 4, admission.admits(key) { return append(key) }
        if let overflowCells { return overflowCells }
        let cells = append(Self.overflow)
        overflowCells = cells
        return cells
    }

    private func append(_ key: UInt64) -> Cells {
        let number = published.load(ordering: .relaxed)
        let (chunk, place) = number.quotientAndRemainder(dividingBy: Self.rowsPerChunk)
        let cells = (chunks[chunk] ?? newChunk(chunk)) + place * width
        cells.pointee.store(key, ordering: .relaxed)
        published.store(number + 1, ordering: .releasing)
        return cells
    }

    private func newChunk(_ number: Int) -> Cells {
        let count = width * Self.rowsPerChunk
        let cells = Cells.allocate(capacity: count)
        for index in 0..<count { (cells + index).initialize(to: Atomic(0)) }
        chunks[number] = cells
        return cells
    }

    // MARK: - Reading

    /// How many rows there are; callable from any thread.
    package var rowCount: Int { published.load(ordering: .acquiring) }

    private func cells(ofRow index: Int) -> Cells {
        let (chunk, place) = index.quotientAndRemainder(dividingBy: Self.rowsPerChunk)
        // SAFETY: the memory of a row is made before the row is counted, and stays.
        return chunks[chunk].unsafelyUnwrapped + place * width
    }

    /// Adds what stands in the row with this number to `totals`; callable from any thread.
    func read(row index: Int, into totals: inout MetricTotals.Row) {
        let cells = cells(ofRow: index)
        for counter in 0..<counters { totals.counters[counter] &+= cells[1 + counter].load(ordering: .relaxed) }
        for (number, shape) in histograms.enumerated() {
            let start = places[number].histogram
            for bucket in 0..<shape.bucketCount {
                totals.histograms[number].buckets[bucket] &+= cells[start + bucket].load(ordering: .relaxed)
                guard shape.hasExemplars else { continue }
                let place = cells + (places[number].exemplars + bucket * MetricExemplar.cellCount)
                guard let exemplar = MetricExemplar(loadingFrom: place) else { continue }
                if exemplar.time > totals.histograms[number].exemplars[bucket]?.time ?? 0 {
                    totals.histograms[number].exemplars[bucket] = exemplar
                }
            }
            totals.histograms[number].sum &+= cells[start + shape.bucketCount].load(ordering: .relaxed)
        }
    }

    /// The key of the row with this number; callable from any thread.
    package func key(ofRow index: Int) -> UInt64 { cells(ofRow: index)[0].load(ordering: .relaxed) }
}
