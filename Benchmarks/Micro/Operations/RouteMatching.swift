import ByteBuffers
import HTTPMessage
import Routing

/// The route of a request.
struct RouteMatching: Workload, ~Copyable {
    private let table: RouteTable
    private let head: RequestHead
    private var captures = RouteCaptures()

    private let route: Int
    private let captured: String

    /// The number of the route, and of its parameters.
    var once: UInt64 { UInt64(route + 1) }

    private static let own = [
        "GET /tasks", "POST /tasks", "/tasks/{id}", "GET /tasks/{id}/comments", "GET /tasks/{id}/details",
        "/users/{rest...}", "/notifications/{rest...}", "GET /projects/{id}/board", "tasks.example.com/health",
        "/{rest...}",
    ]

    /// A path of three segments with a parameter, among ten routes.
    static func ofTen() throws(WrongResult) -> RouteMatching {
        try of(try routes(own), route: 4, capturing: "42")
    }

    /// The same path, among ten thousand routes of other services.
    static func ofTenThousand() throws(WrongResult) -> RouteMatching {
        let others = (0..<9990).map { "/service-\($0 / 10)/kind-\($0 % 10)/{id}" }
        return try of(try routes(own + others), route: 4, capturing: "42")
    }

    /// Three routes of one path, told apart by a host, two headers and a query; the last one fits.
    static func withConditions() throws(WrongResult) -> RouteMatching {
        let isFrench = RouteCondition(.header("accept-language"), .equals("fr"))
        let isOurs = RouteCondition(.header("sec-fetch-site"), .equals("same-origin"))
        let hasComments = RouteCondition(.query("expand"), .equals("comments"))
        let definitions = try [
            RouteDefinition(pattern("other.example.com/tasks/{id}/details")),
            RouteDefinition(pattern("/tasks/{id}/details"), when: [isOurs, isFrench]),
            RouteDefinition(pattern("/tasks/{id}/details"), when: [hasComments]),
        ]
        return try of(definitions, route: 2, capturing: "42")
    }

    private static func routes(_ patterns: [String]) throws(WrongResult) -> [RouteDefinition] {
        var routes: [RouteDefinition] = []
        for text in patterns { routes.append(RouteDefinition(try pattern(text))) }
        return routes
    }

    private static func pattern(_ text: String) throws(WrongResult) -> RoutePattern {
        do {
            return try RoutePattern(parsing: text)
        } catch {
            throw WrongResult("\(text): \(error)")
        }
    }

    private static func of(
        _ definitions: [RouteDefinition], route: Int, capturing value: String
    ) throws(WrongResult) -> RouteMatching {
        let compiled = RouteTable.compile(definitions)
        try require(compiled.issues.isEmpty, "the routes are refused: \(compiled.issues)")
        return RouteMatching(
            compiled.table, try Messages.read(Messages.browserRequest), route: route, captured: value)
    }

    private init(_ table: RouteTable, _ head: consuming RequestHead, route: Int, captured: String) {
        self.table = table
        self.head = head
        self.route = route
        self.captured = captured
    }

    mutating func check() throws(WrongResult) {
        try require(run(1), is: once)
        try require(table.match(head, captures: &captures), is: .route(route))
        try require(captures.count, is: 1)
        try require(head.span(captures[0]).text, is: captured)
    }

    mutating func run(_ times: Int) -> UInt64 {
        var found: UInt64 = 0
        for _ in 0..<times {
            if case .route(let route) = table.match(head, captures: &captures) {
                found &+= UInt64(route + captures.count)
            }
        }
        return found
    }
}
