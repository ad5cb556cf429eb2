import ByteBuffers

/// What a collector says about spans that it did not take (`ExportTracePartialSuccess`). They are never sent again
/// (OTLP specification §Partial Success).
package struct PartialSuccess: Equatable, Sendable {
    /// How many it refused.
    package var rejected = 0
    /// Why, or a warning; empty where it has nothing to say. At most 500 bytes of it are kept.
    package var message = ""

    /// Everything was taken.
    package init() {}

    /// Reads an answer (`ExportTraceServiceResponse`); what makes no sense says nothing.
    package init(reading answer: borrowing Span<UInt8>) {
        var reader = ProtobufReader(ByteRange(start: 0, count: answer.count))
        while let field = reader.next(in: answer) {
            guard field.number == 1, field.type == .bytes else { continue }
            var inner = ProtobufReader(field.range)
            while let part = inner.next(in: answer) {
                if part.number == 1, part.type == .varint { rejected = Int(clamping: part.number64) }
                guard part.number == 2, part.type == .bytes else { continue }
                let start = Int(part.range.start)
                let text = answer.extracting(start..<(start + min(Int(part.range.count), 500)))
                message = text.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
            }
        }
    }
}
