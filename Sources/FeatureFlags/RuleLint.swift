import JSON

/// What can be said about a rule without running it: where it leaves flagd's schema, and where it probably does not do
/// what its author meant.
enum RuleLint {
    /// Checks the number and form of an operator's arguments against flagd's schema.
    static func checkArguments(
        of symbol: RuleOperator, _ operation: JSONMember, at pointer: JSONPointer, _ issues: inout FlagIssueList
    ) {
        let name = operation.name
        if name == "?:" { issues.schema(pointer, "\"?:\" is understood, but the schema knows it as \"if\" only") }
        guard case .array(let arguments) = operation.value else {
            checkData(operation.value, at: pointer, &issues)
            if !symbol.allowsBareArgument {
                issues.schema(pointer, "\"\(name)\" takes an array of arguments")
            }
            return
        }
        let allowed = symbol.allowedArguments
        if !allowed.contains(arguments.count) {
            let wanted =
                allowed.upperBound == .max
                ? "at least \(allowed.lowerBound)"
                : allowed.count == 1 ? "\(allowed.lowerBound)" : "\(allowed.lowerBound) or \(allowed.upperBound)"
            issues.schema(pointer, "\"\(name)\" takes \(wanted) arguments, not \(arguments.count)")
        }
        for (index, argument) in arguments.enumerated() {
            checkData(argument, at: pointer.appending(index), &issues)
        }
        switch symbol {
        case .missing: checkPaths(arguments, pointer, &issues)
        case .missingSome: checkMissingSome(arguments, pointer, &issues)
        case .semanticVersion: checkVersions(arguments, pointer, &issues)
        case .fractional: checkFractional(arguments, pointer, &issues)
        case .startsWith, .endsWith:
            for (index, argument) in arguments.enumerated() where !argument.isString && !argument.containsLogic {
                issues.schema(
                    pointer.appending(index),
                    "\"\(name)\" compares texts; with \(argument.kindName) it always gives null")
            }
        default: break
        }
    }

    /// An object with any other number of members than one is data, which flagd's schema does not know in rules.
    static func checkData(_ value: JSONValue, at pointer: JSONPointer, _ issues: inout FlagIssueList) {
        guard case .object(let members) = value, members.count != 1 else { return }
        issues.schema(pointer, "an object with \(members.count) members is data, not a rule")
    }

    private static func checkPaths(_ paths: [JSONValue], _ pointer: JSONPointer, _ issues: inout FlagIssueList) {
        for (index, path) in paths.enumerated() where !path.isString {
            issues.schema(pointer.appending(index), "the schema wants paths as texts here, not \(path.kindName)")
        }
    }

    private static func checkMissingSome(
        _ arguments: [JSONValue], _ pointer: JSONPointer, _ issues: inout FlagIssueList
    ) {
        guard arguments.count == 2 else { return }
        switch arguments[0] {
        case .integer, .real: break
        default: issues.schema(pointer.appending(0), "the schema wants a number here, not \(arguments[0].kindName)")
        }
        if case .array(let paths) = arguments[1] {
            checkPaths(paths, pointer.appending(1), &issues)
        } else {
            issues.schema(pointer.appending(1), "the schema wants an array of paths here, not \(arguments[1].kindName)")
        }
    }

    /// Reports a path that no request has; a file that other services read, too, may mean it for them.
    static func checkAttribute(_ path: String, at pointer: JSONPointer, _ issues: inout FlagIssueList) {
        let bytes = Array(path.utf8)
        switch Attribute.resolve(bytes.span).kind {
        case .other where path.hasPrefix("$flagd."):
            issues.schema(pointer, "there are only \"$flagd.flagKey\" and \"$flagd.timestamp\"; this is missing")
        case .everything: issues.hazard(pointer, "a request cannot be read as a whole; the rule sees null")
        case .other:
            let groups = ["headers", "cookies", "query", "claims"]
            let advice =
                groups.contains(path)
                ? "\"\(path)\" is a group; name a member of it, like \"\(path).name\""
                : "a request has no attribute \"\(path)\""
            issues.hazard(pointer, "\(advice): in the gateway the rule sees it as missing")
        default: break
        }
    }

    private static func checkVersions(
        _ arguments: [JSONValue], _ pointer: JSONPointer, _ issues: inout FlagIssueList
    ) {
        guard arguments.count == 3 else { return }
        for index in [0, 2] {
            let place = pointer.appending(index)
            guard case .string(let text) = arguments[index] else {
                if case .integer = arguments[index] {
                    issues.schema(place, "the schema wants a version as a text; a number is understood all the same")
                } else if case .real = arguments[index] {
                    issues.schema(place, "the schema wants a version as a text; a number is understood all the same")
                } else if !arguments[index].containsLogic {
                    issues.schema(
                        place, "\(arguments[index].kindName) is no version, so the comparison always gives null")
                }
                continue
            }
            if SemanticVersion(Array(text.utf8).span) == nil {
                issues.schema(place, "\"\(text)\" is no version, so the comparison always gives null")
            } else if text.utf8.first?.isDigit != true || text.split(separator: ".").count < 3 {
                issues.schema(
                    place, "the schema wants a whole version like \"1.2.3\"; \"\(text)\" is understood all the same")
            }
        }
        if case .string(let sign) = arguments[1], SemanticVersion.Relation(Array(sign.utf8).span) == nil {
            issues.schema(
                pointer.appending(1), "\"\(sign)\" is none of = != < <= > >= ~ ^, so the comparison always gives null")
        }
    }

    // MARK: Shares

    private static func checkFractional(
        _ arguments: [JSONValue], _ pointer: JSONPointer, _ issues: inout FlagIssueList
    ) {
        guard let first = arguments.first else { return }
        var shares = arguments[...]
        if case .array = first {
        } else {
            shares = shares.dropFirst()
            checkBucketingKey(first, pointer.appending(0), &issues)
        }
        if shares.isEmpty {
            issues.schema(pointer, "\"fractional\" has no shares to choose from, so it always gives null")
        }
        let limit = Int64(FractionalBucket.maximumWeight)
        var total: Int64 = 0
        var isKnown = true
        for index in shares.indices {
            let place = pointer.appending(index)
            guard case .array(let share) = shares[index], (1...2).contains(share.count) else {
                if !shares[index].containsLogic {
                    issues.schema(place, "a share is written [variant] or [variant, weight]")
                }
                isKnown = false
                continue
            }
            checkData(share[0], at: place.appending(0), &issues)
            switch share.count == 2 ? share[1] : .integer(1) {
            case .integer(let weight) where weight < 0:
                issues.schema(place.appending(1), "a weight must not be negative; this one counts as 0")
            case .integer(let weight):
                total = min(total + min(weight, limit + 1), limit + 1)
            case .object: isKnown = false
            case .null: total = min(total + 1, limit + 1)
            default:
                issues.schema(
                    place.appending(1), "a weight must be a whole number; \"fractional\" gives null like this")
                isKnown = false
            }
        }
        if total > limit {
            issues.schema(pointer, "the weights add up to more than 2147483647, so \"fractional\" always gives null")
        } else if isKnown, total == 0, !shares.isEmpty {
            issues.hazard(pointer, "all weights are 0, so \"fractional\" always gives null")
        }
    }

    /// A key that can be empty puts everybody without it into one bucket; a key without the flag's own chooses the same
    /// users first in every flag.
    private static func checkBucketingKey(
        _ key: JSONValue, _ pointer: JSONPointer, _ issues: inout FlagIssueList
    ) {
        guard case .object(let members) = key, members.count == 1 else {
            let effect =
                key == .null
                ? "it counts as left out"
                : key.isString ? "everybody falls into one and the same share" : "\"fractional\" always gives null"
            return issues.schema(pointer, "the key is to be a rule, not \(key.kindName): \(effect)")
        }
        switch members[0].name {
        case "var":
            guard let path = variablePath(key), !path.hasPrefix("$flagd.") else { return }
            issues.hazard(
                pointer,
                "without the flag's key in it, the same users come first in every flag shared out by \"\(path)\""
            )
            checkSpread(of: path, pointer, &issues)
        case "cat":
            let parts: [JSONValue] = if case .array(let parts) = members[0].value { parts } else { [members[0].value] }
            let paths = parts.compactMap(variablePath)
            let varying = paths.filter { $0 != "$flagd.flagKey" }
            if !paths.contains("$flagd.flagKey"), !parts.contains(where: \.isText) {
                issues.hazard(
                    pointer,
                    "without the flag's key or a seed in it, the same users come first in every such flag"
                )
            }
            // A default, or a constant, does not help: it is the same for all who lack the attribute.
            if !varying.isEmpty, !parts.contains(where: { $0.containsLogic && variablePath($0) == nil }) {
                let advice = varying == ["targetingKey"] ? "; leave the key out, and they get the default" : ""
                issues.hazard(
                    pointer,
                    "everybody without \"\(varying.joined(separator: "\" and \""))\" falls into one and the same share"
                        + advice)
            }
            if varying.isEmpty, !paths.isEmpty, parts.count == paths.count {
                issues.hazard(pointer, "this key is the same for everybody, so all fall into one share")
            }
            for path in varying { checkSpread(of: path, pointer, &issues) }
        default: break
        }
    }

    /// Attributes that change from request to request keep nobody in one share.
    private static func checkSpread(of path: String, _ pointer: JSONPointer, _ issues: inout FlagIssueList) {
        if ["path", "method", "$flagd.timestamp"].contains(path) {
            issues.hazard(pointer, "\"\(path)\" changes from request to request, so nobody keeps a share")
        }
    }

    /// The path of `{"var": path}`.
    private static func variablePath(_ value: JSONValue) -> String? {
        guard case .object(let members) = value, members.count == 1, members[0].name == "var" else { return nil }
        if case .array(let arguments) = members[0].value { return RuleCompiler.staticPath(arguments.first) }
        return RuleCompiler.staticPath(members[0].value)
    }

    // MARK: Results

    /// Reports results that name no variant of the flag: they end in GENERAL.
    static func checkResults(
        of rule: JSONValue, at pointer: JSONPointer, variants: [String], evaluators: [JSONMember],
        _ issues: inout FlagIssueList
    ) {
        switch rule {
        case .null: break
        case .string(let name): checkVariant(name, pointer, variants, &issues)
        case .bool(let value): checkVariant(value ? "true" : "false", pointer, variants, &issues)
        case .integer, .real: issues.hazard(pointer, "a rule must come to a variant's name; a number ends in GENERAL")
        case .array: issues.hazard(pointer, "a rule must come to a variant's name; an array ends in GENERAL")
        case .object(let members):
            // Other objects are data, which was reported where they stand.
            guard members.count == 1 else { return }
            let place = pointer.appending(members[0].name)
            switch members[0].name {
            case "if", "?:":
                guard case .array(let parts) = members[0].value else { return }
                for (index, part) in parts.enumerated() {
                    let isElse = index == parts.count - 1 && parts.count % 2 == 1
                    guard index % 2 == 1 || isElse else { continue }
                    checkResults(
                        of: part, at: place.appending(index), variants: variants, evaluators: evaluators, &issues)
                }
            case "fractional":
                guard case .array(let parts) = members[0].value else { return }
                for (index, part) in parts.enumerated() {
                    guard case .array(let share) = part, let variant = share.first else { continue }
                    checkResults(
                        of: variant, at: place.appending(index).appending(0), variants: variants,
                        evaluators: evaluators, &issues)
                }
            case "==", "===", "!=", "!==", "!", "!!", "<", "<=", ">", ">=", "all", "none", "some", "in", "starts_with",
                "ends_with", "sem_ver":
                for name in ["true", "false"] where !variants.contains(name) {
                    issues.hazard(
                        pointer,
                        "this gives true or false, but the flag has no variant \"\(name)\": that ends in GENERAL")
                }
            case "+", "-", "*", "/", "%", "max", "min", "merge", "map", "filter", "missing", "missing_some":
                issues.hazard(pointer, "\"\(members[0].name)\" never gives a variant's name: the flag ends in GENERAL")
            case "$ref":
                guard case .string(let name) = members[0].value,
                    let evaluator = evaluators.last(where: { $0.name.hasSameBytes(as: name) }),
                    evaluator.value.containsLogic, evaluator.value["$ref"] == nil
                else { return }
                checkResults(
                    of: evaluator.value, at: JSONPointer(["$evaluators", name]), variants: variants, evaluators: [],
                    &issues)
            default: break
            }
        }
    }

    private static func checkVariant(
        _ name: String, _ pointer: JSONPointer, _ variants: [String], _ issues: inout FlagIssueList
    ) {
        if variants.contains(where: { $0.hasSameBytes(as: name) }) { return }
        issues.hazard(pointer, "the flag has no variant \"\(name)\": where the rule comes to this, it ends in GENERAL")
    }
}

extension JSONValue {
    fileprivate var isString: Bool {
        if case .string = self { return true }
        return false
    }

    /// Whether this is a string that is not empty.
    fileprivate var isText: Bool {
        if case .string(let text) = self { return !text.isEmpty }
        return false
    }
}
