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
        let colon = line.firstColon
        let name = line.extracting(unchecked: 0..<colon)
        let id = HeaderName.named(name)
        // A name that is known letter by letter is a token for certain; the others are looked at.
        guard colon < count, id.isSpeltOut || name.isToken else { return HeaderBlock.nameFault(line) }
        var start = colon + 1
        while start < count, line[unchecked: start].isBlank { start += 1 }
        var end = count
        while end > start, line[unchecked: end - 1].isBlank { end -= 1 }
        if isTrailer, !TrailerSection.mayHold(id) { return nil }
        append(
            HeaderField(
                name: ByteRange(start: offset, count: colon),
                value: ByteRange(start: offset + start, count: end - start),
                id: id))
        return nil
    }

    private static func nameFault(_ line: Span<UInt8>) -> HeadFault {
        var index = 0
        while index < line.count, ByteClass.isToken(line[index]) { index += 1 }
        guard index < line.count else { return .noColon }
        if line[index].isBlank { return index == 0 ? .folded : .spaceInName }
        return index == 0 && line[0] == UInt8(ascii: ":") ? .emptyName : .badName
    }
}

extension Span where Element == UInt8 {
    /// The offset of the first `:`, or the count if there is none. Eight bytes at a time.
    @inline(__always)
    fileprivate var firstColon: Int {
        let count = count
        let bytes = bytes
        var index = 0
        while count &- index >= 8 {
            // SAFETY: any eight bytes are an integer, and the span checks that they lie within it.
            let word = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
            let other = word ^ 0x3A3A_3A3A_3A3A_3A3A
            // A zero byte borrows into its high bit; the lowest one that is set is exact.
            let zeros = (other &- 0x0101_0101_0101_0101) & ~other & 0x8080_8080_8080_8080
            if zeros != 0 { return index &+ zeros.trailingZeroBitCount / 8 }
            index &+= 8
        }
        while index < count, self[unchecked: index] != UInt8(ascii: ":") { index &+= 1 }
        return index
    }
}
