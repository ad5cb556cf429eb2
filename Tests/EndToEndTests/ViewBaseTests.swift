import Foundation
import Synchronization
import Testing

extension EndToEnd {
    /// Views that replace parts of a monolith's own answer, and lists with what belongs to their elements.
    @Suite
    struct ViewBases {
        private static let whole = #"{ "id": 1 ,"comments" : ["old"], "user":{"n":"old"} }"#

        private static func flags(_ comments: Bool, _ tasks: Bool) -> String {
            func flag(_ name: String, _ isOn: Bool) -> String {
                #""\#(name)": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "\#(isOn ? "on" : "off")"}"#
            }
            return #"{"flags": {\#(flag("use_comments", comments)), \#(flag("use_tasks", tasks))}}"#
        }

        /// A gateway in front of a monolith and two services; the comments service fails where the trace says so.
        private static func place(
            comments: Bool, tasks: Bool
        ) throws -> (gateway: GatewayProcess, monolith: StubUpstream, comments: StubUpstream) {
            @Sendable func answer(_ body: String, _ status: String = "200 OK") -> String {
                "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            }
            let monolith = try StubUpstream.answering { _ in answer(whole) }
            let service = try StubUpstream.answering { request in
                request.target.contains("/9/") ? answer("{}", "503 Down") : answer(#"["new"]"#)
            }
            let tasksService = try StubUpstream.answering { _ in answer(#"{"id":2}"#) }
            let setup = GatewaySetup().upstream("monolith", monolith).upstream("comments", service)
                .upstream("tasks", tasksService)
                .context(#""comments": {"off": "monolith", "on": "comments", "flag": "use_comments"}"#)
                .context(#""tasks": {"off": "monolith", "on": "tasks", "flag": "use_tasks"}"#)
                .route(
                    #"""
                    {"match": "GET /tasks/{id}", "base": {"from": "monolith", "get": "/tasks/{id}?include=all"}, "aggregate": {
                      "task": {"from": "tasks", "get": "/tasks/{id}", "replaces": ""},
                      "comments": {"from": "comments", "get": "/tasks/{id}/comments", "replaces": "/comments"}}}
                    """#)
            return (try GatewayProcess(setup, flags: flags(comments, tasks)), monolith, service)
        }

        @Test("A part that can never lead elsewhere than the base is refused")
        func never() throws {
            let stub = try StubUpstream.saying("{}")
            let setup = GatewaySetup().upstream("monolith", stub).context(#""tasks": {"off": "monolith"}"#).route(
                #"""
                {"match": "GET /a", "base": {"from": "monolith", "get": "/a"}, "aggregate": {
                  "user": {"from": "tasks", "get": "/u", "replaces": "/user"},
                  "b": {"from": "monolith", "get": "/b", "replaces": "/b"}}}
                """#)
            do {
                _ = try GatewayProcess(setup)
                Issue.record("it was taken")
            } catch let failure as ExchangeFailure {
                let text = failure.transcript
                #expect(text.contains("/routes/0/aggregate/b/from: it leads wherever \"base\" leads"), "\(text)")
                // A context may get a flag one day.
                #expect(!text.contains("aggregate/user"), "\(text)")
            }
        }

        @Test("With no flag on, the monolith is asked once, and its bytes pass untouched")
        func off() throws {
            let place = try Self.place(comments: false, tasks: false)
            let answer = try place.gateway.exchange("GET /tasks/1")
            #expect(answer.status == 200 && answer.text == Self.whole, "\(answer)")
            #expect(place.monolith.requests.map(\.target) == ["/tasks/1?include=all"])
            #expect(place.comments.requests.isEmpty && answer["banyan-fallback"] == nil, "\(answer)")
        }

        @Test("With no flag on, whatever the monolith answers is the answer, and it is asked as by a plain route")
        func untouched() throws {
            let monolith = try StubUpstream.answering { request in
                if request.target.contains("/404") {
                    return
                        "HTTP/1.1 404 Gone Fishing\r\nContent-Type: text/html\r\nX-Own: 1\r\nContent-Length: 4\r\n\r\n<p>."
                }
                if request["if-none-match"] == "\"v1\"" { return "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n" }
                return "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nSet-Cookie: a=b\r\nContent-Type: text/x-odd\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n2\r\n..\r\n0\r\n\r\n"
            }
            let service = try StubUpstream.saying(#"["new"]"#)
            let setup = GatewaySetup().upstream("monolith", monolith).upstream("comments", service)
                .context(#""comments": {"off": "monolith", "on": "comments", "flag": "use_comments"}"#)
                .route(
                    #"""
                    {"match": "GET|HEAD /tasks/{id}", "base": {"from": "monolith", "get": "/t/{id}?lang={query.lang}"}, "aggregate": {
                      "comments": {"from": "comments", "get": "/tasks/{id}/comments", "replaces": "/comments"}}}
                    """#
                )
                .route(#"{"match": "/plain/{rest...}", "to": "monolith"}"#)
            let gateway = try GatewayProcess(setup, flags: Self.flags(false, false))
            let answer = try gateway.exchange("GET /tasks/1?lang=fr&x=1", ["X-Any: thing", "Accept-Encoding: br"])
            #expect(answer.status == 200 && answer.text == "{\"a..", "\(answer)")
            #expect(answer["content-type"] == "text/x-odd" && answer["set-cookie"] == "a=b", "\(answer)")
            #expect(answer["etag"] == "\"v1\"" && answer["banyan-partial"] == nil, "\(answer)")
            let asked = try #require(monolith.requests.first)
            #expect(asked.target == "/t/1?lang=fr" && asked["x-any"] == "thing", "\(asked)")
            #expect(asked["accept-encoding"] == "br", "\(asked)")
            let line = try gateway.logLine(path: "/tasks/1")
            #expect(
                line["upstream"] as? String == "monolith" && (line["parts"] as? [String: Any])?.isEmpty == true,
                "\(line)")

            let missing = try gateway.exchange("GET /tasks/404?lang=fr")
            #expect(missing.status == 404 && missing.text == "<p>." && missing["x-own"] == "1", "\(missing)")
            let known = try gateway.exchange("GET /tasks/1?lang=fr", ["If-None-Match: \"v1\""])
            #expect(known.status == 304 && known["etag"] == "\"v1\"", "\(known)")
            let head = try gateway.exchange("HEAD /tasks/1?lang=de")
            #expect(head.status == 200 && head.body.isEmpty && head["etag"] == "\"v1\"", "\(head)")
            #expect(monolith.requests.last?.method == "HEAD" && service.requests.isEmpty)
            #expect(monolith.requests.map(\.target).dropFirst() == ["/t/404?lang=fr", "/t/1?lang=fr", "/t/1?lang=de"])
            // Without an input that the path needs nobody can be asked.
            let lacking = try gateway.exchange("GET /tasks/1")
            #expect(lacking.status == 400 && monolith.requests.count == 4, "\(lacking)")
            // The exchange goes on with routes of other kinds.
            let client = try gateway.client()
            #expect(try client.exchange("GET /tasks/1?lang=fr").status == 200)
            #expect(try client.exchange("GET /plain/x?y=1").status == 200)
            #expect(monolith.requests.last?.target == "/plain/x?y=1")
        }

        @Test("A flag adds a call, and puts its answer in the place of the monolith's")
        func on() throws {
            let place = try Self.place(comments: true, tasks: false)
            let answer = try place.gateway.exchange("GET /tasks/1")
            #expect(answer.text == #"{"id": 1,"comments":["new"],"user":{"n":"old"}}"#, "\(answer)")
            #expect(place.monolith.requests.count == 1 && place.comments.requests.count == 1)
        }

        @Test("With all flags on, the monolith is not asked; when a service fails, it is, and the answer is whole")
        func all() throws {
            let place = try Self.place(comments: true, tasks: true)
            let answer = try place.gateway.exchange("GET /tasks/1")
            #expect(answer.text == #"{"id":2,"comments":["new"]}"#, "\(answer)")
            #expect(place.monolith.requests.isEmpty)
            let failing = try place.gateway.exchange("GET /tasks/9")
            #expect(failing.status == 200 && failing.text == #"{"id":2,"comments":["old"]}"#, "\(failing)")
            #expect(failing["banyan-fallback"] == "comments;reason=bad_status;status=503", "\(failing)")
            #expect(failing["banyan-partial"] == nil && place.monolith.requests.count == 1, "\(failing)")
            let line = try place.gateway.logLine(path: "/tasks/9")
            #expect(line["marks"] as? [String] == ["fallback"], "\(line)")
            let parts = try #require(line["parts"] as? [String: [String: Any]])
            #expect(parts["comments"]?["cause"] as? String == "bad_status" && parts["base"] != nil, "\(line)")
        }

        @Test("The list of the demo: 50 tasks with their users cost two calls")
        func list() throws {
            let monolith = try TaskSystemProcess("monolith")
            let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../routes.json")
            let shipped = try #require(
                try JSONSerialization.jsonObject(with: Data(contentsOf: file.standardized)) as? [String: Any])
            let route = try #require(
                (shipped["routes"] as? [[String: Any]])?.first { $0["name"] as? String == "task-list" })
            let text = String(decoding: try JSONSerialization.data(withJSONObject: route), as: UTF8.self)
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("monolith", url: monolith.url).context(#""tasks": {"off": "monolith"}"#)
                    .context(#""users": {"off": "monolith"}"#).route(text))
            let answer = try gateway.exchange("GET /tasks?include=user")
            let tasks = try #require(answer.json["items"] as? [[String: Any]])
            #expect(tasks.count == 50 && answer.json["total"] as? Int == 50, "\(answer)")
            for task in tasks {
                let user = task["user"] as? [String: Any]
                #expect(user?["id"] as? Int == task["user_id"] as? Int, "\(task)")
            }
            let line = try gateway.logLine(path: "/tasks")
            #expect(line["attempts"] as? Int == 2, "\(line)")
        }
    }
}
