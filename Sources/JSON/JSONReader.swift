/// One thing that is wrong with a document, at its place.
package struct JSONIssue: Hashable, Sendable, CustomStringConvertible {
    /// The value that is wrong; for a member that is missing, the object that lacks it.
    package var pointer: JSONPointer
    /// Where it stands in the text.
    package var position: SourcePosition
    /// What was expected, and what was found.
    package var message: String

    package init(pointer: JSONPointer, position: SourcePosition, message: String) {
        self.pointer = pointer
        self.position = position
        self.message = message
    }

    /// `line:column: pointer: message`.
    package var description: String {
        pointer.tokens.isEmpty ? "\(position): \(message)" : "\(position): \(pointer): \(message)"
    }
}

/// Reads a document value by value, and collects everything that is wrong with it instead of stopping at the first.
///
/// Reading begins at `top`. A getter that finds something else than was asked for reports it and returns nil, so that
/// the caller goes on with the rest; a section of a file reads as the list of its keys:
///
/// ```swift
/// let reader = try JSONReader(parsing: bytes)
/// let listener = reader.top.object { section in
///     Listener(
///         address: section.string("address"),
///         backlog: section.integer("backlog", in: 1...65_535, default: 511),
///         names: section.optional("names")?.array { $0.string() } ?? [])
/// }
/// guard reader.issues.isEmpty else { … }
/// ```
package final class JSONReader {
    private let document: JSONDocument
    private let value: JSONValue
    private var found: [JSONIssue] = []

    /// Parses `text`. Duplicate names are reported at once, each of them; text that is no JSON is thrown.
    package init(parsing text: [UInt8], maximumDepth: Int = 128) throws(JSONSyntaxError) {
        document = try JSONDocument(parsing: text, maximumDepth: maximumDepth)
        value = document.value()
        for duplicate in document.duplicates() {
            let name = duplicate.pointer.tokens.last ?? ""
            found.append(
                JSONIssue(
                    pointer: duplicate.pointer, position: duplicate.position,
                    message: "duplicate key \(quoted(name)), first used at \(duplicate.firstPosition)"))
        }
    }

    /// The whole document.
    package var top: JSONPlace { JSONPlace(value: value, pointer: JSONPointer(), reader: self) }

    /// Everything reported so far, in the order of the text.
    package var issues: [JSONIssue] {
        found.enumerated().sorted { ($0.element.position, $0.offset) < ($1.element.position, $1.offset) }.map(\.element)
    }

    /// Reports that the value at `pointer` is wrong.
    package func report(_ message: String, at pointer: JSONPointer) {
        found.append(JSONIssue(pointer: pointer, position: document.position(of: pointer), message: message))
    }

    /// Reports that the member at `pointer` is wrong by its name.
    package func reportName(_ message: String, at pointer: JSONPointer) {
        found.append(JSONIssue(pointer: pointer, position: document.positionOfName(of: pointer), message: message))
    }

    /// Where the value at `pointer` stands.
    package func position(of pointer: JSONPointer) -> SourcePosition {
        document.position(of: pointer)
    }
}

/// `text` between quotes for a message, with quotes, backslashes and control characters escaped, cut at 80 characters.
func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars.prefix(80) {
        if scalar == "\"" || scalar == "\\" {
            result.unicodeScalars.append("\\")
            result.unicodeScalars.append(scalar)
        } else if scalar.value < 0x20 || scalar.value == 0x7F {
            result += "\\u" + String(String(scalar.value + 0x10000, radix: 16).dropFirst())
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return result + (text.unicodeScalars.count > 80 ? "…\"" : "\"")
}
