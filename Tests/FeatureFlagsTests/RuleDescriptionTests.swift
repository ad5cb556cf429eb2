import JSON
import Testing

@testable import FeatureFlags

/// What `banyan check` and `/flags` say that a flag does.
@Suite struct RuleDescriptionTests {
    @Test(arguments: [
        ("{}", "always off"), (#"{"if": [true, "on"]}"#, "true → on; otherwise off"),
        (#"{"fractional": [["on", 5], ["off", 95]]}"#, "5 % on, 95 % off, by targetingKey"),
        (#"{"fractional": [["on"], ["off"]]}"#, "50 % on, 50 % off, by targetingKey"),
        (#"{"fractional": [["on", 1], ["off", 999]]}"#, "0.1 % on, 99.9 % off, by targetingKey"),
        (#"{"fractional": [["on", 1], [null, 2]]}"#, "33.333 % on, 66.667 % off, by targetingKey"),
        (#"{"fractional": [["on", -1], ["off"]]}"#, "0 % on, 100 % off, by targetingKey"),
        (#"{"fractional": [["on", 0], ["off", 0]]}"#, "a share on, a share off, by targetingKey"),
        (
            #"{"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "headers.x-org"}]}, ["on", 25], ["off", 75]]}"#,
            "25 % on, 75 % off, by headers.x-org"
        ),
        (#"{"fractional": [{"var": "ip"}, ["on", 25], ["off", 75]]}"#, "25 % on, 75 % off, by ip"),
        (
            #"{"fractional": [{"cat": ["seed", {"var": "user"}, {"var": "host"}]}, ["on"]]}"#,
            "100 % on, by user and host"
        ),
        (#"{"fractional": [{"cat": [{"var": "$flagd.flagKey"}]}, ["on"]]}"#, "100 % on, by nothing that differs"),
        (#"{"fractional": [["on", {"var": "query.n"}], ["off", 1]]}"#, "a share on, a share off, by targetingKey"),
        (
            #"{"if": [{"in": [{"var": "headers.x-role"}, ["staff", "dev"]]}, "on", {"fractional": [["on", 50], ["off", 50]]}]}"#,
            #"headers.x-role in ["staff", "dev"] → on; otherwise 50 % on, 50 % off, by targetingKey"#
        ),
        (
            #"{"if": [{"and": [{"==": [{"var": "host"}, "a"]}, {"!": {"var": "user"}}]}, "on", {"or": [{"var": "ip"}, {"starts_with": [{"var": "path"}, "/v2"]}]}, null, "off"]}"#,
            #"(host == "a") and not user → on; ip or (path starts with "/v2") → off; otherwise off"#
        ),
        (
            #"{"if": [{"sem_ver": [{"var": "headers.v"}, ">=", "2.0.0"]}, "on"]}"#,
            #"version headers.v >= "2.0.0" → on; otherwise off"#
        ),
        (
            #"{"if": [{">=": [{"var": "$flagd.timestamp"}, 1700000000]}, "on"]}"#,
            "$flagd.timestamp >= 1700000000 → on; otherwise off"
        ),
        (#"{"if": [{"<": [1, {"var": "query.n"}, 3]}, "on"]}"#, "1 < query.n < 3 → on; otherwise off"),
        (
            #"{"if": [{"ends_with": [{"var": ["user", "nobody"]}, "x"]}, "on"]}"#,
            #"(user or else "nobody") ends with "x" → on; otherwise off"#
        ),
        (#"{"if": [{"!!": {"var": "user"}}, "on"]}"#, "user is set → on; otherwise off"),
        (
            #"{"if": [{"some": [[1], {"==": [{"var": ""}, 1]}]}, "on"]}"#,
            "some([1], (the element == 1)) → on; otherwise off"
        ),
        (#"{"if": [{"==": [1]}, "on"]}"#, "==(1) → on; otherwise off"), (#"{"if": ["off"]}"#, "off"),
        (#"{"if": []}"#, "off"),
        (#"{"==": [{"var": "user"}, "ann"]}"#, #"true if user == "ann", else false"#),
        (#"{"var": "headers.x-variant"}"#, "headers.x-variant"), (#"{"nonsense": [1]}"#, "nonsense(unknown)"),
        (
            #"{"if": [{"==": [[{"var": "a"}, 2], {"a": 1, "b": null}]}, "on"]}"#,
            #"[a, 2] == {"a": 1, "b": null} → on; otherwise off"#
        ),
        (
            #"{"if": [{"-": [1]}, "on", {"+": [1, 2]}, "on", {"cat": ["a", 1.5]}, "on"]}"#,
            #"-(1) → on; 1 + 2 → on; cat("a", 1.5) → on; otherwise off"#
        ),
        (
            #"{"if": [{"and": [1]}, "on", {"sem_ver": [1]}, "on", {"not": 1}, "on", {"!": []}, "on"]}"#,
            "and(1) → on; sem_ver(1) → on; not(unknown) → on; !() → on; otherwise off"
        ),
    ])
    func summarises(rule: String, expected: String) {
        #expect(FlagFile.oneFlag(rule).snapshot.definitions[0].summary == expected)
    }

    @Test func summarisesOtherFlags() {
        let file = FlagFile(
            #"""
            {"$evaluators": {"is_staff": {"ends_with": [{"var": "user"}, "@example.com"]}}, "flags": {
              "a": {"state": "DISABLED", "variants": {"x": 1}, "defaultVariant": "x"},
              "b": {"state": "ENABLED", "variants": {"x": 1}},
              "c": {"state": "ENABLED", "variants": {"x": 1}, "targeting": {"if": [{"$ref": "is_staff"}, "x"]}}
            }}
            """#)
        #expect(
            file.snapshot.definitions.map(\.summary) == [
                "disabled: the caller's default", "always the caller's default",
                "is_staff → x; otherwise the caller's default",
            ])
    }
}

/// What `banyan explain` says about how a flag came to its result.
@Suite struct FlagExplanationTests {
    @Test func tellsTheWay() {
        let file = FlagFile.oneFlag(
            #"""
            {"if": [{"in": [{"var": "headers.x-role"}, ["staff"]]}, "on", {"fractional": [["on", 50], ["off", 50]]}]}
            """#, key: "ramp")
        var evaluator = FlagEvaluator()
        let visitor = AttributeContext([(.targetingKey, "", "ann")])
        let explanation = evaluator.explain(0, in: file.snapshot, for: visitor, now: 0)
        #expect(explanation.result == evaluator.evaluate(0, in: file.snapshot, for: visitor, now: 0))
        let bucket = explanation.result.bucket
        #expect(bucket == FractionalBucket(key: Array("rampann".utf8).span, total: 100))
        let side = (bucket?.bucket ?? 0) < 50 ? "on" : "off"
        #expect(
            explanation.steps == [
                "headers.x-role is missing", #"headers.x-role in ["staff"]: no"#,
                "bucket \(bucket?.bucket ?? 0) of 100 (hash \(bucket?.hash ?? 0)): \"\(side)\"",
                "the rule comes to \"\(side)\"", "the rule chose \"\(side)\"",
            ])
        let staff = AttributeContext([(.header, "x-role", "staff")])
        #expect(
            evaluator.explain(0, in: file.snapshot, for: staff, now: 0).steps == [
                #"headers.x-role is "staff""#, #"headers.x-role in ["staff"]: yes"#, #"the rule comes to "on""#,
                #"the rule chose "on""#,
            ])
        let nobody = evaluator.explain(0, in: file.snapshot, for: EvaluationContext(), now: 0)
        #expect(nobody.steps.suffix(2) == ["the rule comes to null", #"the rule chose nothing: "off""#])
    }

    @Test(arguments: [
        (
            #"{"if": [true, "purple"]}"#,
            ["true: yes", #"the rule comes to "purple""#, "that is no variant of the flag: the caller's default"]
        ),
        (
            #"{"if": [{"nonsense": 1}, "on"]}"#,
            [#"there is no operator "nonsense""#, "the rule cannot be evaluated: the caller's default"]
        ),
        ("{}", [#"no rule: "off""#]),
        (#"{"and": []}"#, ["the rule comes to missing", #"the rule chose nothing: "off""#]),
        (
            #"{"var": {"cat": ["us", "er"]}}"#,
            [#"var(cat("us", "er")) is missing"#, "the rule comes to null", #"the rule chose nothing: "off""#]
        ),
    ])
    func tellsTheEnd(rule: String, expected: [String]) {
        var evaluator = FlagEvaluator()
        #expect(
            evaluator.explain(0, in: FlagFile.oneFlag(rule).snapshot, for: EvaluationContext(), now: 0).steps
                == expected)
    }

    @Test func tellsWhyNoRuleWasRun() {
        let file = FlagFile(
            #"{"flags": {"a": {"state": "DISABLED", "variants": {"x": 1}, "targeting": {"if": [true, "x"]}}, "b": {"state": "ENABLED", "variants": {"x": 1}, "defaultVariant": "x"}}}"#
        )
        var evaluator = FlagEvaluator()
        let context = EvaluationContext()
        #expect(
            evaluator.explain(0, in: file.snapshot, for: context, now: 0).steps == [
                "the flag is disabled: the caller's default"
            ])
        #expect(
            evaluator.explain(1, in: file.snapshot, for: context, now: 0, expecting: .string).steps
                == ["the value is of another type than asked for: the caller's default"])
        #expect(
            evaluator.explain(2, in: file.snapshot, for: context, now: 0).steps == [
                "there is no such flag: the caller's default"
            ])
        // A trace does not linger.
        #expect(evaluator.evaluate(1, in: file.snapshot, for: context, now: 0).reason == .static)
    }
}
