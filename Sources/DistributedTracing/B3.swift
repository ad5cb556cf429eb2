package import ByteBuffers

/// The trace context of B3 headers (openzipkin/b3-propagation), in its form of one header or of several.
///
/// Ids of 64 bits become the right half of a trace id; hexadecimal digits of either case are taken.
package struct B3: Equatable, Sendable {
    /// What the caller decided on recording the trace.
    package enum Sampling: Equatable, Sendable {
        /// Nothing: the decision is left to us.
        case deferred
        case denied
        case accepted
        /// Accepted, and to be recorded by every participant.
        case debug
    }

    /// The caller's span; nil where the headers bear a sampling decision alone.
    package var parent: SpanReference?
    /// The caller's decision.
    package var sampling: Sampling

    /// A context of these parts.
    package init(parent: SpanReference?, sampling: Sampling) {
        self.parent = parent
        self.sampling = sampling
    }

    /// Parses the value of a `b3` header: `{trace}-{span}[-{sampling}[-{parent}]]`, or a sampling decision alone.
    package init?(parsing value: borrowing Span<UInt8>) {
        let text = value.trimmed()
        if text.count == 1 {
            guard let sampling = Self.sampling(text[0]) else { return nil }
            self.init(parent: nil, sampling: sampling)
            return
        }
        let dash = UInt8(ascii: "-")
        guard let first = text.firstIndex(of: dash), let traceID = Self.traceID(text.extracting(0..<first)) else {
            return nil
        }
        let second = text.firstIndex(of: dash, from: first + 1) ?? text.count
        guard let spanID = Self.spanID(text.extracting((first + 1)..<second)) else { return nil }
        self.init(parent: SpanReference(traceID: traceID, spanID: spanID), sampling: .deferred)
        if second == text.count { return }
        guard second + 1 < text.count, let sampling = Self.sampling(text[second + 1]) else { return nil }
        self.sampling = sampling
        if second + 2 == text.count { return }
        guard text[second + 2] == dash, Self.spanID(text.extracting((second + 3)..<text.count)) != nil else {
            return nil
        }
    }

    /// Appends the header line `b3: …` with its CRLF; nothing where there is no parent. `ParentSpanId` is never sent.
    package func writeSingle(to buffer: inout ByteBuffer) {
        guard let parent else { return }
        buffer.append("b3: ")
        Self.write(parent.traceID, to: &buffer)
        buffer.append("-")
        buffer.appendHex(parent.spanID, digits: 16)
        switch sampling {
        case .deferred: buffer.append("\r\n")
        case .denied: buffer.append("-0\r\n")
        case .accepted: buffer.append("-1\r\n")
        case .debug: buffer.append("-d\r\n")
        }
    }

    /// Appends the header lines `x-b3-…`, each with its CRLF; nothing where there is no parent.
    package func writeMulti(to buffer: inout ByteBuffer) {
        guard let parent else { return }
        buffer.append("x-b3-traceid: ")
        Self.write(parent.traceID, to: &buffer)
        buffer.append("\r\nx-b3-spanid: ")
        buffer.appendHex(parent.spanID, digits: 16)
        switch sampling {
        case .deferred: buffer.append("\r\n")
        case .denied: buffer.append("\r\nx-b3-sampled: 0\r\n")
        case .accepted: buffer.append("\r\nx-b3-sampled: 1\r\n")
        case .debug: buffer.append("\r\nx-b3-flags: 1\r\n")
        }
    }

    /// Appends a trace id: with 16 digits where it came as 64 bits, because systems of such ids compare them as text.
    private static func write(_ traceID: TraceID, to buffer: inout ByteBuffer) {
        if traceID.high == 0 {
            buffer.appendHex(traceID.low, digits: 16)
        } else {
            traceID.write(to: &buffer)
        }
    }

    /// The meaning of one character of the single header: `0`, `1` or `d`.
    private static func sampling(_ character: UInt8) -> Sampling? {
        switch character {
        case UInt8(ascii: "0"): .denied
        case UInt8(ascii: "1"): .accepted
        case UInt8(ascii: "d"): .debug
        default: nil
        }
    }

    /// A trace id of 16 or 32 digits that is not zero.
    fileprivate static func traceID(_ text: borrowing Span<UInt8>) -> TraceID? {
        guard text.count == 16 || text.count == 32,
            let low = text.hexadecimal(from: text.count - 16, digits: 16, anyCase: true),
            let high = text.count == 16 ? 0 : text.hexadecimal(from: 0, digits: 16, anyCase: true)
        else { return nil }
        let traceID = TraceID(high: high, low: low)
        return traceID.isZero ? nil : traceID
    }

    /// A span id of 16 digits that is not zero.
    fileprivate static func spanID(_ text: borrowing Span<UInt8>) -> UInt64? {
        guard text.count == 16, let value = text.hexadecimal(from: 0, digits: 16, anyCase: true), value != 0 else {
            return nil
        }
        return value
    }
}

/// The `x-b3-*` headers of one request, taken one by one.
package struct B3Fields: Sendable {
    private var traceID: TraceID?
    private var spanID: UInt64?
    private var sampling = B3.Sampling.deferred
    private var hasSampling = false
    private var isDebug = false
    private var isBad = false

    /// No header yet.
    package init() {}

    /// Takes the header `name`; names that B3 does not have are passed over, a second one of a kind makes all void.
    package mutating func take(name: borrowing Span<UInt8>, value: borrowing Span<UInt8>) {
        let text = value.trimmed()
        if name.equalsIgnoringCase("x-b3-traceid") {
            let parsed = B3.traceID(text)
            if parsed == nil || traceID != nil { isBad = true }
            traceID = parsed
        } else if name.equalsIgnoringCase("x-b3-spanid") {
            let parsed = B3.spanID(text)
            if parsed == nil || spanID != nil { isBad = true }
            spanID = parsed
        } else if name.equalsIgnoringCase("x-b3-sampled") {
            if hasSampling { isBad = true }
            hasSampling = true
            if text.equals("1") || text.equalsIgnoringCase("true") {
                sampling = .accepted
            } else if text.equals("0") || text.equalsIgnoringCase("false") {
                sampling = .denied
            } else {
                isBad = true
            }
        } else if name.equalsIgnoringCase("x-b3-flags"), text.equals("1") {
            isDebug = true
        }
    }

    /// What the headers say together, or nil where they say nothing or contradict the format. Debug implies acceptance,
    /// whatever `X-B3-Sampled` says.
    package var context: B3? {
        let decision = isDebug ? B3.Sampling.debug : sampling
        if isBad { return nil }
        if let traceID, let spanID {
            return B3(parent: SpanReference(traceID: traceID, spanID: spanID), sampling: decision)
        }
        if traceID != nil || spanID != nil || decision == .deferred { return nil }
        return B3(parent: nil, sampling: decision)
    }
}
