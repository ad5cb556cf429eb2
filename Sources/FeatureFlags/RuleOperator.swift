import ByteBuffers

/// What a node of a compiled rule does.
enum RuleOperator: UInt8 {
    // Not written as operators.
    case constant, array
    /// An operator that nobody knows: fails when it is evaluated, not before.
    case unknown
    /// `var` with a path that is known when the rule is compiled.
    case variable
    /// `var` with a path that a rule computes.
    case computedVariable

    // Lazy.
    case `if`, and, or

    case looseEqual, strictEqual, looseUnequal, strictUnequal, not, truth
    case greater, greaterOrEqual, less, lessOrEqual
    case max, min, add, subtract, multiply, divide, remainder
    case map, filter, reduce, all, none, some
    case merge, `in`, concatenate, substring, missing, missingSome

    // flagd's own.
    case fractional, semanticVersion, startsWith, endsWith

    /// The operator that is written as `name`; nil for an unknown one. `var` is `.computedVariable`.
    static func named(_ name: String) -> RuleOperator? {
        names.first { $0.name == name }?.symbol
    }

    /// How the operator is written.
    var name: String {
        Self.names.first { $0.symbol == self }?.name ?? (self == .variable ? "var" : "")
    }

    /// The number of arguments that flagd's JSON schema allows.
    var allowedArguments: ClosedRange<Int> {
        switch self {
        case .looseEqual, .strictEqual, .looseUnequal, .strictUnequal, .greater, .greaterOrEqual, .remainder, .divide,
            .map, .filter, .all, .none, .some, .in, .startsWith, .endsWith, .missingSome:
            2...2
        case .less, .lessOrEqual, .substring: 2...3
        case .reduce, .semanticVersion: 3...3
        case .not, .truth: 1...1
        case .multiply: 2...Int.max
        case .missing: 0...Int.max
        default: 1...Int.max
        }
    }

    /// Whether the schema allows a single argument without the brackets of an array.
    var allowsBareArgument: Bool {
        switch self {
        case .not, .truth, .variable, .computedVariable: true
        default: false
        }
    }

    /// Whether the operator looks at two values and says true or false. (Of `<` and `<=` there may be three.)
    var isComparison: Bool {
        switch self {
        case .looseEqual, .looseUnequal, .strictEqual, .strictUnequal, .not, .truth, .less, .lessOrEqual, .greater,
            .greaterOrEqual, .in:
            true
        default: false
        }
    }

    /// Whether the second argument is evaluated for each element of the first.
    var isIteration: Bool {
        switch self {
        case .map, .filter, .reduce, .all, .none, .some: true
        default: false
        }
    }

    private static let names: [(name: String, symbol: RuleOperator)] = [
        ("var", .computedVariable), ("if", .if), ("?:", .if), ("and", .and), ("or", .or), ("==", .looseEqual),
        ("===", .strictEqual), ("!=", .looseUnequal), ("!==", .strictUnequal), ("!", .not), ("!!", .truth),
        (">", .greater), (">=", .greaterOrEqual), ("<", .less), ("<=", .lessOrEqual), ("max", .max), ("min", .min),
        ("+", .add), ("-", .subtract), ("*", .multiply), ("/", .divide), ("%", .remainder), ("map", .map),
        ("filter", .filter), ("reduce", .reduce), ("all", .all), ("none", .none), ("some", .some), ("merge", .merge),
        ("in", .in), ("cat", .concatenate), ("substr", .substring), ("missing", .missing),
        ("missing_some", .missingSome), ("fractional", .fractional), ("sem_ver", .semanticVersion),
        ("starts_with", .startsWith), ("ends_with", .endsWith),
    ]

    /// The names of all operators: for the nearest one to a misspelt name.
    static var allNames: [String] { names.map(\.name) }
}

/// One node of a compiled rule.
struct RuleNode: BitwiseCopyable, Sendable {
    var symbol: RuleOperator
    /// Whether the argument was written without the brackets of an array: `{"!": x}`.
    var isBare = false
    /// The first of the node's children in the program's list of children, and how many there are.
    var firstChild: UInt32 = 0
    var childCount: UInt32 = 0
    /// Of a constant the number of its cell, of a variable its number, of an unknown operator the cell of its name.
    var payload: UInt32 = 0
    /// The name of the evaluator that this node came from by `$ref`; empty for others.
    var evaluator = ByteRange()
}

/// A path that a rule reads.
struct RuleVariable: BitwiseCopyable, Sendable {
    /// The path as written.
    var path: ByteRange
    var kind: Attribute.Kind
    /// The name within its group (`x-role` of `headers.x-role`), in lower case where case does not matter.
    var name: ByteRange
}
