import JSON
import Testing

@testable import FeatureFlags

/// What is wrong with a file, where, and whether the file is used all the same.
@Suite struct FlagFileReaderTests {
    /// Files that are refused.
    @Test(arguments: [
        ("", "1:1: error: "), ("{", "1:2: error: "), (#"{"flags": {"a": tru}}"#, "1:20: error: "),
        ("[]", #"1:1: error: the file must be an object with a member "flags", not an array"#),
        ("{}", #"1:1: error: the file must have a member "flags""#),
        (#"{"flags": 5}"#, #"1:11: error: "flags" must be an object or an array of flags, not an integer (/flags)"#),
        (#"{"flags": null}"#, #"1:11: error: "flags" must be an object or an array of flags, not null (/flags)"#),
        (#"{"flags": {"a": true}}"#, "1:17: error: a flag must be an object, not a boolean (/flags/a)"),
        (#"{"flags": [true]}"#, "1:12: error: a flag must be an object, not a boolean (/flags/0)"),
        (
            #"{"flags": [{"state": "ENABLED"}]}"#,
            #"1:12: error: a flag in an array must have its name in "key" (/flags/0)"#
        ),
        (#"{"flags": [{"key": 1}]}"#, #"1:12: error: a flag in an array must have its name in "key" (/flags/0)"#),
        (
            #"{"flags": {"a": {"state": 1, "variants": {"x": 1}}}}"#,
            #"1:27: error: "state" must be "ENABLED" or "DISABLED", not an integer (/flags/a/state)"#
        ),
        (
            #"{"flags": {"a": {"state": "ENABLED", "variants": []}}}"#,
            #"1:50: error: "variants" must be an object, not an array (/flags/a/variants)"#
        ),
        (
            #"{"flags": {"a": {"state": "ENABLED", "variants": {"x": 1}, "defaultVariant": 1}}}"#,
            #"1:78: error: "defaultVariant" must be a string or null, not an integer (/flags/a/defaultVariant)"#
        ),
        (
            "{\"flags\": {\"a\": {\"state\": \"ENABLED\", \"variants\": {\"x\": 1, \"y\": 2},\n  \"defaultVariant\": \"z\"}}}",
            #"2:21: error: the default variant "z" is none of the flag's variants ("x", "y") (/flags/a/defaultVariant)"#
        ),
        (
            #"{"flags": {"a": {"state": "DISABLED", "variants": {"x": 1}, "defaultVariant": ""}}}"#,
            #"1:79: error: the default variant "" is none of the flag's variants ("x") (/flags/a/defaultVariant)"#
        ),
        (
            #"{"flags": {"a": {"state": "ENABLED", "variants": {"x": 1}, "metadata": []}}}"#,
            "1:72: error: metadata must be an object, not an array (/flags/a/metadata)"
        ),
        (#"{"metadata": "x", "flags": {}}"#, "1:14: error: metadata must be an object, not a string (/metadata)"),
        (
            #"{"$evaluators": [], "flags": {}}"#,
            #"1:17: error: "$evaluators" must be an object of rules, not an array (/$evaluators)"#
        ),
        (
            #"{"$evaluators": {"a": {"!": {"$ref": "b"}}, "b": {"!": 0}}, "flags": {}}"#,
            #"1:23: error: an evaluator cannot refer to another one ("b"): flagd does not resolve that either (/$evaluators/a)"#
        ),
    ])
    func refuses(text: String, expected: String) throws {
        let compilation = FlagSnapshot.compile(Array(text.utf8))
        #expect(compilation.snapshot == nil)
        let error = try #require(compilation.issues.first { $0.severity == .error })
        #expect(error.description.hasPrefix(expected), "\(error)")
    }

    @Test func reportsEveryErrorInTheOrderOfTheFile() {
        let text = #"""
            {
              "flags": {
                "a": 1,
                "b": { "state": "on", "variants": { "x": true }, "defaultVariant": "y" },
                "c": { "state": "ENABLED", "variants": { "x": true }, "defaultVariant": false }
              },
              "metadata": 5
            }
            """#
        let issues = FlagSnapshot.compile(Array(text.utf8)).issues
        #expect(
            issues.map { "\($0.position) \($0.severity)" } == [
                "3:10 error", "4:21 warning", "4:72 error", "5:77 error", "7:15 error",
            ])
    }

    /// Files that are used all the same; `RULE` stands for a rule in an otherwise faultless flag with the variants on, off.
    @Test(arguments: [
        (
            #"{"flags": {"": {"state": "ENABLED", "variants": {"x": 1}}}}"#, FlagIssue.Kind.schema,
            "a flag's name must have at least one character"
        ),
        (#"{"flags": {"a": {"variants": {"x": 1}}}}"#, .schema, "without it the flag is taken for enabled"),
        (
            #"{"flags": {"a": {"state": "disabled", "variants": {"x": 1}}}}"#, .schema,
            #"not "disabled"; the flag is taken for enabled"#
        ),
        (#"{"flags": {"a": {"state": "ENABLED"}}}"#, .schema, #"a flag must have "variants""#),
        (#"{"flags": {"a": {"state": "ENABLED", "variants": {}}}}"#, .schema, "at least one variant"),
        (
            #"{"flags": {"a": {"state": "ENABLED", "variants": {"": 1}}}}"#, .schema,
            "a variant's name must have at least one character"
        ),
        (
            #"{"flags": {"a": {"state": "ENABLED", "variants": {"x": 1, "y": "1"}}}}"#, .schema,
            "must be of one type; the first is an integer"
        ),
        (#"{"flags": {"a": {"state": "ENABLED", "variants": {"x": null}}}}"#, .schema, "not null"),
        (#"{"flags": {"a": {"state": "ENABLED", "variants": {"x": [1]}}}}"#, .schema, "not an array"),
        (
            #"{"flags": {"a": {"state": "ENABLED", "variants": {"x": 1}, "metadata": {"m": null}}}}"#, .schema,
            "metadata are strings, numbers and booleans, not null"
        ),
        (#"{"metadata": {"version": 2}, "flags": {}}"#, .schema, #""version" should be a string"#),
        (
            #"{"flags": {"a": {"state": "ENABLED", "variants": {"x": 1}, "targeting": null}}}"#, .schema,
            "null is taken for none"
        ),
        (
            #"{"flags": {"a": {"state": "ENABLED", "variants": {"x": 1}, "targeting": "x"}}}"#, .schema,
            #""targeting" must be a rule, not a string"#
        ),
        (#"{"$evaluators": {"a": true}, "flags": {}}"#, .schema, "an evaluator must be a rule"),
        (#"{"flags": {}, "flag": {}}"#, .hazard, #""flag" has no meaning here"#),
        (
            #"{"flags": {"a": {"state": "ENABLED", "variants": {"x": 1}, "defaultvariant": "x"}}}"#, .hazard,
            #"(did you mean "defaultVariant"?)"#
        ),
        (
            #"{"flags": {"a": {"state": "ENABLED", "variants": {"x": 1}, "key": "a"}}}"#, .hazard,
            #"a flag has no member "key""#
        ),
        (
            #"{"flags": {"a": {"state": "ENABLED", "state": "DISABLED", "variants": {"x": 1}}}}"#, .hazard,
            "stands here for the second time (first at 1:18)"
        ),
        (
            #"{"flags": [{"key": "a", "state": "ENABLED", "variants": {"x": 1}}, {"key": "a", "state": "DISABLED", "variants": {"x": 1}}]}"#,
            .hazard, #"the flag "a" stands here for the second time; this one counts"#
        ),
    ])
    func warns(text: String, kind: FlagIssue.Kind, expected: String) {
        let file = FlagFile(text)
        #expect(file.issues.count == 1, "\(file.issues)")
        #expect(file.issues.first?.severity == .warning)
        #expect(file.issues.first?.kind == kind)
        #expect(file.issues.first?.message.contains(expected) == true, "\(file.issues)")
    }

    @Test func takesTheLastOfSeveralFlagsInAnArray() {
        let file = FlagFile(
            #"""
            {"flags": [
              {"key": "a", "state": "ENABLED", "variants": {"x": 1}, "defaultVariant": "x"},
              {"key": "b", "state": "ENABLED", "variants": {"x": 2}, "defaultVariant": "x"},
              {"key": "a", "state": "ENABLED", "variants": {"x": 3}, "defaultVariant": "x"}
            ]}
            """#)
        #expect(file.snapshot.count == 2)
        #expect(file.evaluate("a") == "3 STATIC")
        #expect(file.evaluate("b") == "2 STATIC")
    }

    @Test func mergesMetadata() {
        let file = FlagFile(
            #"""
            {"metadata": {"flagSetId": "shop", "version": "7", "owner": "nobody"},
             "flags": {"a": {"state": "ENABLED", "variants": {"x": 1}, "metadata": {"owner": "ann", "cost": 1.5}}, "b": {"state": "ENABLED", "variants": {"x": 1}}}}
            """#)
        #expect(file.snapshot.metadata.map(\.name) == ["flagSetId", "version", "owner"])
        #expect(
            canonical(.object(file.snapshot.definitions[0].metadata))
                == #"{"flagSetId": "shop", "version": "7", "owner": "ann", "cost": 1.5}"#)
        #expect(
            canonical(.object(file.snapshot.definitions[1].metadata))
                == #"{"flagSetId": "shop", "version": "7", "owner": "nobody"}"#)
    }

    // MARK: Limits

    /// Rules beyond the limits are not run; the rest of the file is.
    @Test func boundsDepth() {
        func nested(_ depth: Int) -> String {
            String(repeating: #"{"!": ["#, count: depth) + "0" + String(repeating: "]}", count: depth)
        }
        let deepest = FlagFile.oneFlag(nested(63), variants: ["true", "false"], default: "true")
        #expect(deepest.evaluate("flag") == #""true" TARGETING_MATCH"#)
        #expect(deepest.issues.isEmpty)
        let deeper = FlagFile.oneFlag(nested(64), variants: ["true", "false"], default: "true")
        #expect(deeper.evaluate("flag") == "- ERROR GENERAL")
        #expect(deeper.issues.first?.message.contains("nests deeper than 64") == true)
        let constant = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        let data = FlagFile.oneFlag(#"{"if": [\#(constant), "on"]}"#)
        #expect(data.evaluate("flag") == "- ERROR GENERAL")
        #expect(FlagSnapshot.compile(Array(nested(2000).utf8)).snapshot == nil)
    }

    @Test func boundsSize() {
        func listed(_ count: Int) -> String {
            #"{"if": [{"in": [1, [\#(Array(repeating: "0", count: count).joined(separator: ","))]]}, "off", "on"]}"#
        }
        // `if`, `in`, 1, the list, "off" and "on" are values, too.
        let largest = FlagFile.oneFlag(listed(9994))
        #expect(largest.evaluate("flag") == #""on" TARGETING_MATCH"#)
        let larger = FlagFile.oneFlag(listed(9995))
        #expect(larger.evaluate("flag") == "- ERROR GENERAL")
        #expect(larger.issues.first?.message.contains("more than 10000 values") == true)
    }

    @Test func countsEvaluatorsWhereTheyAreUsed() {
        let list = Array(repeating: "0", count: 6000).joined(separator: ",")
        let file = FlagFile(
            #"""
            {"$evaluators": {"big": {"in": [1, [\#(list)]]}}, "flags": {
              "once": {"state": "ENABLED", "variants": {"true": 1, "false": 0}, "targeting": {"$ref": "big"}},
              "twice": {"state": "ENABLED", "variants": {"true": 1, "false": 0}, "targeting": {"or": [{"$ref": "big"}, {"$ref": "big"}]}}
            }}
            """#)
        #expect(file.evaluate("once") == "0 TARGETING_MATCH")
        #expect(file.evaluate("twice") == "- ERROR GENERAL")
    }

    @Test func boundsSteps() {
        // 100 times 100 times 100 elements.
        let list = "[" + (0..<100).map(String.init).joined(separator: ",") + "]"
        let rule =
            #"{"if": [{"some": [\#(list), {"some": [\#(list), {"some": [\#(list), {"<": [{"var": ""}, 0]}]}]}]}, "on", "off"]}"#
        let file = FlagFile.oneFlag(rule)
        #expect(file.evaluate("flag") == "- ERROR GENERAL")
        var evaluator = FlagEvaluator()
        let explanation = evaluator.explain(0, in: file.snapshot, for: EvaluationContext(), now: 0)
        #expect(explanation.steps.last == "the rule takes more than 100000 steps: the caller's default")
        // The next evaluation has a budget of its own.
        let next = FlagFile.oneFlag(#"{"if": [true, "on"]}"#)
        #expect(evaluator.evaluate(0, in: next.snapshot, for: EvaluationContext(), now: 0).variant == 0)
    }

    /// A text or an array that doubles with every element would fill the memory long before the elements run out.
    @Test(arguments: [
        #"{"cat": [{"var": "accumulator"}, {"var": "accumulator"}]}"#,
        #"{"merge": [{"var": "accumulator"}, {"var": "accumulator"}]}"#,
        #"{"cat": [[{"var": "accumulator"}, {"var": "accumulator"}]]}"#,
    ])
    func boundsMemory(body: String) {
        let list = "[" + Array(repeating: "1", count: 64).joined(separator: ",") + "]"
        #expect(evaluate(#"{"reduce": [\#(list), \#(body), ["x"]]}"#) == "GENERAL")
    }

    /// Arrays can be built deeper than any stack; only their text needs the depth.
    @Test func boundsNesting() {
        let list = "[" + Array(repeating: "1", count: 5000).joined(separator: ",") + "]"
        let nested = #"{"reduce": [\#(list), [{"var": "accumulator"}], 0]}"#
        #expect(evaluate(#"{"!!": [\#(nested)]}"#) == "true")
        #expect(evaluate(#"{"cat": [\#(nested)]}"#) == "GENERAL")
        #expect(evaluate(#"{"==": [\#(nested), 0]}"#) == "GENERAL")
    }
}
