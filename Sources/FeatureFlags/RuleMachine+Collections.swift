import ByteBuffers

/// Operators on arrays.
extension RuleMachine {
    /// `map`, `filter`, `reduce`, `all`, `none`, `some`: the second argument is evaluated for each element of the
    /// first, with nothing but that element as its data.
    mutating func iterate(
        _ node: RuleNode, _ program: borrowing RuleProgram, _ context: EvaluationContext, _ scope: RuleScope
    ) throws(RuleFailure) -> RuleValue {
        let list =
            node.childCount > 0 ? try evaluate(program.child(0, of: node), program, context, scope) : .undefined
        let body = node.childCount > 1 ? program.child(1, of: node) : nil
        let count = list.kind == .array ? Int(list.range.count) : 0
        if node.symbol == .reduce { return try reduce(node, list, count, body, program, context, scope) }

        let base = stack.count
        for index in 0..<count {
            try charge(1)
            let element = element(index, of: list, program)
            let value: RuleValue =
                if let body { try evaluate(body, program, context, .element(element)) } else { .undefined }
            switch node.symbol {
            case .map: stack.push(value)
            case .filter: if value.isTruthy { stack.push(element) }
            case .all: if !value.isTruthy { return RuleValue(false) }
            case .none: if value.isTruthy { return RuleValue(false) }
            default: if value.isTruthy { return RuleValue(true) }
            }
        }
        switch node.symbol {
        case .map, .filter: return try popArray(from: base)
        case .all: return RuleValue(count > 0)
        case .none: return RuleValue(true)
        default: return RuleValue(false)
        }
    }

    private mutating func reduce(
        _ node: RuleNode, _ list: RuleValue, _ count: Int, _ body: Int?, _ program: borrowing RuleProgram,
        _ context: EvaluationContext, _ scope: RuleScope
    ) throws(RuleFailure) -> RuleValue {
        var result: RuleValue =
            node.childCount > 2 ? try evaluate(program.child(2, of: node), program, context, scope) : .null
        if count == 0 { return result }
        let names = scratch.count
        scratch.append("currentaccumulator")
        let current = RuleValue(.string, ByteRange(start: names, count: 7), in: .scratch)
        let accumulator = RuleValue(.string, ByteRange(start: names + 7, count: 11), in: .scratch)
        for index in 0..<count {
            try charge(4)
            let start = cells.count
            cells.append(current)
            cells.append(element(index, of: list, program))
            cells.append(accumulator)
            cells.append(result)
            if let body {
                result = try evaluate(body, program, context, .element(object(from: start)))
            } else {
                result = .undefined
            }
        }
        return result
    }

    /// `merge`: the elements of all arguments, of which those that are no arrays count as one element.
    mutating func merge(_ base: Int, _ program: borrowing RuleProgram) throws(RuleFailure) -> RuleValue {
        let end = stack.count
        for argument in base..<end {
            let value = stack[argument]
            guard value.kind == .array else {
                stack.push(value)
                continue
            }
            try charge(Int(value.range.count))
            for index in 0..<Int(value.range.count) { stack.push(element(index, of: value, program)) }
        }
        return try popArray(from: end)
    }

    /// `missing`: those of `keys` whose value is null or an empty text.
    mutating func missing(
        _ keys: RuleValue, _ program: borrowing RuleProgram, _ context: EvaluationContext, _ scope: RuleScope
    ) throws(RuleFailure) -> RuleValue {
        let base = stack.count
        for index in 0..<Int(keys.range.count) {
            try charge(1)
            let key = element(index, of: keys, program)
            // A key may be an array, a path with its default: the reference hands keys to `var` as they are.
            let isPair = key.kind == .array
            let found = try readComputed(isPair ? element(0, of: key, program) : key, program, context, scope)
            let value = found.kind == .undefined && isPair ? element(1, of: key, program) : found
            if value.isNothing || value.kind == .string && value.range.isEmpty { stack.push(key) }
        }
        return try popArray(from: base)
    }

    /// `missing_some`: nothing when at least `needed` of `keys` are there, else those that are missing.
    mutating func missingSome(
        _ needed: RuleValue, _ keys: RuleValue, _ program: borrowing RuleProgram, _ context: EvaluationContext,
        _ scope: RuleScope
    ) throws(RuleFailure) -> RuleValue {
        let base = stack.count
        var list = keys
        if keys.kind != .array {
            stack.push(keys)
            list = try popArray(from: base)
        } else if element(0, of: keys, program).kind == .array {
            list = element(0, of: keys, program)
        }
        let absent = try missing(list, program, context, scope)
        let present = Double(keys.kind == .array ? Int(keys.range.count) : 1) - Double(absent.range.count)
        return try present >= number(needed, program) ? popArray(from: base) : absent
    }
}
