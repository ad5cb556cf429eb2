import ByteBuffers
import JSON
import Testing

@testable import FeatureFlags

@Suite struct AttributeTests {
    @Test(
        arguments: [
            ("targetingKey", .targetingKey, ""), ("user", .user, ""), ("method", .method, ""), ("path", .path, ""),
            ("host", .host, ""), ("route", .route, ""), ("ip", .ip, ""), ("client.ip", .ip, ""),
            ("headers.x-role", .header, "x-role"), ("header.x-role", .header, "x-role"),
            ("headers.a.b", .header, "a.b"), ("cookies.side", .cookie, "side"), ("query.Beta", .query, "Beta"),
            ("claims.org.role", .claim, "org.role"), ("$flagd", .flagd, ""), ("$flagd.flagKey", .flagKey, ""),
            ("$flagd.timestamp", .timestamp, ""), ("$flagd.other", .other, "$flagd.other"), ("", .everything, ""),
            ("headers", .other, "headers"), ("headers.", .other, "headers."), ("email", .other, "email"),
            ("client", .other, "client"), ("client.ip.x", .other, "client.ip.x"), (".", .other, "."),
            ("User", .other, "User"), ("user.name", .other, "user.name"),
        ] as [(String, Attribute.Kind, String)])
    func resolves(path: String, kind: Attribute.Kind, name: String) {
        let resolved = Attribute.resolve(Array(path.utf8).span)
        #expect(resolved.kind == kind)
        #expect(String(decoding: path.utf8.dropFirst(resolved.nameStart), as: UTF8.self) == name)
    }
}

@Suite struct EvaluationContextTests {
    private var request: AttributeContext {
        AttributeContext([
            (.targetingKey, "", "u1"), (.user, "", "ann"), (.method, "", "GET"), (.path, "", "/tasks/1"),
            (.host, "", "api.example.com"), (.route, "", "tasks"), (.ip, "", "192.0.2.7"), (.header, "x-role", "staff"),
            (.header, "x-empty", ""), (.cookie, "Side", "new"), (.query, "beta", "1"), (.claim, "org.role", "admin"),
            (.other, "tenant", "t1"),
        ])
    }

    @Test(arguments: [
        (#"{"var": "targetingKey"}"#, #""u1""#), (#"{"var": "user"}"#, #""ann""#), (#"{"var": "method"}"#, #""GET""#),
        (#"{"var": "path"}"#, #""/tasks/1""#), (#"{"var": "host"}"#, #""api.example.com""#),
        (#"{"var": "route"}"#, #""tasks""#), (#"{"var": "ip"}"#, #""192.0.2.7""#),
        (#"{"var": "client.ip"}"#, #""192.0.2.7""#), (#"{"var": "headers.x-role"}"#, #""staff""#),
        (#"{"var": "headers.X-Role"}"#, #""staff""#), (#"{"var": "header.x-role"}"#, #""staff""#),
        (#"{"var": "headers.x-empty"}"#, #""""#), (#"{"var": ["headers.x-empty", "d"]}"#, #""""#),
        (#"{"var": ["headers.x-none", "d"]}"#, #""d""#), (#"{"var": "headers.x-none"}"#, "null"),
        (#"{"var": "cookies.Side"}"#, #""new""#), (#"{"var": "cookies.side"}"#, "null"),
        (#"{"var": "query.beta"}"#, #""1""#), (#"{"==": [{"var": "query.beta"}, 1]}"#, "true"),
        (#"{"var": "claims.org.role"}"#, #""admin""#), (#"{"var": "tenant"}"#, #""t1""#),
        (#"{"var": {"cat": ["headers.", "X-", "ROLE"]}}"#, #""staff""#),
        (#"{"var": {"cat": ["ten", "ant"]}}"#, #""t1""#),
        (#"{"var": [{"cat": ["headers.", "none"]}, 4]}"#, "4"),
        (#"{"var": {"cat": ["$flagd.", "flagKey"]}}"#, #""flag""#),
        (#"{"var": "$flagd.flagKey"}"#, #""flag""#), (#"{"var": "$flagd.timestamp"}"#, "99"),
        (#"{"var": "$flagd"}"#, #"{"flagKey": "flag", "timestamp": 99}"#), (#"{"var": ""}"#, "null"),
        (#"{"var": "headers"}"#, "null"),
        (
            #"{"missing": ["user", "headers.x-empty", "headers.x-none", "email"]}"#,
            #"["headers.x-empty", "headers.x-none", "email"]"#
        ),
        (#"{"missing_some": [1, ["email", "user"]]}"#, "[]"),
        (#"{"map": [[1], {"var": "user"}]}"#, "[null]"),
        (#"{"cat": [{"var": "user"}, "/", {"var": "path"}, "/", {"var": "user"}]}"#, #""ann//tasks/1/ann""#),
    ])
    func readsAttributes(rule: String, expected: String) {
        var runner = RuleRunner()
        #expect(runner.run(json(rule), request, now: 99) == expected)
    }

    /// A context that appends something and then says that there was nothing, or that writes nothing and says there was.
    @Test func survivesContradictoryContexts() {
        final class Undecided: EvaluationContext {
            override func read(_ attribute: Attribute, into scratch: inout ByteBuffer) -> Bool {
                if attribute.kind == .user {
                    scratch.append("half")
                    return false
                }
                return true
            }
        }
        var runner = RuleRunner()
        let rule = json(#"[{"var": ["user", "none"]}, {"var": "path"}, {"cat": [{"var": "host"}, "x"]}]"#)
        #expect(runner.run(rule, Undecided()) == #"["none", "", "x"]"#)
    }

    /// Header values may hold any bytes; no operator may trip over them.
    @Test func takesBytesThatAreNoUTF8() {
        final class Raw: EvaluationContext {
            override func read(_ attribute: Attribute, into scratch: inout ByteBuffer) -> Bool {
                for byte: UInt8 in [0xFF, 0x61, 0xC3, 0xF0, 0x9F, 0x98] { scratch.append(byte) }
                return true
            }
        }
        var runner = RuleRunner()
        let value = #"{"var": "headers.x"}"#
        for (rule, expected) in [
            (#"{"substr": [\#(value), 1, 1]}"#, #""a""#), (#"{"in": ["a", \#(value)]}"#, "true"),
            (#"{"+": [\#(value), 1]}"#, "NaN"), (#"{"==": [\#(value), 1]}"#, "false"),
            (#"{">": [\#(value), "a"]}"#, "true"),
            (#"{"starts_with": [\#(value), "a"]}"#, "false"), (#"{"sem_ver": [\#(value), "=", "1.0.0"]}"#, "null"),
            (#"{"fractional": [\#(value), ["x"]]}"#, #""x""#), (#"{"!!": [\#(value)]}"#, "true"),
            (#"{"substr": [\#(value), -1]}"#, "\"\\ufffd\""),
        ] {
            #expect(runner.run(json(rule), Raw()) == expected, "\(rule)")
        }
    }

    @Test func replacesForgedProperties() {
        #expect(evaluate(#"{"var": "$flagd"}"#, #"{"$flagd": 5}"#, now: 7) == #"{"flagKey": "flag", "timestamp": 7}"#)
        #expect(
            evaluate(#"{"var": ""}"#, #"{"$flagd": 5, "a": 1}"#, now: 7)
                == #"{"a": 1, "$flagd": {"flagKey": "flag", "timestamp": 7}}"#)
        #expect(evaluate(#"{"var": "$flagd.flagKey"}"#, "null") == #""flag""#)
    }

    /// Attributes are read when a rule gets to them and not before.
    @Test func asksOnlyForWhatItNeeds() {
        let context = AttributeContext([(.user, "", "ann")])
        var runner = RuleRunner()
        _ = runner.run(json(#"{"if": [{"var": "user"}, "a", {"var": "headers.x"}]}"#), context)
        #expect(context.reads == 1)
    }
}
