import Foundation
import NIOHTTP1
import Testing

@testable import tasksystem

@Suite("Reading a body")
struct BodyReaderTests {
    @Test(
        "text is trimmed, measured in Unicode scalars, and never taken for something else",
        arguments: [
            (.string("  Fix login \n"), "Fix login", nil),
            (.string("123456789"), "123456789", nil),
            (.string("e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}"), "old", "must have at most 9 characters"),
            (.string("   "), "old", "must not be empty"),
            (.integer(5), "old", "must be text"),
            (.null, "old", "must be text"),
            (nil, "old", "is required"),
        ] as [(JSONValue?, String, String?)])
    func text(value: JSONValue?, result: String, message: String?) {
        var body = BodyReader(members: value.map { ["title": $0] } ?? [:], isPartial: false)
        let text = body.text("title", length: 1...9, old: "old")
        #expect(text == result)
        #expect(body.errors.first?.message == message)
    }

    @Test(
        "the number of a record",
        arguments: [
            (.integer(3), 3, nil), (.integer(0), 1, "must be the number of a record"),
            (.integer(-3), 1, "must be the number of a record"), (.real(1.5), 1, "must be the number of a record"),
            (.string("3"), 1, "must be the number of a record"), (.null, 1, "must not be null"),
            (nil, 1, "is required"),
        ] as [(JSONValue?, Int64, String?)])
    func reference(value: JSONValue?, result: Int64, message: String?) {
        var body = BodyReader(members: value.map { ["user_id": $0] } ?? [:], isPartial: false)
        let reference = body.reference("user_id", old: 1)
        #expect(reference == result)
        #expect(body.errors.map(\.message) == (message.map { [$0] } ?? []))
    }

    @Test("in a change what is absent stays, and null takes away")
    func partial() throws {
        var body = BodyReader(members: ["user_id": .null], isPartial: true)
        let title = body.text("title", length: 1...5, old: "old")
        let creator = body.reference("creator_id", old: 4)
        let assignee = body.optionalReference("user_id", old: 7)
        let due = body.optionalDate("due_on", old: "2025-01-01")
        let status = body.choice("status", old: TaskItem.Status.blocked)
        let read = body.boolean("read", old: true)
        #expect(title == "old")
        #expect(creator == 4)
        #expect(assignee == nil)
        #expect(due == "2025-01-01")
        #expect(status == .blocked)
        #expect(read)
        try body.check()
    }

    @Test("all errors are told, unknown members too, and what only the server sets is left alone")
    func everything() {
        var body = BodyReader(
            members: [
                "status": .string("finished"), "read": .integer(1), "due_on": .string("soon"), "colour": .null,
                "id": .integer(9), "created_at": .string("x"),
            ], isPartial: false)
        _ = body.text("title", length: 1...5, old: "")
        _ = body.choice("status", old: TaskItem.Status.open)
        _ = body.boolean("read", old: false)
        _ = body.optionalDate("due_on", old: nil)
        body.refuse("email", "is taken")
        let problem = #expect(throws: Problem.self) { try body.check() }
        #expect(problem?.status == 422)
        #expect(problem?.errors?.map(\.field) == ["title", "status", "read", "due_on", "email", "colour"])
    }

    @Test(
        "only a JSON object that says so is read",
        arguments: [
            ("application/json", "{}", nil), ("application/json; charset=utf-8", "{}", nil),
            ("Application/Merge-Patch+JSON", "{}", nil), (nil, "{}", 415), ("text/plain", "{}", 415),
            ("json", "{}", 415),
            ("application/json", "", 400), ("application/json", "{", 400), ("application/json", "{}x", 400),
            ("application/json", "[]", 422), ("application/json", "null", 422), ("application/json", "\u{FEFF}x", 400),
        ] as [(String?, String, Int?)])
    func mediaTypes(type: String?, text: String, status: Int?) {
        var headers = HTTPHeaders()
        if let type { headers.add(name: "content-type", value: type) }
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/tasks", headers: headers)
        do {
            _ = try BodyReader(HTTPRequest(head: head, body: Data(text.utf8)))
            #expect(status == nil)
        } catch {
            #expect(error.status == status)
        }
    }
}
