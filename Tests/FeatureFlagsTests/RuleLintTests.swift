import JSON
import Testing

@testable import FeatureFlags

/// What can be told about a rule without running it.
@Suite struct RuleLintTests {
    /// A rule of a flag with the variants `on` and `off`, and the one warning that it earns.
    @Test(arguments: [
        // Everybody without the attribute in one share.
        (
            #"{"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "headers.x-org"}]}, ["on"], ["off"]]}"#,
            FlagIssue.Kind.hazard, #"everybody without "headers.x-org" falls into one and the same share"#
        ),
        (
            #"{"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "targetingKey"}]}, ["on"], ["off"]]}"#,
            .hazard, "leave the key out, and they get the default"
        ),
        (
            #"{"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": ["targetingKey", "nobody"]}]}, ["on"], ["off"]]}"#,
            .hazard, "falls into one and the same share"
        ),
        (
            #"{"fractional": [{"cat": ["seed", {"var": "targetingKey"}]}, ["on"], ["off"]]}"#, .hazard,
            "falls into one and the same share"
        ),
        (
            #"{"fractional": [{"cat": [{"var": "$flagd.flagKey"}]}, ["on"], ["off"]]}"#, .hazard,
            "this key is the same for everybody"
        ),
        // The same users first in every flag.
        (
            #"{"fractional": [{"var": "targetingKey"}, ["on"], ["off"]]}"#, .hazard,
            #"the same users come first in every flag shared out by "targetingKey""#
        ),
        (#"{"fractional": [["on", 0], ["off", 0]]}"#, .hazard, "all weights are 0"),
        // Schema.
        (#"{"fractional": [["on", -1], ["off"]]}"#, .schema, "must not be negative"),
        (#"{"fractional": [["on", 1.5], ["off"]]}"#, .schema, "must be a whole number"),
        (#"{"fractional": [["on", "1"], ["off"]]}"#, .schema, "must be a whole number"),
        (#"{"fractional": [["on", 2147483647], ["off", 1]]}"#, .schema, "add up to more than 2147483647"),
        (
            #"{"fractional": [["on", 9223372036854775807], ["off", 9223372036854775807]]}"#, .schema,
            "add up to more than 2147483647"
        ),
        (#"{"fractional": [["on", 1, 2], ["off"]]}"#, .schema, "a share is written"),
        (#"{"fractional": [["on"], "off"]}"#, .schema, "a share is written"),
        (#"{"fractional": [null, ["on"]]}"#, .schema, "it counts as left out"),
        (#"{"fractional": []}"#, .schema, "at least 1 arguments, not 0"),
        (#"{"if": [{"==": [{"var": "user"}]}, "on", "off"]}"#, .schema, #""==" takes 2 arguments, not 1"#),
        (#"{"if": [{"<": [1, 2, 3, 4]}, "on", "off"]}"#, .schema, #""<" takes 2 or 3 arguments, not 4"#),
        (#"{"if": [{"in": "x"}, "on", "off"]}"#, .schema, #""in" takes an array of arguments"#),
        (#"{"if": [{"sem_ver": [{"var": "headers.v"}, ">", "one"]}, "on", "off"]}"#, .schema, #""one" is no version"#),
        (
            #"{"if": [{"sem_ver": [{"var": "headers.v"}, ">", "v1.2.3"]}, "on", "off"]}"#, .schema,
            "wants a whole version"
        ),
        (#"{"if": [{"sem_ver": [{"var": "headers.v"}, ">", "1.2"]}, "on", "off"]}"#, .schema, "wants a whole version"),
        (#"{"if": [{"sem_ver": [{"var": "headers.v"}, "=>", "1.2.3"]}, "on", "off"]}"#, .schema, #""=>" is none of"#),
        (
            #"{"if": [{"start_with": ["a", "b"]}, "on", "off"]}"#, .schema,
            #"there is no operator "start_with" (did you mean "starts_with"?); where the rule gets here, it ends in PARSE_ERROR"#
        ),
        (#"{"if": [{"log": "x"}, "on", "off"]}"#, .schema, #"there is no operator "log""#),
        (#"{"if": [{"$ref": "nobody"}, "on", "off"]}"#, .schema, #"there is no evaluator "nobody""#),
        (#"{"if": [{"$ref": 5}, "on", "off"]}"#, .schema, #""$ref" takes the name of an evaluator"#),
        // Results that name no variant.
        (#"{"if": [{"var": "user"}, "new", "off"]}"#, .hazard, #"the flag has no variant "new""#),
        (#"{"if": [{"var": "user"}, "on", {"if": [{"var": "ip"}, "of"]}]}"#, .hazard, #"the flag has no variant "of""#),
        (#"{"fractional": [["new", 5], ["off", 95]]}"#, .hazard, #"the flag has no variant "new""#),
        (#"{"if": [{"var": "user"}, 5, "off"]}"#, .hazard, "a number ends in GENERAL"),
        (#"{"if": [{"var": "user"}, ["on"], "off"]}"#, .hazard, "an array ends in GENERAL"),
        (#"{"if": [{"var": "user"}, {"a": 1, "b": 2}, "off"]}"#, .schema, "an object with 2 members is data"),
        (#"{"a": 1, "b": 2}"#, .schema, "an object with 2 members is data"),
        (#"{"if": [{"!": {}}, "on", "off"]}"#, .schema, "an object with 0 members is data"),
        (#"{"fractional": [[{"a": 1, "b": 2}], ["off"]]}"#, .schema, "an object with 2 members is data"),
        (#"{"?:": [{"var": "user"}, "on", "off"]}"#, .schema, "knows it as \"if\" only"),
        (#"{"if": [{"missing": ["user", 1]}, "on", "off"]}"#, .schema, "wants paths as texts here, not an integer"),
        (#"{"if": [{"missing_some": ["1", ["user"]]}, "on", "off"]}"#, .schema, "wants a number here, not a string"),
        (
            #"{"if": [{"missing_some": [1, "user"]}, "on", "off"]}"#, .schema,
            "wants an array of paths here, not a string"
        ),
        (#"{"if": [{"missing_some": [1, [null]]}, "on", "off"]}"#, .schema, "wants paths as texts here, not null"),
        (
            #"{"if": [{"starts_with": [{"var": "path"}, 1]}, "on", "off"]}"#, .schema,
            "with an integer it always gives null"
        ),
        (
            #"{"if": [{"sem_ver": [{"var": "headers.v"}, ">", 1]}, "on", "off"]}"#, .schema,
            "a number is understood all the same"
        ),
        (#"{"if": [{"sem_ver": [null, ">", "1.0.0"]}, "on", "off"]}"#, .schema, "null is no version"),
        (#"{"if": [{"var": "$flagd.name"}, "on", "off"]}"#, .schema, "this is missing"),
        (#"{"fractional": ["seed", ["on"], ["off"]]}"#, .schema, "everybody falls into one and the same share"),
        (#"{"fractional": [5, ["on"], ["off"]]}"#, .schema, "always gives null"),
        (#"{"merge": ["on"]}"#, .hazard, #""merge" never gives a variant's name"#),
        // Attributes that no request has.
        (#"{"if": [{"var": "email"}, "on", "off"]}"#, .hazard, #"a request has no attribute "email""#),
        (#"{"if": [{"var": "headers"}, "on", "off"]}"#, .hazard, #"name a member of it, like "headers.name""#),
        (#"{"if": [{"var": ""}, "on", "off"]}"#, .hazard, "a request cannot be read as a whole"),
        (
            #"{"if": [{"some": [{"var": "claims.roles"}, {"==": [{"var": ""}, "x"]}]}, "on", {"if": [{"var": "tier"}, "on"]}]}"#,
            .hazard, #"a request has no attribute "tier""#
        ),
    ])
    func warns(rule: String, kind: FlagIssue.Kind, expected: String) {
        let file = FlagFile.oneFlag(rule)
        #expect(file.issues.count == 1, "\(file.issues)")
        #expect(file.issues.first?.severity == .warning)
        #expect(file.issues.first?.kind == kind)
        #expect(file.issues.first?.message.contains(expected) == true, "\(file.issues)")
    }

    @Test func warnsOfTruthValuesWithoutVariants() {
        let file = FlagFile.oneFlag(#"{"==": [{"var": "user"}, "ann"]}"#)
        #expect(file.issues.map(\.message).allSatisfy { $0.contains("this gives true or false") })
        #expect(file.issues.count == 2)
        #expect(
            FlagFile.oneFlag(#"{"==": [{"var": "user"}, "ann"]}"#, variants: ["true", "false"], default: nil).issues
                .isEmpty)
    }

    @Test func warnsOfKeysThatChange() {
        let file = FlagFile.oneFlag(
            #"{"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "path"}]}, ["on"], ["off"]]}"#)
        #expect(
            file.issues.contains { $0.message == #""path" changes from request to request, so nobody keeps a share"# })
    }

    /// An evaluator is checked once, at its own place, however often it is used.
    @Test func reportsAnEvaluatorOnce() {
        let file = FlagFile(
            #"""
            {"$evaluators": {"odd": {"==": [{"var": "user"}]}}, "flags": {
              "a": {"state": "ENABLED", "variants": {"on": true}, "targeting": {"if": [{"$ref": "odd"}, "on"]}},
              "b": {"state": "ENABLED", "variants": {"on": true}, "targeting": {"if": [{"$ref": "odd"}, "on"]}}
            }}
            """#)
        #expect(file.issues.map { "\($0.position) \($0.pointer)" } == ["1:32 /$evaluators/odd/=="])
    }

    /// Rules that there is nothing to say about.
    @Test(arguments: [
        #"{"if": [{"in": [{"var": "headers.x-role"}, ["staff"]]}, "on", {"fractional": [["on", 5], ["off", 95]]}]}"#,
        #"{"fractional": [["on", {"var": ["query.share", 1]}], ["off", 99]]}"#,
        #"{"if": [{"sem_ver": [{"var": "headers.x-version"}, ">=", "1.2.3-beta.1"]}, "on", null]}"#,
        #"{"if": [{"!": {"var": "user"}}, "off", {">": [{"var": "$flagd.timestamp"}, 1700000000]}, "on"]}"#,
        #"{"fractional": [{"if": [{"var": "claims.org"}, {"cat": ["seed", {"var": "claims.org"}]}, null]}, ["on"], ["off"]]}"#,
        #"{"var": "headers.x-variant"}"#, #"{"or": [{"var": "cookies.side"}, "off"]}"#,
        #"{"if": [{"var": ["client.ip"]}, "on", {"missing": ["host"]}, "on", "off"]}"#,
    ])
    func isSilent(rule: String) {
        #expect(FlagFile.oneFlag(rule).issues.isEmpty)
    }
}
