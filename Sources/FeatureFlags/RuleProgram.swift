import ByteBuffers

/// The rules of one flag file, compiled: flat tables that refer to each other by number.
struct RuleProgram: ~Copyable, Sendable {
    /// All text: constants, paths, names.
    let bytes: FrozenArray<UInt8>
    /// Constants: single values, and the insides of constant arrays and objects.
    let cells: FrozenArray<RuleValue>
    let nodes: FrozenArray<RuleNode>
    let children: FrozenArray<UInt32>
    let variables: FrozenArray<RuleVariable>
    let flags: FrozenArray<CompiledFlag>
    let variants: FrozenArray<CompiledVariant>

    /// The text at `range`.
    @_lifetime(borrow self)
    borrowing func text(_ range: ByteRange) -> Span<UInt8> {
        bytes.span.slice(range)
    }

    /// Appends the text at `range` to `buffer`.
    borrowing func append(_ range: ByteRange, to buffer: inout ByteBuffer) {
        buffer.append(text(range))
    }

    /// The number of child `index` of `node`.
    func child(_ index: Int, of node: RuleNode) -> Int {
        Int(children[Int(node.firstChild) + index])
    }
}

/// What evaluation needs to know of a flag.
struct CompiledFlag: BitwiseCopyable, Sendable {
    enum Targeting: UInt8 {
        /// None, or `{}`.
        case absent
        case rule
        /// A rule beyond the limits of depth or size: never run.
        case tooLarge
    }

    var key: ByteRange
    var isEnabled: Bool
    var targeting: Targeting
    /// The node of the rule.
    var root: UInt32
    var firstVariant: UInt32
    var variantCount: UInt32
    /// The number of the default variant among the flag's own, or -1.
    var defaultVariant: Int32
}

/// What evaluation needs to know of a variant.
struct CompiledVariant: BitwiseCopyable, Sendable {
    var name: ByteRange
    var type: FlagValueType
    var boolean: Bool
    var number: Double
    /// The value of a string.
    var text: ByteRange
}

/// Collects the tables of a program. Equal texts are kept once.
struct RuleProgramBuilder {
    private var bytes: [UInt8] = []
    /// By bytes, not by `String`, for which differently written forms of a character are equal.
    private var textRanges: [[UInt8]: ByteRange] = [:]
    private(set) var cells: [RuleValue] = []
    private(set) var nodes: [RuleNode] = []
    private var children: [UInt32] = []
    private var variables: [RuleVariable] = []
    private var flags: [CompiledFlag] = []
    private var variants: [CompiledVariant] = []

    /// The range of `text` among the program's bytes.
    mutating func intern(_ text: String) -> ByteRange {
        let key = Array(text.utf8)
        if let known = textRanges[key] { return known }
        let range = ByteRange(start: bytes.count, count: key.count)
        bytes += key
        textRanges[key] = range
        return range
    }

    /// The string value `text`.
    mutating func string(_ text: String) -> RuleValue {
        RuleValue(.string, intern(text), in: .program)
    }

    /// Adds `values` side by side; the range has at least one cell of its own, so that no two arrays share an identity.
    mutating func add(_ values: [RuleValue]) -> ByteRange {
        let start = cells.count
        cells.append(contentsOf: values)
        if values.isEmpty { cells.append(.undefined) }
        return ByteRange(start: start, count: values.count)
    }

    /// Adds a single constant and returns its number.
    mutating func add(_ value: RuleValue) -> UInt32 {
        cells.append(value)
        return UInt32(clamping: cells.count - 1)
    }

    /// Adds a node with its children and returns its number.
    mutating func add(_ node: RuleNode, children list: [UInt32] = []) -> UInt32 {
        var node = node
        node.firstChild = UInt32(clamping: children.count)
        node.childCount = UInt32(clamping: list.count)
        children.append(contentsOf: list)
        nodes.append(node)
        return UInt32(clamping: nodes.count - 1)
    }

    /// Notes that node `number` came from the evaluator `name`.
    mutating func label(_ number: UInt32, evaluator name: String) {
        nodes[Int(number)].evaluator = intern(name)
    }

    /// Adds the variable with `path` and returns its number.
    mutating func addVariable(_ path: String) -> UInt32 {
        let (kind, nameStart) = Attribute.resolve(Array(path.utf8).span)
        let name = String(decoding: Array(path.utf8).dropFirst(nameStart), as: UTF8.self)
        variables.append(
            RuleVariable(
                path: intern(path), kind: kind,
                name: intern(kind == .header ? name.asciiLowercased : name)))
        return UInt32(clamping: variables.count - 1)
    }

    /// Adds a flag, whose variants must have been added right before.
    mutating func add(_ flag: CompiledFlag) {
        flags.append(flag)
    }

    /// Adds a variant and returns its number.
    mutating func add(_ variant: CompiledVariant) -> UInt32 {
        variants.append(variant)
        return UInt32(clamping: variants.count - 1)
    }

    /// The finished program.
    consuming func freeze() -> RuleProgram {
        RuleProgram(
            bytes: FrozenArray(bytes), cells: FrozenArray(cells), nodes: FrozenArray(nodes),
            children: FrozenArray(children), variables: FrozenArray(variables), flags: FrozenArray(flags),
            variants: FrozenArray(variants))
    }
}

extension String {
    /// With ASCII letters in lower case, as HTTP compares field names.
    fileprivate var asciiLowercased: String {
        String(decoding: utf8.map(\.asciiLowercased), as: UTF8.self)
    }
}
