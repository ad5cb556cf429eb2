import ByteBuffers
import JSON
import Testing

@testable import FeatureFlags

/// Parses `text`; the test fails where it is no JSON.
func json(_ text: String, _ location: SourceLocation = #_sourceLocation) -> JSONValue {
    do {
        return try JSONDocument(parsing: Array(text.utf8), maximumDepth: 512).value()
    } catch {
        Issue.record("\(error) in \(text)", sourceLocation: location)
        return .null
    }
}

/// A value as text with one spelling for each number, so that `3` and `3.0` compare equal.
func canonical(_ value: JSONValue) -> String {
    switch value {
    case .null: "null"
    case .bool(let flag): flag ? "true" : "false"
    case .integer(let number): JavaScriptNumber.text(Double(number))
    case .real(let number): JavaScriptNumber.text(number)
    case .string(let text): quoted(text)
    case .array(let elements): "[" + elements.map(canonical).joined(separator: ", ") + "]"
    case .object(let members):
        "{" + members.map { "\(quoted($0.name)): \(canonical($0.value))" }.joined(separator: ", ") + "}"
    }
}

private func quoted(_ text: String) -> String {
    var buffer = ByteBuffer()
    buffer.appendJSONString(text)
    return buffer.text
}

/// Evaluates a rule by itself.
struct RuleRunner: ~Copyable {
    private var machine = RuleMachine()

    /// What `rule` comes to for `context`, as canonical JSON, or `PARSE_ERROR` or `GENERAL`.
    mutating func run(
        _ rule: JSONValue, _ context: EvaluationContext, evaluators: [JSONMember] = [], flagKey: String = "flag",
        now: Int64 = 0
    ) -> String {
        var compiler = RuleCompiler(evaluators: evaluators)
        let key = compiler.builder.intern(flagKey)
        do throws(RuleCompiler.Excess) {
            let root = try compiler.compile(rule: rule, at: JSONPointer())
            let program = compiler.builder.freeze()
            return run(Int(root), program, key, context, now)
        } catch {
            return "GENERAL"
        }
    }

    private mutating func run(
        _ root: Int, _ program: borrowing RuleProgram, _ key: ByteRange, _ context: EvaluationContext, _ now: Int64
    ) -> String {
        do throws(RuleFailure) {
            let value = try machine.run(root, program, flagKey: key, context, timestamp: now)
            var buffer = ByteBuffer()
            machine.appendJSON(of: value.isNothing ? .null : value, program, to: &buffer)
            return buffer.text
        } catch {
            return error == .invalidRule ? "PARSE_ERROR" : "GENERAL"
        }
    }
}

/// What the rule `rule` comes to for `data`, both given as JSON text.
func evaluate(_ rule: String, _ data: String = "{}", flagKey: String = "flag", now: Int64 = 0) -> String {
    var runner = RuleRunner()
    return runner.run(json(rule), JSONContext(json(data)), flagKey: flagKey, now: now)
}

/// A context of attributes, as a request has them; counts how often it was asked.
final class AttributeContext: EvaluationContext {
    var attributes: [(kind: Attribute.Kind, name: String, value: String)]
    private(set) var reads = 0

    init(_ attributes: [(kind: Attribute.Kind, name: String, value: String)] = []) {
        self.attributes = attributes
    }

    override func read(_ attribute: Attribute, into scratch: inout ByteBuffer) -> Bool {
        reads += 1
        for index in attributes.indices where attributes[index].kind == attribute.kind {
            let matches = attributes[index].name.utf8.elementsEqual(attribute.name.text.utf8)
            if matches {
                scratch.append(attributes[index].value)
                return true
            }
        }
        return false
    }
}
