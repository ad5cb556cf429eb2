/// The decision whether a trace is recorded: the caller's where one came with the request, else a share of all traces.
///
/// The share is taken by the trace id itself, so that every participant with the same ratio comes to the same decision:
/// a trace is sampled if the number in its right-most 7 bytes is at least `2^56 · (1 − ratio)`
/// (OpenTelemetry, consistent probability sampling).
package struct Sampler: Equatable, Sendable {
    /// The least 56-bit number that is sampled; 2^56 samples nothing.
    package let threshold: UInt64

    /// A sampler of `ratio` of all traces that begin here, 0...1; values beyond are clamped, not-a-number samples nothing.
    package init(ratio: Double) {
        let scale = Double(1 << 56 as UInt64)
        if ratio >= 1 {
            threshold = 0
        } else if ratio > 0 {
            threshold = UInt64(((1 - ratio) * scale).rounded())
        } else {
            threshold = 1 << 56
        }
    }

    /// Whether a trace that begins here is sampled.
    package func samplesRoot(_ traceID: TraceID) -> Bool {
        traceID.low & (1 << 56 - 1) >= threshold
    }
}
