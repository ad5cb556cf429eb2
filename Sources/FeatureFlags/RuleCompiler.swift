import JSON

/// Compiles the rules of one flag file into one program.
struct RuleCompiler {
    /// How deep operators and arrays may nest in a rule.
    static let maximumDepth = 64
    /// How many values a rule may consist of, evaluators that it refers to included.
    static let maximumNodes = 10_000

    /// The rule is beyond one of the limits.
    enum Excess: Error {
        case depth, nodes
    }

    var builder = RuleProgramBuilder()
    var issues = FlagIssueList()
    let evaluators: [JSONMember]
    private var nodeCount = 0
    /// The evaluator that is being compiled in the place of a reference.
    private var evaluator: String?
    /// Whether variables refer to the element of an iteration.
    private var isInIteration = false

    init(evaluators: [JSONMember]) {
        self.evaluators = evaluators
    }

    /// Compiles `rule`, which stands at `pointer`, and returns the number of its node.
    mutating func compile(rule: JSONValue, at pointer: JSONPointer) throws(Excess) -> UInt32 {
        nodeCount = 0
        evaluator = nil
        isInIteration = false
        RuleLint.checkData(rule, at: pointer, &issues)
        return try compile(rule, pointer, depth: 0)
    }

    private mutating func compile(_ value: JSONValue, _ pointer: JSONPointer, depth: Int) throws(Excess) -> UInt32 {
        try count(depth)
        switch value {
        case .object(let members) where members.count == 1:
            return try compile(operation: members[0], pointer, depth: depth)
        case .array(let elements) where elements.contains(where: \.containsLogic):
            return builder.add(
                RuleNode(symbol: .array), children: try compile(elements, pointer, depth: depth + 1))
        default:
            let constant = try constant(value, depth: depth)
            return builder.add(RuleNode(symbol: .constant, payload: builder.add(constant)))
        }
    }

    private mutating func compile(
        _ values: [JSONValue], _ pointer: JSONPointer, depth: Int
    ) throws(Excess) -> [UInt32] {
        var nodes: [UInt32] = []
        for (index, value) in values.enumerated() {
            nodes.append(try compile(value, pointer.appending(index), depth: depth))
        }
        return nodes
    }

    private mutating func count(_ depth: Int) throws(Excess) {
        nodeCount += 1
        if nodeCount > Self.maximumNodes { throw .nodes }
        if depth >= Self.maximumDepth { throw .depth }
    }

    // MARK: Operators

    private mutating func compile(
        operation: JSONMember, _ pointer: JSONPointer, depth: Int
    ) throws(Excess) -> UInt32 {
        if operation.name == "$ref" {
            return try compile(reference: operation.value, pointer, depth: depth)
        }
        let place = pointer.appending(operation.name)
        guard let symbol = RuleOperator.named(operation.name) else {
            issues.schema(
                pointer,
                "there is no operator \"\(operation.name)\"\(Self.hint(operation.name, RuleOperator.allNames)); "
                    + "where the rule gets here, it ends in PARSE_ERROR")
            return unknown(operation.name)
        }
        RuleLint.checkArguments(of: symbol, operation, at: place, &issues)
        let isBare: Bool
        let arguments: [JSONValue]
        if case .array(let elements) = operation.value {
            (isBare, arguments) = (false, elements)
        } else {
            (isBare, arguments) = (true, [operation.value])
        }
        if symbol == .computedVariable, let path = Self.staticPath(arguments.first) {
            let fallback = isBare ? [] : try compile(Array(arguments.dropFirst().prefix(1)), place, depth: depth + 1)
            if !isInIteration { RuleLint.checkAttribute(path, at: place, &issues) }
            return builder.add(
                RuleNode(symbol: .variable, isBare: isBare, payload: builder.addVariable(path)), children: fallback)
        }
        let children =
            isBare
            ? [try compile(operation.value, place, depth: depth + 1)]
            : symbol.isIteration
                ? try compile(iteration: arguments, place, depth: depth + 1)
                : try compile(arguments, place, depth: depth + 1)
        return builder.add(RuleNode(symbol: symbol, isBare: isBare), children: children)
    }

    /// The second argument of `map` and its like sees the element and nothing else.
    private mutating func compile(
        iteration arguments: [JSONValue], _ pointer: JSONPointer, depth: Int
    ) throws(Excess) -> [UInt32] {
        let isOuter = !isInIteration
        var nodes: [UInt32] = []
        for (index, argument) in arguments.enumerated() {
            if index == 1, isOuter { isInIteration = true }
            nodes.append(try compile(argument, pointer.appending(index), depth: depth))
            if index == 1, isOuter { isInIteration = false }
        }
        return nodes
    }

    private mutating func compile(
        reference: JSONValue, _ pointer: JSONPointer, depth: Int
    ) throws(Excess) -> UInt32 {
        guard case .string(let name) = reference else {
            issues.schema(
                pointer, "\"$ref\" takes the name of an evaluator; where the rule gets here, it ends in PARSE_ERROR")
            return unknown("$ref")
        }
        // References within evaluators have refused the file already.
        guard evaluator == nil, let member = evaluators.last(where: { $0.name.hasSameBytes(as: name) }) else {
            issues.schema(
                pointer,
                "there is no evaluator \"\(name)\"\(Self.hint(name, evaluators.map(\.name))); "
                    + "where the rule gets here, it ends in PARSE_ERROR")
            return unknown("$ref \(name)")
        }
        evaluator = name
        defer { evaluator = nil }
        let node = try compile(member.value, JSONPointer(["$evaluators", name]), depth: depth)
        builder.label(node, evaluator: name)
        return node
    }

    private static func hint(_ name: String, _ candidates: [String]) -> String {
        nearestName(to: name, among: candidates).map { " (did you mean \"\($0)\"?)" } ?? ""
    }

    private mutating func unknown(_ name: String) -> UInt32 {
        let cell = builder.add(builder.string(name))
        return builder.add(RuleNode(symbol: .unknown, payload: cell))
    }

    /// The path that the first argument of `var` gives without being evaluated; nil where it has to be.
    static func staticPath(_ argument: JSONValue?) -> String? {
        switch argument {
        case nil, .null?: return ""
        case .string(let path)?: return path
        case .integer(let number)?: return JavaScriptNumber.text(Double(number))
        case .real(let number)?: return JavaScriptNumber.text(number)
        default: return nil
        }
    }

    // MARK: Constants

    private mutating func constant(_ value: JSONValue, depth: Int) throws(Excess) -> RuleValue {
        switch value {
        case .null: return .null
        case .bool(let flag): return RuleValue(flag)
        case .integer(let number): return RuleValue(Double(number))
        case .real(let number): return RuleValue(number)
        case .string(let text): return builder.string(text)
        case .array(let elements):
            var cells: [RuleValue] = []
            for element in elements {
                try count(depth + 1)
                cells.append(try constant(element, depth: depth + 1))
            }
            return RuleValue(.array, builder.add(cells), in: .program)
        case .object(let members):
            var cells: [RuleValue] = []
            for member in members {
                try count(depth + 1)
                cells.append(builder.string(member.name))
                cells.append(try constant(member.value, depth: depth + 1))
            }
            return RuleValue(.object, builder.add(cells), in: .program)
        }
    }
}

extension JSONValue {
    /// Whether evaluating the value means more than copying it: an object with exactly one member is an operation, all
    /// other objects are data with whatever they hold.
    var containsLogic: Bool {
        switch self {
        case .object(let members): members.count == 1
        case .array(let elements): elements.contains(where: \.containsLogic)
        default: false
        }
    }
}
