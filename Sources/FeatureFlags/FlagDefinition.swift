package import JSON

/// A flag as its file defines it: for the control plane.
package struct FlagDefinition: Sendable {
    /// The name by which contexts and callers refer to the flag.
    package var key: String
    package var state: FlagState
    /// The variants in the order of the file.
    package var variants: [FlagVariant]
    /// The type of all values, or `.other` where they differ or the format does not allow theirs.
    package var type: FlagValueType
    /// The name of the variant that holds without a rule, and when the rule chooses nothing; nil for the caller's own.
    package var defaultVariant: String?
    /// The rule as written; nil for none, also where it was written as `{}`.
    package var targeting: JSONValue?
    /// The file's metadata with the flag's own over them: names to strings, numbers, booleans.
    package var metadata: [JSONMember]
    /// What the flag does, in one line.
    package var summary: String = ""
    /// Where the flag stands in its file.
    package var pointer: JSONPointer
}

/// Whether a flag is in force.
package enum FlagState: String, Sendable {
    case enabled = "ENABLED"
    /// The rule is not run, the caller's own default holds.
    case disabled = "DISABLED"
}

/// A named value that a flag can come to.
package struct FlagVariant: Equatable, Sendable {
    package var name: String
    package var value: JSONValue
}

extension FlagValueType {
    /// The type of `value`.
    init(of value: JSONValue) {
        switch value {
        case .bool: self = .boolean
        case .integer, .real: self = .number
        case .string: self = .string
        case .object: self = .object
        case .null, .array: self = .other
        }
    }
}

extension String {
    /// Whether both have the same bytes: `==` on strings takes differently written forms of a character for equal,
    /// which no other reader of the file does.
    func hasSameBytes(as other: String) -> Bool {
        utf8.elementsEqual(other.utf8)
    }
}
