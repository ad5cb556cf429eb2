import ByteBuffers

/// An answer to a scrape as it is written.
package struct MetricsText: ~Copyable {
    /// The format that is written.
    package let format: MetricsFormat
    private let wallClock: Double
    private let monotonicClock: UInt64
    private var output = ByteBuffer()

    /// Nothing yet.
    ///
    /// - Parameters:
    ///   - wallClock: seconds since 1970, now.
    ///   - monotonicClock: nanoseconds of the clock of exemplars, now.
    package init(_ format: MetricsFormat, wallClock: Double = 0, monotonicClock: UInt64 = 0) {
        self.format = format
        self.wallClock = wallClock
        self.monotonicClock = monotonicClock
    }

    /// The whole text, with its end.
    package consuming func finish() -> [UInt8] {
        if format == .openMetrics { output.append("# EOF\n") }
        return output.withUnsafeBytes { Array($0) }
    }

    // MARK: - Metrics

    /// Writes a metric with its figures.
    package mutating func write(_ family: MetricFamily, _ samples: [MetricSample]) {
        begin(family)
        for sample in samples {
            begin(sample: sampleName(of: family), sample.labels)
            append(sample.value)
            output.append("\n")
        }
    }

    /// Writes one figure without labels.
    package mutating func write(_ family: MetricFamily, _ value: MetricValue) {
        write(family, [MetricSample([], value)])
    }

    /// Writes a histogram.
    ///
    /// - Parameters:
    ///   - number: which of the histograms of each row it is.
    ///   - labels: what a key stands for.
    package mutating func write(
        _ family: MetricFamily, _ totals: MetricTotals, _ number: Int = 0, _ shape: HistogramShape,
        labels: (UInt64) -> [MetricLabel]
    ) {
        begin(family)
        let bounds = shape.bounds.map { bound(Double($0) / Double(shape.scale)) } + ["+Inf"]
        for row in totals.rows {
            let labels = row.key == MetricTable.overflow ? Self.overflow : labels(row.key)
            let histogram = row.histograms[number]
            var count: UInt64 = 0
            for (index, bound) in bounds.enumerated() {
                count += histogram.buckets[index]
                begin(sample: family.name + "_bucket", labels + [MetricLabel("le", bound)])
                append(.whole(count))
                if format == .openMetrics, let exemplar = histogram.exemplars[index] { append(exemplar, shape.scale) }
                output.append("\n")
            }
            begin(sample: family.name + "_sum", labels)
            append(.real(Double(histogram.sum) / Double(shape.scale)))
            output.append("\n")
            begin(sample: family.name + "_count", labels)
            append(.whole(count))
            output.append("\n")
        }
    }

    /// Writes the numbers with the index `counter` of each row.
    package mutating func write(
        _ family: MetricFamily, _ totals: MetricTotals, _ counter: Int = 0, labels: (UInt64) -> [MetricLabel]
    ) {
        write(
            family,
            totals.rows.map { row in
                MetricSample(
                    row.key == MetricTable.overflow ? Self.overflow : labels(row.key), .whole(row.counters[counter]))
            })
    }

    /// What stands for all sets of labels that are one too many.
    package static let overflow = [MetricLabel("otel_metric_overflow", "true")]

    // MARK: - Pieces

    private mutating func begin(_ family: MetricFamily) {
        let name = familyName(of: family)
        output.append("# HELP \(name) ")
        appendEscaped(family.help, quotes: format == .openMetrics)
        output.append("\n# TYPE \(name) \(type(of: family.kind))\n")
        if format == .openMetrics, !family.unit.isEmpty { output.append("# UNIT \(name) \(family.unit)\n") }
    }

    /// OpenMetrics names a family without the suffix that its samples have.
    private func familyName(of family: MetricFamily) -> String {
        guard format == .openMetrics else { return family.name }
        switch family.kind {
        case .counter where family.name.hasSuffix("_total"): return String(family.name.dropLast(6))
        case .info where family.name.hasSuffix("_info"): return String(family.name.dropLast(5))
        default: return family.name
        }
    }

    private func sampleName(of family: MetricFamily) -> String { family.name }

    private func type(of kind: MetricFamily.Kind) -> String {
        switch kind {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        case .info: format == .openMetrics ? "info" : "gauge"
        }
    }

    private func bound(_ value: Double) -> String {
        format == .openMetrics ? MetricNumber.canonical(value) : MetricNumber.text(value)
    }

    private mutating func begin(sample name: String, _ labels: [MetricLabel]) {
        output.append(name)
        for (index, label) in labels.enumerated() {
            output.append(index == 0 ? "{" : ",")
            output.append(label.name)
            output.append("=\"")
            appendEscaped(label.value, quotes: true)
            output.append("\"")
        }
        output.append(labels.isEmpty ? " " : "} ")
    }

    private mutating func append(_ value: MetricValue) {
        switch value {
        case .whole(let number): output.append("\(number)")
        case .real(let number): output.append(MetricNumber.text(number))
        }
    }

    private mutating func append(_ exemplar: MetricExemplar, _ scale: UInt64) {
        output.append(" # {trace_id=\"")
        output.appendHex(exemplar.trace.high, digits: 16)
        output.appendHex(exemplar.trace.low, digits: 16)
        output.append("\",span_id=\"")
        output.appendHex(exemplar.span, digits: 16)
        output.append("\"} ")
        append(.real(Double(exemplar.value) / Double(scale)))
        let age = Double(monotonicClock - min(exemplar.time, monotonicClock)) / 1_000_000_000
        let milliseconds = UInt64(max(wallClock - age, 0) * 1_000)
        let fraction = "\(milliseconds % 1_000)"
        output.append(" \(milliseconds / 1_000).")
        output.append(String(repeating: "0", count: 3 - fraction.utf8.count) + fraction)
    }

    /// Appends text with backslashes and ends of lines escaped, and quotes where they would end it.
    private mutating func appendEscaped(_ text: String, quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): output.append("\\\\")
            case UInt8(ascii: "\n"): output.append("\\n")
            case UInt8(ascii: "\"") where quotes: output.append("\\\"")
            default: output.append(byte)
            }
        }
    }
}
