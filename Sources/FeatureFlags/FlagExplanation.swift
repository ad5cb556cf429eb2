import ByteBuffers

/// How a flag came to its result: for `banyan explain`.
package struct FlagExplanation: Equatable, Sendable {
    package var result: FlagResult
    /// What happened, in order: attributes read, conditions tested, shares chosen, and at the end what followed.
    package var steps: [String]
}

extension FlagEvaluator {
    /// As `evaluate`, with the way to the result in words. Allocates: for the control plane.
    package mutating func explain(
        _ flag: Int, in snapshot: FlagSnapshot, for context: EvaluationContext, now: Int64,
        expecting type: FlagValueType? = nil
    ) -> FlagExplanation {
        machine.trace = []
        let result = evaluate(flag, snapshot.program, context, now, type)
        let trace = machine.trace ?? []
        machine.trace = nil
        var steps = trace.map { machine.describe($0, snapshot.program) }
        steps.append(Self.conclusion(result, hasEnded: trace.last?.event == .result, flag: flag, in: snapshot))
        return FlagExplanation(result: result, steps: steps)
    }

    private static func conclusion(_ result: FlagResult, hasEnded: Bool, flag: Int, in snapshot: FlagSnapshot) -> String
    {
        let variant = snapshot.variant(of: result, flag: flag).map { "\"\($0.name)\"" } ?? "the caller's default"
        let isTooLarge = flag >= 0 && flag < snapshot.count && snapshot.program.flags[flag].targeting == .tooLarge
        switch (result.reason, result.errorCode) {
        case (_, .flagNotFound): return "there is no such flag: the caller's default"
        case (_, .parseError): return "the rule cannot be evaluated: the caller's default"
        case (_, .typeMismatch): return "the value is of another type than asked for: the caller's default"
        case (.error, _):
            if isTooLarge { return "the rule is too large to be run: the caller's default" }
            return hasEnded
                ? "that is no variant of the flag: the caller's default"
                : "the rule takes more than \(RuleMachine.stepBudget) steps: the caller's default"
        case (.disabled, _): return "the flag is disabled: the caller's default"
        case (.static, _): return "no rule: \(variant)"
        case (.targetingMatch, _): return "the rule chose \(variant)"
        case (.default, _): return "the rule chose nothing: \(variant)"
        }
    }
}

extension RuleMachine {
    /// One step in words.
    fileprivate func describe(_ step: RuleTrace, _ program: borrowing RuleProgram) -> String {
        var buffer = ByteBuffer()
        switch step.event {
        case .read:
            let isMissing = step.value.kind == .undefined
            buffer.append("\(RuleDescription.text(step.node, program)) is ")
            if isMissing { buffer.append("missing") } else { appendJSON(of: step.value, program, to: &buffer) }
        case .condition:
            buffer.append("\(RuleDescription.text(step.node, program)): ")
            buffer.append(step.value.isTruthy ? "yes" : "no")
        case .result:
            buffer.append("the rule comes to ")
            appendJSON(of: step.value, program, to: &buffer)
        case .fractional:
            if let bucket = step.bucket {
                buffer.append("bucket \(bucket.bucket) of \(bucket.total) (hash \(bucket.hash)): ")
            }
            appendJSON(of: step.value, program, to: &buffer)
        case .unknownOperator:
            buffer.append("there is no operator ")
            appendJSON(of: step.value, program, to: &buffer)
        }
        return buffer.text
    }
}
