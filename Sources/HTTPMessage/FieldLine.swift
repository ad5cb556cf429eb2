import ByteBuffers

/// One field line, `field-name ":" OWS field-value OWS` (RFC 9112 §5), of a head or a trailer section.
enum FieldLine {
    case field(HeaderField)
    /// What is wrong with the line.
    case fault(StaticString)

    /// Reads the line at `range` of `bytes`, without its line end. It holds no control byte but HTAB.
    init(_ range: ByteRange, of bytes: borrowing ByteBuffer) {
        let line = bytes.span(range)
        let offset = Int(range.start)
        var colon = 0
        while colon < line.count, ByteClass.isToken(line[unchecked: colon]) { colon += 1 }
        guard colon > 0, colon < line.count, line[colon] == UInt8(ascii: ":") else {
            self = .fault(FieldLine.nameFault(line, at: colon))
            return
        }
        var start = colon + 1
        while start < line.count, line[unchecked: start].isBlank { start += 1 }
        var end = line.count
        while end > start, line[unchecked: end - 1].isBlank { end -= 1 }
        self = .field(
            HeaderField(
                name: ByteRange(start: offset, count: colon),
                value: ByteRange(start: offset + start, count: end - start),
                id: HeaderName.named(line.extracting(0..<colon))))
    }

    private static func nameFault(_ line: Span<UInt8>, at index: Int) -> StaticString {
        guard index < line.count else { return "a field line has no colon" }
        if line[index].isBlank {
            return index == 0 ? "a field line is folded" : "white space stands in a field name or before its colon"
        }
        return index == 0 && line[0] == UInt8(ascii: ":") ? "a field name is empty" : "a field name is not a token"
    }
}
