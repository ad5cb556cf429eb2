/// What several workers have counted of the same metrics, added up.
package struct MetricTotals: Sendable {
    /// A histogram.
    package struct Histogram: Equatable, Sendable {
        /// How many observations fell into each bucket; not cumulated.
        package var buckets: [UInt64]
        /// Of what was observed, in the unit of observation.
        package var sum: UInt64 = 0
        /// The latest observation of each bucket that is known by its trace.
        package var exemplars: [MetricExemplar?]
    }

    /// The figures of one set of labels.
    package struct Row: Equatable, Sendable {
        package let key: UInt64
        package var counters: [UInt64]
        package var histograms: [Histogram]
    }

    /// The rows, by their keys, which is the same order each time.
    package let rows: [Row]

    /// The sum of `tables`, which are made alike.
    package init(_ tables: [MetricTable]) {
        var rows: [UInt64: Row] = [:]
        for table in tables {
            for index in 0..<table.rowCount {
                let key = table.key(ofRow: index)
                var row = rows.removeValue(forKey: key) ?? Self.empty(table, key)
                table.read(row: index, into: &row)
                rows[key] = row
            }
        }
        self.rows = rows.values.sorted { $0.key < $1.key }
    }

    private static func empty(_ table: MetricTable, _ key: UInt64) -> Row {
        Row(
            key: key, counters: [UInt64](repeating: 0, count: table.counters),
            histograms: table.histograms.map { shape in
                Histogram(
                    buckets: [UInt64](repeating: 0, count: shape.bucketCount),
                    exemplars: [MetricExemplar?](repeating: nil, count: shape.bucketCount))
            })
    }
}
