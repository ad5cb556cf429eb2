import Foundation
import Testing

extension EndToEnd {
    /// `/traces` of the admin listener: the last traces, without a collector.
    @Suite
    struct TracePage {
        private static let hostile = #"<img src=x onerror="document.title='broken'">"#

        /// A gateway that keeps a few traces, and what stands behind it.
        private static func place(_ recent: Int = 5, token: Bool = false) throws -> GatewayProcess {
            let stub = try StubUpstream.answering { request in
                let status = request.target.contains("bad") ? "500 Oh" : "200 OK"
                return "HTTP/1.1 \(status)\r\nContent-Length: 13\r\n\r\n{\"user_id\":7}"
            }
            var setup = GatewaySetup(forwardingTo: stub)
                .route(
                    #"""
                    {"match": "GET /view/{id}", "aggregate": {
                      "task": {"from": "stub", "get": "/tasks/{id}"},
                      "user": {"from": "stub", "get": "/users/{task.user_id}"}}}
                    """#
                )
                .gateway(#""trustedProxies": ["127.0.0.0/8"]"#)
                .gateway(#""tracing": {"recent": \#(recent)}"#)
            if token { setup.admin = #"{"address": "127.0.0.1:0", "token": {"env": "ADMIN_TOKEN"}}"# }
            return try GatewayProcess(setup, environment: ["ADMIN_TOKEN": "secret"])
        }

        private static func traceID(_ number: Int) -> String { String(format: "0af7651916cd43dd8448eb21%08x", number) }

        /// Sends a request in a trace of this number.
        private static func ask(_ gateway: GatewayProcess, _ line: String, _ number: Int) throws {
            let parent = "traceparent: 00-\(traceID(number))-b7ad6b7169203331-01"
            _ = try gateway.exchange(line, [parent, "User-Agent: \(hostile)"])
        }

        /// The traces that the page would show, once there are so many spans in the first.
        private static func traces(_ gateway: GatewayProcess, _ query: String = "") throws -> [[String: Any]] {
            let answer = try gateway.admin("/traces.json\(query)")
            guard answer.status == 200,
                let list = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [[String: Any]]
            else { throw ExchangeFailure("no list of traces", transcript: "\(answer)") }
            return list
        }

        private static func ids(_ traces: [[String: Any]]) -> [String?] { traces.map { $0["traceId"] as? String } }

        private static func spans(_ trace: [String: Any]?) -> [[String: Any]] {
            trace?["spans"] as? [[String: Any]] ?? []
        }

        @Test("The last traces are told as data, the latest first, and no more than are kept")
        func list() throws {
            let gateway = try Self.place()
            // Spans are handed on and dropped in bunches; there is room for 16 for each trace that is asked for.
            for numbers in [1...50, 51...100] {
                for number in numbers { try Self.ask(gateway, "GET /things/\(number)", number) }
                let last = Self.traceID(numbers.upperBound)
                try eventually("the last one is there") { Self.ids(try Self.traces(gateway)).first == last }
            }
            let traces = try Self.traces(gateway)
            #expect(Self.ids(traces) == [100, 99, 98, 97, 96].map(Self.traceID), "\(traces)")
            #expect(traces.allSatisfy { Self.spans($0).count == 2 }, "server and client: \(traces)")
            #expect(Self.ids(try Self.traces(gateway, "?limit=2")) == [100, 99].map(Self.traceID))
            #expect(Self.ids(try Self.traces(gateway, "?trace=\(Self.traceID(90))")) == [Self.traceID(90)])
            #expect(try Self.traces(gateway, "?trace=\(Self.traceID(1))").isEmpty, "it is kept no longer")
            #expect(try Self.traces(gateway, "?other=1").count == 5)
            for query in [
                "limit=0", "limit=", "limit", "limit=10001", "limit=-1", "trace=1", "trace=\(Self.traceID(1))0",
            ] {
                #expect(try gateway.admin("/traces.json?\(query)").status == 400, "\(query)")
            }
            let spans = Self.spans(traces.first)
            let names = Set(spans.compactMap { $0["name"] as? String })
            #expect(names == ["GET /{rest...}", "GET"], "\(spans)")
            let agents = spans.compactMap { ($0["attributes"] as? [String: Any])?["user_agent.original"] as? String }
            #expect(agents == [Self.hostile], "\(spans)")
        }

        @Test("Without `recent` nothing is kept, and the answer says how to have it")
        func off() throws {
            let gateway = try Self.place(0)
            try Self.ask(gateway, "GET /", 1)
            let answer = try gateway.admin("/traces.json")
            #expect(answer.status == 404 && answer.text.contains("gateway.tracing.recent"), "\(answer)")
            #expect(try gateway.admin("/traces").status == 200)
        }

        @Test("The page is open to a browser, which has no token; what it shows is not")
        func guarded() throws {
            let gateway = try Self.place(token: true)
            #expect(try gateway.admin("/traces.json").status == 401)
            #expect(try gateway.admin("/status").status == 401)
            for (path, type) in [
                ("/traces", "text/html"), ("/traces.js", "text/javascript"), ("/traces.css", "text/css"),
            ] {
                let answer = try gateway.admin(path)
                #expect(answer.status == 200 && answer["content-type"] == "\(type); charset=utf-8", "\(answer)")
                #expect(answer["x-content-type-options"] == "nosniff", "\(answer)")
                let policy = answer["content-security-policy"] ?? ""
                #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; "), "\(answer)")
                #expect(policy.hasSuffix("frame-ancestors 'none'"), "\(answer)")
            }
        }

        @Test(
            "A browser draws a waterfall, tells attributes on a click, and runs nothing that a client sent",
            .enabled(if: ClientTool.browser != nil && ClientTool.python != nil, "needs Chromium: scripts/test-tools.sh")
        )
        func browser() throws {
            let gateway = try Self.place()
            try Self.ask(gateway, "GET /bad/<b>", 1)
            try Self.ask(gateway, "GET /view/3", 2)
            try Self.ask(gateway, "GET /bad/thing", 3)
            try eventually("all of them are there") { try Self.traces(gateway).count >= 2 }
            let seen = try ClientTool.run(
                "browse.py", try #require(ClientTool.browser), gateway.folder.file("profile"),
                "http://\(gateway.adminPlace)/traces#\(Self.traceID(2))",
                "document.querySelectorAll('details.trace').length >= 2 && document.querySelectorAll('.bar').length === 4",
                "[...document.querySelectorAll('details[open] .label')].map(x => x.textContent + x.style.paddingLeft)",
                // Nothing is drawn outside its track, and the root takes all of it.
                """
                [...document.querySelectorAll('.bar')].every(bar => {
                  const left = parseFloat(bar.style.left), width = parseFloat(bar.style.width)
                  return left >= 0 && left + width <= 100.01
                }) && document.querySelector('.bar').style.width
                """,
                "document.querySelector('.span').click() ?? document.querySelector('.attributes')?.textContent",
                "[document.title, document.querySelectorAll('img, b').length].join()",
                """
                document.getElementById('filter').value = 'things nowhere',
                document.getElementById('filter').dispatchEvent(new Event('input')),
                document.querySelectorAll('details.trace').length === 0
                """,
                """
                document.getElementById('filter').value = '/BAD thing',
                document.getElementById('filter').dispatchEvent(new Event('input')),
                [...document.querySelectorAll('details.trace .status')].map(x => x.className + x.textContent).join()
                """)
            let found = try #require(seen["found"] as? [Any])
            try #require(found.count == 7, "\(seen)")
            let labels = try #require(found[1] as? [String])
            #expect(
                labels == ["GET /view/{id}0rem", "compose /view/{id}1.1rem", "GET → task2.2rem", "GET → user2.2rem"])
            #expect(found[2] as? String == "100%", "\(seen)")
            let attributes = try #require(found[3] as? String)
            #expect(attributes.contains("user_agent.original\(Self.hostile)"), "as text: \(attributes)")
            #expect(found[4] as? String == "Banyan: recent traces,0", "\(seen)")
            #expect(found[6] as? String == "status failed500", "\(seen)")
        }

        @Test(
            "A browser that is refused asks for the token, and shows the traces with it",
            .enabled(if: ClientTool.browser != nil && ClientTool.python != nil, "needs Chromium: scripts/test-tools.sh")
        )
        func tokenInBrowser() throws {
            let gateway = try Self.place(token: true)
            try Self.ask(gateway, "GET /thing", 1)
            let seen = try ClientTool.run(
                "browse.py", try #require(ClientTool.browser), gateway.folder.file("profile"),
                "http://\(gateway.adminPlace)/traces",
                "!document.getElementById('access').hidden && document.getElementById('message').textContent",
                "document.getElementById('token').value = 'secret'",
                "document.querySelector('#access button').click() ?? true",
                "document.getElementById('access').hidden && document.querySelector('.name')?.textContent")
            let found = try #require(seen["found"] as? [Any])
            try #require(found.count == 4, "\(seen)")
            #expect((found[0] as? String)?.contains("Authorization: Bearer") == true, "\(seen)")
            #expect(found[3] as? String == "GET /{rest...}", "\(seen)")
        }
    }
}
