import ByteBuffers

/// The operators that flagd adds to JsonLogic.
extension RuleMachine {
    /// flagd's operators take what their single argument evaluates to for their arguments, when it was written without
    /// the brackets of an array and is one.
    mutating func spreadBareArgument(
        _ node: RuleNode, _ base: Int, _ program: borrowing RuleProgram
    ) throws(RuleFailure) {
        guard node.isBare, stack.count == base + 1 else { return }
        let value = stack.pop()
        guard value.kind == .array else { return }
        try charge(Int(value.range.count))
        for index in 0..<Int(value.range.count) { stack.push(element(index, of: value, program)) }
    }

    /// `fractional`: the variant into whose share of the weights the hash of the bucketing key falls; null where there
    /// is no key or the weights are wrong.
    mutating func fractional(
        _ index: Int, _ node: RuleNode, _ base: Int, _ program: borrowing RuleProgram, _ context: EvaluationContext,
        _ scope: RuleScope
    ) throws(RuleFailure) -> RuleValue {
        try spreadBareArgument(node, base, program)
        guard stack.count > base else { return .null }
        var first = base
        var key = stack[base]
        if key.kind == .string {
            first += 1
        } else {
            if key.isNothing { first += 1 }
            guard let fallback = try defaultBucketingKey(program, context, scope) else { return .null }
            key = fallback
        }

        var total: UInt32 = 0
        for place in first..<stack.count {
            let share = stack[place]
            guard share.kind == .array, share.range.count > 0, !element(0, of: share, program).isCompound,
                let weight = weight(of: share, program), weight <= FractionalBucket.maximumWeight - total
            else { return .null }
            total += weight
        }
        try charge(Int(key.range.count) >> 6)
        guard let bucket = FractionalBucket(key: text(key, program), total: total) else { return .null }
        self.bucket = bucket
        var end: UInt32 = 0
        for place in first..<stack.count {
            let share = stack[place]
            end += weight(of: share, program) ?? 0
            if bucket.bucket < end {
                let variant = element(0, of: share, program)
                note(.fractional, index, variant)
                return variant.isNothing ? .null : variant
            }
        }
        return .null
    }

    /// The flag key and the targeting key, one behind the other; nil without a targeting key that is a text.
    private mutating func defaultBucketingKey(
        _ program: borrowing RuleProgram, _ context: EvaluationContext, _ scope: RuleScope
    ) throws(RuleFailure) -> RuleValue? {
        let start = scratch.count
        // Inside `map` and its like the data are the element, which has no flag key.
        if scope.isRoot { program.append(flagKey.range, to: &scratch) }
        guard let structure = scope.isRoot ? root : scope.value else {
            let user = scratch.count
            let attribute = Attribute(kind: .targetingKey, name: program.text(ByteRange()))
            guard context.read(attribute, into: &scratch), scratch.count > user else { return nil }
            return RuleValue(.string, ByteRange(start: start, count: scratch.count - start), in: .scratch)
        }
        let path = scratch.count
        scratch.append("targetingKey")
        let name = RuleValue(.string, ByteRange(start: path, count: scratch.count - path), in: .scratch)
        let user = walk(name, from: structure, program)
        scratch.truncate(to: path)
        guard user.kind == .string, !user.range.isEmpty else { return nil }
        try appendText(of: user, program)
        return RuleValue(.string, ByteRange(start: start, count: scratch.count - start), in: .scratch)
    }

    /// The weight of `[variant, weight]`: 1 where none is given, 0 for a negative one, nil for one that is no whole
    /// number or too large.
    private func weight(of share: RuleValue, _ program: borrowing RuleProgram) -> UInt32? {
        let value = element(1, of: share, program)
        if value.isNothing { return 1 }
        guard value.kind == .number else { return nil }
        guard let weight = Int64(exactly: value.number) else {
            // Beyond 2^53 every number is whole.
            return value.number < -9_007_199_254_740_992 ? 0 : nil
        }
        return weight < 0 ? 0 : weight <= Int64(FractionalBucket.maximumWeight) ? UInt32(weight) : nil
    }

    /// `sem_ver`: null unless there are a version, a relation and a version.
    mutating func compareVersions(
        _ node: RuleNode, _ base: Int, _ program: borrowing RuleProgram
    ) throws(RuleFailure) -> RuleValue {
        try spreadBareArgument(node, base, program)
        guard stack.count - base == 3 else { return .null }
        let sign = stack[base + 1]
        guard sign.kind == .string, let relation = SemanticVersion.Relation(text(sign, program)),
            let left = try versionText(stack[base], program), let right = try versionText(stack[base + 2], program),
            let leftVersion = SemanticVersion(text(left, program)),
            let rightVersion = SemanticVersion(text(right, program))
        else { return .null }
        return RuleValue(
            SemanticVersion.holds(
                relation, leftVersion, in: text(left, program), rightVersion, in: text(right, program)))
    }

    /// A version may also be written as a number: `1` or `1.2`.
    private mutating func versionText(
        _ value: RuleValue, _ program: borrowing RuleProgram
    ) throws(RuleFailure) -> RuleValue? {
        switch value.kind {
        case .string:
            try charge(Int(value.range.count) >> 6)
            return value
        case .number: return try string(value, program)
        default: return nil
        }
    }
}
