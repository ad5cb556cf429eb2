package import JSON

/// Something wrong with a flag file, and where.
package struct FlagIssue: Equatable, Sendable, CustomStringConvertible {
    package enum Severity: Sendable {
        /// The file is refused as a whole.
        case error
        /// The file is used; the message says what it leads to.
        case warning
    }

    package enum Kind: Sendable {
        /// The file is no JSON, or a part is not of the type that it must have.
        case structure
        /// Against flagd's JSON schema.
        case schema
        /// Allowed, and probably not what was meant.
        case hazard
    }

    package var severity: Severity
    package var kind: Kind
    /// The value in question.
    package var pointer: JSONPointer
    /// Where it stands in the file.
    package var position: SourcePosition
    /// What is wrong and what it leads to, in one line.
    package var message: String

    /// `LINE:COLUMN: SEVERITY: MESSAGE (POINTER)`.
    package var description: String {
        let place = pointer.tokens.isEmpty ? "" : " (\(pointer))"
        return "\(position): \(severity == .error ? "error" : "warning"): \(message)\(place)"
    }
}

/// Collects issues while a file is read; positions are looked up at the end, for those that there are.
struct FlagIssueList {
    struct Entry: Hashable {
        var severity: FlagIssue.Severity
        var kind: FlagIssue.Kind
        var pointer: JSONPointer
        var message: String
    }

    private(set) var entries: [Entry] = []

    /// Whether the file is to be refused.
    var hasErrors: Bool { entries.contains { $0.severity == .error } }

    /// The file is refused.
    mutating func error(_ pointer: JSONPointer, _ message: String) {
        entries.append(Entry(severity: .error, kind: .structure, pointer: pointer, message: message))
    }

    /// The file is used though it is against the schema.
    mutating func schema(_ pointer: JSONPointer, _ message: String) {
        entries.append(Entry(severity: .warning, kind: .schema, pointer: pointer, message: message))
    }

    /// The file is used though it probably does not do what was meant.
    mutating func hazard(_ pointer: JSONPointer, _ message: String) {
        entries.append(Entry(severity: .warning, kind: .hazard, pointer: pointer, message: message))
    }

    /// All issues in the order of the file.
    func issues(in document: borrowing JSONDocument) -> [FlagIssue] {
        var issues: [FlagIssue] = []
        var reported: Set<Entry> = []
        // An evaluator is compiled wherever it is used, and would be reported as often.
        for entry in entries where reported.insert(entry).inserted {
            issues.append(
                FlagIssue(
                    severity: entry.severity, kind: entry.kind, pointer: entry.pointer,
                    position: document.position(of: entry.pointer), message: entry.message))
        }
        return issues.enumerated().sorted { ($0.element.position, $0.offset) < ($1.element.position, $1.offset) }
            .map(\.element)
    }
}
