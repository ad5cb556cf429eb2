internal import JSON

/// Why a text of the configuration is not a value of its kind: one sentence for the operator, without position.
///
/// The reader adds file, line, column and pointer and makes a ``ConfigurationIssue`` of it. The sentence says what was
/// expected and what stands there instead; it never repeats a secret, because secrets are never parsed as values.
package struct ValueProblem: Error, Equatable {
    /// The sentence, without a full stop.
    package var message: String

    /// A problem described by `message`.
    package init(_ message: String) {
        self.message = message
    }

    /// The problem that `text` is not `expected`, in the words that all values share.
    package init(expected: String, found text: String) {
        message = "expected \(expected), found \(Self.quoted(text))"
    }

    /// `, did you mean "users"?` for the nearest of `candidates`; where none is near, nothing, or, where they are few
    /// and to be `listed`, all of them.
    static func hint(_ name: String, _ candidates: [String], listed: Bool = false) -> String {
        if let nearest = nearestName(to: name, among: candidates) { return ", did you mean \(quoted(nearest))?" }
        guard listed, (1...8).contains(candidates.count) else { return "" }
        return "; there are " + candidates.map(quoted).joined(separator: ", ")
    }

    /// `text` on one line: what comes from elsewhere, such as the JSON parser's own words, may quote anything.
    static func onOneLine(_ text: String) -> String {
        var line = ""
        for scalar in text.unicodeScalars {
            if isVisible(scalar) { line.unicodeScalars.append(scalar) } else { line += escape(scalar) }
        }
        return line
    }

    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        "\\u{" + String(scalar.value, radix: 16) + "}"
    }

    /// `text` in quotes for a message: one line, at most 80 characters, control characters escaped, so that what stands
    /// in the file cannot forge a line of the log.
    package static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars.prefix(80) {
            if scalar == "\"" || scalar == "\\" {
                quoted += "\\"
                quoted.unicodeScalars.append(scalar)
            } else if isVisible(scalar) {
                quoted.unicodeScalars.append(scalar)
            } else {
                quoted += escape(scalar)
            }
        }
        if text.unicodeScalars.dropFirst(80).first != nil { quoted += "…" }
        return quoted + "\""
    }
}
