import Foundation
import Glibc
import Testing

extension EndToEnd {
    /// The gateway and the services behind it tell one trace to one collector, as real programs.
    @Suite(.enabled(if: ClientTool.python != nil, "no Python clients: scripts/test-tools.sh installs them"))
    struct OneTrace {
        private static func environment(_ collector: SpanCollector) -> [String: String] {
            ["OTEL_EXPORTER_OTLP_ENDPOINT": collector.stub.url, "OTEL_BSP_SCHEDULE_DELAY": "20"]
        }

        private struct Place {
            let collector: SpanCollector
            let monolith: TaskSystemProcess
            let comments: TaskSystemProcess
            let gateway: GatewayProcess

            init(_ more: [String: String] = [:]) throws {
                collector = try SpanCollector()
                let environment = OneTrace.environment(collector).merging(more) { $1 }
                monolith = try TaskSystemProcess("monolith", environment: environment)
                comments = try TaskSystemProcess("comments", environment: environment)
                let setup = GatewaySetup().upstream("monolith", url: monolith.url)
                    .upstream("comments", url: comments.url)
                    .route(#"{"match": "/tasks/{id}/comments", "to": "comments"}"#)
                    .route(#"{"match": "/{rest...}", "to": "monolith"}"#)
                    .route(
                        #"{"match": "GET /tasks/{id}/details", "aggregate": {"#
                            + #""task": {"from": "monolith", "get": "/tasks/{id}"}, "#
                            + #""user": {"from": "monolith", "get": "/users/{task.user_id}"}, "#
                            + #""comments": {"from": "comments", "get": "/tasks/{id}/comments"}}}"#
                    )
                    .gateway(#""trustedProxies": ["127.0.0.0/8"]"#)
                gateway = try GatewayProcess(setup, environment: environment)
            }

            /// Every span so far, when there are `count` of them, with the service that told it.
            func spans(_ count: Int) throws -> [(service: String, span: SpanCollector.Span)] {
                _ = try collector.spans(count)
                return try collector.requests().flatMap { request in
                    request.spans.map { (request.resource["service.name"] as? String ?? "", $0) }
                }
            }
        }

        private static func described(_ spans: [(service: String, span: SpanCollector.Span)]) -> Comment {
            "\(spans.map { "\($0.service): \($0.span)" }.joined(separator: "\n"))"
        }

        @Test("A request: the service's server span hangs below the gateway's client span, the database below it")
        func forwarded() throws {
            let place = try Place()
            let trace = "0af7651916cd43dd8448eb211c80319c"
            let answer = try place.gateway.exchange(
                "GET /tasks/1/comments", ["traceparent: 00-\(trace)-b7ad6b7169203331-01", "tracestate: a=b"])
            #expect(answer.status == 200)
            let spans = try place.spans(4)
            try #require(spans.count == 4, Self.described(spans))
            #expect(spans.allSatisfy { $0.span.text("trace") == trace }, Self.described(spans))
            func span(_ service: String, _ kind: Int) throws -> SpanCollector.Span {
                try #require(
                    spans.first { $0.service == service && $0.span.number("kind") == kind }?.span,
                    Self.described(spans))
            }
            let server = try span("banyan", 2), client = try span("banyan", 3)
            let service = try span("tasksystem-comments", 2), database = try span("tasksystem-comments", 3)
            #expect(server.text("parent") == "b7ad6b7169203331" && client.text("parent") == server.text("id"))
            #expect(service.text("parent") == client.text("id"), Self.described(spans))
            #expect(database.text("parent") == service.text("id"), Self.described(spans))
            #expect(service.name == "GET /tasks/{id}/comments" && service["url.path"] == "/tasks/1/comments")
            #expect(service["http.response.status_code"] == "200" && service.number("flags") == 0x301)
            #expect(service.text("state") == "a=b" && database["db.system.name"] == "sqlite")
            for request in place.collector.stub.requests where request["content-type"] == "application/json" {
                #expect(request.target == "/v1/traces" && request.method == "POST", "\(request)")
            }
            #expect(try place.collector.requests().allSatisfy { !$0.hasUnknown })
        }

        @Test("A view: one trace, and each part's server span below the client span that asked for it")
        func view() throws {
            let place = try Place()
            let answer = try place.gateway.exchange("GET /tasks/1/details")
            #expect(answer.status == 200)
            // Of the gateway one for the request, one for the composing, and three for parts; of the services three
            // for requests, and three for what they asked their databases.
            let spans = try place.spans(11)
            try #require(spans.count == 11, Self.described(spans))
            #expect(Set(spans.map { $0.span.text("trace") }).count == 1, Self.described(spans))
            #expect(Set(spans.map { $0.span.text("id") }).count == 11, Self.described(spans))
            let clients = spans.filter { $0.service == "banyan" && $0.span.number("kind") == 3 }.map(\.span)
            let servers = spans.filter { $0.service != "banyan" && $0.span.number("kind") == 2 }
            #expect(
                Set(servers.map(\.span.name)) == ["GET /tasks/{id}", "GET /users/{id}", "GET /tasks/{id}/comments"])
            #expect(Set(servers.map { $0.span.text("parent") }) == Set(clients.map { $0.text("id") }))
            for client in clients {
                let served = try #require(servers.first { $0.span.text("parent") == client.text("id") })
                #expect(served.service == "tasksystem-\(client["banyan.upstream"] ?? "")", Self.described(spans))
            }
            #expect(spans.count { $0.span.text("parent").isEmpty } == 1, "one root: \(Self.described(spans))")
        }

        @Test("A trace that is not sampled is told by nobody; what is left is told at the end")
        func unsampled() throws {
            let place = try Place(["OTEL_BSP_SCHEDULE_DELAY": "3600000"])
            let parent = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0"
            #expect(try place.gateway.exchange("GET /tasks/1", ["\(parent)0"]).status == 200)
            #expect(try place.gateway.exchange("GET /tasks/2", ["\(parent)1"]).status == 200)
            #expect(place.collector.stub.requests.isEmpty)
            place.monolith.process.signal(SIGTERM)
            #expect(try place.monolith.process.end() == 0, "\(place.monolith.process.transcript)")
            let spans = try place.spans(2)
            #expect(spans.map(\.service) == ["tasksystem-monolith", "tasksystem-monolith"], Self.described(spans))
            #expect(spans.first?.span["url.path"] == "/tasks/2", Self.described(spans))
        }

        @Test("An https collector is refused in one line, and requests are served all the same")
        func https() throws {
            let system = try TaskSystemProcess(
                "users", environment: ["OTEL_EXPORTER_OTLP_ENDPOINT": "https://127.0.0.1:1"])
            #expect(try Curl("\(system.url)/users/1").status == 200)
            system.process.signal(SIGTERM)
            #expect(try system.process.end() == 0)
            let lines = system.process.lines(.errors).filter { $0.contains("OTEL_") }
            #expect(
                lines == [
                    "tasksystem users: OTEL_EXPORTER_OTLP_ENDPOINT is left out: https is not served here, only http; "
                        + "no spans are exported"
                ])
        }

        @Test("The demo's services keep names of their own, whatever the one in the environment is")
        func demo() throws {
            let collector = try SpanCollector()
            let folder = try TemporaryFolder()
            let setup = GatewaySetup()
                .upstream("monolith", url: "http://127.0.0.1:\(try SocketPlace.freePort())")
                .upstream("users", url: "http://127.0.0.1:\(try SocketPlace.freePort())")
                .route(#"{"match": "/{rest...}", "to": "monolith"}"#)
                .route(#"{"match": "/users/{rest...}", "to": "users"}"#)
            try folder.write("routes.json", setup.text)
            try folder.write("flags.json", #"{"flags": {}}"#)
            let demo = try RunningProcess(
                Binaries.path("banyan"), ["demo", "-c", folder.file("routes.json")],
                environment: Self.environment(collector).merging(["OTEL_SERVICE_NAME": "shop"]) { $1 })
            // A demo that is killed leaves its services behind, so a test that fails lets it end them.
            defer {
                demo.signal(SIGTERM)
                _ = try? demo.end()
            }
            try demo.line("what to try") { $0.contains("Ctrl-C ends everything") }
            let address = try demo.line("where the gateway listens") {
                $0.hasPrefix("gateway") && $0.contains("listening on")
            }
            let gateway = try #require(
                address.components(separatedBy: "listening on ").last.flatMap { SocketPlace(parsing: $0) })
            #expect(try RawClient(gateway).exchange("GET /tasks/1").status == 200)
            #expect(try RawClient(gateway).exchange("GET /users/1").status == 200)
            _ = try collector.spans(8)
            let names = Set(try collector.requests().compactMap { $0.resource["service.name"] as? String })
            #expect(names == ["shop", "tasksystem-monolith", "tasksystem-users"], "\(demo.transcript)")
            demo.signal(SIGINT)
            #expect(try demo.end() == 0, "\(demo.transcript)")
        }
    }
}
