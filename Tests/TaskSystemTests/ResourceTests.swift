import Foundation
import Testing

@testable import tasksystem

@Suite("Resources")
struct ResourceTests {
    /// One resource with a record that can be created and a change of it.
    struct Sample: CustomTestStringConvertible {
        var list: String
        var body: String
        var change: String
        var changed: String
        var testDescription: String { list }
    }

    static let samples = [
        Sample(
            list: "/organizations", body: #"{"name":"Oak","domain":"oak.example"}"#, change: #"{"name":"Beech"}"#,
            changed: #""name":"Beech""#),
        Sample(
            list: "/users", body: #"{"name":"Ada","email":"ada@oak.example","organization_id":2}"#,
            change: #"{"role":"admin"}"#, changed: #""role":"admin""#),
        Sample(
            list: "/tasks", body: #"{"title":"Water the plants","creator_id":1,"user_id":2,"due_on":"2025-06-01"}"#,
            change: #"{"priority":"urgent","user_id":null}"#, changed: #""user_id":null"#),
        Sample(
            list: "/comments", body: #"{"task_id":1,"user_id":2,"body":"Done?"}"#, change: #"{"body":"Done!"}"#,
            changed: #""body":"Done!""#),
        Sample(
            list: "/notifications", body: #"{"user_id":2,"message":"Water the plants."}"#, change: #"{"read":true}"#,
            changed: #""read":true"#),
    ]

    @Test("a record is created, read, changed, listed and deleted", arguments: samples)
    func life(sample: Sample) async throws {
        try await TestSystem.run { system in
            let before = try await system.send("GET", sample.list).member("total")
            let created = try await system.send("POST", sample.list, sample.body)
            #expect(created.status == 201)
            let place = try #require(created["Location"])
            #expect(place.hasPrefix(sample.list + "/"))
            #expect(try created.member("created_at") == .string(TestSystem.time))

            let read = try await system.send("GET", place)
            #expect(read.body == created.body)
            let after = try await system.send("GET", sample.list).member("total")
            guard case .integer(let earlier)? = before else { throw Unexpected(value: before) }
            #expect(after == .integer(earlier + 1))

            let changed = try await system.send("PATCH", place, sample.change)
            #expect(changed.status == 200)
            #expect(changed.body.contains(sample.changed))
            #expect(try await system.send("GET", place).body == changed.body)
            // What was read may be sent back.
            #expect(try await system.send("PATCH", place, "{}").status == 200)

            #expect(try await system.send("DELETE", place).status == 204)
            #expect(try await system.send("GET", place).status == 404)
            #expect(try await system.send("DELETE", place).status == 404)
            #expect(try await system.send("PATCH", place, sample.change).status == 404)
            // A number is not given twice.
            let next = try await system.send("POST", sample.list, sample.body)
            #expect(next["Location"] != place)
        }
    }

    struct Unexpected: Error {
        var value: JSONValue?
    }

    @Test(
        "what is wrong is refused with the right status and every field",
        arguments: [
            ("POST", "/tasks", #"{}"#, 422, ["title", "creator_id"]),
            (
                "POST", "/tasks", #"{"title":"","status":"x","priority":1,"user_id":"a","creator_id":1,"due_on":"x"}"#,
                422,
                ["title", "status", "priority", "user_id", "due_on"]
            ),
            ("PATCH", "/tasks/1", #"{"titel":"x"}"#, 422, ["titel"]),
            ("PUT", "/tasks/1", #"{"title":"x"}"#, 422, ["creator_id"]),
            (
                "POST", "/users", #"{"name":"A","email":"nobody","organization_id":99}"#, 422,
                ["organization_id", "email"]
            ),
            (
                "POST", "/users", #"{"name":"A","email":"AMARA.OKAFOR@northwind-freight.example","organization_id":1}"#,
                422,
                ["email"]
            ),
            ("POST", "/organizations", #"{"name":"A","domain":"lumenclinics.example"}"#, 422, ["domain"]),
            ("POST", "/comments", #"{"body":" "}"#, 422, ["task_id", "user_id", "body"]),
            ("POST", "/tasks/1/comments", #"{"user_id":1,"body":"x","task_id":2}"#, 422, ["task_id"]),
            ("PATCH", "/notifications/1", #"{"message":"x"}"#, 422, ["message"]),
            ("POST", "/audit", #"{}"#, 422, ["entity", "entity_id", "summary"]),
            ("POST", "/tasks", #"[]"#, 422, []), ("POST", "/tasks", #"{"#, 400, []),
            ("GET", "/tasks?status=finished&user_id=x", nil, 400, ["status", "user_id"]),
            ("GET", "/users?ids=1,a", nil, 400, ["ids"]),
            ("GET", "/audit?action=none&page=0", nil, 400, ["page", "action"]),
            ("GET", "/notifications?read=yes", nil, 400, ["read"]),
            ("DELETE", "/organizations/1", nil, 409, []), ("GET", "/tasks/51", nil, 404, []),
            ("GET", "/tasks/x", nil, 404, []), ("POST", "/tasks/999/complete", nil, 404, []),
            ("DELETE", "/audit/1", nil, 405, []), ("PUT", "/notifications/1", #"{}"#, 405, []),
            ("PATCH", "/tasks", #"{}"#, 405, []),
        ] as [(String, String, String?, Int, [String])])
    func refusals(method: String, target: String, body: String?, status: Int, fields: [String]) async throws {
        try await TestSystem.run { system in
            let answer = try await system.send(method, target, body)
            #expect(answer.status == status)
            #expect(answer["Content-Type"] == "application/problem+json")
            #expect(try answer.member("status") == .integer(Int64(status)))
            #expect(try answer.refusedFields == fields)
            #expect((answer["Allow"] != nil) == (status == 405))
        }
    }

    @Test("a body that does not say that it is JSON is refused")
    func mediaType() async throws {
        try await TestSystem.run { system in
            let text = try await system.send("POST", "/tasks", "title=x", type: "text/plain")
            #expect(text.status == 415)
            let nameless = try await system.send("POST", "/tasks", "{}", type: nil)
            #expect(nameless.status == 415)
        }
    }

    @Test(
        "405 and OPTIONS name what is possible",
        arguments: [
            ("/tasks", "GET, HEAD, OPTIONS, POST"), ("/tasks/1", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
            ("/tasks/1/complete", "OPTIONS, POST"), ("/audit/1", "GET, HEAD, OPTIONS"),
            ("/tasks/1/comments", "GET, HEAD, OPTIONS, POST"),
        ])
    func allow(target: String, methods: String) async throws {
        try await TestSystem.run { system in
            let refused = try await system.send("LOCK", target)
            #expect(refused.status == 405)
            #expect(refused["Allow"] == methods)
            let options = try await system.send("OPTIONS", target)
            #expect(options.status == 204)
            #expect(options["Allow"] == methods)
        }
    }

    @Test(
        "lists are filtered",
        arguments: [
            ("/tasks?status=done", Int64(SeedData.tasks.count { $0.status == .done })),
            (
                "/tasks?status=open&priority=urgent",
                Int64(SeedData.tasks.count { $0.status == .open && $0.priority == .urgent })
            ),
            ("/tasks?user_id=3", Int64(SeedData.tasks.count { $0.userID == 3 })),
            ("/tasks?creator_id=3", Int64(SeedData.tasks.count { $0.creatorID == 3 })),
            ("/users?ids=1,2,99", 2), ("/users?ids=", 0), ("/users?organization_id=2&role=member", 2),
            ("/comments?task_id=2", 6), ("/tasks/2/comments", 6), ("/tasks/999/comments", 0),
            ("/comments?user_id=4&task_id=1", Int64(SeedData.comments.count { $0.userID == 4 && $0.taskID == 1 })),
            ("/notifications?user_id=1&read=false", Int64(SeedData.notifications.count { $0.userID == 1 && !$0.read })),
            ("/audit?entity=task&entity_id=3", 2), ("/audit?entity=user", 0),
            ("/audit?action=completed", Int64(SeedData.tasks.count { $0.status == .done })),
        ])
    func filters(target: String, total: Int64) async throws {
        try await TestSystem.run { system in
            let list = try await system.send("GET", target)
            #expect(try list.member("total") == .integer(total))
        }
    }

    @Test("following the links of a list meets every record once")
    func paging() async throws {
        try await TestSystem.run { system in
            var next: String? = "/comments?size=30"
            var numbers: [Int64] = []
            while let target = next {
                let page = try await system.send("GET", target)
                guard case .array(let items)? = try page.member("items") else { break }
                for item in items {
                    if case .integer(let number)? = "id".take(item) { numbers.append(number) }
                }
                next = if case .string(let link)? = try page.member("links", "next") { link } else { nil }
            }
            #expect(numbers == Array(1...200))
        }
    }

    @Test("many users by their numbers come on one page")
    func batch() async throws {
        try await TestSystem.run { system in
            let ids = (1...12).map(String.init).joined(separator: ",")
            let page = try await system.send("GET", "/users?ids=\(ids),77&size=100")
            #expect(try page.member("total") == .integer(12))
            #expect(try page.member("items", 11, "id") == .integer(12))
            #expect(try await system.send("GET", "/users?ids=\(ids)").member("size") == .integer(100))
        }
    }
}
