import ByteBuffers
import JSON
import Testing

@testable import FeatureFlags

/// A flag file under test.
struct FlagFile: Sendable {
    let snapshot: FlagSnapshot
    let issues: [FlagIssue]

    /// Compiles `text`; the test fails where it is refused.
    init(_ text: String, _ location: SourceLocation = #_sourceLocation) {
        let compilation = FlagSnapshot.compile(Array(text.utf8))
        issues = compilation.issues
        if compilation.snapshot == nil {
            Issue.record("\(issues.map(\.description))", sourceLocation: location)
        }
        snapshot = compilation.snapshot ?? FlagSnapshot()
    }

    /// The result of `flag` in few words: `VALUE REASON`, or `- REASON CODE` without a value.
    func evaluate(
        _ flag: String, _ context: EvaluationContext, now: Int64 = 0, as type: FlagValueType? = nil
    ) -> String {
        var evaluator = FlagEvaluator()
        let number = snapshot.flagID(named: flag) ?? -1
        let result = evaluator.evaluate(number, in: snapshot, for: context, now: now, expecting: type)
        let value = snapshot.variant(of: result, flag: number).map { canonical($0.value) } ?? "-"
        let code = result.errorCode.map { " \($0.name)" } ?? ""
        return "\(value) \(result.reason.name)\(code)"
    }

    /// As above, for a context given as JSON text.
    func evaluate(_ flag: String, _ context: String = "{}", now: Int64 = 0, as type: FlagValueType? = nil) -> String {
        evaluate(flag, JSONContext(json(context)), now: now, as: type)
    }

    /// A file with one string flag `flag` of the given variants, by name, the last of which is the default.
    static func oneFlag(
        _ targeting: String, key: String = "flag", variants: [String] = ["on", "off"], default name: String? = "off",
        _ location: SourceLocation = #_sourceLocation
    ) -> FlagFile {
        let members = variants.map { "\"\($0)\": \"\($0)\"" }.joined(separator: ", ")
        let fallback = name.map { "\"defaultVariant\": \"\($0)\"," } ?? ""
        return FlagFile(
            """
            {"flags": {"\(key)": {"state": "ENABLED", "variants": {\(members)}, \(fallback) "targeting": \(targeting)}}}
            """, location)
    }
}

/// What a snapshot says about a result on the way of a request, as text.
struct TextBuffer: ~Copyable {
    private var buffer = ByteBuffer()

    mutating func names(_ result: FlagResult, _ flag: Int, _ snapshot: FlagSnapshot) -> String {
        snapshot.appendKey(of: flag, to: &buffer)
        buffer.append(" ")
        _ = snapshot.appendVariantName(of: result, flag: flag, to: &buffer)
        buffer.append(" ")
        _ = snapshot.appendStringValue(of: result, flag: flag, to: &buffer)
        return buffer.text
    }
}
