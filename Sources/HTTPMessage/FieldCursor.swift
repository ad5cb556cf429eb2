import ByteBuffers

/// Walks a field value by the rules that many fields share: tokens, quoted strings, parameters, lists (RFC 9110 §5.6).
///
/// It holds an offset alone; the value is given to each call. After a call that says no it stands where it stood.
struct FieldCursor {
    /// The offset of the next byte.
    private(set) var position = 0

    init() {}

    /// Whether nothing is left.
    func isAtEnd(of value: Span<UInt8>) -> Bool { position >= value.count }

    /// Passes over blanks and tabs.
    mutating func skipBlanks(in value: Span<UInt8>) {
        while position < value.count, value[position].isBlank { position += 1 }
    }

    /// Passes over blanks, tabs and the commas of empty elements (RFC 9110 §5.6.1.2).
    mutating func skipEmptyElements(in value: Span<UInt8>) {
        while position < value.count, value[position].isBlank || value[position] == UInt8(ascii: ",") { position += 1 }
    }

    /// Takes this byte, if it is the next one.
    mutating func take(_ byte: UInt8, in value: Span<UInt8>) -> Bool {
        guard position < value.count, value[position] == byte else { return false }
        position += 1
        return true
    }

    /// Takes a token of at least one character.
    mutating func token(in value: Span<UInt8>) -> ByteRange? {
        let start = position
        while position < value.count, ByteClass.isToken(value[position]) { position += 1 }
        return position > start ? ByteRange(start: start, count: position - start) : nil
    }

    /// Takes a quoted string; the range is what stands between the quotes, with its backslashes.
    mutating func quotedString(in value: Span<UInt8>) -> ByteRange? {
        guard position < value.count, value[position] == UInt8(ascii: "\"") else { return nil }
        var end = position + 1
        while end < value.count, value[end] != UInt8(ascii: "\"") {
            end += value[end] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard end < value.count else { return nil }
        let start = position + 1
        position = end + 1
        return ByteRange(start: start, count: end - start)
    }

    /// Takes a token or a quoted string.
    mutating func word(in value: Span<UInt8>) -> ByteRange? { token(in: value) ?? quotedString(in: value) }

    /// Passes over what is left of a list's element; commas within quoted strings do not end it.
    mutating func skipElement(in value: Span<UInt8>) {
        while position < value.count, value[position] != UInt8(ascii: ",") {
            if quotedString(in: value) == nil { position += 1 }
        }
    }
}
