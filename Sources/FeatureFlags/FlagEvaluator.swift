import ByteBuffers

/// Evaluates flags for one worker. Keeps its memory, so that evaluating allocates nothing once that has grown to what
/// the rules need: a few hundred bytes for rules that compare attributes and share users out.
package struct FlagEvaluator: ~Copyable {
    var machine = RuleMachine()

    package init() {}

    /// What flag number `flag` of `snapshot` comes to for `context`.
    ///
    /// Never fails: whatever is wrong is said by the result's reason and error code, and a result without a variant
    /// means the caller's own default, for a gateway the side that is safe.
    ///
    /// - Parameters:
    ///   - flag: a number from `FlagSnapshot.flagID(named:)`; any other gives FLAG_NOT_FOUND.
    ///   - now: the time in seconds since 1970, which rules see as `$flagd.timestamp`.
    ///   - type: the type that the caller wants; a value of another type gives TYPE_MISMATCH. Nil takes any.
    package mutating func evaluate(
        _ flag: Int, in snapshot: FlagSnapshot, for context: EvaluationContext, now: Int64,
        expecting type: FlagValueType? = nil
    ) -> FlagResult {
        evaluate(flag, snapshot.program, context, now, type)
    }

    /// The order of steps is that of flagd's evaluator; docs/feature-flags.md has it as a table.
    mutating func evaluate(
        _ number: Int, _ program: borrowing RuleProgram, _ context: EvaluationContext, _ now: Int64,
        _ type: FlagValueType?
    ) -> FlagResult {
        machine.bucket = nil
        guard number >= 0, number < program.flags.count else { return .flagNotFound }
        let flag = program.flags[number]
        guard flag.isEnabled else { return FlagResult(reason: .disabled) }
        switch flag.targeting {
        case .absent:
            return Self.result(Int(flag.defaultVariant), .static, flag, program, type)
        case .tooLarge:
            return FlagResult(reason: .error, errorCode: .general)
        case .rule:
            break
        }
        do throws(RuleFailure) {
            let value = try machine.run(Int(flag.root), program, flagKey: flag.key, context, timestamp: now)
            machine.note(.result, Int(flag.root), value)
            var result: FlagResult
            if value.isNothing {
                result = Self.result(Int(flag.defaultVariant), .default, flag, program, type)
            } else if let variant = machine.variant(named: value, of: flag, program) {
                result = Self.result(variant, .targetingMatch, flag, program, type)
            } else {
                result = FlagResult(reason: .error, errorCode: .general)
            }
            result.bucket = machine.bucket
            return result
        } catch {
            return FlagResult(reason: .error, errorCode: error == .invalidRule ? .parseError : .general)
        }
    }

    /// The result with `variant`, if the caller wants a value of its type; the caller's own default for -1.
    private static func result(
        _ variant: Int, _ reason: FlagReason, _ flag: CompiledFlag, _ program: borrowing RuleProgram,
        _ type: FlagValueType?
    ) -> FlagResult {
        guard variant >= 0 else { return FlagResult(reason: .default) }
        let value = program.variants[Int(flag.firstVariant) + variant]
        if let type, type != value.type || type == .other {
            return FlagResult(reason: .error, errorCode: .typeMismatch)
        }
        return FlagResult(
            variant: variant, reason: reason, boolean: value.type == .boolean ? value.boolean : nil)
    }
}

extension RuleMachine {
    /// The number of the variant of `flag` that `value` names: a text by itself, a boolean as `true` or `false`.
    fileprivate func variant(
        named value: RuleValue, of flag: CompiledFlag, _ program: borrowing RuleProgram
    ) -> Int? {
        for index in 0..<Int(flag.variantCount) {
            let name = program.text(program.variants[Int(flag.firstVariant) + index].name)
            switch value.kind {
            case .string: if name.equals(text(value, program)) { return index }
            case .boolean: if name.equals(value.number != 0 ? "true" : "false") { return index }
            default: return nil
            }
        }
        return nil
    }
}
