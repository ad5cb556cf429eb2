import JSON
import Testing

@testable import FeatureFlags

/// The order in which a flag comes to its result, with the reasons and error codes of flagd's evaluator.
@Suite struct FlagResolutionTests {
    private static let file = FlagFile(
        #"""
        {
          "$evaluators": {
            "is_ballmer": { "==": ["ballmer@macrosoft.com", { "var": ["email"] }] }
          },
          "flags": {
            "targeting-key": { "state": "ENABLED", "variants": { "miss": "miss", "hit": "hit" }, "defaultVariant": "miss",
              "targeting": { "if": [{ "==": [{ "var": "targetingKey" }, "5c3d8535-f81a-4478-a6d3-afaa4d51199e"] }, "hit", null] } },
            "boolean": { "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "on" },
            "string": { "state": "ENABLED", "variants": { "a": "A" }, "defaultVariant": "a", "targeting": {} },
            "number": { "state": "ENABLED", "variants": { "ten": 10 }, "defaultVariant": "ten" },
            "real": { "state": "ENABLED", "variants": { "half": 0.5 }, "defaultVariant": "half" },
            "object": { "state": "ENABLED", "variants": { "o": { "a": [1] } }, "defaultVariant": "o" },
            "boolean-zero": { "state": "ENABLED", "variants": { "zero": false, "one": true }, "defaultVariant": "zero" },
            "string-zero": { "state": "ENABLED", "variants": { "zero": "", "one": "x" }, "defaultVariant": "zero" },
            "number-zero": { "state": "ENABLED", "variants": { "zero": 0, "one": 1 }, "defaultVariant": "zero" },
            "object-zero": { "state": "ENABLED", "variants": { "zero": {}, "one": { "a": 1 } }, "defaultVariant": "zero" },
            "zero-by-rule": { "state": "ENABLED", "variants": { "zero": false, "one": true }, "defaultVariant": "one",
              "targeting": { "if": [true, "zero"] } },
            "no-default": { "state": "ENABLED", "variants": { "on": true, "off": false } },
            "null-default": { "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": null },
            "no-default-null-rule": { "state": "ENABLED", "variants": { "ceo": "CEO" },
              "targeting": { "if": [{ "==": [{ "var": "email" }, "jobs@orange.com"] }, "ceo", null] } },
            "disabled": { "state": "DISABLED", "variants": { "on": true, "off": false }, "defaultVariant": "on" },
            "disabled-broken": { "state": "DISABLED", "variants": { "on": true }, "defaultVariant": "on",
              "targeting": { "nonsense": 1 } },
            "true-false": { "state": "ENABLED", "variants": { "true": "yes", "false": "no" }, "defaultVariant": "false",
              "targeting": { "==": [{ "var": "tier" }, "gold"] } },
            "by-boolean-text": { "state": "ENABLED", "variants": { "true": "yes" }, "targeting": { "if": [true, "true"] } },
            "by-number": { "state": "ENABLED", "variants": { "1": "one" }, "defaultVariant": "1", "targeting": { "+": [0, 1] } },
            "by-nan": { "state": "ENABLED", "variants": { "NaN": "x" }, "targeting": { "+": ["x", 1] } },
            "by-array": { "state": "ENABLED", "variants": { "a": "x" }, "targeting": { "merge": ["a"] } },
            "by-object": { "state": "ENABLED", "variants": { "a": "x" }, "targeting": { "if": [true, { "a": 1, "b": 2 }] } },
            "by-quotes": { "state": "ENABLED", "variants": { "a": "x" }, "defaultVariant": "a", "targeting": { "if": [true, "\"a\""] } },
            "by-null-text": { "state": "ENABLED", "variants": { "a": "x" }, "defaultVariant": "a", "targeting": { "if": [true, "null"] } },
            "unknown-variant": { "state": "ENABLED", "variants": { "a": "x" }, "defaultVariant": "a", "targeting": { "if": [true, "b"] } },
            "unknown-operator": { "state": "ENABLED", "variants": { "a": "x" }, "defaultVariant": "a",
              "targeting": { "if": [{ "var": "broken" }, { "nonsense": 1 }, "a"] } },
            "log": { "state": "ENABLED", "variants": { "a": "x" }, "defaultVariant": "a", "targeting": { "log": "a" } },
            "undefined": { "state": "ENABLED", "variants": { "a": "x" }, "defaultVariant": "a", "targeting": { "and": [] } },
            "ref": { "state": "ENABLED", "variants": { "hi": "hi", "bye": "bye" }, "defaultVariant": "bye",
              "targeting": { "if": [{ "$ref": "is_ballmer" }, "hi", "bye"] } },
            "ref-to-nothing": { "state": "ENABLED", "variants": { "hi": "hi", "bye": "bye" }, "defaultVariant": "bye",
              "targeting": { "if": [{ "$ref": "is_gates" }, "hi", "bye"] } },
            "key": { "state": "ENABLED", "variants": { "key": "right" }, "targeting": { "var": "$flagd.flagKey" } },
            "time": { "state": "ENABLED", "variants": { "before": "before", "after": "after" }, "defaultVariant": "before",
              "targeting": { "if": [{ ">=": [{ "var": "$flagd.timestamp" }, 1700000000] }, "after", "before"] } }
          }
        }
        """#)

    @Test(arguments: [
        ("targeting-key", #"{"targetingKey": "5c3d8535-f81a-4478-a6d3-afaa4d51199e"}"#, #""hit" TARGETING_MATCH"#),
        ("targeting-key", #"{"targetingKey": "f20bd32d-703b-48b6-bc8e-79d53c85134a"}"#, #""miss" DEFAULT"#),
        ("boolean", "{}", "true STATIC"), ("string", "{}", #""A" STATIC"#), ("number", "{}", "10 STATIC"),
        ("real", "{}", "0.5 STATIC"), ("object", "{}", #"{"a": [1]} STATIC"#), ("boolean-zero", "{}", "false STATIC"),
        ("string-zero", "{}", #""" STATIC"#), ("number-zero", "{}", "0 STATIC"), ("object-zero", "{}", "{} STATIC"),
        ("zero-by-rule", "{}", "false TARGETING_MATCH"), ("no-default", "{}", "- DEFAULT"),
        ("null-default", "{}", "- DEFAULT"),
        ("no-default-null-rule", #"{"email": "wozniak@orange.com"}"#, "- DEFAULT"),
        ("no-default-null-rule", #"{"email": "jobs@orange.com"}"#, #""CEO" TARGETING_MATCH"#),
        ("missing", "{}", "- ERROR FLAG_NOT_FOUND"), ("", "{}", "- ERROR FLAG_NOT_FOUND"),
        ("disabled", "{}", "- DISABLED"), ("disabled-broken", "{}", "- DISABLED"),
        ("true-false", #"{"tier": "gold"}"#, #""yes" TARGETING_MATCH"#),
        ("true-false", "{}", #""no" TARGETING_MATCH"#), ("by-boolean-text", "{}", #""yes" TARGETING_MATCH"#),
        ("by-number", "{}", "- ERROR GENERAL"), ("by-nan", "{}", "- ERROR GENERAL"),
        ("by-array", "{}", "- ERROR GENERAL"), ("by-object", "{}", "- ERROR GENERAL"),
        ("by-quotes", "{}", "- ERROR GENERAL"), ("by-null-text", "{}", "- ERROR GENERAL"),
        ("unknown-variant", "{}", "- ERROR GENERAL"),
        ("unknown-operator", #"{"broken": true}"#, "- ERROR PARSE_ERROR"),
        ("unknown-operator", "{}", #""x" TARGETING_MATCH"#), ("log", "{}", "- ERROR PARSE_ERROR"),
        ("undefined", "{}", #""x" DEFAULT"#),
        ("ref", #"{"email": "ballmer@macrosoft.com"}"#, #""hi" TARGETING_MATCH"#),
        ("ref", #"{"email": "user@example.com"}"#, #""bye" TARGETING_MATCH"#),
        ("ref-to-nothing", #"{"email": "user@example.com"}"#, "- ERROR PARSE_ERROR"),
        ("key", #"{"$flagd": {"flagKey": "forged"}}"#, #""right" TARGETING_MATCH"#),
    ])
    func resolves(flag: String, context: String, expected: String) {
        #expect(Self.file.evaluate(flag, context) == expected)
    }

    @Test(
        arguments: [(1_699_999_999, #""before" TARGETING_MATCH"#), (1_700_000_000, #""after" TARGETING_MATCH"#)]
            as [(Int64, String)])
    func seesTheTime(now: Int64, expected: String) {
        #expect(Self.file.evaluate("time", now: now) == expected)
        #expect(Self.file.evaluate("time", #"{"$flagd": {"timestamp": 5}}"#, now: now) == expected)
        #expect(Self.file.evaluate("time", AttributeContext(), now: now) == expected)
    }

    @Test(
        arguments: [
            ("boolean", .boolean, "true STATIC"), ("boolean", .string, "- ERROR TYPE_MISMATCH"),
            ("string", .number, "- ERROR TYPE_MISMATCH"), ("number", .number, "10 STATIC"),
            ("real", .number, "0.5 STATIC"), ("object", .object, #"{"a": [1]} STATIC"#),
            ("object", .string, "- ERROR TYPE_MISMATCH"), ("zero-by-rule", .string, "- ERROR TYPE_MISMATCH"),
            ("no-default", .string, "- DEFAULT"), ("disabled", .string, "- DISABLED"),
            ("missing", .string, "- ERROR FLAG_NOT_FOUND"), ("boolean", .other, "- ERROR TYPE_MISMATCH"),
        ] as [(String, FlagValueType, String)])
    func comparesTypes(flag: String, type: FlagValueType, expected: String) {
        #expect(Self.file.evaluate(flag, as: type) == expected)
    }

    @Test func tellsTheBooleanAndTheNames() throws {
        let snapshot = Self.file.snapshot
        var evaluator = FlagEvaluator()
        let flag = try #require(snapshot.flagID(named: "zero-by-rule"))
        let result = evaluator.evaluate(flag, in: snapshot, for: EvaluationContext(), now: 0)
        #expect(result == FlagResult(variant: 0, reason: .targetingMatch, boolean: false))
        #expect(snapshot.variant(of: result, flag: flag) == FlagVariant(name: "zero", value: .bool(false)))
        #expect(names(result, flag, snapshot) == "zero-by-rule zero ")

        let text = try #require(snapshot.flagID(named: "string"))
        let value = evaluator.evaluate(text, in: snapshot, for: EvaluationContext(), now: 0)
        #expect(value.boolean == nil)
        #expect(names(value, text, snapshot) == "string a A")
        #expect(names(.flagNotFound, text, snapshot) == "string  ")
        #expect(names(value, -1, snapshot) == "  ")
        #expect(names(value, snapshot.count, snapshot) == "  ")
    }

    @Test(arguments: [-1, Int.min, Int.max, 1_000_000])
    func answersForNumbersThatNoFlagHas(flag: Int) {
        var evaluator = FlagEvaluator()
        let context = EvaluationContext()
        #expect(evaluator.evaluate(flag, in: Self.file.snapshot, for: context, now: 0) == .flagNotFound)
        #expect(evaluator.evaluate(flag, in: FlagSnapshot(), for: context, now: 0) == .flagNotFound)
        #expect(evaluator.explain(flag, in: FlagSnapshot(), for: context, now: 0).result == .flagNotFound)
    }

    /// Names that Swift's strings hold for equal are different names.
    @Test func keepsDifferentlyWrittenNamesApart() {
        let file = FlagFile(
            #"""
            {"flags": {
              "caf\u00e9": {"state": "ENABLED", "variants": {"\u00e9": "one", "e\u0301": "two"}, "defaultVariant": "e\u0301"},
              "cafe\u0301": {"state": "ENABLED", "variants": {"x": "three"}, "defaultVariant": "x"}
            }}
            """#)
        #expect(file.evaluate("caf\u{E9}") == #""two" STATIC"#)
        #expect(file.evaluate("cafe\u{301}") == #""three" STATIC"#)
    }

    @Test func acceptsFlagsAsAnArray() {
        let file = FlagFile(
            #"""
            {"flags": [
              {"key": "a", "state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on"},
              {"key": "b", "state": "DISABLED", "variants": {"on": true}, "defaultVariant": "on"}
            ]}
            """#)
        #expect(file.evaluate("a") == "true STATIC")
        #expect(file.evaluate("b") == "- DISABLED")
        #expect(file.issues.isEmpty)
    }

    private func names(_ result: FlagResult, _ flag: Int, _ snapshot: FlagSnapshot) -> String {
        var buffer = TextBuffer()
        return buffer.names(result, flag, snapshot)
    }
}
