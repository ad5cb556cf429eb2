package import ByteBuffers

/// Walks the elements of a comma-separated list of tokens (RFC 9110 §5.6.1), such as `Connection` or `TE`.
///
/// Quoted strings and comments are not special to it: where a list may hold those, it is not the right reader.
package struct ListCursor {
    private var position = 0

    package init() {}

    /// The next element without the white space around it, as a range of `value`; empty elements are passed over, as
    /// RFC 9110 §5.6.1.2 asks. Nil at the end.
    package mutating func next(in value: Span<UInt8>) -> ByteRange? {
        while position < value.count {
            let comma = value.firstIndex(of: UInt8(ascii: ","), from: position) ?? value.count
            var start = position
            var end = comma
            position = comma + 1
            while start < end, value[unchecked: start].isBlank { start += 1 }
            while end > start, value[unchecked: end - 1].isBlank { end -= 1 }
            if start < end { return ByteRange(start: start, count: end - start) }
        }
        return nil
    }
}
