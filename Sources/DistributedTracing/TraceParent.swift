package import ByteBuffers

/// The `traceparent` header of W3C Trace Context, level 2: the trace, the caller's span in it, and its flags.
package struct TraceParent: Equatable, Sendable {
    /// The trace, never zero after parsing.
    package var traceID: TraceID
    /// The caller's span, never zero after parsing.
    package var spanID: UInt64
    /// The flags that version 00 knows; a newer version's other flags are dropped (§Versioning of traceparent).
    package var flags: TraceFlags

    /// A parent of these parts.
    package init(traceID: TraceID, spanID: UInt64, flags: TraceFlags) {
        self.traceID = traceID
        self.spanID = spanID
        self.flags = flags
    }

    /// The length of what `write(to:)` appends.
    package static let length = 55

    /// Parses the value of the one `traceparent` field of a request; nil means that a new trace begins.
    ///
    /// Spaces and tabs around the value are ignored. Version 00 is exactly 55 characters; a version from 01 to fe may go
    /// on after a dash, and what follows is ignored; ff is not a version (§version, §Versioning of traceparent).
    package init?(parsing value: borrowing Span<UInt8>) {
        let text = value.trimmed()
        let dash = UInt8(ascii: "-")
        guard text.count >= Self.length, let version = text.hexadecimal(from: 0, digits: 2), version != 0xFF,
            text[2] == dash, text[35] == dash, text[52] == dash
        else { return nil }
        if text.count > Self.length, version == 0 || text[Self.length] != dash { return nil }
        guard let high = text.hexadecimal(from: 3, digits: 16), let low = text.hexadecimal(from: 19, digits: 16),
            let spanID = text.hexadecimal(from: 36, digits: 16), let flags = text.hexadecimal(from: 53, digits: 2)
        else { return nil }
        let traceID = TraceID(high: high, low: low)
        guard !traceID.isZero, spanID != 0 else { return nil }
        self.init(traceID: traceID, spanID: spanID, flags: TraceFlags(rawValue: UInt8(truncatingIfNeeded: flags)))
    }

    /// Appends the 55 characters of the version 00 form.
    package func write(to buffer: inout ByteBuffer) {
        buffer.append("00-")
        traceID.write(to: &buffer)
        buffer.append("-")
        buffer.appendHex(spanID, digits: 16)
        buffer.append("-")
        buffer.appendHex(UInt64(flags.rawValue), digits: 2)
    }
}
