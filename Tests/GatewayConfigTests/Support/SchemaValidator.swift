import Foundation
import JSON

/// A validator for the part of JSON Schema draft-07 that docs/routes.schema.json uses.
///
/// It knows every keyword that it meets or fails: a keyword that it skipped would make the tests say that schema and
/// reader agree when nobody looked. The tests hold it against the `jsonschema` package of Python where that is installed.
final class SchemaValidator {
    private let root: JSONValue
    private var expressions: [String: NSRegularExpression] = [:]
    /// Keywords in the schema that are not understood.
    private(set) var unknownKeywords: Set<String> = []

    /// Annotations, which allow and forbid nothing (draft-07 §10), and where definitions stand (§9).
    static let annotations: Set<String> = ["$schema", "$id", "title", "description", "default", "definitions"]

    init(schema: JSONValue) {
        root = schema
    }

    /// Whether the document as a whole is valid.
    func accepts(_ document: JSONValue) -> Bool {
        accepts(document, root)
    }

    private func accepts(_ value: JSONValue, _ schema: JSONValue) -> Bool {
        if case .bool(let verdict) = schema { return verdict }
        guard case .object(let keywords) = schema else { return false }
        // Beside a reference every other keyword is ignored (draft-07 §8.3).
        if case .string(let reference)? = schema["$ref"] {
            guard reference.hasPrefix("#"), let pointer = JSONPointer(parsing: String(reference.dropFirst())),
                let target = root.value(at: pointer)
            else {
                unknownKeywords.insert("$ref: \(reference)")
                return false
            }
            return accepts(value, target)
        }
        return keywords.allSatisfy { holds($0.name, $0.value, for: value, in: schema) }
    }

    private func holds(_ keyword: String, _ argument: JSONValue, for value: JSONValue, in schema: JSONValue) -> Bool {
        switch keyword {
        case "type": return types(argument).contains { isOfType(value, $0) }
        case "enum": return elements(argument).contains { equals($0, value) }
        case "const": return equals(argument, value)
        case "allOf": return elements(argument).allSatisfy { accepts(value, $0) }
        case "anyOf": return elements(argument).contains { accepts(value, $0) }
        case "oneOf": return elements(argument).filter { accepts(value, $0) }.count == 1
        case "not": return !accepts(value, argument)
        case "minimum": return number(value).map { $0 >= number(argument) ?? .nan } ?? true
        case "maximum": return number(value).map { $0 <= number(argument) ?? .nan } ?? true
        case "minLength": return length(value).map { $0 >= Int(number(argument) ?? .nan) } ?? true
        case "maxLength": return length(value).map { $0 <= Int(number(argument) ?? .nan) } ?? true
        case "pattern": return matches(argument, value)
        case "items", "minItems", "uniqueItems": return holdsForArray(keyword, argument, value)
        case "properties", "required", "additionalProperties", "propertyNames", "minProperties", "dependencies":
            return holdsForObject(keyword, argument, value, schema)
        default:
            if !Self.annotations.contains(keyword) { unknownKeywords.insert(keyword) }
            return Self.annotations.contains(keyword)
        }
    }

    private func holdsForArray(_ keyword: String, _ argument: JSONValue, _ value: JSONValue) -> Bool {
        guard case .array(let array) = value else { return true }
        switch keyword {
        case "items": return array.allSatisfy { accepts($0, argument) }
        case "minItems": return Double(array.count) >= number(argument) ?? .nan
        default:
            return array.indices.allSatisfy { index in !array[..<index].contains { equals($0, array[index]) } }
        }
    }

    private func holdsForObject(
        _ keyword: String, _ argument: JSONValue, _ value: JSONValue, _ schema: JSONValue
    ) -> Bool {
        guard case .object(let members) = value else { return true }
        switch keyword {
        case "properties":
            return members.allSatisfy { member in argument[member.name].map { accepts(member.value, $0) } ?? true }
        case "required": return types(argument).allSatisfy { name in members.contains { $0.name == name } }
        case "additionalProperties":
            return members.allSatisfy { schema["properties"]?[$0.name] != nil || accepts($0.value, argument) }
        case "propertyNames": return members.allSatisfy { accepts(.string($0.name), argument) }
        case "minProperties": return Double(members.count) >= number(argument) ?? .nan
        default:
            return members.allSatisfy { member in
                switch argument[member.name] {
                case nil: true
                case .array(let names)?:
                    names.allSatisfy { name in members.contains { .string($0.name) == name } }
                case let dependency?: accepts(value, dependency)
                }
            }
        }
    }

    // MARK: - Values

    private func types(_ value: JSONValue) -> [String] {
        if case .string(let name) = value { return [name] }
        return elements(value).compactMap { if case .string(let name) = $0 { name } else { nil } }
    }

    private func elements(_ value: JSONValue) -> [JSONValue] {
        if case .array(let elements) = value { elements } else { [] }
    }

    private func isOfType(_ value: JSONValue, _ type: String) -> Bool {
        switch (type, value) {
        case ("null", .null), ("boolean", .bool), ("string", .string), ("array", .array), ("object", .object),
            ("number", .integer), ("number", .real), ("integer", .integer):
            true
        // §6.1.1: a number without fractional part is an integer, however it is written.
        case ("integer", .real(let number)): number == number.rounded()
        default: false
        }
    }

    private func number(_ value: JSONValue) -> Double? {
        switch value {
        case .integer(let number): Double(number)
        case .real(let number): number
        default: nil
        }
    }

    /// Characters, not bytes (§6.3.1).
    private func length(_ value: JSONValue) -> Int? {
        if case .string(let text) = value { text.unicodeScalars.count } else { nil }
    }

    /// 1 and 1.0 are equal, 1 and true are not (§4.2.3).
    private func equals(_ left: JSONValue, _ right: JSONValue) -> Bool {
        if let left = number(left), let right = number(right) { return left == right }
        return left == right
    }

    /// Patterns are not anchored (§6.3.3).
    private func matches(_ pattern: JSONValue, _ value: JSONValue) -> Bool {
        guard case .string(let text) = value else { return true }
        guard case .string(let source) = pattern else { return false }
        if expressions[source] == nil { expressions[source] = try? NSRegularExpression(pattern: source) }
        guard let expression = expressions[source] else {
            unknownKeywords.insert("pattern: \(source)")
            return false
        }
        return expression.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
    }
}
