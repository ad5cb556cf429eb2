import ByteBuffers

/// The field names of several `Vary` fields, each once (RFC 9110 §12.5.5).
struct VaryList: ~Copyable {
    private var text = ByteBuffer()
    private var names = PlainList<ByteRange>()
    private var isEverything = false

    /// Beyond so many names the list becomes `*`.
    private static let maximumNames = 32

    init() {}

    mutating func removeAll() {
        text.removeAll(keeping: 4096)
        names.removeAll()
        isEverything = false
    }

    /// Adds the names of a `Vary` field.
    mutating func add(_ field: Span<UInt8>) {
        var position = 0
        while position < field.count {
            let end = field.firstIndex(of: UInt8(ascii: ","), from: position) ?? field.count
            addName(field.extracting(position..<end).trimmed)
            position = end + 1
        }
    }

    private mutating func addName(_ name: Span<UInt8>) {
        if name.isEmpty { return }
        for index in 0..<name.count where !name[index].isTokenCharacter {
            // Something that is not told here varies the answer: it is nobody's but the one's who asked.
            isEverything = true
            return
        }
        if name.count == 1, name[0] == UInt8(ascii: "*") {
            isEverything = true
            return
        }
        for index in 0..<names.count where text.span(names[index]).equalsIgnoringCase(name) { return }
        if names.count == Self.maximumNames {
            isEverything = true
            return
        }
        if !names.isEmpty { text.append(", ") }
        names.append(ByteRange(start: text.count, count: name.count))
        text.append(name)
    }

    /// Appends the value of the merged field; nothing where no name was added.
    borrowing func append(to output: inout ByteBuffer) {
        if isEverything { output.append("*") } else { output.append(text.span) }
    }
}
