import Foundation
import Synchronization
import Testing

extension EndToEnd {
    /// What a collector gets to see of requests (OpenTelemetry, HTTP spans; OTLP/HTTP).
    @Suite(.enabled(if: ClientTool.python != nil, "no Python clients: scripts/test-tools.sh installs them"))
    struct SpanExport {
        private static let trace = "0af7651916cd43dd8448eb211c80319c"
        private static let caller = "b7ad6b7169203331"
        private static var parent: String { "traceparent: 00-\(trace)-\(caller)-01" }

        private static let flags = """
            {"flags": {"use_users": {"state": "ENABLED", "variants": {"on": true, "off": false}, \
            "defaultVariant": "on"}}}
            """

        /// A gateway that exports soon, and services that answer JSON.
        private static func place(
            _ collector: SpanCollector, _ tracing: String = "", more: String? = nil, workers: Int = 1,
            environment: [String: String] = [:]
        ) throws -> (gateway: GatewayProcess, service: StubUpstream) {
            let service = try StubUpstream.answering { request in
                let status = request.target.contains("bad") ? "500 Oh" : "200 OK"
                return "HTTP/1.1 \(status)\r\nContent-Length: 13\r\n\r\n{\"user_id\":7}"
            }
            let otlp = more ?? #""otlp": {"url": "\#(collector.stub.url)", "delay": "50ms"}"#
            let setup = GatewaySetup().upstream("monolith", service).upstream("users", service)
                .upstream("gone", url: "http://127.0.0.1:1")
                .context(#""users": {"off": "monolith", "on": "users", "flag": "use_users"}"#)
                .route(#"{"match": "/users/{id}", "to": "users"}"#)
                .route(#"{"match": "/gone", "to": "gone"}"#)
                .route(#"{"match": "/quiet", "to": "monolith", "sampleRatio": 0}"#)
                .route(#"{"match": "GET /plain/{rest...}", "to": "monolith"}"#)
                .route(
                    #"""
                    {"match": "GET /view/{id}", "aggregate": {
                      "task": {"from": "monolith", "get": "/tasks/{id}"},
                      "user": {"from": "users", "get": "/users/{task.user_id}"},
                      "bad": {"from": "monolith", "get": "/bad", "optional": true}}}
                    """#
                )
                .gateway(#""trustedProxies": ["127.0.0.0/8"]"#)
                .gateway(#""tracing": {\#([otlp, tracing].filter { !$0.isEmpty }.joined(separator: ", "))}"#)
            return (
                try GatewayProcess(setup, flags: flags, workers: workers, environment: environment), service
            )
        }

        @Test("A request is a server span and a client span, in the caller's trace, with what was decided on it")
        func forwarded() throws {
            let collector = try SpanCollector()
            let (gateway, service) = try Self.place(collector)
            let before = Date().timeIntervalSince1970
            let answer = try gateway.exchange(
                "GET /users/7?secret=1",
                [Self.parent, "tracestate: a=b", "User-Agent: test", "X-Forwarded-For: 192.0.2.1"])
            #expect(answer.status == 200)
            let spans = try collector.spans(2)
            #expect(spans.count == 2, "\(spans)")
            let server = try #require(spans.first { $0.number("kind") == 2 })
            let client = try #require(spans.first { $0.number("kind") == 3 })
            #expect(server.name == "GET /users/{id}" && client.name == "GET")
            #expect(server.text("trace") == Self.trace && client.text("trace") == Self.trace)
            #expect(server.text("parent") == Self.caller && client.text("parent") == server.text("id"))
            #expect(server.text("state") == "a=b" && client.text("state") == "a=b")
            #expect(server.number("flags") == 0x301 && client.number("flags") == 0x101)
            let sent = try #require(try service.lastRequest()["traceparent"])
            #expect(sent == "00-\(Self.trace)-\(client.text("id"))-01", "the service's parent is the client span")
            let expected = [
                "http.request.method": "GET", "url.path": "/users/7", "url.scheme": "http", "http.route": "/users/{id}",
                "http.response.status_code": "200", "server.address": "api.test", "client.address": "192.0.2.1",
                "network.peer.address": "127.0.0.1", "network.protocol.version": "1.1", "user_agent.original": "test",
                "banyan.served_by": "users",
            ]
            for (key, value) in expected { #expect(server[key] == value, "\(key): \(server)") }
            #expect(server["banyan.request_id"] == answer["x-request-id"])
            #expect(server["url.query"] == nil && !"\(spans)".contains("secret"), "queries may hold secrets")
            #expect(server["error.type"] == nil && server.number("status") == 0)
            let ofClient = [
                "http.request.method": "GET", "server.address": "127.0.0.1", "server.port": "\(service.place.port)",
                "url.full": "\(service.url)/users/7", "http.response.status_code": "200", "banyan.upstream": "users",
                "banyan.attempt": "1", "network.protocol.version": "1.1",
            ]
            for (key, value) in ofClient { #expect(client[key] == value, "\(key): \(client)") }
            #expect(server.events.count == 1 && server.events[0]["name"] as? String == "feature_flag.evaluation")
            let flag = server.events.first?["attributes"] as? [String: String]
            #expect(
                flag == [
                    "feature_flag.key": "use_users", "feature_flag.result.variant": "on",
                    "feature_flag.result.reason": "static", "feature_flag.provider.name": "banyan",
                ])
            let times = [server.number("start"), client.number("start"), client.number("end"), server.number("end")]
            #expect(times == times.sorted(), "\(times)")
            #expect(abs(Double(times[0]) / 1e9 - before) < 10, "the clock is UTC")
            let request = try #require(try collector.requests().first)
            #expect(!request.hasUnknown && request.resource["service.name"] as? String == "banyan")
            let head = collector.stub.requests[0]
            #expect(head.target == "/v1/traces" && head.method == "POST", "\(head)")
            #expect(head["content-type"] == "application/x-protobuf")
        }

        @Test(
            "A collector on this host gets spans as they are, unless the file or else the environment asks for gzip",
            arguments: [
                (nil, nil, nil), (true, nil, "gzip"), (false, nil, nil), (nil, "gzip", "gzip"), (nil, "none", nil),
                (true, "none", "gzip"), (false, "gzip", nil),
            ] as [(Bool?, String?, String?)])
        func compression(file: Bool?, variable: String?, encoding: String?) throws {
            let collector = try SpanCollector()
            let compress = file.map { #", "compress": \#($0)"# } ?? ""
            let (gateway, _) = try Self.place(
                collector, more: #""otlp": {"url": "\#(collector.stub.url)", "delay": "50ms"\#(compress)}"#,
                environment: variable.map { ["OTEL_EXPORTER_OTLP_COMPRESSION": $0] } ?? [:])
            #expect(try gateway.exchange("GET /plain/a").status == 200)
            #expect(try collector.spans(2).count == 2)
            #expect(collector.stub.requests[0]["content-encoding"] == encoding)
        }

        @Test("A view is one trace: the composing, and a client span for each part")
        func view() throws {
            let collector = try SpanCollector()
            let (gateway, _) = try Self.place(collector)
            #expect(try gateway.exchange("GET /view/5").status == 200)
            let spans = try collector.spans(5)
            #expect(spans.count == 5, "\(spans)")
            let server = try #require(spans.first { $0.number("kind") == 2 })
            let compose = try #require(spans.first { $0.number("kind") == 1 })
            #expect(server.name == "GET /view/{id}" && compose.name == "compose /view/{id}")
            #expect(server.text("parent").isEmpty && compose.text("parent") == server.text("id"))
            let parts = spans.filter { $0.number("kind") == 3 }
            #expect(Set(parts.compactMap { $0["banyan.part"] }) == ["task", "user", "bad"])
            #expect(Set(parts.compactMap { $0["banyan.attempt"] }) == ["1", "2", "3"])
            for part in parts {
                #expect(part.text("parent") == compose.text("id") && part.text("trace") == server.text("trace"))
                #expect(part.number("start") >= compose.number("start"), "\(part)")
                #expect(part.number("end") <= compose.number("end"), "\(part)")
            }
            let bad = try #require(parts.first { $0["banyan.part"] == "bad" })
            #expect(bad["error.type"] == "500" && bad.number("status") == 2)
            // What could be done without is no failure of the whole.
            #expect(server.number("status") == 0 && server["error.type"] == nil, "\(server)")
            #expect(Set(spans.map { $0.text("id") }).count == 5, "every span has an id of its own")
        }

        @Test("What goes wrong is told in the words of the log; what nobody is to blame for is no error")
        func failures() throws {
            let collector = try SpanCollector()
            let (gateway, _) = try Self.place(collector)
            #expect(try gateway.exchange("GET /gone").status == 502)
            #expect(try gateway.exchange("GET /nowhere/1").status == 404)
            #expect(try gateway.exchange("GET /plain/bad").status == 500)
            #expect(try gateway.exchange("ODD /plain/x").status == 405)
            #expect(try gateway.client().request("GET / HTTP/1.1\r\nBad : x").response().status == 400)
            let spans = try collector.spans(7)
            func server(_ path: String) throws -> SpanCollector.Span {
                try #require(spans.first { $0.number("kind") == 2 && $0["url.path"] == path }, "\(spans)")
            }
            let gone = try server("/gone")
            #expect(gone["error.type"] == "connect_failed" && gone.number("status") == 2)
            let attempt = try #require(spans.first { $0.text("parent") == gone.text("id") })
            #expect(attempt["error.type"] == "connect_failed" && attempt.number("status") == 2)
            let nowhere = try server("/nowhere/1")
            #expect(nowhere.name == "GET" && nowhere["http.route"] == nil && nowhere["error.type"] == "no_route")
            #expect(nowhere.number("status") == 0, "a client's mistake is not the server's")
            let bad = try server("/plain/bad")
            #expect(bad["error.type"] == "500" && bad.number("status") == 2 && bad.name == "GET /plain/{rest...}")
            let odd = try server("/plain/x")
            #expect(odd.name == "HTTP" && odd["http.request.method"] == "_OTHER")
            #expect(odd["http.request.method_original"] == "ODD")
        }

        @Test("Names of spans are few, whatever methods clients and parts of views have")
        func oddMethods() throws {
            let collector = try SpanCollector()
            let service = try StubUpstream.saying("{}")
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: service).gateway(
                    #""tracing": {"otlp": {"url": "\#(collector.stub.url)", "delay": "50ms"}}"#
                ).route(
                    #"{"match": "GET /view", "aggregate": {"a": {"from": "stub", "request": {"method": "PROPFIND", "path": "/"}}}}"#
                ))
            for method in ["ODD", "get", "GETS"] { #expect(try gateway.exchange("\(method) /x").status == 200) }
            #expect(try gateway.exchange("GET /view").status == 200)
            let spans = try collector.spans(9)
            let calls = spans.filter { $0.number("kind") == 3 }
            #expect(Set(calls.map(\.name)) == ["HTTP"], "\(calls)")
            #expect(Set(calls.map { $0["http.request.method"] }) == ["_OTHER"], "\(calls)")
            let originals = calls.compactMap { $0["http.request.method_original"] }
            #expect(originals.sorted() == ["GETS", "ODD", "PROPFIND", "get"], "\(calls)")
        }

        @Test("Where queries are told, what signs or authorizes a request is not")
        func queries() throws {
            let collector = try SpanCollector()
            let (gateway, _) = try Self.place(collector, #""query": true"#)
            #expect(try gateway.exchange("GET /users/7?page=2&sig=secret&x").status == 200)
            let spans = try collector.spans(2)
            let server = try #require(spans.first { $0.number("kind") == 2 })
            #expect(server["url.query"] == "page=2&sig=REDACTED&x" && server["url.path"] == "/users/7", "\(server)")
            #expect(!"\(spans)".contains("secret"), "\(spans)")
        }

        @Test("A request that was sent again on another connection says so")
        func resends() throws {
            let collector = try SpanCollector()
            let served = Mutex(0)
            let service = try StubUpstream { connection in
                while try connection.request() != nil {
                    // The second request finds a connection that dies under it.
                    let number = served.withLock { served in
                        served += 1
                        return served
                    }
                    if number == 2 { return }
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                }
            }
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: service).gateway(
                    #""tracing": {"otlp": {"url": "\#(collector.stub.url)", "delay": "50ms"}}"#))
            #expect(try gateway.exchange("GET /a").status == 200)
            #expect(try gateway.exchange("GET /b").status == 200)
            let spans = try collector.spans(4).filter { $0.number("kind") == 3 }
            let resends = spans.map { $0["http.request.resend_count"] }
            #expect(resends.count == 2 && Set(resends) == [nil, "1"], "\(spans)")
        }

        @Test("A stranger's trace is a link; its wish to be sampled is none of ours")
        func strangers() throws {
            let collector = try SpanCollector()
            let service = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: service).gateway(
                    #""tracing": {"otlp": {"url": "\#(collector.stub.url)", "delay": "50ms", "compress": false}}"#))
            #expect(try gateway.exchange("GET /a", [Self.parent]).status == 200)
            let server = try #require(try collector.spans(2).first { $0.number("kind") == 2 })
            #expect(server.text("trace") != Self.trace && server.text("parent").isEmpty)
            #expect(server.links == [["trace": Self.trace, "id": Self.caller]])
            #expect(server.number("flags") == 0x103)
            #expect(collector.stub.requests[0]["content-encoding"] == nil)
        }
    }
}
