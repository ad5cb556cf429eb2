import JSON

/// Reads a file in flagd's format into definitions, and says what is wrong with it.
///
/// As the flagd daemon does, a violation of the schema is only reported, and what cannot be read at all or a
/// `defaultVariant` that names no variant refuses the whole file.
struct FlagFileReader {
    private(set) var flags: [FlagDefinition] = []
    /// Rules that flags refer to by `$ref`.
    private(set) var evaluators: [JSONMember] = []
    /// Where the flags of an array stand in `flags`, by the bytes of their names.
    private var numbers: [[UInt8]: Int] = [:]
    /// The metadata of the whole file.
    private(set) var metadata: [JSONMember] = []
    var issues = FlagIssueList()

    /// Reads the file whose top value is `file`.
    init(_ file: JSONValue) {
        let top = JSONPointer()
        guard case .object(let members) = file else {
            issues.error(top, "the file must be an object with a member \"flags\", not \(file.kindName)")
            return
        }
        for member in members {
            let pointer = top.appending(member.name)
            switch member.name {
            case "flags", "$schema": break
            case "$evaluators": readEvaluators(member.value, at: pointer)
            case "metadata": metadata = readMetadata(member.value, at: pointer)
            default: issues.hazard(pointer, "\"\(member.name)\" has no meaning here and is ignored")
            }
        }
        switch file["flags"] {
        case nil: issues.error(top, "the file must have a member \"flags\"")
        case .object(let members)?:
            for member in members {
                let pointer = top.appending("flags").appending(member.name)
                if member.name.isEmpty { issues.schema(pointer, "a flag's name must have at least one character") }
                readFlag(member.value, key: member.name, at: pointer)
            }
        case .array(let elements)?:
            for (index, element) in elements.enumerated() {
                readElement(element, at: top.appending("flags").appending(index))
            }
        case let other?:
            issues.error(
                top.appending("flags"), "\"flags\" must be an object or an array of flags, not \(other.kindName)")
        }
    }

    // MARK: Parts of the file

    private mutating func readEvaluators(_ value: JSONValue, at pointer: JSONPointer) {
        guard case .object(let members) = value else {
            return issues.error(pointer, "\"$evaluators\" must be an object of rules, not \(value.kindName)")
        }
        for member in members {
            let place = pointer.appending(member.name)
            var isRule = false
            if case .object(let parts) = member.value { isRule = parts.count <= 1 }
            if !isRule {
                issues.schema(place, "an evaluator must be a rule, an object with one operator")
            }
            if let inner = member.value.firstReference {
                issues.error(
                    place, "an evaluator cannot refer to another one (\"\(inner)\"): flagd does not resolve that either"
                )
            }
        }
        evaluators = members
    }

    private mutating func readMetadata(_ value: JSONValue, at pointer: JSONPointer) -> [JSONMember] {
        guard case .object(let members) = value else {
            issues.error(pointer, "metadata must be an object, not \(value.kindName)")
            return []
        }
        for member in members {
            switch member.value {
            case .string: break
            case .bool, .integer, .real:
                if ["flagSetId", "version"].contains(member.name), pointer.tokens.count == 1 {
                    issues.schema(pointer.appending(member.name), "\"\(member.name)\" should be a string")
                }
            default:
                issues.schema(
                    pointer.appending(member.name),
                    "metadata are strings, numbers and booleans, not \(member.value.kindName)")
            }
        }
        return members
    }

    private mutating func readElement(_ value: JSONValue, at pointer: JSONPointer) {
        guard case .object = value else {
            return issues.error(pointer, "a flag must be an object, not \(value.kindName)")
        }
        guard case .string(let key)? = value["key"] else {
            return issues.error(pointer, "a flag in an array must have its name in \"key\"")
        }
        if key.isEmpty { issues.schema(pointer, "a flag's name must have at least one character") }
        readFlag(value, key: key, at: pointer, isElement: true)
        guard let flag = flags.last else { return }
        if let earlier = numbers[Array(key.utf8)] {
            issues.hazard(pointer, "the flag \"\(key)\" stands here for the second time; this one counts")
            flags[earlier] = flag
            flags.removeLast()
        } else {
            numbers[Array(key.utf8)] = flags.count - 1
        }
    }

    // MARK: A flag

    private mutating func readFlag(
        _ value: JSONValue, key: String, at pointer: JSONPointer, isElement: Bool = false
    ) {
        guard case .object(let members) = value else {
            return issues.error(pointer, "a flag must be an object, not \(value.kindName)")
        }
        let known = ["state", "variants", "defaultVariant", "targeting", "metadata"] + (isElement ? ["key"] : [])
        for member in members where !known.contains(member.name) {
            let hint = nearestName(to: member.name, among: known).map { " (did you mean \"\($0)\"?)" } ?? ""
            issues.hazard(
                pointer.appending(member.name), "a flag has no member \"\(member.name)\"\(hint); it is ignored")
        }
        let variants = readVariants(value["variants"], of: pointer)
        var merged = metadata
        if let own = value["metadata"] {
            for member in readMetadata(own, at: pointer.appending("metadata")) {
                merged.removeAll { $0.name.hasSameBytes(as: member.name) }
                merged.append(member)
            }
        }
        flags.append(
            FlagDefinition(
                key: key, state: readState(value["state"], of: pointer), variants: variants,
                type: type(of: variants, at: pointer), defaultVariant: readDefault(value, variants, of: pointer),
                targeting: readTargeting(value["targeting"], of: pointer), metadata: merged, pointer: pointer))
    }

    private mutating func readState(_ value: JSONValue?, of flag: JSONPointer) -> FlagState {
        let expected = "\"state\" must be \"ENABLED\" or \"DISABLED\""
        switch value {
        case .string(let text)?:
            if let state = FlagState(rawValue: text) { return state }
            issues.schema(
                flag.appending("state"), "\(expected), not \"\(text)\"; the flag is taken for enabled, as flagd does")
        case nil: issues.schema(flag, "\(expected); without it the flag is taken for enabled, as flagd does")
        case let other?: issues.error(flag.appending("state"), "\(expected), not \(other.kindName)")
        }
        return .enabled
    }

    private mutating func readVariants(_ value: JSONValue?, of flag: JSONPointer) -> [FlagVariant] {
        let pointer = flag.appending("variants")
        guard let value else {
            issues.schema(
                flag, "a flag must have \"variants\"; without them every answer is an error or the caller's own")
            return []
        }
        guard case .object(let members) = value else {
            issues.error(pointer, "\"variants\" must be an object, not \(value.kindName)")
            return []
        }
        if members.isEmpty { issues.schema(pointer, "a flag must have at least one variant") }
        for member in members where member.name.isEmpty {
            issues.schema(pointer, "a variant's name must have at least one character")
        }
        return members.map { FlagVariant(name: $0.name, value: $0.value) }
    }

    private mutating func type(of variants: [FlagVariant], at flag: JSONPointer) -> FlagValueType {
        let types = variants.map { FlagValueType(of: $0.value) }
        guard let first = types.first else { return .other }
        for (variant, type) in zip(variants, types) {
            let pointer = flag.appending("variants").appending(variant.name)
            if type == .other {
                issues.schema(
                    pointer, "a variant is a boolean, a number, a string or an object, not \(variant.value.kindName)")
            } else if type != first {
                issues.schema(
                    pointer, "all variants of a flag must be of one type; the first is \(variants[0].value.kindName)")
            }
        }
        return types.allSatisfy { $0 == first } ? first : .other
    }

    private mutating func readDefault(_ flag: JSONValue, _ variants: [FlagVariant], of place: JSONPointer) -> String? {
        let pointer = place.appending("defaultVariant")
        switch flag["defaultVariant"] {
        case nil, .null?: return nil
        case .string(let name)?:
            if !variants.contains(where: { $0.name.hasSameBytes(as: name) }) {
                let names = variants.map { "\"\($0.name)\"" }.joined(separator: ", ")
                issues.error(
                    pointer,
                    "the default variant \"\(name)\" is none of the flag's variants (\(names.isEmpty ? "none" : names))"
                )
            }
            return name
        case let other?:
            issues.error(pointer, "\"defaultVariant\" must be a string or null, not \(other.kindName)")
            return nil
        }
    }

    private mutating func readTargeting(_ value: JSONValue?, of flag: JSONPointer) -> JSONValue? {
        switch value {
        case nil: return nil
        case .object(let members)?: return members.isEmpty ? nil : value
        case .null?:
            issues.schema(flag.appending("targeting"), "\"targeting\" must be a rule; null is taken for none")
            return nil
        case let other?:
            issues.schema(flag.appending("targeting"), "\"targeting\" must be a rule, not \(other.kindName)")
            return value
        }
    }
}

extension JSONValue {
    /// The name in the first `{"$ref": name}` at or below this value.
    fileprivate var firstReference: String? {
        switch self {
        case .array(let elements): return elements.lazy.compactMap(\.firstReference).first
        case .object(let members):
            if members.count == 1, members[0].name == "$ref" {
                if case .string(let name) = members[0].value { return name }
                return ""
            }
            return members.lazy.compactMap(\.value.firstReference).first
        default: return nil
        }
    }
}
