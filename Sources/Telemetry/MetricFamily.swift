/// A metric as it is described to whoever reads it: everything but its figures.
package struct MetricFamily: Sendable {
    /// What its figures mean.
    package enum Kind: Sendable {
        /// Only rises; the name ends in `_total`.
        case counter
        /// Rises and falls.
        case gauge
        /// Observations, sorted into buckets.
        case histogram
        /// Always 1: what matters are the labels. The name ends in `_info`.
        case info
    }

    /// The name, with the unit and the suffix of the kind in it.
    package let name: String
    package let kind: Kind
    /// The unit as it stands in the name, empty for numbers of things.
    package let unit: String
    /// One sentence.
    package let help: String

    /// A description.
    package init(_ name: String, _ kind: Kind, unit: String = "", _ help: String) {
        self.name = name
        self.kind = kind
        self.unit = unit
        self.help = help
    }
}

/// One label of a sample.
package struct MetricLabel: Equatable, Sendable {
    package let name: String
    package let value: String

    /// A label; an empty value is as good as none.
    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// One figure of a metric that is neither a histogram nor information.
package struct MetricSample: Sendable {
    package let labels: [MetricLabel]
    package let value: MetricValue

    /// A figure.
    package init(_ labels: [MetricLabel] = [], _ value: MetricValue) {
        self.labels = labels
        self.value = value
    }
}

/// A number as it is written.
package enum MetricValue: Equatable, Sendable {
    case whole(UInt64)
    case real(Double)
}
