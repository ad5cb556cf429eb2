/// A secret that the configuration refers to and never holds: `{ "env": "NAME" }` or `{ "file": "path" }`.
///
/// Printing, interpolating or dumping one shows only where it comes from.
package struct Secret: Sendable {
    /// Where the secret is.
    package enum Origin: Hashable, Sendable {
        /// The environment variable of this name.
        case environment(name: String)
        /// The file at this path, already resolved against the folder of the configuration.
        case file(path: String)
    }

    /// Where the secret is.
    package let origin: Origin
    private let read: String?

    /// The secret `value` from the environment variable `name`.
    package init(environment name: String, value: String) {
        origin = .environment(name: name)
        read = value
    }

    /// The secret in the file at `path`, read when ``value(files:)`` asks for it.
    package init(file path: String) {
        origin = .file(path: path)
        read = nil
    }

    /// The secret itself: for a file its text without the line end that editors put last.
    ///
    /// - Throws: ``ValueProblem`` where the file cannot be read, is not UTF-8, holds nothing, or holds a line break or
    ///   another control character (which no header could carry).
    package func value(files: FileAccess) throws(ValueProblem) -> String {
        let text: String
        switch origin {
        case .environment(let name):
            text = read ?? ""
            if text.isEmpty { throw ValueProblem("the environment variable \(name) is empty") }
        case .file(let path):
            guard let bytes = files.contents(path) else {
                throw ValueProblem("cannot read the secret in \(ValueProblem.quoted(path))")
            }
            guard let decoded = String(validating: bytes, as: UTF8.self) else {
                throw ValueProblem("the secret in \(ValueProblem.quoted(path)) is not UTF-8")
            }
            text = decoded.hasSuffix("\r\n") || decoded.hasSuffix("\n") ? String(decoded.dropLast()) : decoded
            if text.isEmpty { throw ValueProblem("the file \(ValueProblem.quoted(path)) is empty") }
        }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw ValueProblem("the secret holds a line break or another control character")
        }
        return text
    }
}

extension Secret: Equatable {
    /// Whether both come from the same place; values are not compared, so that no timing tells anything about them.
    package static func == (left: Secret, right: Secret) -> Bool { left.origin == right.origin }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Where the secret is, never what it is.
    package var description: String {
        switch origin {
        case .environment(let name): "(secret from the environment variable \(name))"
        case .file(let path): "(secret from \(path))"
        }
    }

    package var debugDescription: String { description }

    package var customMirror: Mirror { Mirror(self, children: ["origin": origin]) }
}
