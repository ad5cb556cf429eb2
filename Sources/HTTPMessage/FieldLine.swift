import ByteBuffers

extension HeaderBlock {
    /// Reads one field line, `field-name ":" OWS field-value OWS` (RFC 9112 §5), and adds the field.
    ///
    /// - Parameters:
    ///   - line: The line without its line end. It holds no control byte but HTAB.
    ///   - offset: Where the line stands in the bytes of the message.
    ///   - isTrailer: Whether the line stands in a trailer section: fields that may not are then left out.
    /// - Returns: What is wrong with the line, or nil.
    mutating func appendLine(_ line: Span<UInt8>, at offset: Int, isTrailer: Bool) -> HeadFault? {
        let count = line.count
        var colon = 0
        while colon < count, ByteClass.isToken(line[unchecked: colon]) { colon += 1 }
        guard colon > 0, colon < count, line[unchecked: colon] == UInt8(ascii: ":") else {
            return HeaderBlock.nameFault(line, at: colon)
        }
        var start = colon + 1
        while start < count, line[unchecked: start].isBlank { start += 1 }
        var end = count
        while end > start, line[unchecked: end - 1].isBlank { end -= 1 }
        let id = HeaderName.named(line.extracting(unchecked: 0..<colon))
        if isTrailer, !TrailerSection.mayHold(id) { return nil }
        append(
            HeaderField(
                name: ByteRange(start: offset, count: colon), value: ByteRange(start: offset + start, count: end - start),
                id: id))
        return nil
    }

    private static func nameFault(_ line: Span<UInt8>, at index: Int) -> HeadFault {
        guard index < line.count else { return .noColon }
        if line[index].isBlank { return index == 0 ? .folded : .spaceInName }
        return index == 0 && line[0] == UInt8(ascii: ":") ? .emptyName : .badName
    }
}
