import ByteBuffers
import JSON
import Testing

@testable import FeatureFlags

/// Random rules and files: nothing crashes, every evaluation ends within its budget, and says the same twice.
@Suite struct FuzzTests {
    @Test(arguments: 0..<4)
    func evaluatesRandomRules(seed: UInt64) {
        var generator = RuleGenerator(seed: seed)
        var evaluator = FlagEvaluator()
        var reasons: Set<FlagReason> = []
        for _ in 0..<300 {
            let rule = generator.rule(depth: 6)
            let file: JSONValue = .object([
                JSONMember(
                    name: "$evaluators",
                    value: .object([JSONMember(name: "e", value: generator.rule(depth: 2, references: false))])),
                JSONMember(
                    name: "flags",
                    value: .object([
                        JSONMember(
                            name: "f",
                            value: .object([
                                JSONMember(name: "state", value: .string("ENABLED")),
                                JSONMember(
                                    name: "variants",
                                    value: .object(
                                        ["a", "true", "false"].map { JSONMember(name: $0, value: .string($0)) })),
                                JSONMember(name: "defaultVariant", value: .string("a")),
                                JSONMember(name: "targeting", value: rule),
                            ]))
                    ])),
            ])
            var text = ByteBuffer()
            text.appendJSON(file)
            let source = text.text
            let compilation = FlagSnapshot.compile(Array(source.utf8))
            guard let snapshot = compilation.snapshot else {
                Issue.record("\(compilation.issues) in \(source)")
                continue
            }
            let contexts = [
                JSONContext(generator.value(depth: 3)), AttributeContext([(.targetingKey, "", "u"), (.user, "", "1")]),
            ]
            for context in contexts {
                let result = evaluator.evaluate(0, in: snapshot, for: context, now: 5)
                #expect(evaluator.explain(0, in: snapshot, for: context, now: 5).result == result, "\(source)")
                #expect((result.variant == nil) == (result.reason == .error), "\(source)")
                reasons.insert(result.reason)
            }
        }
        #expect(reasons.isSuperset(of: [.targetingMatch, .default, .error]))
    }

    /// A file with a few bytes changed is read or refused, and never anything else.
    @Test(arguments: 0..<4)
    func readsDamagedFiles(seed: UInt64) {
        let original = Array(
            #"""
            {"metadata": {"flagSetId": "s"}, "$evaluators": {"staff": {"in": [{"var": "headers.x-role"}, ["staff"]]}},
             "flags": {"a": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
               "targeting": {"if": [{"$ref": "staff"}, "on", {"fractional": [{"cat": ["x", {"var": "user"}]}, ["on", 5], ["off", 95]]}]}},
              "b": {"state": "DISABLED", "variants": {"v": {"x": 1}}, "targeting": {"sem_ver": ["1.0.0", ">", "0.9"]}}}}
            """#.utf8)
        var generator = SeededGenerator(seed: seed)
        var evaluator = FlagEvaluator()
        var accepted = 0
        for _ in 0..<1000 {
            var text = original
            for _ in 0...Int.random(in: 0...2, using: &generator) {
                let place = Int.random(in: 0..<text.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: text[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: text.remove(at: place)
                case 2: text.insert(text[Int.random(in: 0..<text.count, using: &generator)], at: place)
                default: text.swapAt(place, Int.random(in: 0..<text.count, using: &generator))
                }
            }
            let compilation = FlagSnapshot.compile(text)
            #expect((compilation.snapshot == nil) == compilation.issues.contains { $0.severity == .error })
            guard let snapshot = compilation.snapshot else { continue }
            accepted += 1
            for flag in 0..<snapshot.count {
                _ = evaluator.explain(flag, in: snapshot, for: AttributeContext([(.user, "", "ann")]), now: 0)
            }
        }
        #expect(accepted > 50)
    }
}

/// Random rules over every operator.
private struct RuleGenerator {
    private var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    private static let texts = [
        "", "a", "b", "abc", "1", "10", " 7 ", "1.5", "1e3", "0x1f", "1.2.3", "v2", "=", "^", ">=", "true", "null",
        "é😀", "\u{FFFF}", "Infinity",
    ]
    private static let paths = [
        "", "a", "b.c", "l", "l.0", "user", "targetingKey", "headers.x", "$flagd.flagKey", "$flagd.timestamp", "$flagd",
        "current", "accumulator", "missing",
    ]
    private static let operators = RuleOperator.allNames + ["nonsense", "fractional", "fractional", "if", "var"]

    private mutating func pick<T>(_ choices: [T]) -> T {
        choices[Int.random(in: 0..<choices.count, using: &generator)]
    }

    mutating func value(depth: Int) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 10 : 7), using: &generator) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &generator))
        case 2: return .integer(pick([0, 1, -1, 5, 100, 2_147_483_647, .max, .min]))
        case 3: return .real(pick([0.5, -0.0, 1e300, -1e-300, 1e21, 95]))
        case 4, 5, 6: return .string(pick(Self.texts))
        case 7: return .object(["a", "b", "l"].map { JSONMember(name: $0, value: value(depth: depth - 1)) })
        default:
            let count = Int.random(in: 0...3, using: &generator)
            return .array((0..<count).map { _ in value(depth: depth - 1) })
        }
    }

    mutating func rule(depth: Int, references: Bool = true) -> JSONValue {
        guard depth > 0, Int.random(in: 0..<6, using: &generator) > 0 else {
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: return operation("var", .string(pick(Self.paths)))
            case 1 where references: return operation("$ref", .string(pick(["e", "e", "nobody"])))
            default: return value(depth: 1)
            }
        }
        if Int.random(in: 0..<8, using: &generator) == 0 {
            return .array(
                (0..<Int.random(in: 0...3, using: &generator)).map { _ in rule(depth: depth - 1, references: references)
                })
        }
        let name = pick(Self.operators)
        if Int.random(in: 0..<8, using: &generator) == 0 {
            return operation(name, rule(depth: depth - 1, references: references))
        }
        let count = Int.random(in: 0...4, using: &generator)
        var arguments = (0..<count).map { _ in rule(depth: depth - 1, references: references) }
        if name == "fractional" {
            for index in arguments.indices where index > 0 {
                arguments[index] = .array([arguments[index], value(depth: 0)])
            }
        }
        return operation(name, .array(arguments))
    }

    private func operation(_ name: String, _ arguments: JSONValue) -> JSONValue {
        .object([JSONMember(name: name, value: arguments)])
    }
}
