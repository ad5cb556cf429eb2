import Foundation
import Synchronization
import Testing

extension EndToEnd {
    /// Views composed of several services, and the trace that goes through all of them (routes-json "aggregate").
    @Suite
    struct Views {
        private static let view = #"""
            {"match": "GET /tasks/{id}/details", "name": "details", "aggregate": {
              "task": {"from": "tasks", "get": "/tasks/{id}"},
              "user": {"from": "users", "get": "/users/{task.user_id}", "optional": true},
              "comments": {"from": "comments", "get": "/tasks/{id}/comments", "optional": true, "default": [],
                           "timeout": "300ms"}
            }}
            """#

        private static func json(_ body: String, status: String = "200 OK") -> String {
            "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }

        private static func service(_ body: String, status: String = "200 OK") throws -> StubUpstream {
            try .answering { _ in json(body, status: status) }
        }

        private static func gateway(
            tasks: StubUpstream, users: StubUpstream, comments: StubUpstream, _ gateway: String...
        ) throws -> GatewayProcess {
            var setup = GatewaySetup().upstream("tasks", tasks).upstream("users", users).upstream("comments", comments)
            setup.gateway += gateway
            return try GatewayProcess(setup.route(view))
        }

        @Test("Every part arrives byte for byte, in the order of the file")
        func whole() throws {
            let task = #"{"id":12345678901234567890, "b":1e999999,"a":[1.50],"user_id":7}"#
            let tasks = try Self.service(task)
            let users = try Self.service(#"{"name":"\u00e4"}"#)
            let comments = try Self.service("[ 1 ]")
            let gateway = try Self.gateway(tasks: tasks, users: users, comments: comments)
            let answer = try gateway.exchange("GET /tasks/4/details")
            #expect(answer.status == 200 && answer["content-type"] == "application/json", "\(answer)")
            #expect(answer.text == #"{"task":\#(task),"user":{"name":"\u00e4"},"comments":[ 1 ]}"#)
            #expect(answer.values("banyan-partial").isEmpty)
            #expect(try users.lastRequest().target == "/users/7")
            #expect(try comments.lastRequest().target == "/tasks/4/comments")
        }

        @Test("Parts that need nothing of each other run at the same time")
        func parallel() throws {
            let both = Gate()
            let arrived = Mutex(0)
            // Each of the two answers only when the other one has its request, too.
            @Sendable func meet() throws {
                if arrived.withLock({
                    $0 += 1; return $0
                }) == 2 {
                    both.open()
                }
                try both.wait()
            }
            let tasks = try StubUpstream { connection in
                while try connection.request() != nil {
                    try meet()
                    try connection.send(Self.json(#"{"user_id":1}"#))
                }
            }
            let comments = try StubUpstream { connection in
                while try connection.request() != nil {
                    try meet()
                    try connection.send(Self.json("[]"))
                }
            }
            let setup = GatewaySetup().upstream("tasks", tasks).upstream("users", try Self.service("{}"))
                .upstream("comments", comments)
                .route(Self.view.replacingOccurrences(of: "300ms", with: "20s"))
            let answer = try GatewayProcess(setup).exchange("GET /tasks/1/details")
            #expect(answer.text == #"{"task":{"user_id":1},"user":{},"comments":[]}"#, "\(answer)")
        }

        @Test(
            "An optional part that fails leaves its default, and the answer says so (routes-json, aggregate)",
            arguments: ["refused", "status", "no JSON", "slow", "cut"])
        func partial(fault: String) throws {
            let comments = try StubUpstream { connection in
                while try connection.request() != nil {
                    switch fault {
                    case "status": try connection.send(Self.json("{}", status: "500 Broken"))
                    case "no JSON": try connection.send(Self.json("[1,]"))
                    case "slow": return try connection.awaitEnd()
                    default: return try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[")
                    }
                }
            }
            if fault == "refused" { comments.stop() }
            let gateway = try Self.gateway(
                tasks: try Self.service(#"{"user_id":1}"#), users: try Self.service("{}"), comments: comments)
            let answer = try gateway.exchange("GET /tasks/1/details")
            #expect(answer.status == 200, "\(answer)")
            #expect(answer.text == #"{"task":{"user_id":1},"user":{},"comments":[]}"#, "\(answer)")
            #expect(answer["banyan-partial"]?.hasPrefix("comments;reason=") == true, "\(answer)")
            #expect(answer["cache-control"]?.contains("no-store") == true, "\(answer)")
            let line = try gateway.logLine(path: "/tasks/1/details")
            let part = (line["parts"] as? [String: Any])?["comments"] as? [String: Any]
            #expect(part?["cause"] is String && part?["upstream"] as? String == "comments", "\(line)")
        }

        @Test(
            "A required part that fails fails the view, with the status that tells most",
            arguments: [
                ("404 Not Found", 404), ("410 Gone", 410), ("401 No", 401), ("403 No", 403), ("500 Broken", 502),
                ("503 Busy", 502), ("418 Teapot", 502),
            ])
        func requiredFails(status: String, expected: Int) throws {
            let users = try Self.service("{}")
            let gateway = try Self.gateway(
                tasks: try Self.service(#"{"user_id":1}"#, status: status), users: users,
                comments: try Self.service("[]"))
            let answer = try gateway.exchange("GET /tasks/1/details")
            #expect(answer.status == expected, "\(answer)")
            #expect(answer["content-type"] == "application/problem+json", "\(answer)")
            #expect(users.requests.isEmpty, "what needs the failed part is not asked for")
        }

        @Test("When a required part fails, the parts in flight are cancelled")
        func cancelled() throws {
            let asked = Gate()
            let tasks = try StubUpstream { connection in
                _ = try connection.request()
                try asked.wait()
                try connection.send(Self.json("{}", status: "404 Not Found"))
            }
            let comments = try StubUpstream { connection in
                _ = try connection.request()
                asked.open()
                try connection.awaitEnd()
            }
            let setup = GatewaySetup().upstream("tasks", tasks).upstream("users", try Self.service("{}"))
                .upstream("comments", comments)
                .route(
                    Self.view.replacingOccurrences(of: "300ms", with: "30s").replacingOccurrences(
                        of: "\"name\": \"details\",", with: "\"name\": \"details\", \"timeout\": \"30s\","))
            let gateway = try GatewayProcess(setup)
            #expect(try gateway.exchange("GET /tasks/1/details").status == 404)
            try eventually("the call for comments is cancelled") { comments.closedConnections == 1 }
        }

        @Test("A client that goes away cancels every part in flight")
        func clientGone() throws {
            let hold: StubUpstream.Script = { connection in
                _ = try connection.request()
                try connection.awaitEnd()
            }
            let tasks = try StubUpstream(hold)
            let comments = try StubUpstream(hold)
            let setup = GatewaySetup().upstream("tasks", tasks).upstream("users", try Self.service("{}"))
                .upstream("comments", comments).route(Self.view.replacingOccurrences(of: "300ms", with: "20s"))
            let gateway = try GatewayProcess(setup)
            let client = try gateway.client().request("GET /tasks/1/details")
            _ = try (tasks.requests(1), comments.requests(1))
            client.close()
            try eventually("both calls are cancelled") {
                tasks.closedConnections == 1 && comments.closedConnections == 1
            }
        }

        @Test(
            "A value of the client stays one segment of the path (RFC 3986 §2.4)",
            arguments: [
                "%2e%2e%2fadmin", "1%2F..%2F..%2Fx", "a%3Fb%23c", "%40host", "a%0d%0aX-Evil:1", "%25zz", "a;b=c",
            ])
        func hostileValues(value: String) throws {
            let tasks = try Self.service(#"{"user_id":1}"#)
            let gateway = try Self.gateway(
                tasks: tasks, users: try Self.service("{}"), comments: try Self.service("[]"))
            let answer = try gateway.exchange("GET /tasks/\(value)/details")
            guard answer.status == 200 else {
                #expect(answer.status == 400 && tasks.requests.isEmpty, "\(answer)")
                return
            }
            let request = try tasks.lastRequest()
            #expect(
                request.target.hasPrefix("/tasks/") && request.target.split(separator: "/").count == 2, "\(request)")
            #expect(!request.target.contains(where: { "?#\r\n".contains($0) }), "\(request)")
            #expect(request.values("x-evil").isEmpty)
        }

        @Test(
            "A value of an upstream stays one segment too, and none is no path at all",
            arguments: [
                (#""../admin""#, "/users/..%2Fadmin"), (#""1/../../x?y#z""#, "/users/1%2F..%2F..%2Fx%3Fy%23z"),
                (#""ä b""#, "/users/%C3%A4%20b"), ("12345678901234567890", "/users/12345678901234567890"),
                ("null", nil), ("{}", nil), ("[1]", nil),
            ])
        func hostileInput(value: String, target: String?) throws {
            let users = try Self.service("{}")
            let gateway = try Self.gateway(
                tasks: try Self.service(#"{"user_id":\#(value)}"#), users: users, comments: try Self.service("[]"))
            let answer = try gateway.exchange("GET /tasks/1/details")
            #expect(answer.status == 200, "\(answer)")
            #expect(users.requests.map(\.target) == (target.map { [$0] } ?? []), "\(users.requests)")
            #expect(answer.values("banyan-partial").isEmpty == (target != nil), "\(answer)")
        }

        @Test("One trace id goes through all calls of a view, each with a parent of its own (Trace Context §3.2)")
        func trace() throws {
            let services = [
                try Self.service(#"{"user_id":1}"#), try Self.service("{}"), try Self.service("[]"),
            ]
            let gateway = try Self.gateway(
                tasks: services[0], users: services[1], comments: services[2], #""trustedProxies": ["127.0.0.1/32"]"#)
            let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
            _ = try gateway.exchange(
                "GET /tasks/1/details",
                ["traceparent: 00-\(trace)-00f067aa0ba902b7-01", "tracestate: v=1", "X-Request-Id: one"])
            let requests = try services.map { try $0.lastRequest() }
            let parts = requests.map { $0["traceparent"]?.split(separator: "-").map(String.init) ?? [] }
            #expect(parts.allSatisfy { $0.count == 4 && $0[1] == trace && $0[3] == "01" }, "\(parts)")
            #expect(Set(parts.map { $0[2] } + ["00f067aa0ba902b7"]).count == 4, "a new parent each: \(parts)")
            #expect(requests.allSatisfy { $0["tracestate"] == "v=1" && $0["x-request-id"] == "one" }, "\(requests)")
            let line = try gateway.logLine(path: "/tasks/1/details")
            #expect(line["trace_id"] as? String == trace && line["request_id"] as? String == "one", "\(line)")
            #expect(line["route"] as? String == "details")
            #expect((line["parts"] as? [String: Any])?.count == 3, "\(line)")
        }

        @Test("An unchanged view is not sent again (RFC 9110 §13.1.2)")
        func notModified() throws {
            let gateway = try Self.gateway(
                tasks: try Self.service(#"{"user_id":1}"#), users: try Self.service("{}"),
                comments: try Self.service("[]"))
            let client = try gateway.client()
            let first = try client.exchange("GET /tasks/1/details")
            let tag = try #require(first["etag"], "\(client.transcript)")
            #expect(tag.hasPrefix("W/\""))
            let second = try client.exchange("GET /tasks/1/details", ["If-None-Match: \(tag)"])
            #expect(second.status == 304 && second.body.isEmpty, "\(client.transcript)")
            #expect(try client.exchange("HEAD /tasks/1/details").status == 200, "\(client.transcript)")
            #expect(try client.exchange("GET /tasks/1/details").text == first.text, "\(client.transcript)")
        }
    }
}
