import ByteBuffers

/// How strictly a client wants its request to be taken, as its `Prefer` fields say (RFC 7240).
struct PreferField {
    /// Whether `handling` was met with: the first one counts (§2).
    private var hasHandling = false
    /// Whether it is `strict` (§4.4).
    private(set) var isStrict = false

    /// Takes in a field; several are one list.
    mutating func read(_ value: Span<UInt8>) {
        var cursor = FieldCursor()
        cursor.skipEmptyElements(in: value)
        while !cursor.isAtEnd(of: value) {
            readPreference(value, &cursor)
            cursor.skipElement(in: value)
            cursor.skipEmptyElements(in: value)
        }
    }

    /// Reads a preference, whose parameters are of no use here. What is malformed expresses none.
    private mutating func readPreference(_ value: Span<UInt8>, _ cursor: inout FieldCursor) {
        guard let name = cursor.token(in: value) else { return }
        let isHandling = value.slice(name).equalsIgnoringCase("handling")
        cursor.skipBlanks(in: value)
        var word: ByteRange?
        if cursor.take(UInt8(ascii: "="), in: value) {
            cursor.skipBlanks(in: value)
            word = cursor.word(in: value)
            cursor.skipBlanks(in: value)
        }
        let isEnd = cursor.isAtEnd(of: value) || value[cursor.position] == UInt8(ascii: ",")
        guard isHandling, !hasHandling, isEnd || value[cursor.position] == UInt8(ascii: ";") else { return }
        hasHandling = true
        isStrict = word.map { value.slice($0).equalsIgnoringCase("strict") } ?? false
    }
}

extension RequestHead {
    /// Whether the client would rather have no answer than one that is not whole: `Prefer: handling=strict`.
    package func prefersStrictHandling() -> Bool {
        guard fields.contains(.other) else { return false }
        var prefer = PreferField()
        for index in 0..<fields.count where fields[index].id == .other && name(index).equalsIgnoringCase("prefer") {
            prefer.read(value(index))
        }
        return prefer.isStrict
    }
}
