import ByteBuffers

/// Evaluates compiled rules. Its memory is reused: once it has grown to what the rules need, nothing is allocated.
///
/// The result is that of JsonLogic's reference in JavaScript, coercions included, and of flagd's own operators; work is
/// bounded by a budget of steps, one for each node evaluated, value copied and 64 bytes of text handled.
struct RuleMachine: ~Copyable {
    /// The steps that one evaluation may take.
    static let stepBudget = 100_000
    /// How deep arrays may nest in an array that is turned into text.
    static let maximumNesting = 128

    /// Text that the running evaluation has made.
    var scratch = ByteBuffer()
    /// The lower-cased name of an attribute whose path a rule computes.
    private var attributeName = ByteBuffer()
    /// Insides of arrays and objects that the running evaluation has made.
    var cells: [RuleValue] = []
    /// Arguments of the operators that are being evaluated.
    var stack = RuleStack()
    private var steps = 0
    private(set) var flagKey = RuleValue.undefined
    private var timestamp: Int64 = 0
    /// The whole context, where it has structure.
    private(set) var root: RuleValue?

    /// Where the last `fractional` that was evaluated to its end put the user.
    var bucket: FractionalBucket?
    /// What happened, in order; nil unless somebody wants to know.
    var trace: [RuleTrace]?

    /// The result of the rule at node `rule`. `timestamp` is the time in seconds since 1970.
    mutating func run(
        _ rule: Int, _ program: borrowing RuleProgram, flagKey: ByteRange, _ context: EvaluationContext,
        timestamp: Int64
    ) throws(RuleFailure) -> RuleValue {
        scratch.removeAll(keeping: 1 << 16)
        scratch.reserve(256)
        if cells.capacity > 1 << 12 { cells = [] } else { cells.removeAll(keepingCapacity: true) }
        stack.clear()
        steps = Self.stepBudget
        bucket = nil
        self.flagKey = RuleValue(.string, flagKey, in: .program)
        self.timestamp = timestamp
        root = context.load(into: &self, flagKey: self.flagKey, timestamp: timestamp)
        return try evaluate(rule, program, context, .root)
    }

    /// Takes `count` steps from the budget.
    mutating func charge(_ count: Int) throws(RuleFailure) {
        steps -= count
        if steps < 0 { throw .tooExpensive }
    }

    // MARK: Nodes

    /// The value of node `index`. Recursion is bounded by the depth to which rules are compiled.
    mutating func evaluate(
        _ index: Int, _ program: borrowing RuleProgram, _ context: EvaluationContext, _ scope: RuleScope
    ) throws(RuleFailure) -> RuleValue {
        try charge(1)
        let node = program.nodes[index]
        switch node.symbol {
        case .constant:
            return program.cells[Int(node.payload)]
        case .array:
            let base = try pushArguments(of: node, program, context, scope)
            return try popArray(from: base)
        case .variable:
            let fallback =
                node.childCount > 0
                ? try evaluate(program.child(0, of: node), program, context, scope) : RuleValue.undefined
            let value = read(program.variables[Int(node.payload)], program, context, scope)
            note(.read, index, value)
            return value.kind != .undefined ? value : fallback.kind != .undefined ? fallback : .null
        case .if:
            return try choose(index, node, program, context, scope)
        case .and, .or:
            var value = RuleValue.undefined
            for child in 0..<Int(node.childCount) {
                value = try evaluate(program.child(child, of: node), program, context, scope)
                if value.isTruthy == (node.symbol == .or) { break }
            }
            return value
        case .map, .filter, .reduce, .all, .none, .some:
            return try iterate(node, program, context, scope)
        case .unknown:
            note(.unknownOperator, index, program.cells[Int(node.payload)])
            throw .invalidRule
        default:
            if node.symbol.isComparison, node.childCount <= 2 {
                let first = try argument(0, of: node, program, context, scope)
                let second = try argument(1, of: node, program, context, scope)
                return RuleValue(try compare(node.symbol, first, second, program))
            }
            let base = try pushArguments(of: node, program, context, scope)
            let value = try apply(index, node, program, context, scope, base)
            stack.truncate(to: base)
            return value
        }
    }

    /// The value of child `index`, `undefined` where there is none.
    private mutating func argument(
        _ index: Int, of node: RuleNode, _ program: borrowing RuleProgram, _ context: EvaluationContext,
        _ scope: RuleScope
    ) throws(RuleFailure) -> RuleValue {
        guard index < Int(node.childCount) else { return .undefined }
        return try evaluate(program.child(index, of: node), program, context, scope)
    }

    /// Evaluates all children onto the stack and returns where the first of them is.
    private mutating func pushArguments(
        of node: RuleNode, _ program: borrowing RuleProgram, _ context: EvaluationContext, _ scope: RuleScope
    ) throws(RuleFailure) -> Int {
        let base = stack.count
        for child in 0..<Int(node.childCount) {
            let value = try evaluate(program.child(child, of: node), program, context, scope)
            stack.push(value)
        }
        return base
    }

    /// `if`: pairs of condition and result, and a result for when no condition holds.
    private mutating func choose(
        _ index: Int, _ node: RuleNode, _ program: borrowing RuleProgram, _ context: EvaluationContext,
        _ scope: RuleScope
    ) throws(RuleFailure) -> RuleValue {
        let count = Int(node.childCount)
        var child = 0
        while child + 1 < count {
            let condition = program.child(child, of: node)
            let holds = try evaluate(condition, program, context, scope).isTruthy
            note(.condition, condition, RuleValue(holds))
            if holds { return try evaluate(program.child(child + 1, of: node), program, context, scope) }
            child += 2
        }
        return child < count ? try evaluate(program.child(child, of: node), program, context, scope) : .null
    }

    /// An operator on the arguments from `base` on.
    private mutating func apply(
        _ index: Int, _ node: RuleNode, _ program: borrowing RuleProgram, _ context: EvaluationContext,
        _ scope: RuleScope, _ base: Int
    ) throws(RuleFailure) -> RuleValue {
        let first = argument(0, base)
        let second = argument(1, base)
        switch node.symbol {
        case .less, .lessOrEqual:
            let third = argument(2, base)
            guard try compare(node.symbol, first, second, program) else { return RuleValue(false) }
            if third.kind == .undefined { return RuleValue(true) }
            return RuleValue(try compare(node.symbol, second, third, program))
        case let symbol where symbol.isComparison:
            return RuleValue(try compare(symbol, first, second, program))
        case .max, .min, .add, .subtract, .multiply, .divide, .remainder:
            return try calculate(node.symbol, base, program)
        case .merge: return try merge(base, program)
        case .concatenate: return try concatenate(base, program)
        case .substring: return try substring(base, program)
        case .missing:
            let keys = first.kind == .array ? first : try popArray(from: base)
            return try missing(keys, program, context, scope)
        case .missingSome: return try missingSome(first, second, program, context, scope)
        case .computedVariable:
            let value = try readComputed(first, program, context, scope)
            note(.read, index, value)
            return value.kind != .undefined ? value : second.kind != .undefined ? second : .null
        case .fractional: return try fractional(index, node, base, program, context, scope)
        case .semanticVersion: return try compareVersions(node, base, program)
        case .startsWith, .endsWith: return try compareAffix(node, base, program)
        default:
            // Everything else was handled by evaluate.
            throw .invalidRule
        }
    }

    /// The argument at `index` behind `base`, `undefined` where there are fewer.
    func argument(_ index: Int, _ base: Int) -> RuleValue {
        base + index < stack.count ? stack[base + index] : .undefined
    }

    // MARK: Values

    /// The bytes of a string.
    @_lifetime(borrow self, borrow program)
    borrowing func text(_ value: RuleValue, _ program: borrowing RuleProgram) -> Span<UInt8> {
        value.place == .program ? program.bytes.span.slice(value.range) : scratch.span(value.range)
    }

    /// The element of an array, or the name or value of a member, at `index`; `undefined` beyond the end.
    func element(_ index: Int, of value: RuleValue, _ program: borrowing RuleProgram) -> RuleValue {
        guard index >= 0, index < Int(value.range.count) else { return .undefined }
        let cell = Int(value.range.start) + index
        return value.place == .program ? program.cells[cell] : cells[cell]
    }

    /// The array of what lies on the stack from `base` on, taken from there. Every array gets an identity of its own.
    mutating func popArray(from base: Int) throws(RuleFailure) -> RuleValue {
        let count = stack.count - base
        try charge(count)
        let start = cells.count
        for index in base..<stack.count { cells.append(stack[index]) }
        if count == 0 { cells.append(.undefined) }
        stack.truncate(to: base)
        return RuleValue(.array, ByteRange(start: start, count: count), in: .scratch)
    }

    /// An object made of cells that were appended from `start` on.
    func object(from start: Int) -> RuleValue {
        RuleValue(.object, ByteRange(start: start, count: cells.count - start), in: .scratch)
    }

    // MARK: Variables

    /// What a path that is known at compile time leads to; `undefined` where it leads nowhere.
    mutating func read(
        _ variable: RuleVariable, _ program: borrowing RuleProgram, _ context: EvaluationContext, _ scope: RuleScope
    ) -> RuleValue {
        let path = RuleValue(.string, variable.path, in: .program)
        if let value = readWithoutAttributes(variable.kind, path, program, scope) { return value }
        let start = scratch.count
        let attribute = Attribute(kind: variable.kind, name: program.text(variable.name))
        let found = context.read(attribute, into: &scratch)
        return attributeText(from: start, found: found)
    }

    /// What the path `path`, made by the rule itself, leads to.
    mutating func readComputed(
        _ path: RuleValue, _ program: borrowing RuleProgram, _ context: EvaluationContext, _ scope: RuleScope
    ) throws(RuleFailure) -> RuleValue {
        let isArray = path.isCompound
        let path = path.isNothing ? RuleValue(.string, ByteRange(), in: .program) : try string(path, program)
        if isArray, path.range.isEmpty {
            // Only null and an empty text mean all data; the text of an empty array is the name of a member.
            return walk(path, from: scope.isRoot ? root ?? .undefined : scope.value, program)
        }
        let (kind, nameStart) = Attribute.resolve(text(path, program))
        if let value = readWithoutAttributes(kind, path, program, scope) { return value }
        // The name must not lie in the buffer that the context appends to.
        var name = ByteBuffer()
        swap(&name, &attributeName)
        name.removeAll()
        for index in nameStart..<Int(path.range.count) {
            let byte = text(path, program)[index]
            name.append(kind == .header ? byte.asciiLowercased : byte)
        }
        let start = scratch.count
        let found = context.read(Attribute(kind: kind, name: name.span), into: &scratch)
        swap(&name, &attributeName)
        return attributeText(from: start, found: found)
    }

    /// What needs no look-up in the context's attributes; nil for what does.
    private mutating func readWithoutAttributes(
        _ kind: Attribute.Kind, _ path: RuleValue, _ program: borrowing RuleProgram, _ scope: RuleScope
    ) -> RuleValue? {
        if !scope.isRoot { return path.range.isEmpty ? scope.value : walk(path, from: scope.value, program) }
        switch kind {
        case .flagKey: return flagKey
        case .timestamp: return RuleValue(Double(timestamp))
        default: break
        }
        if let root { return path.range.isEmpty ? root : walk(path, from: root, program) }
        switch kind {
        case .flagd: return flagdProperties()
        case .everything: return .undefined
        default: return nil
        }
    }

    /// The string that a context appended from `start` on.
    private mutating func attributeText(from start: Int, found: Bool) -> RuleValue {
        guard found else {
            scratch.truncate(to: start)
            return .undefined
        }
        return RuleValue(.string, ByteRange(start: start, count: max(0, scratch.count - start)), in: .scratch)
    }

    /// The object that `$flagd` names.
    mutating func flagdProperties() -> RuleValue {
        let start = cells.count
        let names = scratch.count
        scratch.append("flagKeytimestamp")
        cells.append(RuleValue(.string, ByteRange(start: names, count: 7), in: .scratch))
        cells.append(flagKey)
        cells.append(RuleValue(.string, ByteRange(start: names + 7, count: 9), in: .scratch))
        cells.append(RuleValue(Double(timestamp)))
        return object(from: start)
    }

    /// What the dotted `path` leads to from `value`.
    func walk(_ path: RuleValue, from value: RuleValue, _ program: borrowing RuleProgram) -> RuleValue {
        let path = text(path, program)
        var value = value
        var start = 0
        while start <= path.count {
            let end = path.firstIndex(of: UInt8(ascii: "."), from: start) ?? path.count
            value = property(path.extracting(start..<end), of: value, program)
            if value.kind == .undefined { return value }
            start = end + 1
        }
        return value
    }

    /// The member or element called `name`. JavaScript's own properties (`length` and so on) are no data.
    private func property(
        _ name: Span<UInt8>, of value: RuleValue, _ program: borrowing RuleProgram
    ) -> RuleValue {
        switch value.kind {
        case .object:
            var index = 0
            while index < Int(value.range.count) {
                if text(element(index, of: value, program), program).equals(name) {
                    return element(index + 1, of: value, program)
                }
                index += 2
            }
            return .undefined
        case .array:
            guard let index = name.arrayIndex else { return .undefined }
            return element(index, of: value, program)
        default:
            return .undefined
        }
    }

    // MARK: Tracing

    /// Writes down what happened at node `index`, when somebody wants to know.
    mutating func note(_ event: RuleTrace.Event, _ index: Int, _ value: RuleValue) {
        if trace == nil { return }
        trace?.append(RuleTrace(event: event, node: index, value: value, bucket: bucket))
    }
}

/// One thing that happened during an evaluation.
struct RuleTrace: BitwiseCopyable, Sendable {
    enum Event: UInt8 {
        /// A variable was read; the value is what it was.
        case read
        /// A condition of `if` was tested; the value says how it came out.
        case condition
        /// `fractional` chose; the value is its choice.
        case fractional
        /// An operator that does not exist.
        case unknownOperator
        /// The rule was evaluated to its end; the value is what it came to.
        case result
    }

    var event: Event
    var node: Int
    var value: RuleValue
    var bucket: FractionalBucket?
}

extension Span where Element == UInt8 {
    /// The index that a path segment means in an array: digits without leading zeros.
    fileprivate var arrayIndex: Int? {
        guard count > 0, count <= 9, count == 1 || self[0] != UInt8(ascii: "0") else { return nil }
        var value = 0
        for index in 0..<count {
            guard self[index].isDigit else { return nil }
            value = value * 10 + Int(self[index] &- UInt8(ascii: "0"))
        }
        return value
    }
}
