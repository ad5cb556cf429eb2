/// Text of the configuration with references to the environment: `${NAME}` and `${NAME:-default}`.
///
/// As in a shell, the default stands in for a name that is unset or empty; a name without a default has to be set, and
/// may be empty. A default holds no `}` and no further reference. `$${` is a literal `${`. What a variable holds is not
/// read again, so that a value cannot smuggle in a reference.
package struct EnvironmentText: Equatable, Sendable {
    /// The text with every reference replaced.
    package var text: String
    /// Whether a reference was replaced: such text may be secret and is shown only as it was written.
    package var usesEnvironment: Bool
    /// What is wrong with the references, in their order; empty where nothing is.
    package var problems: [String]

    /// Replaces the references in `written` from `environment`. A reference that cannot be replaced is kept as it is
    /// written and reported in ``problems``.
    package init(_ written: String, environment: [String: String]) {
        text = ""
        usesEnvironment = false
        problems = []
        guard written.utf8.contains(UInt8(ascii: "$")) else {
            text = written
            return
        }
        var rest = written[...]
        while let dollar = rest.firstIndex(of: "$") {
            text += rest[..<dollar]
            rest = rest[dollar...]
            if rest.hasPrefix("$${") {
                text += "${"
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("${") {
                guard let end = rest.firstIndex(of: "}") else {
                    problems.append("\"${\" without \"}\"; write \"$${\" for a literal \"${\"")
                    break
                }
                replace(rest[rest.index(rest.startIndex, offsetBy: 2)..<end], environment)
                rest = rest[rest.index(after: end)...]
            } else {
                text += "$"
                rest = rest.dropFirst()
            }
        }
        text += rest
    }

    private mutating func replace(_ reference: Substring, _ environment: [String: String]) {
        var name = reference
        var fallback: Substring?
        if let separator = reference.firstIndex(of: ":"), reference[separator...].hasPrefix(":-") {
            name = reference[..<separator]
            fallback = reference[separator...].dropFirst(2)
        }
        if !Self.isName(name) {
            problems.append("\(ValueProblem.quoted("${\(reference)}")) is not ${NAME} or ${NAME:-default}")
        } else if let fallback, fallback.contains("${") {
            problems.append("the default of ${\(name)} holds another reference")
        } else if let value = environment[String(name)], !(value.isEmpty && fallback != nil) {
            text += value
            usesEnvironment = true
            return
        } else if let fallback {
            text += fallback
            usesEnvironment = true
            return
        } else {
            problems.append("the environment variable \(name) is not set and has no default (\"${\(name):-…}\")")
        }
        text += "${\(reference)}"
    }

    /// Text that means `text`, whatever the environment.
    package static func escaping(_ text: String) -> String {
        var escaped = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            escaped += rest[..<dollar]
            rest = rest[dollar...]
            escaped += rest.dropFirst().first == "{" ? "$$" : "$"
            rest = rest.dropFirst()
        }
        return escaped + rest
    }

    /// Whether `name` is a name of the environment (POSIX 8.1): letters, digits and underscores, not a digit first.
    package static func isName(_ name: some StringProtocol) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, UInt8(ascii: "_"): true
            default: false
            }
        }
    }
}
