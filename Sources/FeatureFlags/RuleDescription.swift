import ByteBuffers

/// Rules in words: for `banyan check`, the admin listener's list of flags, and explanations.
enum RuleDescription {
    /// What flag `number` does, in one line, such as `is_staff → new; otherwise 5 % new, 95 % old, by targetingKey`.
    static func summary(of flag: FlagDefinition, number: Int, _ program: borrowing RuleProgram) -> String {
        let entry = program.flags[number]
        let fallback = flag.defaultVariant ?? "the caller's default"
        guard entry.isEnabled else { return "disabled: the caller's default" }
        switch entry.targeting {
        case .absent: return "always \(fallback)"
        case .tooLarge: return "the rule is too large and never run: the caller's default"
        case .rule: return outcome(Int(entry.root), program, fallback: fallback)
        }
    }

    // MARK: Outcomes

    /// What a node comes to that stands where the rule's result is made.
    private static func outcome(_ index: Int, _ program: borrowing RuleProgram, fallback: String) -> String {
        let node = program.nodes[index]
        switch node.symbol {
        case .constant:
            return variant(program.cells[Int(node.payload)], program, fallback: fallback)
        case .if:
            return branches(node, program, fallback: fallback)
        case .fractional:
            return shares(node, program, fallback: fallback)
        case .looseEqual, .strictEqual, .looseUnequal, .strictUnequal, .not, .truth, .less, .lessOrEqual, .greater,
            .greaterOrEqual, .in, .startsWith, .endsWith, .all, .none, .some, .semanticVersion:
            return "true if \(text(index, program)), else false"
        default:
            return text(index, program)
        }
    }

    /// The name that a result stands for; null stands for the default.
    private static func variant(
        _ value: RuleValue, _ program: borrowing RuleProgram, fallback: String
    ) -> String {
        value.isNothing ? fallback : value.kind == .string ? program.text(value.range).text : literal(value, program)
    }

    private static func branches(_ node: RuleNode, _ program: borrowing RuleProgram, fallback: String) -> String {
        let count = Int(node.childCount)
        var parts: [String] = []
        var child = 0
        while child + 1 < count {
            let condition = text(program.child(child, of: node), program)
            parts.append("\(condition) → \(outcome(program.child(child + 1, of: node), program, fallback: fallback))")
            child += 2
        }
        let rest =
            child < count ? outcome(program.child(child, of: node), program, fallback: fallback) : fallback
        parts.append(parts.isEmpty ? rest : "otherwise \(rest)")
        return parts.joined(separator: "; ")
    }

    private static func shares(_ node: RuleNode, _ program: borrowing RuleProgram, fallback: String) -> String {
        var key = "targetingKey"
        var shares: [(variant: String, weight: Double?)] = []
        for child in 0..<Int(node.childCount) {
            let index = program.child(child, of: node)
            let part = program.nodes[index]
            if part.symbol == .array {
                let variant = outcome(program.child(0, of: part), program, fallback: fallback)
                shares.append((variant, part.childCount > 1 ? constantNumber(program.child(1, of: part), program) : 1))
            } else if part.symbol == .constant, program.cells[Int(part.payload)].kind == .array {
                let share = program.cells[Int(part.payload)]
                let cells = (0..<Int(share.range.count)).map { program.cells[Int(share.range.start) + $0] }
                let name = cells.first.map { variant($0, program, fallback: fallback) } ?? ""
                shares.append((name, cells.count > 1 && cells[1].kind == .number ? max(cells[1].number, 0) : 1))
            } else if child == 0 {
                key = bucketingKey(index, program)
            }
        }
        let weights = shares.compactMap(\.weight)
        let total = weights.reduce(0, +)
        let isKnown = weights.count == shares.count && total > 0
        let parts = shares.map { share in
            isKnown ? "\(percentage(share.weight ?? 0, of: total)) % \(share.variant)" : "a share \(share.variant)"
        }
        return parts.joined(separator: ", ") + ", by \(key)"
    }

    private static func constantNumber(_ index: Int, _ program: borrowing RuleProgram) -> Double? {
        let node = program.nodes[index]
        guard node.symbol == .constant, program.cells[Int(node.payload)].kind == .number else { return nil }
        return max(program.cells[Int(node.payload)].number, 0)
    }

    /// What makes users differ: the key without the flag's own name.
    private static func bucketingKey(_ index: Int, _ program: borrowing RuleProgram) -> String {
        let node = program.nodes[index]
        guard node.symbol == .concatenate else { return text(index, program) }
        var parts: [String] = []
        for child in 0..<Int(node.childCount) {
            let part = program.nodes[program.child(child, of: node)]
            if part.symbol == .variable, program.variables[Int(part.payload)].kind == .flagKey { continue }
            if part.symbol == .constant { continue }
            parts.append(text(program.child(child, of: node), program))
        }
        return parts.isEmpty ? "nothing that differs" : parts.joined(separator: " and ")
    }

    /// `weight` as a share of `total`, rounded to three digits after the point.
    private static func percentage(_ weight: Double, of total: Double) -> String {
        let thousandths = (weight / total * 100_000).rounded()
        return JavaScriptNumber.text(thousandths / 1000)
    }

    // MARK: Conditions

    /// A node as one would say it; an evaluator by its name.
    static func text(_ index: Int, _ program: borrowing RuleProgram, isInside: Bool = false) -> String {
        let node = program.nodes[index]
        if !node.evaluator.isEmpty { return program.text(node.evaluator).text }
        let arguments = (0..<Int(node.childCount)).map { text(program.child($0, of: node), program, isInside: true) }
        let phrase: String
        switch node.symbol {
        case .constant: return literal(program.cells[Int(node.payload)], program)
        case .array: return "[\(arguments.joined(separator: ", "))]"
        case .unknown: return "\(program.text(program.cells[Int(node.payload)].range).text)(unknown)"
        case .variable:
            let path = program.text(program.variables[Int(node.payload)].path).text
            let name = path.isEmpty ? "the element" : path
            return arguments.isEmpty ? name : "(\(name) or else \(arguments[0]))"
        case .and where arguments.count > 1: phrase = arguments.joined(separator: " and ")
        case .or where arguments.count > 1: phrase = arguments.joined(separator: " or ")
        case .not where arguments.count == 1: return "not \(arguments[0])"
        case .truth where arguments.count == 1: return "\(arguments[0]) is set"
        case let symbol where symbol.standsBetweenArguments && arguments.count > 1:
            phrase = arguments.joined(separator: " \(symbol.name) ")
        case .startsWith where arguments.count == 2: phrase = "\(arguments[0]) starts with \(arguments[1])"
        case .endsWith where arguments.count == 2: phrase = "\(arguments[0]) ends with \(arguments[1])"
        case .semanticVersion where arguments.count == 3:
            let sign = program.nodes[program.child(1, of: node)]
            let relation =
                sign.symbol == .constant && program.cells[Int(sign.payload)].kind == .string
                ? program.text(program.cells[Int(sign.payload)].range).text : arguments[1]
            phrase = "version \(arguments[0]) \(relation) \(arguments[2])"
        default: return "\(node.symbol.name)(\(arguments.joined(separator: ", ")))"
        }
        return isInside ? "(\(phrase))" : phrase
    }

    /// A constant as JSON.
    private static func literal(_ value: RuleValue, _ program: borrowing RuleProgram) -> String {
        var buffer = ByteBuffer()
        RuleMachine().appendJSON(of: value, program, to: &buffer)
        return buffer.text
    }
}

extension RuleOperator {
    /// Whether one writes the operator between its arguments.
    fileprivate var standsBetweenArguments: Bool {
        switch self {
        case .looseEqual, .strictEqual, .looseUnequal, .strictUnequal, .less, .lessOrEqual, .greater, .greaterOrEqual,
            .add, .subtract, .multiply, .divide, .remainder, .in:
            true
        default: false
        }
    }
}

extension RuleMachine {
    /// Appends `value` as JSON: for explanations. NaN and the infinities, which JSON does not have, by their names.
    borrowing func appendJSON(
        of value: RuleValue, _ program: borrowing RuleProgram, to buffer: inout ByteBuffer, nesting: Int = 0
    ) {
        guard nesting < Self.maximumNesting else { return buffer.append("...") }
        switch value.kind {
        case .undefined: buffer.append("missing")
        case .null: buffer.append("null")
        case .boolean: buffer.append(value.number != 0 ? "true" : "false")
        case .number: buffer.appendJavaScript(value.number)
        case .string: buffer.appendJSONString(text(value, program))
        case .array, .object:
            let isArray = value.kind == .array
            buffer.append(isArray ? "[" : "{")
            for index in 0..<Int(value.range.count) {
                if index > 0 { buffer.append(isArray || index % 2 == 0 ? ", " : ": ") }
                appendJSON(of: element(index, of: value, program), program, to: &buffer, nesting: nesting + 1)
            }
            buffer.append(isArray ? "]" : "}")
        }
    }
}
