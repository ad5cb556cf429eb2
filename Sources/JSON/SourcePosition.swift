/// A place in a text file, as an editor names it.
package struct SourcePosition: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The line, from 1. Lines end with a line feed.
    package var line: Int
    /// The column, from 1, in Unicode scalars.
    package var column: Int
    /// The offset in bytes, from 0.
    package var offset: Int

    package init(line: Int, column: Int, offset: Int) {
        self.line = line
        self.column = column
        self.offset = offset
    }

    /// The position of the byte at `offset` of `text`, which is clamped to the end of the text.
    package init(offset: Int, in text: Span<UInt8>) {
        self.init(offset: offset, in: text, after: SourcePosition(line: 1, column: 1, offset: 0))
    }

    /// The same, counted from an earlier position of the same text.
    init(offset: Int, in text: Span<UInt8>, after earlier: SourcePosition) {
        let end = max(earlier.offset, min(offset, text.count))
        var line = earlier.line
        var column = earlier.column
        for index in earlier.offset..<end {
            let byte = text[index]
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        self.init(line: line, column: column, offset: end)
    }

    package static func < (left: SourcePosition, right: SourcePosition) -> Bool {
        left.offset < right.offset
    }

    /// `line:column`, as compilers print it.
    package var description: String { "\(line):\(column)" }
}
