import ByteBuffers
import FeatureFlags
import JSON

/// A flags.json: compiled, and every flag in it evaluated and explained.
enum FlagsFuzz {
    /// What rules read; made of one text for all runs.
    private static func context() -> JSONContext {
        let text = #"""
            {"targetingKey":"user-7","user":"user-7","method":"GET","path":"/a","ip":"10.0.0.7","host":"a.example",
             "headers":{"x-role":"staff","x-version":"1.2.3"},"query":{"q":"1"},"cookies":{"c":"d"},
             "list":[1,"2",null,{"a":[true]}],"number":7.5,"email":"a@example.org"}
            """#
        guard case .success(let value) = parsed(Array(text.utf8)) else { return JSONContext(.null) }
        return JSONContext(value)
    }

    private static func parsed(_ text: [UInt8]) -> Result<JSONValue, JSONSyntaxError> {
        do throws(JSONSyntaxError) {
            return .success(try JSONDocument(parsing: text).value())
        } catch {
            return .failure(error)
        }
    }

    static func check(_ input: [UInt8]) throws(BrokenProperty) {
        let compilation = FlagSnapshot.compile(input)
        let hasErrors = compilation.issues.contains { $0.severity == .error }
        try require((compilation.snapshot == nil) == hasErrors, "errors do not refuse the file")
        for issue in compilation.issues {
            let place = issue.position
            try require(place.offset >= 0 && place.offset <= input.count, "an issue lies outside the text: \(issue)")
            let lines = input.prefix(place.offset).count { $0 == UInt8(ascii: "\n") }
            try require(place.line == lines + 1 && place.column >= 1, "an issue names another line: \(issue)")
        }
        guard let snapshot = compilation.snapshot else { return }
        var evaluator = FlagEvaluator()
        let context = context()
        for flag in 0..<snapshot.count {
            try checkFlag(flag, snapshot, context, &evaluator)
            // A context without anything is the usual one of a stranger.
            try checkFlag(flag, snapshot, EvaluationContext(), &evaluator)
        }
        try requireSame(
            evaluator.evaluate(snapshot.count, in: snapshot, for: context, now: 5), .flagNotFound, "a flag too many")
    }

    private static func checkFlag(
        _ flag: Int, _ snapshot: FlagSnapshot, _ context: EvaluationContext, _ evaluator: inout FlagEvaluator
    ) throws(BrokenProperty) {
        let result = evaluator.evaluate(flag, in: snapshot, for: context, now: 1_700_000_000)
        let again = evaluator.evaluate(flag, in: snapshot, for: context, now: 1_700_000_000)
        try requireSame(result, again, "a flag is decided otherwise the second time")
        let explanation = evaluator.explain(flag, in: snapshot, for: context, now: 1_700_000_000)
        try requireSame(explanation.result, result, "the explanation comes to another result")
        try require(!explanation.steps.isEmpty, "nothing is explained")
        let definition = snapshot.definitions[flag]
        try require(
            snapshot.flagID(named: definition.key) != nil, "a flag is not found by its name: \(definition.key)")
        if let variant = result.variant {
            try require(definition.variants.indices.contains(variant), "there is no such variant")
            try require(result.errorCode == nil && result.reason != .error, "an error has a variant")
            try require(result.reason != .disabled, "a disabled flag has a variant")
        } else {
            try require(
                result.reason == .error || result.reason == .disabled || definition.defaultVariant == nil,
                "a flag has no result, for no reason: \(definition.key)")
        }
        try require((result.reason == .error) == (result.errorCode != nil), "an error has no code")
        for type in [FlagValueType.boolean, .string, .number, .other] {
            let typed = evaluator.evaluate(
                flag, in: snapshot, for: context, now: 1_700_000_000, expecting: type)
            try require(
                typed == result || typed.errorCode == .typeMismatch, "asking for a type changes more than that")
        }
        var name = ByteBuffer()
        let isNamed = snapshot.appendVariantName(of: result, flag: flag, to: &name)
        try require(isNamed == (result.variant != nil), "a variant has no name")
    }
}
