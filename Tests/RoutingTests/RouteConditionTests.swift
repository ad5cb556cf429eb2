import Testing

@testable import Routing

struct RouteConditionTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var condition: RouteCondition
        var request: TestRequest
        var holds: Bool
        var testDescription: String { "\(condition) for \(request)" }
        init(
            _ subject: RouteCondition.Subject, _ requirement: RouteCondition.Requirement, _ request: TestRequest,
            _ holds: Bool
        ) {
            self.condition = RouteCondition(subject, requirement)
            self.request = request
            self.holds = holds
        }
    }

    static let version = RouteCondition.Subject.header("X-API-Version")
    static let beta = RouteCondition.Subject.query("beta")

    @Test(arguments: [
        Case(version, .equals("2"), TestRequest("GET /", "x-api-version: 2"), true),
        Case(version, .equals("2"), TestRequest("GET /", "X-Api-Version:   2  "), true),
        Case(version, .equals("2"), TestRequest("GET /", "x-api-version: 20"), false),
        Case(version, .equals("2"), TestRequest("GET /", "x-api-versions: 2"), false),
        Case(version, .equals("2"), TestRequest("GET /"), false),
        // The first field counts.
        Case(version, .equals("2"), TestRequest("GET /", "x-api-version: 2", "x-api-version: 3"), true),
        Case(version, .equals("3"), TestRequest("GET /", "x-api-version: 2", "x-api-version: 3"), false),
        Case(version, .equals(""), TestRequest("GET /", "x-api-version:"), true),
        Case(version, .equals("Two"), TestRequest("GET /", "x-api-version: two"), false),
        Case(version, .present, TestRequest("GET /", "x-api-version:"), true),
        Case(version, .present, TestRequest("GET /", "x-other: 1"), false),
        Case(version, .absent, TestRequest("GET /", "x-other: 1"), true),
        Case(version, .absent, TestRequest("GET /", "x-api-version: 1"), false),
        // A name that the gateway knows, and one of a family of names.
        Case(.header("accept"), .equals("text/html"), TestRequest("GET /", "Accept: text/html"), true),
        Case(
            .header("x-forwarded-port"), .equals("1"),
            TestRequest("GET /", "x-forwarded-ssl: 2", "x-forwarded-port: 1"), true),
        Case(.header("x-forwarded-port"), .present, TestRequest("GET /", "x-forwarded-ssl: 2"), false),

        Case(beta, .equals("1"), TestRequest("GET /?beta=1"), true),
        Case(beta, .equals("1"), TestRequest("GET /?a=2&beta=1&c=3"), true),
        Case(beta, .equals("1"), TestRequest("GET /?beta=2&beta=1"), false),
        Case(beta, .equals("1"), TestRequest("GET /?beta=1&beta=2"), true),
        Case(beta, .equals("1"), TestRequest("GET /?beta=%31"), true),
        Case(beta, .equals("1"), TestRequest("GET /?b%65ta=1"), true),
        Case(beta, .equals("1"), TestRequest("GET /?alphabeta=1"), false),
        Case(beta, .equals("1"), TestRequest("GET /?betas=1"), false),
        Case(beta, .equals("1"), TestRequest("GET /?beta=11"), false),
        Case(beta, .equals("1"), TestRequest("GET /?Beta=1"), false),
        Case(beta, .equals("1"), TestRequest("GET /"), false),
        Case(beta, .equals("a b=c&d"), TestRequest("GET /?beta=a+b=c%26d"), true),
        Case(beta, .equals("100%"), TestRequest("GET /?beta=100%"), true),
        Case(beta, .equals("%4"), TestRequest("GET /?beta=%4"), true),
        Case(beta, .equals("é"), TestRequest("GET /?beta=%C3%A9"), true),
        Case(beta, .equals(""), TestRequest("GET /?beta"), true),
        Case(beta, .equals(""), TestRequest("GET /?&&beta="), true),
        Case(beta, .present, TestRequest("GET /?beta"), true),
        Case(beta, .present, TestRequest("GET /?"), false),
        Case(beta, .present, TestRequest("GET /?=beta"), false),
        Case(beta, .absent, TestRequest("GET /?alpha"), true),
        Case(beta, .absent, TestRequest("GET /?alpha&beta"), false),
    ])
    func holds(_ example: Case) throws {
        let pattern = try RoutePattern(parsing: "/{rest...}")
        let (table, issues) = RouteTable.compile([RouteDefinition(pattern, when: [example.condition])])
        #expect(issues.isEmpty)
        var captures = RouteCaptures()
        #expect(try table.answer(example.request, &captures).text == (example.holds ? "0" : "404"))
    }

    @Test("more conditions go first; where they do not hold, the search goes on, also to less specific paths")
    func order() throws {
        let exact = try RoutePattern(parsing: "/x")
        let any = try RoutePattern(parsing: "/{r...}")
        let (table, issues) = RouteTable.compile([
            RouteDefinition(any),
            RouteDefinition(exact, when: [RouteCondition(Self.beta, .present)]),
            RouteDefinition(
                exact, when: [RouteCondition(Self.version, .equals("2")), RouteCondition(Self.beta, .present)]),
        ])
        #expect(issues.isEmpty)
        var captures = RouteCaptures()
        #expect(try table.answer(TestRequest("GET /x?beta", "x-api-version: 2"), &captures).text == "2")
        #expect(try table.answer(TestRequest("GET /x?beta"), &captures).text == "1")
        #expect(try table.answer(TestRequest("GET /x", "x-api-version: 2"), &captures).text == "0")
        #expect(table.inMatchingOrder == [2, 1, 0])
    }

    @Test("a route whose conditions do not hold says nothing about methods")
    func methods() throws {
        let (table, _) = RouteTable.compile([
            RouteDefinition(try RoutePattern(parsing: "PUT /x"), when: [RouteCondition(Self.beta, .present)]),
            RouteDefinition(try RoutePattern(parsing: "GET /x")),
        ])
        var captures = RouteCaptures()
        #expect(try table.answer(TestRequest("POST /x"), &captures).text == "405 GET, HEAD")
        #expect(try table.answer(TestRequest("POST /x?beta"), &captures).text == "405 GET, HEAD, PUT")
    }

    struct Pair: CustomTestStringConvertible, Sendable {
        var first: String
        var second: String
        var firstWhen: [RouteCondition] = []
        var secondWhen: [RouteCondition] = []
        var isConflict: Bool
        var testDescription: String { "\(first) \(firstWhen) and \(second) \(secondWhen)" }
    }

    @Test(arguments: [
        Pair(first: "/x", second: "/x", isConflict: true),
        Pair(first: "/{a}", second: "/{b}", isConflict: true),
        Pair(first: "/x/{a...}", second: "/x/{b...}", isConflict: true),
        Pair(first: "/%78", second: "/x", isConflict: true),
        Pair(first: "GET /x", second: "GET|POST /x", isConflict: true),
        Pair(first: "a.test/x", second: "A.TEST/x", isConflict: true),
        Pair(first: "GET a.test/{x}", second: "GET|PUT a.test/{y}", isConflict: true),
        Pair(first: "/a/{x}", second: "/{y}/b", isConflict: false),
        Pair(first: "/x", second: "/x/{r...}", isConflict: false),
        Pair(first: "/x", second: "GET /x", isConflict: false),
        Pair(first: "GET /x", second: "HEAD /x", isConflict: false),
        Pair(first: "GET /x", second: "POST /x", isConflict: false),
        Pair(first: "a.test/x", second: "b.test/x", isConflict: false),
        Pair(first: "a.test/x", second: "/x", isConflict: false),
        Pair(first: "/x", second: "/x/", isConflict: false),
        Pair(first: "/x", second: "/x", secondWhen: [RouteCondition(beta, .present)], isConflict: false),
        Pair(
            first: "/x", second: "/x", firstWhen: [RouteCondition(beta, .present)],
            secondWhen: [RouteCondition(beta, .present)], isConflict: true),
        Pair(
            first: "/x", second: "/x", firstWhen: [RouteCondition(beta, .present)],
            secondWhen: [RouteCondition(beta, .absent)], isConflict: false),
        Pair(
            first: "/x", second: "/x", firstWhen: [RouteCondition(beta, .equals("1"))],
            secondWhen: [RouteCondition(beta, .equals("2"))], isConflict: false),
        Pair(
            first: "/x", second: "/x", firstWhen: [RouteCondition(beta, .equals("1"))],
            secondWhen: [RouteCondition(beta, .present)], isConflict: true),
        Pair(
            first: "/x", second: "/x", firstWhen: [RouteCondition(beta, .equals("1"))],
            secondWhen: [RouteCondition(beta, .absent)], isConflict: false),
        Pair(
            first: "/x", second: "/x", firstWhen: [RouteCondition(beta, .equals("1"))],
            secondWhen: [RouteCondition(version, .equals("1"))], isConflict: true),
        Pair(
            first: "/x", second: "/x", firstWhen: [RouteCondition(.header("A"), .equals("1"))],
            secondWhen: [RouteCondition(.header("a"), .equals("2"))], isConflict: false),
        Pair(
            first: "/x", second: "/x", firstWhen: [RouteCondition(.query("A"), .equals("1"))],
            secondWhen: [RouteCondition(.query("a"), .equals("2"))], isConflict: true),
        Pair(
            first: "/x", second: "/x", firstWhen: [RouteCondition(.query("a"), .equals("1"))],
            secondWhen: [RouteCondition(.header("a"), .equals("2"))], isConflict: true),
    ])
    func conflicts(_ pair: Pair) throws {
        let routes = [
            RouteDefinition(try RoutePattern(parsing: "/somewhere/else")),
            RouteDefinition(try RoutePattern(parsing: pair.first), when: pair.firstWhen),
            RouteDefinition(try RoutePattern(parsing: pair.second), when: pair.secondWhen),
        ]
        let (_, issues) = RouteTable.compile(routes)
        #expect(issues == (pair.isConflict ? [.conflict(1, 2)] : []))
        for issue in issues {
            let message = issue.message(in: routes)
            #expect(message.contains("\"\(pair.first)\""))
            #expect(
                message.contains(
                    pair.first == pair.second && pair.firstWhen.isEmpty ? "routed twice" : "neither is more specific"))
        }
    }

    @Test("all issues are reported, in the order of the routes")
    func allIssues() throws {
        let x = try RoutePattern(parsing: "/x")
        let y = try RoutePattern(parsing: "/y")
        let twice = [RouteCondition(.header("A"), .present), RouteCondition(.header("a"), .equals("1"))]
        let routes = [
            RouteDefinition(x), RouteDefinition(y), RouteDefinition(y), RouteDefinition(x), RouteDefinition(x),
            RouteDefinition(y, when: twice),
        ]
        let (table, issues) = RouteTable.compile(routes)
        #expect(
            issues == [
                .conflict(1, 2), .conflict(0, 3), .conflict(0, 4), .repeatedCondition(route: 5, condition: 1),
            ])
        #expect(issues.last?.message(in: routes) == "the header a has two conditions")
        var captures = RouteCaptures()
        #expect(try table.answer(TestRequest("GET /x"), &captures).text == "0")
    }
}
