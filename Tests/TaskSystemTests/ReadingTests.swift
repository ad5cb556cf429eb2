import Foundation
import NIOHTTP1
import Testing

@testable import tasksystem

@Suite("Reading what was sent")
struct ReadingTests {
    @Test(
        "a query is decoded",
        arguments: [
            ("/tasks", []),
            ("/tasks?", []),
            ("/tasks?status=open", [("status", "open")]),
            ("/t?a=1&&b=", [("a", "1"), ("b", "")]),
            ("/t?a", [("a", "")]),
            ("/t?a=b=c", [("a", "b=c")]),
            ("/t?name=Mei%2DLing+Zhao", [("name", "Mei-Ling Zhao")]),
            ("/t?broken=%zz", [("broken", "%zz")]),
            ("/t?a=1#b=2", [("a", "1")]),
            ("/t?a=1?b", [("a", "1?b")]),
        ])
    func query(target: String, members: [(String, String)]) {
        let query = QueryParameters(target: target)
        #expect(query.members.map(\.name) == members.map(\.0))
        #expect(query.members.map(\.value) == members.map(\.1))
    }

    @Test(
        "a page is a number and a size",
        arguments: [
            ("/t", 1, 20), ("/t?page=3", 3, 20), ("/t?size=100&page=2", 2, 100),
        ])
    func page(target: String, page: Int, size: Int) throws {
        var reader = QueryReader(QueryParameters(target: target))
        let request = PageRequest(query: &reader)
        try reader.check()
        #expect(request.page == page)
        #expect(request.size == size)
        #expect(request.offset == (page - 1) * size)
    }

    @Test(
        "a page that cannot be is refused",
        arguments: [
            ("/t?page=0", ["page"]), ("/t?page=-1&size=101", ["page", "size"]), ("/t?size=x", ["size"]),
            ("/t?page=99999999999999999999", ["page"]), ("/t?size=", ["size"]),
        ])
    func badPage(target: String, fields: [String]) {
        var reader = QueryReader(QueryParameters(target: target))
        _ = PageRequest(query: &reader)
        #expect(reader.errors.map(\.field) == fields)
        #expect(throws: Problem.self) { try reader.check() }
    }

    @Test(
        "links lead to the neighbours and carry no fault",
        arguments: [
            (1, 10, 25, nil, "/t?user_id=7&page=2&size=10", "/t?user_id=7&page=3&size=10"),
            (3, 10, 25, "/t?user_id=7&page=2&size=10", nil, "/t?user_id=7&page=3&size=10"),
            (9, 10, 25, "/t?user_id=7&page=3&size=10", nil, "/t?user_id=7&page=3&size=10"),
            (1, 10, 0, nil, nil, "/t?user_id=7&page=1&size=10"),
            (1, 10, 10, nil, nil, "/t?user_id=7&page=1&size=10"),
        ] as [(Int, Int, Int, String?, String?, String)])
    func links(page: Int, size: Int, total: Int, previous: String?, next: String?, last: String) {
        var reader = QueryReader(QueryParameters(target: "/t?page=\(page)&size=\(size)"))
        let request = PageRequest(query: &reader)
        let result = Page<Int>(
            items: [], request: request, total: total, target: "/t?page=8&user_id=7&delay=1s&cut=1&size=3")
        #expect(result.links.prev == previous)
        #expect(result.links.next == next)
        #expect(result.links.last == last)
        #expect(result.links.first == "/t?user_id=7&page=1&size=10")
    }

    @Test(
        "numbers of records come as a list",
        arguments: [
            ("/u?ids=1,2", [1, 2]), ("/u?ids=3,3,1", [3, 1]), ("/u?ids=", []), ("/u", nil), ("/u?ids=1,,2", [1, 2]),
        ] as [(String, [Int64]?)])
    func identifiers(target: String, expected: [Int64]?) {
        var reader = QueryReader(QueryParameters(target: target))
        let identifiers = reader.identifiers("ids")
        #expect(identifiers == expected)
        #expect(reader.errors.isEmpty)
    }

    @Test(
        "a list of anything else is refused",
        arguments: [
            "/u?ids=a", "/u?ids=0", "/u?ids=-1", "/u?ids=1;2",
            "/u?ids=" + (1...101).map(String.init).joined(separator: ","),
        ])
    func badIdentifiers(target: String) {
        var reader = QueryReader(QueryParameters(target: target))
        let identifiers = reader.identifiers("ids")
        #expect(identifiers == nil)
        #expect(reader.errors.map(\.field) == ["ids"])
    }

    @Test(
        "a fault is understood",
        arguments: [
            ("/t", nil, nil, .whole),
            ("/t?delay=300ms", .milliseconds(300), nil, .whole),
            ("/t?delay=2s&status=503", .seconds(2), 503, .whole),
            ("/t?delay=10m", .seconds(600), nil, .whole),
            ("/t?status=open", nil, nil, .whole),
            ("/t?cut=1", nil, nil, .reset),
            ("/t?cut=fin&status=404", nil, 404, .closed),
        ] as [(String, Duration?, Int?, HTTPReply.Ending)])
    func faults(target: String, delay: Duration?, status: Int?, ending: HTTPReply.Ending) throws {
        let faults = try FaultInjection(query: QueryParameters(target: target))
        #expect(faults.delay == delay)
        #expect(faults.status == status)
        #expect(faults.ending == ending)
    }

    @Test(
        "a fault that is not understood is refused",
        arguments: [
            ("/t?delay=300", ["delay"]), ("/t?delay=-1s", ["delay"]), ("/t?delay=11m", ["delay"]),
            ("/t?delay=", ["delay"]),
            ("/t?delay=99999999999999999999s", ["delay"]), ("/t?status=99", ["status"]), ("/t?status=100", ["status"]),
            ("/t?status=600&cut=yes", ["status", "cut"]),
        ])
    func badFaults(target: String, fields: [String]) {
        let problem = #expect(throws: Problem.self) { try FaultInjection(query: QueryParameters(target: target)) }
        #expect(problem?.status == 400)
        #expect(problem?.errors?.map(\.field) == fields)
    }

    @Test(
        "a route has its numbers in the places of the pattern",
        arguments: [
            ("/tasks/{id}/comments", "/tasks/42/comments", [42]),
            ("/tasks/{id}/comments", "/tasks/42/comments/", [42]),
            ("/tasks/{id}", "/tasks/%34%32", [42]),
            ("/tasks", "/tasks?page=2", []),
            ("/tasks/{id}", "/tasks/0", nil),
            ("/tasks/{id}", "/tasks/+1", nil),
            ("/tasks/{id}", "/tasks/007", nil),
            ("/tasks/{id}", "/tasks/9223372036854775808", nil),
            ("/tasks/{id}", "/tasks/١", nil),
            ("/tasks/{id}", "/tasks", nil),
            ("/tasks", "*", nil),
        ] as [(String, String, [Int64]?)])
    func routes(pattern: String, target: String, numbers: [Int64]?) {
        let route = Route(.GET, pattern) { _ in .noContent }
        #expect(route.identifiers(in: HTTPRequest.segments(of: target)) == numbers)
    }

    @Test(
        "a day is a day of the calendar",
        arguments: [
            ("2025-02-28", true), ("2024-02-29", true), ("2025-02-29", false), ("2025-13-01", false),
            ("2025-2-3", false),
            ("20250203", false), ("2025-02-03T00:00:00Z", false), ("", false),
        ])
    func dates(text: String, isDate: Bool) {
        #expect(Timestamp.isDate(text) == isDate)
    }

    @Test(
        "dates of answers have the form of RFC 9110 §5.6.7",
        arguments: [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
        ])
    func httpDates(seconds: Int, text: String) {
        #expect(HTTPDate.text(Date(timeIntervalSince1970: Double(seconds))) == text)
    }

    @Test(
        "an address has one @ and no space",
        arguments: [
            ("ada@example.com", true), ("a@b", true), ("ada", false), ("@b", false), ("a@", false), ("a b@c", false),
            ("a@b@c", false),
        ])
    func addresses(text: String, isAddress: Bool) {
        #expect(ContextRoutes.isAddress(text) == isAddress)
    }

    @Test("what a client sends cannot forge a line of the log")
    func logLine() {
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: "/tasks/1",
            headers: ["TraceParent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\u{1B}[2J\nforged"])
        let line = RequestLogLine(
            name: "comments", request: HTTPRequest(head: head), reply: .noContent, duration: .microseconds(1250))
        #expect(
            line.text == "comments: GET /tasks/1 204 1.3ms "
                + "traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01?[2J?forged")
    }
}
