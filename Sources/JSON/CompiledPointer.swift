import ByteBuffers

/// A JSON Pointer (RFC 6901) made ready for look-ups in a `JSONIndex`: tokens as bytes, array indices as numbers.
package struct CompiledPointer: Sendable {
    private var bytes: [UInt8] = []
    private var tokens: [Token] = []

    private struct Token {
        var range: ByteRange
        /// The array index that the token reads as, or -1.
        var arrayIndex: Int
    }

    package init(_ pointer: JSONPointer) {
        for token in pointer.tokens {
            let start = bytes.count
            bytes.append(contentsOf: token.utf8)
            tokens.append(
                Token(
                    range: ByteRange(start: start, count: bytes.count - start),
                    arrayIndex: JSONPointer.arrayIndex(token) ?? -1))
        }
    }

    /// The number of tokens; 0 points to the whole document.
    package var count: Int { tokens.count }

    /// The token at `index` as a member name.
    @_lifetime(borrow self)
    package borrowing func name(_ index: Int) -> Span<UInt8> {
        _overrideLifetime(bytes.span.slice(tokens[index].range), borrowing: self)
    }

    /// The token at `index` as an array index, or nil where it is none.
    package borrowing func arrayIndex(_ index: Int) -> Int? {
        let value = tokens[index].arrayIndex
        return value < 0 ? nil : value
    }
}
