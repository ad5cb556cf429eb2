package import JSON

/// One thing that is wrong with the configuration, or probably not meant, with the place where it stands.
package struct ConfigurationIssue: Equatable, Sendable {
    /// What an issue means for the file.
    package enum Severity: String, Sendable {
        /// The file cannot be used.
        case error
        /// The file can be used, but somebody should know.
        case warning
    }

    /// Whether the file can be used all the same.
    package var severity: Severity
    /// The file as it was named on the command line.
    package var file: String
    /// Where in the file the value stands, or its name where the name is what is wrong.
    package var position: SourcePosition
    /// The way to the value from the top of the document.
    package var pointer: JSONPointer
    /// What was expected and what is there, one line without a full stop.
    package var message: String

    /// An issue at `position` of `file`.
    package init(
        _ severity: Severity, file: String, position: SourcePosition, pointer: JSONPointer, message: String
    ) {
        self.severity = severity
        self.file = file
        self.position = position
        self.pointer = pointer
        self.message = message
    }
}

extension ConfigurationIssue: CustomStringConvertible {
    /// One line in the form that compilers use and editors can jump by: `routes.json:12:9: /routes/3/to: …`, with
    /// `warning:` behind the position of a warning. The pointer of the whole document is left out.
    package var description: String {
        let kind = severity == .warning ? " warning:" : ""
        let place = pointer.tokens.isEmpty ? "" : " \(pointer):"
        return ValueProblem.onOneLine("\(file):\(position.line):\(position.column):\(kind)\(place) \(message)")
    }
}
