package import JSON

/// The text behind a configuration: knows where each value stands, also after reading, so that rooms which compile a
/// part of the configuration (patterns, templates, flags) can say what is wrong and where.
///
/// Not thread-safe: it belongs to whoever read the file.
package final class ConfigurationSource {
    /// The file as it was named on the command line.
    package let file: String
    /// The whole document as it is written, nothing replaced; null where the text is no JSON.
    package let root: JSONValue
    /// Nil where the text is no JSON.
    private let document: JSONDocument?

    init(file: String, document: consuming JSONDocument?) {
        self.file = file
        root = document?.value() ?? .null
        self.document = document
    }

    /// Whether something stands at `pointer`.
    package func has(_ pointer: JSONPointer) -> Bool {
        root.value(at: pointer) != nil
    }

    /// Where the value at `pointer` begins; where the pointer leads nowhere, the innermost value on its way that exists.
    package func position(of pointer: JSONPointer) -> SourcePosition {
        document?.position(of: pointer) ?? SourcePosition(line: 1, column: 1, offset: 0)
    }

    /// Where the name of the member at `pointer` stands; as ``position(of:)`` for what is no member.
    package func positionOfName(of pointer: JSONPointer) -> SourcePosition {
        document?.positionOfName(of: pointer) ?? SourcePosition(line: 1, column: 1, offset: 0)
    }

    /// The issue that `message` is to be said about the value at `pointer`.
    package func issue(
        _ severity: ConfigurationIssue.Severity = .error, at pointer: JSONPointer, _ message: String
    ) -> ConfigurationIssue {
        ConfigurationIssue(
            severity, file: file, position: position(of: pointer), pointer: pointer, message: message)
    }

    /// The issue that `message` is to be said about the name of the member at `pointer`.
    package func issue(
        _ severity: ConfigurationIssue.Severity = .error, atName pointer: JSONPointer, _ message: String
    ) -> ConfigurationIssue {
        ConfigurationIssue(
            severity, file: file, position: positionOfName(of: pointer), pointer: pointer, message: message)
    }
}
