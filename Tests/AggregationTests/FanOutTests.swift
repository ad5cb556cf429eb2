import ByteBuffers
import JSON
import Testing

@testable import Aggregation

/// A part that is asked for many values.
func each(
    _ name: String, _ values: String, _ path: String, optional: Bool = false, default value: JSONValue = .null,
    pick: String = "", into: String? = nil, limit: Int = 50, concurrency: Int = 8
) -> AggregateDefinition.Part {
    var made = part(name, path, optional: optional, default: value, pick: pick)
    made.fanOut = AggregateDefinition.FanOut(values: values, isBatch: false)
    made.fanOut?.limit = limit
    made.fanOut?.concurrency = concurrency
    made.into = into
    return made
}

/// A part that is asked once for many values.
func batch(
    _ name: String, _ values: String, _ path: String, optional: Bool = false, default value: JSONValue = .null,
    pick: String = "", into: String? = nil, key: [String] = ["id"], limit: Int = 50
) -> AggregateDefinition.Part {
    var made = part(name, path, optional: optional, default: value, pick: pick)
    made.fanOut = AggregateDefinition.FanOut(values: values, isBatch: true)
    made.fanOut?.key = JSONPointer(key)
    made.fanOut?.limit = limit
    made.into = into
    return made
}

@Suite struct FanOutTests {
    private static let tasks =
        #"{"items":[{"id":1,"by":7},{"id":2,"by":"x y"},{"id":3,"by":7},{"id":4},{"id":5,"by":null}]}"#

    @Test func oneCallForEachDistinctValueInOrder() throws {
        var fixture = try RunFixture(
            definition(part("tasks", "/tasks"), each("users", "tasks.items[*].by", "/users/{each}?q={each}")))
        expect(fixture.actions(), [.start(0)])
        fixture.answer(0, Self.tasks)
        expect(fixture.actions(), [.start(2), .start(3)])
        expect(fixture.target(2), "/users/7?q=7")
        expect(fixture.target(3), "/users/x%20y?q=x%20y")
        fixture.answer(3, #"{"n":"b"}"#)
        expect(fixture.outcome, nil)
        fixture.answer(2, #"{"n": 1.0}"#)
        expect(fixture.outcome, .view(isPartial: false))
        expect(fixture.view(), #"{"tasks":\#(Self.tasks),"users":{"7":{"n": 1.0},"x y":{"n":"b"}}}"#)
    }

    @Test func noMoreThanSoManyAtATime() throws {
        let list = "[" + (1...7).map { "{\"u\":\($0)}" }.joined(separator: ",") + "]"
        var fixture = try RunFixture(
            definition(part("a", "/a"), each("b", "a[*].u", "/b/{each}", into: "a[*].b", concurrency: 3)))
        _ = fixture.actions()
        fixture.answer(0, list)
        expect(fixture.actions(), [.start(2), .start(3), .start(4)])
        fixture.answer(3, "20")
        expect(fixture.actions(), [.start(5)])
        fixture.answer(2, "10")
        fixture.answer(4, "30")
        expect(fixture.actions(), [.start(6), .start(7)])
        for call in 5...7 { fixture.answer(call, "\(call)0") }
        expect(fixture.actions(), [.start(8)])
        fixture.answer(8, "80")
        let expected = zip(1...7, [10, 20, 30, 50, 60, 70, 80]).map { "{\"u\":\($0),\"b\":\($1)}" }
        expect(fixture.view(), "{\"a\":[\(expected.joined(separator: ","))]}")
    }

    @Test func aBatchAsksOnceAndIsJoined() throws {
        var fixture = try RunFixture(
            definition(
                part("tasks", "/tasks"),
                batch(
                    "users", "tasks.items[*].by", "/users?ids={each,}", optional: true, pick: "/items",
                    into: "tasks.items[*].user")))
        _ = fixture.actions()
        fixture.answer(0, Self.tasks)
        expect(fixture.actions(), [.start(1)])
        expect(fixture.target(1), "/users?ids=7,x%20y")
        fixture.answer(1, #"{"items":[{"id":"x y","n":2},{"n":9},{"id":8},{"id": 7.0},{"id":7,"n":1},{"id":7,"n":3}]}"#)
        expect(fixture.outcome, .view(isPartial: false))
        expect(
            fixture.view(),
            #"{"tasks":{"items":[{"id":1,"by":7,"user":{"id":7,"n":1}},{"id":2,"by":"x y","user":{"id":"x y","n":2}},"#
                + #"{"id":3,"by":7,"user":{"id":7,"n":1}},{"id":4,"user":null},{"id":5,"by":null,"user":null}]}}"#)
    }

    @Test func anObjectAnswersABatchByItsNames() throws {
        var fixture = try RunFixture(
            definition(part("a", "/a"), batch("b", "a[*]", "/b?ids={each,}", optional: true, default: .integer(0))))
        fixture.answer(0, #"["p", "q\u00e9", 3]"#)
        expect(fixture.target(1), "/b?ids=p,q%C3%A9,3")
        fixture.answer(1, #"{"q\u00e9":[1, 2],"p":{}}"#)
        expect(fixture.outcome, .view(isPartial: true))
        expect(fixture.view(), #"{"a":["p", "q\u00e9", 3],"b":{"p":{},"qé":[1, 2],"3":0}}"#)
        expect(fixture.composer.partial().text, "b;reason=missing_value;values=1")
    }

    @Test func aBatchInABodyIsAnArrayOfTheValues() throws {
        var users = batch("b", "a[*]", "/b")
        users.method = "POST"
        users.body = .object([.init(name: "ids", value: .string("{each,}"))])
        var fixture = try RunFixture(definition(part("a", "/a"), users))
        fixture.answer(0, #"[1.50, "x\"y", 1.50]"#)
        #expect(fixture.run.body(of: 1).text == #"{"ids":[1.50,"x\"y"]}"#)
    }

    /// A name that ends in the separator, or a value with a comma, does not become two values.
    @Test func valuesStaySeparate() throws {
        var fixture = try RunFixture(definition(part("a", "/a"), batch("b", "a[*]", "/b?ids={each,}", optional: true)))
        fixture.answer(0, #"["1,2", "../x", "a&b=c#d", "\u0000"]"#)
        // NUL has no place in a path, and one call asks for all.
        expect(fixture.run.failure(of: 1), PartFailure(.badInput))
        var other = try RunFixture(definition(part("a", "/a"), batch("b", "a[*]", "/b?ids={each,}", optional: true)))
        other.answer(0, #"["1,2", "../x", "a&b=c#d"]"#)
        expect(other.target(1), "/b?ids=1%2C2,..%2Fx,a%26b%3Dc%23d")
    }

    @Test func nothingToAskForIsNoCall() throws {
        for list in ["[]", "{}", "7", "null", #"[{"u":null},{"u":{}},{"u":[]},{"u":""},{"u":true},{}]"#] {
            var fixture = try RunFixture(definition(part("a", "/a"), each("b", "a[*].u", "/b/{each}")))
            fixture.answer(0, list)
            expect(fixture.outcome, .view(isPartial: false))
            expect(fixture.view(), "{\"a\":\(list),\"b\":{}}")
        }
    }

    @Test func valuesOfAnOptionalPartFailOneByOne() throws {
        var view = definition(
            part("a", "/a"), each("b", "a[*].u", "/b/{each}", optional: true, default: .bool(false), into: "a[*].b"))
        view.namesErrors = true
        var fixture = try RunFixture(view)
        fixture.answer(0, #"[{"u":1},{"u":2},{"u":3},{"u":".."}]"#)
        expect(fixture.actions(), [.start(0), .start(2), .start(3), .start(4)])
        fixture.run.answerBegan(3, status: 404)
        expect(fixture.actions(), [.cancel(3)])
        fixture.run.partFailed(4, PartFailure(.connectFailed))
        fixture.answer(2, "1")
        expect(fixture.outcome, .view(isPartial: true))
        expect(
            fixture.view(),
            #"{"a":[{"u":1,"b":1},{"u":2,"b":false},{"u":3,"b":false},{"u":"..","b":false}],"_errors":{"b":{"#
                + #""reason":"bad_input","values":{"2":{"reason":"bad_status","status":404},"3":{"reason":"connect_failed"},"#
                + #""..":{"reason":"bad_input"}}}}}"#)
        expect(fixture.composer.partial().text, "b;reason=bad_input;values=3")
        expect(fixture.composer.cacheControl().text, "no-store")
    }

    /// Whether one call for all fails or one for each, what the view shows is the same.
    @Test func aBatchThatFailsOwesEachOfItsValues() throws {
        var view = definition(
            part("a", "/a"), batch("b", "a[*].u", "/b?ids={each,}", optional: true, default: .integer(0)),
            each("c", "b[*].x", "/c/{each}"))
        view.namesErrors = true
        let expected =
            #"{"a":[{"u":1},{"u":2}],"b":{"1":0,"2":0},"c":{},"_errors":{"b":{"reason":"bad_status","status":503,"#
            + #""values":{"1":{"reason":"bad_status","status":503},"2":{"reason":"bad_status","status":503}}}}}"#
        var fixture = try RunFixture(view)
        fixture.answer(0, #"[{"u":1},{"u":2}]"#)
        expect(fixture.actions(), [.start(0), .start(1)])
        fixture.run.answerBegan(1, status: 503)
        expect(fixture.actions(), [.cancel(1), .finished])
        expect(fixture.view(), expected)
        expect(fixture.composer.partial().text, "b;reason=bad_status;status=503;values=2")

        fixture = try RunFixture(view)
        fixture.answer(0, #"[{"u":1},{"u":"\u0000"}]"#)
        expect(fixture.actions(), [.start(0), .finished])
        _ = fixture.view()
        expect(fixture.composer.partial().text, "b;reason=bad_input;values=2")
    }

    @Test(arguments: [(404, 502), (410, 502), (401, 401), (403, 403), (500, 502)] as [(UInt16, UInt16)])
    func aValueOfARequiredPartFailsTheView(_ status: UInt16, _ expected: UInt16) throws {
        var fixture = try RunFixture(definition(part("a", "/a"), each("b", "a[*]", "/b/{each}")))
        fixture.answer(0, "[1,2,3]")
        _ = fixture.actions()
        fixture.run.answerBegan(3, status: status)
        expect(fixture.actions(), [.cancel(3), .cancel(2), .cancel(4), .finished])
        expect(fixture.outcome, .failed(status: expected, part: 1, PartFailure(.badStatus, status: status)))
    }

    @Test func moreValuesThanMayBe() throws {
        var fixture = try RunFixture(
            definition(part("a", "/a"), each("b", "a[*]", "/b/{each}", optional: true, limit: 2)))
        fixture.answer(0, "[1,1,2,2,3,4]")
        expect(fixture.actions(), [.start(0), .start(2), .start(3)])
        fixture.answer(2, "1")
        fixture.answer(3, "2")
        expect(fixture.view(), #"{"a":[1,1,2,2,3,4],"b":{"1":1,"2":2}}"#)
        expect(fixture.composer.partial().text, "b;reason=too_many_values")
        var required = try RunFixture(definition(part("a", "/a"), each("b", "a[*]", "/b/{each}", limit: 2)))
        required.answer(0, "[1,2,3]")
        expect(required.outcome, .failed(status: 502, part: 1, PartFailure(.tooManyValues)))
    }

    @Test func whatWasAnsweredInTimeStays() throws {
        var fixture = try RunFixture(
            definition(part("a", "/a"), each("b", "a[*]", "/b/{each}", optional: true, concurrency: 2)))
        fixture.answer(0, "[1,2,3]")
        _ = fixture.actions()
        fixture.answer(2, "1")
        _ = fixture.actions()
        fixture.run.viewTimedOut()
        expect(fixture.actions(), [.cancel(3), .cancel(4), .finished])
        expect(fixture.view(), #"{"a":[1,2,3],"b":{"1":1,"2":null,"3":null}}"#)
        expect(fixture.composer.partial().text, "b;reason=timeout;values=2")
    }

    @Test func fanOutsStandOnEachOther() throws {
        var fixture = try RunFixture(
            definition(
                part("tasks", "/tasks", pick: "/items"),
                batch("users", "tasks.items[*].by", "/users?ids={each,}", into: "tasks.items[*].user"),
                each("orgs", "users[*].org", "/orgs/{each}", into: "users[*].org_of"),
                each("countries", "orgs[*].at.country", "/countries/{each}", optional: true, into: "orgs[*].at.of")))
        _ = fixture.actions()
        fixture.answer(0, #"{"items":[{"by":1},{"by":2},{"by":3}]}"#)
        fixture.answer(1, #"[{"id":1,"org":"o"},{"id":2,"org":"p"},{"id":3,"org":"o"}]"#)
        expect(fixture.actions(), [.start(1), .start(4), .start(5)])
        expect(fixture.target(4), "/orgs/o")
        fixture.answer(4, #"{"at":{"country":"ch"}}"#)
        fixture.answer(5, #"{"at":{"country":"ch"}}"#)
        expect(fixture.actions(), [.start(6)])
        fixture.answer(6, #""Switzerland""#)
        let org = #"{"at":{"country":"ch","of":"Switzerland"}}"#
        expect(
            fixture.view(),
            #"{"tasks":[{"by":1,"user":{"id":1,"org":"o","org_of":\#(org)}},{"by":2,"user":{"id":2,"org":"p","org_of":\#(org)}},"#
                + #"{"by":3,"user":{"id":3,"org":"o","org_of":\#(org)}}]}"#)
    }

    /// What stays of an element and what is put into it are said by different keys, and hold together.
    @Test func fieldsAndJoinsMeetInOneObject() throws {
        var list = part("a", "/a", pick: "/l")
        list.members = .only(["id"])
        var fixture = try RunFixture(
            definition(list, batch("b", "a.l[*].u", "/b?ids={each,}", into: "a.l[*].b")))
        fixture.answer(0, #"{"l":[{"id":1,"u":5,"x":2},{"id":2,"u":6}]}"#)
        fixture.answer(1, #"[{"id":5},{"id":6}]"#)
        expect(fixture.view(), #"{"a":[{"id":1,"b":{"id":5}},{"id":2,"b":{"id":6}}]}"#)
    }

    @Test func onePartIntoAnother() throws {
        var user = part("user", "/users/{task.by}")
        user.into = "task.meta.by"
        var fixture = try RunFixture(definition(part("task", "/t"), user))
        fixture.answer(0, #"{ "meta" : { "a":1, "by" : "x", "b":2 }, "by" : 7 }"#)
        fixture.answer(1, #"{"n":1}"#)
        expect(fixture.view(), #"{"task":{"meta":{"a":1,"by":{"n":1},"b":2},"by" : 7}}"#)
    }

    @Test func fieldsReachIntoValues() throws {
        let cases: [(AggregateDefinition.Members, String, String)] = [
            (
                .only(["/items/*/id", "total", "/items/*/by/n"]),
                #"{"items":[{"id":1,"x":2,"by":{"n":3,"m":4}},7,{}],"total":9,"more":1}"#,
                #"{"items":[{"id":1,"by":{"n":3}},7,{}],"total":9}"#
            ),
            (
                .allBut(["/items/*/secret", "/a/b"]), #"{"items":[{"secret":1,"id":2},[1]],"a":{"b":1,"c":2}}"#,
                #"{"items":[{"id":2},[1]],"a":{"c":2}}"#
            ),
            (
                .allBut(["/*/x"]), #"{"a":{"x":1,"y":2},"b":[{"x":1}],"c":{"x":3}}"#,
                #"{"a":{"y":2},"b":[{"x":1}],"c":{}}"#
            ),
            (
                .allBut(["/*/x", "/a/y"]), #"{"a":{"x":1,"y":2,"z":3},"c":{"x":3,"y":4}}"#,
                #"{"a":{"z":3},"c":{"y":4}}"#
            ),
            (.only(["/*/id"]), #"[{"id":1,"x":2},{"x":2}]"#, #"[{"id":1},{}]"#),
        ]
        for (members, body, expected) in cases {
            var fixture = try RunFixture(definition(part("p", "/", members: members)))
            fixture.answer(0, body)
            expect(fixture.view(), "{\"p\":\(expected)}")
        }
    }

    /// Answers of a few bytes must not make a view of gigabytes.
    @Test func aViewIsBounded() throws {
        let text = String(repeating: "x", count: 100_000)
        var fixture = try RunFixture(
            definition(part("a", "/a"), batch("b", "a[*].u", "/b?ids={each,}", into: "a[*].b")))
        fixture.answer(0, "[" + Array(repeating: "{\"u\":1}", count: 1_000).joined(separator: ",") + "]")
        fixture.answer(1, "[{\"id\":1,\"text\":\"\(text)\"}]")
        var body = ByteBuffer()
        let obstacle = fixture.composer.compose(fixture.run, into: &body)
        expect(obstacle, .tooLarge)
        #expect(body.count < ViewWriter.maximumSize + 200_000)
    }

    @Test func allAnswersTogetherAreBounded() throws {
        var fixture = try RunFixture(
            definition(part("a", "/a"), each("b", "a[*]", "/b/{each}", optional: true, concurrency: 64)))
        fixture.answer(0, "[" + (1...10).map { "\($0)" }.joined(separator: ",") + "]")
        let large = "\"" + String(repeating: "x", count: 7 << 20) + "\""
        for call in 2...11 { fixture.answer(call, large) }
        expect(fixture.run.missingValues(of: 1), 6)
        expect(fixture.run.failure(of: 1), PartFailure(.tooLarge))
    }

    @Test(arguments: [
        (each("b", "c[*].u", "/{each}"), "b each: there is no part \"c\", did you mean \"a\"?"),
        (
            each("b", "a.u", "/{each}"),
            "b each: a.u is one value: write [*] where there are many, or use {…} in \"get\""
        ),
        (each("b", "b[*]", "/{each}"), "b path: the part \"b\" waits for its own answer"),
        (each("b", "a[*", "/{each}"), "b each: at 1: \"[\" without \"]\" behind it in \"a[*\""),
        (each("b", "a[x]", "/{each}"), "b each: at 1: expected [*] or the number of an element in \"a[x]\""),
        (each("b", "a[*]u", "/{each}"), "b each: at 4: expected \".\" or \"[\" in \"a[*]u\""),
        (each("b", "a..u[*]", "/{each}"), "b each: at 2: expected a name in \"a..u[*]\""),
        (each("b", "a[*]", "/b"), "b each: every call would be the same: write {each} where the values belong"),
        (
            each("b", "a[*]", "/{each,}"),
            "b path: at 1: a part with \"each\" asks for one value at a time: write {each}"
        ),
        (
            batch("b", "a[*]", "/{each}"),
            "b path: at 1: a part with \"batch\" asks for all values at once: write {each,}"
        ),
        (part("b", "/{each}"), "b path: at 1: {each} needs a part with \"each\" or \"batch\""),
        (each("b", "a[*]", "/{each}", limit: 501), "b maxFanOut: expected 1 to 500 values, found 501"),
        (each("b", "a[*]", "/{each}", concurrency: 0), "b concurrency: expected 1 to 64 calls at a time, found 0"),
        (each("b", "a[*].u", "/{each}", into: "x.y"), "b into: there is no part \"x\", did you mean \"a\"?"),
        (each("b", "a[*].u", "/{each}", into: "b[*].y"), "b into: a part cannot be put into itself"),
        (each("b", "a[*].u", "/{each}", into: "a"), "b into: expected the name of a member at the end of \"a\""),
        (each("b", "a[*].u", "/{each}", into: "a[*]"), "b into: expected the name of a member at the end of \"a[*]\""),
        (
            each("b", "a[*].u", "/{each}", into: "a.x[*].y"),
            "b into: it has to stand beside the values that are asked for, a[*].u"
        ),
        (
            each("b", "a[*].l[*].u", "/{each}", into: "a[*].y"),
            "b into: it has to stand beside the values that are asked for, a[*].l[*].u"
        ),
    ])
    func mistakes(_ wrong: AggregateDefinition.Part, _ message: String) {
        let found: [String]
        do throws(AggregateRejection) {
            _ = try AggregatePlan(definition(part("a", "/a"), wrong))
            found = []
        } catch {
            found = error.issues.map { "\($0.part ?? "-") \($0.key): \($0.message)" }
        }
        #expect(found == [message])
    }

    @Test func partsThatArePutIntoEachOther() {
        var first = part("a", "/a")
        first.into = "b.x"
        var second = part("b", "/b")
        second.into = "a.x"
        #expect(throws: AggregateRejection.self) { try AggregatePlan(definition(first, second)) }
        var outside = part("b", "/b")
        outside.into = "a.meta.x"
        #expect(throws: AggregateRejection.self) {
            try AggregatePlan(definition(part("a", "/a", pick: "/data"), outside))
        }
        let chain = [
            part("a", "/a"), each("b", "a[*]", "/{each}"), each("c", "b[*].x", "/{each}"),
            each("d", "c[*].x", "/{each}"), each("e", "d[*].x", "/{each}"),
        ]
        #expect(throws: AggregateRejection.self) { try AggregatePlan(AggregateDefinition(parts: chain)) }
        #expect(throws: Never.self) { try AggregatePlan(AggregateDefinition(parts: Array(chain.dropLast()))) }
    }
}
