import JSON
import Testing

@testable import Aggregation

/// Shorthand for parts in tests.
func part(
    _ name: String, _ path: String, optional: Bool = false, default value: JSONValue = .null, pick: String = "",
    members: AggregateDefinition.Members = .all
) -> AggregateDefinition.Part {
    var part = AggregateDefinition.Part(name: name, target: 0, path: path)
    part.isOptional = optional
    part.defaultValue = value
    part.pick = JSONPointer(parsing: pick) ?? JSONPointer(["?"])
    part.members = members
    return part
}

func definition(_ parts: AggregateDefinition.Part...) -> AggregateDefinition {
    var definition = AggregateDefinition(parts: parts)
    definition.pathParameters = [.init(name: "task_id")]
    return definition
}

/// What is wrong with a definition: the part, the key, and why.
func issues(_ definition: AggregateDefinition) -> [String] {
    do throws(AggregateRejection) {
        _ = try AggregatePlan(definition)
        return []
    } catch {
        return error.issues.map { "\($0.part ?? "-") \($0.key): \($0.message)" }
    }
}

@Suite struct AggregatePlanTests {
    @Test func theShippedExample() throws {
        let plan = try AggregatePlan(
            definition(
                part("task", "/tasks/{task_id}"), part("user", "/users/{task.user_id}", optional: true),
                part("comments", "/tasks/{task_id}/comments", optional: true, default: .array([]))))
        #expect(plan.stages == [[0, 2], [1]])
        #expect(plan.longestChain == [0, 1])
        #expect(plan.waits(of: 0) == [])
        #expect(plan.waits(of: 1) == [0])
        #expect(plan.parts.map(\.pathHoldsInput) == [true, false, true])
        #expect(plan.inputs.count == 1)
        #expect(plan.parts.map(\.indexedDepth) == [1, 0, 0])
    }

    @Test func stagesAndChains() throws {
        let plan = try AggregatePlan(
            definition(
                part("e", "/{d.x}/{b.x}"), part("d", "/{c.x}"), part("c", "/{a.x}"), part("b", "/b"), part("a", "/a"),
                part("f", "/{b.x.y.z}")))
        #expect(plan.stages == [[3, 4], [2, 5], [1], [0]])
        #expect(plan.longestChain.map { plan.parts[$0].name } == ["a", "c", "d", "e"])
        #expect(plan.parts[3].indexedDepth == 3)
    }

    @Test(arguments: [
        (["/{b.x}", "/{a.x}"], ["a path: parts wait for each other: a → b → a"]),
        (["/{b.x}", "/{c.x}", "/{a.x}"], ["a path: parts wait for each other: a → b → c → a"]),
        (["/{c.x}", "/{a.x}", "/{b.x}"], ["a path: parts wait for each other: a → c → b → a"]),
        (["/{b.x}", "/{c.x}", "/{d.x}", "/{c.x}"], ["c path: parts wait for each other: c → d → c"]),
        (
            ["/{b.x}", "/{a.x}", "/{d.x}", "/{c.x}"],
            [
                "a path: parts wait for each other: a → b → a", "c path: parts wait for each other: c → d → c",
            ]
        ),
        (["/{a.x}"], ["a path: the part \"a\" waits for its own answer"]), (["/{b.x}", "/{c.x}", "/x"], []),
    ])
    func cycles(_ paths: [String], _ expected: [String]) {
        var definition = AggregateDefinition(
            parts: zip(["a", "b", "c", "d"], paths).map { part($0, $1) })
        definition.pathParameters = []
        #expect(issues(definition) == expected)
    }

    @Test func aCycleThroughHeadersAndBodies() {
        var first = part("a", "/a")
        first.headers = [.init(name: "X-B", value: "{b.x}")]
        var second = part("b", "/b")
        second.method = "POST"
        second.body = .object([JSONMember(name: "x", value: .string("{a.x}"))])
        #expect(issues(definition(first, second)) == ["a path: parts wait for each other: a → b → a"])
    }

    @Test func everythingThatIsWrongIsReported() {
        var call = part("call", "/{tsk.id}")
        call.method = "HE AD"
        call.headers = [
            .init(name: "Host", value: "x"), .init(name: "X-A", value: "a\nb"), .init(name: "x-a", value: "1"),
            .init(name: "b@d", value: ""), .init(name: "X-Forwarded-For", value: "1"),
        ]
        call.timeout = 0
        call.defaultValue = .integer(1)
        call.members = .only(["a", "b", "a"])
        var body = part("content", "/x")
        body.body = .string("{nope}")
        var head = part("head", "/x")
        head.method = "HEAD"
        let found = issues(
            definition(
                part("task", "no/slash"), call, part("task", "/"), body, head, part("query", "/"), part("a.b", "/")))
        #expect(
            found == [
                #"task name: there is a part "task" already"#,
                #"query name: a part cannot be called "query": templates use that name for the request"#,
                "a.b name: the name of a part cannot have dots, braces and brackets: templates could not say it",
                #"task path: at 0: expected "/" at the beginning of the path"#,
                #"call method: "HE AD" is no method"#,
                #"call members: "a" stands here twice"#,
                #"call path: at 1: {tsk.id} refers to a part "tsk" that is not there, did you mean "task"?"#,
                #"call headers: "Host" is set by the gateway alone"#,
                #"call headers: "X-A" stands here twice"#,
                "call headers: at 1: control character in a header field",
                #"call headers: "x-a" stands here twice"#,
                #"call headers: "b@d" is no name of a header field"#,
                #"call headers: "X-Forwarded-For" is set by the gateway alone"#,
                "call default: a default needs an optional part: a failed required part fails the whole view",
                "call timeout: a timeout must be longer than nothing",
                "content body: a GET request has no body",
                "content body: at 0: {nope} is neither a parameter of the path nor a part",
                "head method: the answer to HEAD is no JSON value",
            ])
    }

    /// What could be configured, and would never do what it says.
    @Test func whatNeverWorksIsRefused() {
        var users = part("users", "/users/{each}")
        users.fanOut = AggregateDefinition.FanOut(values: "tasks[*].user_id", isBatch: false)
        var many = users
        many.path = "/users?ids={each,}"
        many.fanOut?.isBatch = true
        let tasks = part("tasks", "/tasks")
        let message =
            #""users" is asked once for each of many values, and none of its answers is the one that {users…} could mean: "#
            + #"go through them with "each" or "batch" and users[*]"#
        #expect(issues(definition(tasks, users, part("x", "/{users.1.name}"))) == ["x path: \(message)"])
        var field = part("x", "/x")
        field.headers = [.init(name: "X-A", value: "{users.1.name}")]
        #expect(issues(definition(tasks, users, field)) == ["x headers: \(message)"])
        var body = part("x", "/x")
        body.method = "POST"
        body.body = .array([.string("{users}")])
        #expect(issues(definition(tasks, users, body)) == ["x body: \(message)"])
        var through = part("x", "/{each}")
        through.fanOut = AggregateDefinition.FanOut(values: "users[*].id", isBatch: false)
        #expect(issues(definition(tasks, users, through)) == [])
        #expect(issues(definition(tasks, many, part("x", "/{users.items.0}"))) == [], "one answer for all")

        var merged = part("m", "/m", optional: true, default: .array([]))
        merged.isMerged = true
        #expect(
            issues(definition(merged))
                == ["m default: \"merge\" makes the members of the default members of the view: expected an object"])

        var text = definition(tasks, users)
        text.output = .object([
            JSONMember(name: "t", value: .string("{tasks}")), JSONMember(name: "u", value: .string("all: {users}")),
        ])
        #expect(
            issues(text) == [
                #"- output: "users" has many values: {users} is an object of them, which has no text and must stand alone"#
            ])
    }

    @Test(arguments: [
        ("{task.title}", false), ("{task.owner.id}", false), ("{task.owner.name}", false), ("x {task}", false),
        ("{task.other}", false), ("{task}", true), ("{task.owner}", true), ("{name}", true),
    ])
    func whatIsPutWhereTheOutputDoesNotLookIsRefused(_ output: String, _ isShown: Bool) {
        var name = part("name", "/n")
        name.into = "task.owner.name"
        var view = definition(part("task", "/t"), name)
        view.output = .object([
            JSONMember(name: "x", value: .string(output)), JSONMember(name: "y", value: .string("{task.title}")),
        ])
        let message =
            #"name into: "output" does not show task.owner.name: write {task}, or a way that ends above it"#
        #expect(issues(view) == (isShown ? [] : [message]))
    }

    @Test func aViewHasOneToSixtyFourParts() throws {
        #expect(issues(AggregateDefinition(parts: [])) == ["- aggregate: a view needs at least one part"])
        let parts = (0..<64).map { part("p\($0)", $0 == 0 ? "/" : "/{p\($0 - 1).x}") }
        let plan = try AggregatePlan(AggregateDefinition(parts: parts))
        #expect(plan.longestChain.count == 64)
        let many = AggregateDefinition(parts: parts + [part("one", "/")])
        #expect(issues(many) == ["- aggregate: a view has at most 64 parts, found 65"])
        var cycle = parts
        cycle[0] = part("p0", "/{p63.x}")
        #expect(issues(AggregateDefinition(parts: cycle)).count == 1)
    }

    @Test(arguments: [
        ("user", "user"), ("*x", "*x"), ("a/b:c", "a/b:c"), ("2users", "\"2users\""), ("my part", "\"my part\""),
        ("a\"b\\", #""a\"b\\""#), ("ü%", "%\"%c3%bc%25\""), ("_x", "\"_x\""), ("a=b", "\"a=b\""),
    ])
    func namesInStructuredFields(_ name: String, _ expected: String) {
        #expect(String(decoding: StructuredItem.bytes(for: name), as: UTF8.self) == expected)
    }
}
