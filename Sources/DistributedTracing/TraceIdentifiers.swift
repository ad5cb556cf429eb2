package import ByteBuffers

/// The id of a trace: 16 bytes, of which not all are zero.
package struct TraceID: Equatable, Hashable, Sendable {
    /// The left-most 8 bytes.
    package var high: UInt64
    /// The right-most 8 bytes, whose last 7 the sampler looks at.
    package var low: UInt64

    /// An id of two halves.
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The id that no trace has; it marks a context that has not begun.
    package static let none = TraceID(high: 0, low: 0)

    /// Whether all bytes are zero, which W3C Trace Context §trace-id forbids.
    package var isZero: Bool { high == 0 && low == 0 }

    /// Appends the 32 lower-case hexadecimal digits.
    package func write(to buffer: inout ByteBuffer) {
        buffer.appendHex(high, digits: 16)
        buffer.appendHex(low, digits: 16)
    }
}

/// The flags of a trace that this version of the format knows (W3C Trace Context level 2 §trace-flags).
package struct TraceFlags: OptionSet, Sendable {
    package let rawValue: UInt8

    /// Keeps the bits that are known; all others are sent as zero.
    package init(rawValue: UInt8) { self.rawValue = rawValue & 3 }

    /// The caller may have recorded its part of the trace.
    package static let sampled = TraceFlags(rawValue: 1)
    /// At least the right-most 7 bytes of the trace id are random.
    package static let random = TraceFlags(rawValue: 2)
}

/// The identity of a span in another process: what a link or a parent points to.
package struct SpanReference: Equatable, Sendable {
    /// The trace that the span belongs to.
    package var traceID: TraceID
    /// The span.
    package var spanID: UInt64

    /// A reference to the span `spanID` of `traceID`.
    package init(traceID: TraceID, spanID: UInt64) {
        self.traceID = traceID
        self.spanID = spanID
    }
}
