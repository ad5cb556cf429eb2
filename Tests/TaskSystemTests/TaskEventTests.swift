import Foundation
import GRDB
import Testing

@testable import tasksystem

@Suite("What happens to a task is told")
struct TaskEventTests {
    @Test(
        "completing a task makes one notification and one audit entry, however it is done and however often",
        arguments: [
            ("POST", "/tasks/2/complete", nil), ("PATCH", "/tasks/2", #"{"status":"done"}"#),
        ] as [(String, String, String?)])
    func completion(method: String, target: String, body: String?) async throws {
        try await TestSystem.run { system in
            for _ in 0..<3 {
                let answer = try await system.send(method, target, body, headers: ["X-User-Id: 3"])
                #expect(answer.status == 200)
                #expect(try answer.member("status") == .string("done"))
                #expect(try answer.member("completed_at") == .string(TestSystem.time))
            }
            let seeded = Int64(SeedData.notifications.count)
            let notifications = try await system.send("GET", "/notifications?size=1")
            #expect(try notifications.member("total") == .integer(seeded + 1))
            #expect(try notifications.member("items", 0, "kind") == .string("task_completed"))
            #expect(try notifications.member("items", 0, "task_id") == .integer(2))
            #expect(try notifications.member("items", 0, "user_id") == .integer(SeedData.tasks[1].creatorID))
            let audit = try await system.send("GET", "/audit?entity=task&entity_id=2&action=completed")
            #expect(try audit.member("total") == .integer(1))
            #expect(try audit.member("items", 0, "user_id") == .integer(3))
        }
    }

    @Test("opening a task again takes its completion back")
    func reopening() async throws {
        try await TestSystem.run { system in
            _ = try await system.send("POST", "/tasks/2/complete")
            let open = try await system.send("PATCH", "/tasks/2", #"{"status":"open"}"#)
            #expect(try open.member("completed_at") == .null)
        }
    }

    @Test("whoever gets a task is told, at creation and later")
    func assignment() async throws {
        try await TestSystem.run { system in
            let task = try await system.send("POST", "/tasks", #"{"title":"Tidy up","creator_id":1,"user_id":2}"#)
            let place = try #require(task["Location"])
            _ = try await system.send("PATCH", place, #"{"user_id":4}"#)
            _ = try await system.send("PATCH", place, #"{"user_id":4}"#)
            _ = try await system.send("PATCH", place, #"{"user_id":null}"#)
            _ = try await system.send("DELETE", place)
            let told = try await system.send("GET", "/notifications?size=2")
            #expect(try told.member("items", 0, "user_id") == .integer(4))
            #expect(try told.member("items", 1, "user_id") == .integer(2))
            let number = place.split(separator: "/").last.map(String.init) ?? ""
            let trail = try await system.send("GET", "/audit?entity=task&entity_id=\(number)")
            let actions = try (0..<4).map { try trail.member("items", $0, "action") }
            #expect(actions == ["deleted", "updated", "updated", "created"].map { .string($0) })
        }
    }

    @Test("a replacement resets what it leaves out")
    func replacement() async throws {
        try await TestSystem.run { system in
            let task = try await system.send("PUT", "/tasks/1", #"{"title":"New","creator_id":2}"#)
            #expect(try task.member("description") == .string(""))
            #expect(try task.member("user_id") == .null)
            #expect(try task.member("status") == .string("open"))
            #expect(try task.member("created_at") == .string(SeedData.tasks[0].createdAt))
        }
    }

    @Test("a change that fails leaves nothing behind, in any context")
    func atomic() async throws {
        try await TestSystem.run { system in
            // The audit table refuses, as a full disk would.
            try await system.store.database.write { db in
                try db.execute(
                    sql: """
                        CREATE TRIGGER refuse BEFORE INSERT ON audit_entries
                        BEGIN SELECT RAISE(ABORT, 'no space'); END
                        """)
            }
            let answer = try await system.send("POST", "/tasks/2/complete")
            #expect(answer.status == 500)
            #expect(!answer.body.contains("no space"))
            #expect(system.log.all.contains { $0.contains("no space") })
            #expect(try await system.send("GET", "/tasks/2").member("status") == .string("open"))
            let total = try await system.send("GET", "/notifications").member("total")
            #expect(total == .integer(Int64(SeedData.notifications.count)))
        }
    }

    @Test("the tasks service keeps what others must know in its outbox until it is taken")
    func outbox() async throws {
        try await TestSystem.run([.tasks], name: "tasks") { system in
            #expect(try await system.send("GET", "/notifications").status == 404)
            _ = try await system.send("POST", "/tasks/2/complete")
            let outbox = try await system.send("GET", "/outbox")
            #expect(try outbox.member("total") == .integer(2))
            #expect(try outbox.member("items", 0, "path") == .string("/audit"))
            #expect(try outbox.member("items", 0, "payload", "action") == .string("completed"))
            #expect(try outbox.member("items", 1, "path") == .string("/notifications"))
            #expect(try outbox.member("items", 1, "payload", "task_id") == .integer(2))
            #expect(try await system.send("DELETE", "/outbox/1").status == 204)
            #expect(try await system.send("DELETE", "/outbox/1").status == 404)
            #expect(try await system.send("GET", "/outbox").member("total") == .integer(1))
        }
    }

    @Test("the services take a payload of the outbox as it stands")
    func delivery() async throws {
        let payloads = try await TestSystem.run([.tasks], name: "tasks") { system in
            _ = try await system.send("POST", "/tasks/2/complete")
            let outbox = try await system.send("GET", "/outbox")
            return try (0..<2).map { index in
                let value = try outbox.member("items", index, "payload")
                return String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
            }
        }
        try await TestSystem.run([.audit], name: "audit") { system in
            let answer = try await system.send("POST", "/audit", payloads[0])
            #expect(answer.status == 201)
        }
        try await TestSystem.run([.notifications], name: "notifications") { system in
            let answer = try await system.send("POST", "/notifications", payloads[1])
            #expect(answer.status == 201)
        }
    }

    @Test(
        "a service serves its own context only",
        arguments: [
            (BoundedContext.users, ["/users", "/organizations"]), (.tasks, ["/tasks", "/outbox"]),
            (.comments, ["/comments", "/tasks/1/comments"]), (.notifications, ["/notifications"]), (.audit, ["/audit"]),
        ])
    func borders(context: BoundedContext, lists: [String]) async throws {
        let all = [
            "/users", "/organizations", "/tasks", "/outbox", "/comments", "/tasks/1/comments", "/notifications",
            "/audit",
        ]
        try await TestSystem.run([context], name: context.rawValue) { system in
            for list in all {
                let answer = try await system.send("GET", list)
                #expect(answer.status == (lists.contains(list) ? 200 : 404), "\(list)")
                #expect(answer["Served-By"] == context.rawValue)
            }
        }
    }

    @Test(
        "monolith and service give the same bytes",
        arguments: [
            (BoundedContext.users, "/users/1"), (.users, "/organizations?size=2"), (.tasks, "/tasks/1"),
            (.comments, "/tasks/1/comments"), (.notifications, "/notifications?user_id=1"), (.audit, "/audit?page=2"),
        ])
    func sameBytes(context: BoundedContext, target: String) async throws {
        let monolith = try await TestSystem.run { try await $0.send("GET", target) }
        let service = try await TestSystem.run([context], name: context.rawValue) { try await $0.send("GET", target) }
        #expect(monolith.status == 200)
        #expect(monolith.body == service.body)
    }
}
