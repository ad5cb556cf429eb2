import JSON
import Testing

@testable import FeatureFlags

/// `fractional`, with the results that flagd's own tests publish for its current arithmetic.
@Suite struct FractionalTests {
    private static let cards = #"[["clubs", 25], ["diamonds", 25], ["hearts", 25], ["spades", 25]]"#

    @Test(arguments: [("jack", "hearts"), ("queen", "spades"), ("ten", "clubs"), ("nine", "diamonds"), ("3", "clubs")])
    func sharesOutByAKeyOfItsOwn(name: String, expected: String) {
        let rule = #"""
            {"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "user.name"}]},
              ["clubs", 25], ["diamonds", 25], ["hearts", 25], ["spades", 25]]}
            """#
        let file = FlagFile.oneFlag(
            rule, key: "fractional-flag", variants: ["clubs", "diamonds", "hearts", "spades", "wild"], default: "wild")
        #expect(
            file.evaluate("fractional-flag", #"{"user": {"name": "\#(name)"}}"#) == "\"\(expected)\" TARGETING_MATCH")
        let number = Int(name).map { "\($0)" } ?? "\"\(name)\""
        #expect(
            file.evaluate("fractional-flag", #"{"user": {"name": \#(number)}}"#) == "\"\(expected)\" TARGETING_MATCH")
    }

    @Test(arguments: [("jon@company.com", "heads"), ("jane@company.com", "tails")])
    func sharesOutByTheUser(user: String, expected: String) {
        let file = FlagFile.oneFlag(
            #"{"fractional": [["heads"], ["tails", 1]]}"#, key: "fractional-flag-shorthand",
            variants: ["heads", "tails", "draw"], default: "draw")
        #expect(
            file.evaluate("fractional-flag-shorthand", #"{"targetingKey": "\#(user)"}"#)
                == "\"\(expected)\" TARGETING_MATCH")
        let request = AttributeContext([(.targetingKey, "", user)])
        #expect(file.evaluate("fractional-flag-shorthand", request) == "\"\(expected)\" TARGETING_MATCH")
    }

    @Test(arguments: [
        ("ejOoVL", "lower"), ("bY9fO-", "lower"), ("SI7p-", "lower"), ("6LvT0", "upper"), ("ceQdGm", "upper"),
    ])
    func keepsTheEdgesOfTheHash(key: String, expected: String) {
        let file = FlagFile.oneFlag(
            #"{"fractional": [{"var": "targetingKey"}, ["lower", 50], ["upper", 50]]}"#, variants: ["lower", "upper"],
            default: nil)
        #expect(file.evaluate("flag", #"{"targetingKey": "\#(key)"}"#) == "\"\(expected)\" TARGETING_MATCH")
    }

    @Test(arguments: [
        ("rachel@faas.com", "blue"), ("monica@faas.com", "yellow"), ("joey@faas.com", "red"), ("ross@faas.com", "blue"),
    ])
    func agreesWithFlagdsUnitTests(user: String, expected: String) {
        let shares = #"["red", 25], ["blue", 25], ["green", 25], ["yellow", 25]"#
        let variants = ["red", "blue", "green", "yellow"]
        let byAttribute = FlagFile.oneFlag(
            #"{"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "email"}]}, \#(shares)]}"#,
            key: "headerColor",
            variants: variants, default: nil)
        #expect(byAttribute.evaluate("headerColor", #"{"email": "\#(user)"}"#) == "\"\(expected)\" TARGETING_MATCH")
        let byUser = FlagFile.oneFlag(
            #"{"fractional": [\#(shares)]}"#, key: "headerColor", variants: variants, default: nil)
        #expect(byUser.evaluate("headerColor", #"{"targetingKey": "\#(user)"}"#) == "\"\(expected)\" TARGETING_MATCH")
        // A null key, as of an attribute that is missing, falls back to the flag and the user.
        let byNothing = FlagFile.oneFlag(
            #"{"fractional": [{"var": "nowhere"}, \#(shares)]}"#, key: "headerColor", variants: variants, default: nil)
        #expect(
            byNothing.evaluate("headerColor", #"{"targetingKey": "\#(user)"}"#) == "\"\(expected)\" TARGETING_MATCH")
    }

    /// Rules on their own; the flag is called `flag`, `u` is a user whose hash is 1 when hashed alone.
    @Test(arguments: [
        // The key.
        (
            #"{"fractional": [{"cat": ["my-seed", {"var": "email"}]}, ["red", 25], ["blue", 25], ["green", 25], ["yellow", 25]]}"#,
            #"{"email": "rachel@faas.com"}"#, #""green""#
        ),
        (#"{"fractional": [{"var": "email"}, ["red", 25], ["blue", 25]]}"#, #"{"email": "foo@foo.com"}"#, #""blue""#),
        (#"{"fractional": ["", ["a"], ["b"]]}"#, "{}", #""a""#),
        (#"{"fractional": [{"cat": [{"var": "x"}]}, ["a"], ["b"]]}"#, "{}", #""a""#),
        (#"{"fractional": ["ceQdGm", ["a"], ["b"]]}"#, "{}", #""b""#),
        (#"{"fractional": [["a"], ["b"]]}"#, "{}", "null"),
        (#"{"fractional": [["a"], ["b"]]}"#, #"{"targetingKey": ""}"#, "null"),
        (#"{"fractional": [["a"], ["b"]]}"#, #"{"targetingKey": null}"#, "null"),
        (#"{"fractional": [["a"], ["b"]]}"#, #"{"targetingKey": 5}"#, "null"),
        (#"{"fractional": [null, ["a"], ["a"]]}"#, #"{"targetingKey": "u"}"#, #""a""#),
        (#"{"fractional": [5, ["a"], ["b"]]}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": [true, ["a"], ["b"]]}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": ["bY9fO-", "a", ["b"]]}"#, "{}", "null"),
        // The arguments.
        (#"{"fractional": []}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": "x"}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": ["x"]}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": {"var": "shares"}}"#, #"{"targetingKey": "u", "shares": [["a"]]}"#, #""a""#),
        (#"{"fractional": [["a"]]}"#, #"{"targetingKey": "u"}"#, #""a""#),
        (#"{"fractional": [[]]}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": [["a", 1, "more"]]}"#, #"{"targetingKey": "u"}"#, #""a""#),
        // Variants.
        (#"{"fractional": [[true]]}"#, #"{"targetingKey": "u"}"#, "true"),
        (#"{"fractional": [[7]]}"#, #"{"targetingKey": "u"}"#, "7"),
        (#"{"fractional": [[null]]}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": [[["a"]]]}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": [[{"a": 1, "b": 2}]]}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": [["a", 0], [["b"], 1]]}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": [[{"var": "name"}, 1]]}"#, #"{"targetingKey": "u", "name": "new"}"#, #""new""#),
        // Weights.
        (#"{"fractional": [["a", null], ["b", 0]]}"#, #"{"targetingKey": "u"}"#, #""a""#),
        (#"{"fractional": [["a", 0], ["b"]]}"#, #"{"targetingKey": "u"}"#, #""b""#),
        (#"{"fractional": [["a", -50], ["b", 1]]}"#, #"{"targetingKey": "u"}"#, #""b""#),
        (#"{"fractional": [["a", 0], ["b", 0]]}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": [["a", 1.0]]}"#, #"{"targetingKey": "u"}"#, #""a""#),
        (#"{"fractional": [["a", 1.5]]}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": [["a", -1.5], ["b"]]}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": [["a", "1"]]}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": [["a", true]]}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": [["a", 2147483647]]}"#, #"{"targetingKey": "u"}"#, #""a""#),
        (#"{"fractional": [["a", 2147483648]]}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": [["a", 1e300]]}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": [["a", -1e300], ["b"]]}"#, #"{"targetingKey": "u"}"#, #""b""#),
        (#"{"fractional": [["a", 2147483647], ["b", 1]]}"#, #"{"targetingKey": "u"}"#, "null"),
        (#"{"fractional": [["a", {"/": [0, 0]}]]}"#, #"{"targetingKey": "u"}"#, "null"),
        (
            #"{"fractional": [["a", {"if": [{"==": [{"var": "tier"}, "premium"]}, 100, 0]}], ["b", 10]]}"#,
            #"{"targetingKey": "jon@company.com", "tier": "premium"}"#, #""a""#
        ),
        (
            #"{"fractional": [["a", {"if": [{"==": [{"var": "tier"}, "premium"]}, 100, 0]}], ["b", 10]]}"#,
            #"{"targetingKey": "jon@company.com", "tier": "basic"}"#, #""b""#
        ),
        // Within an iteration the data are the element.
        (#"{"map": [[1], {"fractional": [["a"]]}]}"#, #"{"targetingKey": "u"}"#, "[null]"),
        (#"{"map": [[{"targetingKey": "ceQdGm", "b": 1}], {"fractional": [["a"], ["b"]]}]}"#, "{}", #"["b"]"#),
        (#"{"map": [["ejOoVL", "ceQdGm"], {"fractional": [{"var": ""}, ["a"], ["b"]]}]}"#, "{}", #"["a", "b"]"#),
    ])
    func gives(rule: String, context: String, expected: String) {
        #expect(evaluate(rule, context) == expected)
    }

    @Test func tellsTheBucket() throws {
        let file = FlagFile.oneFlag(
            #"{"fractional": [["heads"], ["tails", 1]]}"#, key: "fractional-flag-shorthand",
            variants: ["heads", "tails"],
            default: nil)
        var evaluator = FlagEvaluator()
        let context = AttributeContext([(.targetingKey, "", "jon@company.com")])
        let result = evaluator.evaluate(0, in: file.snapshot, for: context, now: 0)
        #expect(result.bucket == FractionalBucket(hash: 618_039_204, total: 2))
        let next = evaluator.evaluate(0, in: file.snapshot, for: EvaluationContext(), now: 0)
        #expect(next == FlagResult(reason: .default))
    }

    /// Raising the share of the first variant only adds users, whatever the sum of the weights is.
    @Test func growsWithoutTakingAnybodyAway() {
        var generator = SeededGenerator(seed: 42)
        let users = (0..<400).map { _ in "user-\(generator.next())" }
        var steps = [
            (0, 100), (1, 1000), (1, 100), (2, 100), (50, 1000), (5, 100), (1, 10), (25, 100), (1, 2), (99, 100),
            (1, 1),
        ]
        for _ in 0..<30 {
            let total = Int.random(in: 1...1_000_000, using: &generator)
            steps.append((Int.random(in: 0...total, using: &generator), total))
        }
        steps.sort { $0.0 * $1.1 < $1.0 * $0.1 }
        for isFirst in [true, false] {
            var selected = Set<String>()
            for (weight, total) in steps {
                let shares =
                    isFirst
                    ? "[\"on\", \(weight)], [\"off\", \(total - weight)]"
                    : "[\"off\", \(total - weight)], [\"on\", \(weight)]"
                let file = FlagFile.oneFlag("{\"fractional\": [\(shares)]}", key: "ramp")
                let now = Set(
                    users.filter {
                        file.evaluate("ramp", AttributeContext([(.targetingKey, "", $0)])) == "\"on\" TARGETING_MATCH"
                    })
                #expect(selected.isSubset(of: now), "\(weight) of \(total)")
                selected = now
            }
            #expect(selected.count == users.count)
        }
    }

    /// A share selects about as many users as it says.
    @Test(arguments: [1, 5, 25, 50, 90])
    func selectsItsShare(percent: Int) {
        let file = FlagFile.oneFlag(
            "{\"fractional\": [[\"on\", \(percent)], [\"off\", \(100 - percent)]]}", key: "ramp")
        let users = 20_000
        let selected = (0..<users).count { user in
            file.evaluate("ramp", AttributeContext([(.targetingKey, "", "\(user)")])) == "\"on\" TARGETING_MATCH"
        }
        let expected = Double(users * percent) / 100
        // Five standard deviations of a binomial distribution.
        let tolerance = 5 * (Double(users) * Double(percent * (100 - percent)) / 10_000).squareRoot()
        #expect(abs(Double(selected) - expected) < tolerance)
    }
}

/// `sem_ver`, `starts_with` and `ends_with`: what they cannot compare is null, so that the default holds.
@Suite struct ComparisonOperatorTests {
    @Test(arguments: [
        ("2.0.0", "equal"), ("2.1.0", "greater"), ("1.9.0", "lesser"), ("2.0.0-alpha", "lesser"), ("2.0.0.0", "none"),
        ("", "none"), ("latest", "none"),
    ])
    func comparesVersions(version: String, expected: String) {
        let rule = #"""
            {"if": [{"sem_ver": [{"var": "v"}, "=", "2.0.0"]}, "equal", {"sem_ver": [{"var": "v"}, ">", "2.0.0"]}, "greater",
              {"sem_ver": [{"var": "v"}, "<", "2.0.0"]}, "lesser", "none"]}
            """#
        #expect(evaluate(rule, #"{"v": "\#(version)"}"#) == "\"\(expected)\"")
    }

    @Test(arguments: [
        (#"{"sem_ver": [1, "^", "1"]}"#, "true"), (#"{"sem_ver": [1.2, "^", 1]}"#, "true"),
        (#"{"sem_ver": [2, ">", 1.1]}"#, "true"), (#"{"sem_ver": ["1.0", "=", "v1"]}"#, "true"),
        (#"{"sem_ver": ["1.0.0", "~", "1.0.9"]}"#, "true"), (#"{"sem_ver": ["1.0.0", "!=", "1.0.0+b"]}"#, "false"),
        (#"{"sem_ver": ["1.0.0", "==", "1.0.0"]}"#, "null"), (#"{"sem_ver": ["1.0.0", null, "1.0.0"]}"#, "null"),
        (#"{"sem_ver": ["1.0.0", "="]}"#, "null"), (#"{"sem_ver": ["1.0.0", "=", "1.0.0", "1.0.0"]}"#, "null"),
        (#"{"sem_ver": [null, "=", "1.0.0"]}"#, "null"), (#"{"sem_ver": [true, "=", "1.0.0"]}"#, "null"),
        (#"{"sem_ver": [[1], "=", "1.0.0"]}"#, "null"), (#"{"sem_ver": ["1.0.0", "=", "one"]}"#, "null"),
        (#"{"sem_ver": [1e21, ">", "1.0.0"]}"#, "null"), (#"{"sem_ver": [-1, "<", "1.0.0"]}"#, "null"),
        (#"{"sem_ver": []}"#, "null"), (#"{"sem_ver": "1.0.0"}"#, "null"),
        (#"{"sem_ver": {"var": "all"}}"#, "true"),
        (#"{"starts_with": ["abcdef", "abc"]}"#, "true"), (#"{"starts_with": ["abcdef", "bc"]}"#, "false"),
        (#"{"starts_with": ["abc", "abcd"]}"#, "false"), (#"{"starts_with": ["abc", ""]}"#, "true"),
        (#"{"starts_with": ["", ""]}"#, "true"), (#"{"starts_with": ["Abc", "abc"]}"#, "false"),
        (#"{"starts_with": ["\u00e9t\u00e9", "e"]}"#, "false"),
        (#"{"starts_with": ["\u00e9t\u00e9", "e\u0301"]}"#, "false"), (#"{"starts_with": ["e\u0301t", "e"]}"#, "true"),
        (#"{"ends_with": ["uvwxyz", "xyz"]}"#, "true"), (#"{"ends_with": ["uvwxyz", "xy"]}"#, "false"),
        (#"{"ends_with": ["z", "xyz"]}"#, "false"), (#"{"ends_with": ["abc", ""]}"#, "true"),
        (#"{"starts_with": [123, "1"]}"#, "null"), (#"{"starts_with": ["1", 1]}"#, "null"),
        (#"{"ends_with": [null, "a"]}"#, "null"), (#"{"ends_with": [true, "e"]}"#, "null"),
        (#"{"ends_with": [["a"], "a"]}"#, "null"), (#"{"starts_with": ["a"]}"#, "null"),
        (#"{"starts_with": ["a", "a", "a"]}"#, "null"), (#"{"starts_with": "a"}"#, "null"),
        (#"{"starts_with": []}"#, "null"), (#"{"ends_with": {"var": "pair"}}"#, "true"),
    ])
    func gives(rule: String, expected: String) {
        #expect(evaluate(rule, #"{"all": ["1.2.0", ">", "1.1"], "pair": ["xa", "a"]}"#) == expected)
    }

    @Test(arguments: [
        (#""abcdef""#, #""prefix" TARGETING_MATCH"#), (#""uvwxyz""#, #""postfix" TARGETING_MATCH"#),
        (#""abcxyz""#, #""prefix" TARGETING_MATCH"#), (#""lmnopq""#, #""none" TARGETING_MATCH"#),
    ])
    func choosesByAffix(id: String, expected: String) {
        let file = FlagFile.oneFlag(
            #"""
            {"if": [{"starts_with": [{"var": "id"}, "abc"]}, "prefix", {"ends_with": [{"var": "id"}, "xyz"]}, "postfix", "none"]}
            """#, variants: ["prefix", "postfix", "none"], default: "none")
        #expect(file.evaluate("flag", "{\"id\": \(id)}") == expected)
    }

    /// A comparison that fails is null and not false, which would be the name of a variant.
    @Test(arguments: [
        #"{"starts_with": [{"var": "id"}, "abc"]}"#, #"{"ends_with": [{"var": "id"}, "abc"]}"#,
        #"{"sem_ver": [{"var": "id"}, ">", "x"]}"#, #"{"fractional": [{"var": "id"}, ["true", 1]]}"#,
    ])
    func failsIntoTheDefault(rule: String) {
        let file = FlagFile.oneFlag(rule, variants: ["true", "false"], default: "true")
        #expect(file.evaluate("flag", #"{"id": 123}"#) == #""true" DEFAULT"#)
    }
}
