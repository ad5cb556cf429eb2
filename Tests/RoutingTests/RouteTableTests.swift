import Testing

@testable import Routing

struct RouteTableTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var routes: [String]
        var request: TestRequest
        var answer: String
        var testDescription: String { "\(request) in \(routes)" }
        init(_ request: TestRequest, in routes: [String], _ answer: String) {
            self.routes = routes
            self.request = request
            self.answer = answer
        }
    }

    static let shipped = [
        "/users/{rest...}", "/notifications/{rest...}", "GET /tasks/{task_id}/details", "/{rest...}",
    ]
    static let kinds = ["/a/b", "/a/{x}", "/a/{r...}", "/{x}/b", "/{r...}"]
    static let methods = ["GET /x", "POST|PUT /x", "PURGE /x", "DELETE /{any}"]
    static let hosts = ["a.test/x", "b.test/x", "/x", "a.test/{r...}", "[2001:db8::1]/x"]
    static let deep = ["/a/{x}/c/d", "/a/b/{y}/e", "/{x}/b/c/f", "/a/{r...}"]

    static let cases = [
        Case(TestRequest("GET /users"), in: shipped, "0 "),
        Case(TestRequest("GET /users?ids=1,2"), in: shipped, "0 "),
        Case(TestRequest("GET /users/"), in: shipped, "0 "),
        Case(TestRequest("GET /users/1/tasks"), in: shipped, "0 1/tasks"),
        Case(TestRequest("GET /users1"), in: shipped, "3 users1"),
        Case(TestRequest("GET /tasks/42/details"), in: shipped, "2 42"),
        Case(TestRequest("HEAD /tasks/42/details"), in: shipped, "2 42"),
        // The method fits no further, a less specific route does: the monolith answers.
        Case(TestRequest("POST /tasks/42/details"), in: shipped, "3 tasks/42/details"),
        Case(TestRequest("GET /tasks//details"), in: shipped, "3 tasks//details"),
        Case(TestRequest("GET /"), in: shipped, "3 "),
        Case(TestRequest("GET http://gateway.test"), in: shipped, "3 "),
        Case(TestRequest("OPTIONS *"), in: shipped, "404"),

        // Literal over {name} over {name...}, segment by segment.
        Case(TestRequest("GET /a/b"), in: kinds, "0"),
        Case(TestRequest("GET /a/c"), in: kinds, "1 c"),
        Case(TestRequest("GET /a/b/c"), in: kinds, "2 b/c"),
        Case(TestRequest("GET /a"), in: kinds, "2 "),
        Case(TestRequest("GET /a/"), in: kinds, "2 "),
        Case(TestRequest("GET /c/b"), in: kinds, "3 c"),
        Case(TestRequest("GET /c/d"), in: kinds, "4 c/d"),
        Case(TestRequest("GET //b"), in: kinds, "4 /b"),
        Case(TestRequest("GET /"), in: kinds, "4 "),

        // A choice that leads nowhere is taken back.
        Case(TestRequest("GET /a/b/c/d"), in: deep, "0 b"),
        Case(TestRequest("GET /a/b/c/e"), in: deep, "1 c"),
        Case(TestRequest("GET /a/b/c/f"), in: deep, "3 b/c/f"),
        Case(TestRequest("GET /a/b/c/g"), in: deep, "3 b/c/g"),
        Case(TestRequest("GET /b/b/c/f"), in: deep, "2 b"),
        Case(TestRequest("GET /b/b/c/g"), in: deep, "404"),
        Case(TestRequest("GET /a/b/c/d/e"), in: deep, "3 b/c/d/e"),

        // What is compared is the normal form; an encoded slash separates nothing.
        Case(TestRequest("GET /%61/%62"), in: kinds, "0"),
        Case(TestRequest("GET /x/../a/./b"), in: kinds, "0"),
        Case(TestRequest("GET /a%2fb"), in: kinds, "4 a%2Fb"),
        Case(TestRequest("GET /a/x%2fy"), in: kinds, "1 x%2Fy"),
        Case(TestRequest("GET /A/b"), in: kinds, "3 A"),
        Case(TestRequest("GET /files/a%2fb"), in: ["/files/a%2Fb", "/files/{x}"], "0"),
        Case(TestRequest("GET /files/a%2Fb"), in: ["/files/a%2fb", "/files/{x}"], "0"),

        // Methods.
        Case(TestRequest("GET /x"), in: methods, "0"),
        Case(TestRequest("HEAD /x"), in: methods, "0"),
        Case(TestRequest("PUT /x"), in: methods, "1"),
        Case(TestRequest("PURGE /x"), in: methods, "2"),
        Case(TestRequest("DELETE /x"), in: methods, "3 x"),
        Case(TestRequest("PATCH /x"), in: methods, "405 GET, HEAD, POST, PUT, DELETE, PURGE"),
        Case(TestRequest("BREW /x"), in: methods, "405 GET, HEAD, POST, PUT, DELETE, PURGE"),
        Case(TestRequest("get /x"), in: methods, "405 GET, HEAD, POST, PUT, DELETE, PURGE"),
        Case(TestRequest("GET /y"), in: methods, "405 DELETE"),
        Case(TestRequest("GET /y/z"), in: methods, "404"),
        Case(TestRequest("HEAD /x"), in: ["GET /x", "HEAD /x"], "1"),
        Case(TestRequest("HEAD /x"), in: ["HEAD /x", "GET /x"], "0"),
        Case(TestRequest("HEAD /x"), in: ["/x", "GET /x"], "1"),
        Case(TestRequest("POST /x"), in: ["/x", "GET /x"], "0"),
        Case(TestRequest("HEAD /x"), in: ["HEAD /{any}", "GET /x"], "1"),
        Case(TestRequest("GET /x"), in: ["HEAD /x"], "405 HEAD"),
        Case(TestRequest("GET /x"), in: ["OPTIONS|QUERY /x"], "405 QUERY, OPTIONS"),
        // A route without a method takes everything but TRACE.
        Case(TestRequest("BREW /x"), in: ["/x"], "0"),
        Case(TestRequest("TRACE /x"), in: ["/x"], "405 GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        Case(TestRequest("TRACE /x"), in: ["TRACE /x", "/x"], "0"),

        // Hosts: in any case, without the port, with or without the dot of a full name; the path goes first.
        Case(TestRequest("GET /x", host: "a.test"), in: hosts, "0"),
        Case(TestRequest("GET /x", host: "B.Test:8080"), in: hosts, "1"),
        Case(TestRequest("GET /x", host: "a.test."), in: hosts, "0"),
        Case(TestRequest("GET /x", host: "c.test"), in: hosts, "2"),
        Case(TestRequest("GET /x", host: "xa.test"), in: hosts, "2"),
        Case(TestRequest("GET /x", host: "[2001:DB8::1]:80"), in: hosts, "4"),
        Case(TestRequest("GET http://a.test/x", host: "b.test"), in: hosts, "0"),
        Case(TestRequest("GET /y", host: "a.test"), in: hosts, "3 y"),
        Case(TestRequest("GET /y", host: "b.test"), in: hosts, "404"),
        Case(TestRequest("GET /x", host: "a.test"), in: ["a.test/{r...}", "/x"], "1"),
        Case(TestRequest("GET /x", host: "a.test"), in: ["GET /x", "a.test/x"], "1"),
        Case(TestRequest("POST /x", host: "a.test"), in: ["/x", "GET a.test/x"], "0"),
        Case(TestRequest("POST /x", host: "b.test"), in: ["GET a.test/x", "PUT /x"], "405 PUT"),
        Case(TestRequest("POST /x", host: "a.test"), in: ["GET a.test/x", "PUT /x"], "405 GET, HEAD, PUT"),

        // The slash at the end is part of the path.
        Case(TestRequest("GET /x/"), in: ["/x"], "404"),
        Case(TestRequest("GET /x"), in: ["/x/"], "404"),
        Case(TestRequest("GET /x/"), in: ["/x/"], "0"),
        Case(TestRequest("GET /x/"), in: ["/x/{id}"], "404"),
        Case(TestRequest("GET /x//y"), in: ["/x//y"], "0"),
        Case(TestRequest("GET /x/y"), in: ["/x//y"], "404"),
        Case(TestRequest("GET /x"), in: [], "404"),
        Case(TestRequest("GET /1/2/3"), in: ["/{a}/{b}/{c}"], "0 1 2 3"),
        Case(TestRequest("GET /1/2"), in: ["/{a}/{b}/{c...}"], "0 1 2 "),
        Case(TestRequest("GET /1/2/3/4/"), in: ["/{a}/{b}/{c...}"], "0 1 2 3/4/"),
    ]

    @Test(arguments: cases)
    func matches(_ example: Case) throws {
        let (table, issues) = RouteTable.compile(try definitions(example.routes))
        #expect(issues.isEmpty)
        var captures = RouteCaptures()
        #expect(try table.answer(example.request, &captures).description == example.answer)
    }

    @Test("captures are those of the last match, and nothing after none")
    func reuse() throws {
        let (table, _) = RouteTable.compile(try definitions(["/{a}/{b}/c", "/x"]))
        var captures = RouteCaptures()
        #expect(try table.answer(TestRequest("GET /1/2/c"), &captures).captures == ["1", "2"])
        #expect(try table.answer(TestRequest("GET /x"), &captures).captures == [])
        #expect(try table.answer(TestRequest("GET /1/2/d"), &captures).text == "404")
        #expect(captures.count == 0)
        // A deeper table after a flat one.
        let (deep, _) = RouteTable.compile(try definitions([String(repeating: "/x", count: 100)]))
        #expect(try deep.answer(TestRequest("GET " + String(repeating: "/x", count: 100)), &captures).text == "0")
    }

    @Test("the listing puts first what wins, and covers every route once")
    func listing() throws {
        let patterns = [
            "/{rest...}", "/tasks/{id}", "GET /tasks/{id}", "a.test/tasks/{id}", "/tasks/open", "/tasks/{rest...}",
            "/tasks", "/", "GET a.test/tasks/{id}", "/{x}/y",
        ]
        let (table, issues) = RouteTable.compile(try definitions(patterns))
        #expect(issues.isEmpty)
        #expect(
            table.inMatchingOrder.map { patterns[$0] } == [
                "/", "/tasks", "/tasks/open", "GET a.test/tasks/{id}", "a.test/tasks/{id}", "GET /tasks/{id}",
                "/tasks/{id}", "/tasks/{rest...}", "/{x}/y", "/{rest...}",
            ])
        #expect(table.count == patterns.count)
    }

    @Test("48 methods beyond the common ones can be told apart, the 49th is an issue")
    func manyMethods() throws {
        let patterns = (0..<49).map { "M\($0) /x" }
        let (table, issues) = RouteTable.compile(try definitions(patterns))
        #expect(issues == [.tooManyMethods(route: 48)])
        var captures = RouteCaptures()
        #expect(try table.answer(TestRequest("M47 /x"), &captures).text == "47")
        #expect(try table.answer(TestRequest("M48 /x"), &captures).text.hasPrefix("405 M0, M1, "))
    }

    // MARK: - The bound of the search

    @Test("every combination of a literal and a parameter at 12 levels: no node is visited twice")
    func everyCombination() throws {
        var patterns = [""]
        for level in 0..<12 { patterns = patterns.flatMap { ["\($0)/a", "\($0)/{p\(level)}"] } }
        let (table, issues) = RouteTable.compile(try definitions(patterns.map { $0 + "/end" }))
        #expect(issues.isEmpty)
        var captures = RouteCaptures()
        #expect(
            try table.answer(TestRequest("GET " + String(repeating: "/a", count: 12) + "/no"), &captures).text == "404")
        #expect(captures.visits == (1 << 13) - 1)
        #expect(captures.visits < table.nodes.count)
        #expect(
            try table.answer(TestRequest("GET " + String(repeating: "/a", count: 12) + "/end"), &captures).text == "0")
        #expect(captures.visits == 14)
    }

    @Test("few hostile patterns on the longest path: the visits stay within the trie")
    func hostile() throws {
        let alternating = String((0..<60).map { "/a/{x\($0)}" }.joined())
        let other = String((0..<60).map { "/{x\($0)}/a" }.joined())
        let all = String((0..<120).map { "/{x\($0)}" }.joined())
        let patterns = [alternating, other, all, String(repeating: "/a", count: 120)].map { $0 + "/end" } + ["/{r...}"]
        let (table, issues) = RouteTable.compile(try definitions(patterns))
        #expect(issues.isEmpty)
        var captures = RouteCaptures()
        let path = String(repeating: "/a", count: 120)
        #expect(try table.answer(TestRequest("GET \(path)/no"), &captures).text == "4")
        #expect(captures.visits <= 4 * 121 + 1)
        #expect(try table.answer(TestRequest("GET " + String(repeating: "/a", count: 4000)), &captures).text == "4")
        #expect(captures.visits <= 4 * 121 + 1)
    }

    @Test("ten thousand routes are no more visits than ten")
    func manyRoutes() throws {
        for count in [10, 10_000] {
            let patterns = (0..<count).map { "GET /service\($0)/items/{id}" }
            let (table, issues) = RouteTable.compile(try definitions(patterns))
            #expect(issues.isEmpty)
            var captures = RouteCaptures()
            #expect(
                try table.answer(TestRequest("GET /service\(count - 1)/items/7"), &captures).description
                    == "\(count - 1) 7")
            #expect(captures.visits == 4)
        }
    }

    @Test("ten thousand hosts with the same path are told apart")
    func manyHosts() throws {
        let patterns = (0..<10_000).map { "host\($0).test/{r...}" } + ["/{r...}"]
        let (table, issues) = RouteTable.compile(try definitions(patterns))
        #expect(issues.isEmpty)
        var captures = RouteCaptures()
        for number in [0, 1, 4999, 9999] {
            #expect(try table.answer(TestRequest("GET /x", host: "HOST\(number).test"), &captures).text == "\(number)")
        }
        #expect(try table.answer(TestRequest("GET /x", host: "host10000.test"), &captures).text == "10000")
    }
}
