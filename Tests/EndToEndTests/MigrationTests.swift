import Foundation
import Glibc
import Testing

extension EndToEnd {
    /// The whole story with the real Task Management System: a monolith, services taken out of it, a view of both.
    @Suite
    struct Migration {
        private static func flags(_ on: Bool) -> String {
            #"{"flags": {"use_comment_service": {"state": "ENABLED", "variants": {"on": true, "off": false}, "#
                + #""defaultVariant": "\#(on ? "on" : "off")"}}}"#
        }

        private static func setup(_ monolith: TaskSystemProcess, _ comments: TaskSystemProcess) -> GatewaySetup {
            GatewaySetup().upstream("monolith", url: monolith.url).upstream("comments", url: comments.url)
                .context(#""tasks": {"off": "monolith"}"#)
                .context(#""comments": {"off": "monolith", "on": "comments", "flag": "use_comment_service"}"#)
                .route(#"{"match": "/{rest...}", "to": "monolith"}"#)
                .route(#"{"match": "/tasks/{id}/comments", "to": "comments"}"#)
                .route(
                    #"{"match": "GET /tasks/{id}/details", "aggregate": {"task": {"from": "tasks", "get": "/tasks/{id}"}, "#
                        + #""user": {"from": "monolith", "get": "/users/{task.user_id}", "optional": true}, "#
                        + #""comments": {"from": "comments", "get": "/tasks/{id}/comments", "optional": true, "#
                        + #""pick": "/items", "default": []}}}"#)
        }

        @Test("The same request by the monolith, then by the service, with one trace through both")
        func extraction() throws {
            let monolith = try TaskSystemProcess("monolith")
            let comments = try TaskSystemProcess("comments")
            let gateway = try GatewayProcess(Self.setup(monolith, comments), flags: Self.flags(false), workers: 2)
            let before = try Curl("\(gateway.url)/tasks/1/comments")
            #expect(before.status == 200 && before.answer?["served-by"] == "monolith", "\(before)")
            try gateway.folder.write("flags.json", Self.flags(true))
            try eventually("the service serves") {
                try Curl("\(gateway.url)/tasks/1/comments").answer?["served-by"] == "comments"
            }
            let after = try Curl("\(gateway.url)/tasks/1/comments")
            #expect(after.body == before.body, "the service has the same data")

            let view = try Curl("\(gateway.url)/tasks/1/details")
            #expect(view.status == 200 && view.answer?.values("banyan-partial") == [], "\(view)")
            let members = try #require(view.answer?.json)
            #expect((members["task"] as? [String: Any])?["id"] as? Int == 1, "\(view)")
            #expect((members["user"] as? [String: Any])?["id"] as? Int == 1, "\(view)")
            #expect(
                (members["comments"] as? [[String: Any]])?.allSatisfy { $0["task_id"] as? Int == 1 } == true, "\(view)")
            let trace = try #require(try gateway.logLine(path: "/tasks/1/details")["trace_id"] as? String)
            for process in [monolith.process, comments.process] {
                try process.line("with trace \(trace)", in: .errors) { $0.contains(trace) }
            }
        }

        @Test("Writing goes through: creating, changing and deleting a task")
        func writing() throws {
            let monolith = try TaskSystemProcess("monolith")
            let setup = GatewaySetup().upstream("monolith", url: monolith.url)
                .route(#"{"match": "/{rest...}", "to": "monolith"}"#)
            let client = try GatewayProcess(setup).client()
            let json = ["Content-Type: application/json"]
            let created = try client.exchange(
                "POST /tasks", json, body: #"{"title": "From the test", "user_id": 1, "creator_id": 1}"#)
            #expect(created.status == 201, "\(client.transcript)")
            let id = try #require(created.json["id"] as? Int)
            let changed = try client.exchange("PATCH /tasks/\(id)", json, body: #"{"title": "Changed"}"#)
            #expect(changed.status == 200 && changed.json["title"] as? String == "Changed", "\(client.transcript)")
            #expect(try client.exchange("DELETE /tasks/\(id)").status == 204, "\(client.transcript)")
            #expect(try client.exchange("GET /tasks/\(id)").status == 404, "\(client.transcript)")
            let invalid = try client.exchange("POST /tasks", json, body: #"{"title": ""}"#)
            #expect(invalid.status == 422, "\(client.transcript)")
        }

        @Test(
            "The comments service is killed under a loop of views: 200 every time, partly, whole again when it is back")
        func killed() throws {
            let monolith = try TaskSystemProcess("monolith")
            let comments = try TaskSystemProcess("comments")
            let gateway = try GatewayProcess(Self.setup(monolith, comments), flags: Self.flags(true))
            let client = try gateway.client()
            func view() throws -> HTTPText {
                let answer = try client.exchange("GET /tasks/1/details")
                #expect(answer.status == 200, "\(client.transcript)")
                return answer
            }
            for _ in 0..<20 { #expect(try view().values("banyan-partial").isEmpty, "\(client.transcript)") }
            comments.process.signal(SIGKILL)
            _ = try comments.process.end()
            for _ in 0..<20 {
                let answer = try view()
                #expect(answer["banyan-partial"]?.hasPrefix("comments;reason=") == true, "\(answer)")
                #expect((answer.json["comments"] as? [Any])?.isEmpty == true, "\(answer)")
            }
            let back = try TaskSystemProcess("comments", port: comments.place.port)
            try eventually("the view is whole again") { try view().values("banyan-partial").isEmpty }
            #expect(back.process.exitCode == nil)
        }
    }
}
