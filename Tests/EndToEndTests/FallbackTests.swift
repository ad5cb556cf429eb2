import Foundation
import Testing

extension EndToEnd {
    /// The monolith answers where an extracted service fails.
    @Suite
    struct Fallbacks {
        private static let flags = """
            {"flags": {"use": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}}}
            """

        private static func gateway(
            _ service: StubUpstream, _ monolith: StubUpstream, service settings: String? = nil,
            fallback more: String = "",
            gateway member: String? = nil
        ) throws -> GatewayProcess {
            var setup = GatewaySetup().upstream("service", service, settings).upstream("monolith", monolith)
                .context(
                    #""notes": {"off": "monolith", "on": "service", "flag": "use", "fallback": "monolith"\#(more)}"#
                )
                .route(#"{"match": "/{rest...}", "to": "notes"}"#)
                .route(
                    #"{"match": "GET /view", "aggregate": {"note": {"from": "notes", "get": "/note"}, "old": {"from": "monolith", "get": "/old"}}}"#
                )
            if let member { setup = setup.gateway(member) }
            return try GatewayProcess(setup, flags: flags)
        }

        private static func answering(_ status: String, _ body: String = "") throws -> StubUpstream {
            try StubUpstream.answering { _ in
                "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            }
        }

        private static func resetting() throws -> StubUpstream {
            try StubUpstream { connection in
                _ = try connection.request()
                connection.wire.reset()
            }
        }

        @Test("A service that is dead: the monolith answers, and says so", arguments: ["GET", "POST"])
        func dead(method: String) throws {
            let (service, monolith) = (try StubUpstream.saying("new"), try StubUpstream.saying("old"))
            let gateway = try Self.gateway(service, monolith)
            let client = try gateway.client()
            #expect(try client.exchange("\(method) /a", body: "x").text == "new")
            service.kill()
            let answer = try client.exchange("\(method) /b", body: "x")
            #expect(answer.status == 200 && answer.text == "old", "\(client.transcript)")
            #expect(answer["Banyan-Fallback"] == "connect_failed", "\(client.transcript)")
            #expect(answer["Banyan-Served-By"] == "monolith", "\(client.transcript)")
            #expect(try monolith.lastRequest().text == "x")
            let line = try gateway.logLine(path: "/b")
            #expect((line["marks"] as? [String])?.contains("fallback") == true, "\(line)")
            #expect(line["upstream"] as? String == "monolith" && line["status"] as? Int == 200)
            let figures = try gateway.figures("banyan_old_path_used_total", reach: 1)
            #expect(
                figures.sum("banyan_old_path_used_total", ["upstream": "service", "reason": "connect_failed"]) == 1)
        }

        @Test("What may be repeated goes to the monolith; what may have had an effect does not")
        func resets() throws {
            let monolith = try StubUpstream.saying("old")
            let gateway = try Self.gateway(try Self.resetting(), monolith)
            let safe = try gateway.exchange("GET /safe")
            #expect(safe.text == "old" && safe["Banyan-Fallback"] == "upstream_closed")
            let unsafe = try gateway.exchange("POST /unsafe", body: "x")
            #expect(unsafe.status == 502 && unsafe.cause == "upstream_closed")
            #expect(unsafe["Banyan-Fallback"] == nil && monolith.requests.count == 1)
        }

        /// What a service says, and why the monolith is asked, if it is.
        struct StatusCase: Sendable {
            var status: String
            var reason: String?
            var more: String

            init(_ status: String, _ reason: String?, _ more: String = "") {
                (self.status, self.reason, self.more) = (status, reason, more)
            }
        }

        @Test(
            "Gateway errors lead to the monolith, others only where the configuration names them",
            arguments: [
                StatusCase("502 Bad", "status_502"), StatusCase("503 Busy", "status_503"),
                StatusCase("504 Late", "status_504"), StatusCase("404 None", nil), StatusCase("500 Oh", nil),
                StatusCase("404 None", "status_404", #", "fallbackOn": ["404"]"#),
                StatusCase("500 Oh", "status_500", #", "fallbackOn": [500]"#),
                StatusCase("403 No", nil, #", "fallbackOn": ["404"]"#),
            ])
        func statuses(_ one: StatusCase) throws {
            let monolith = try StubUpstream.saying("old")
            let gateway = try Self.gateway(try Self.answering(one.status, "service"), monolith, fallback: one.more)
            let answer = try gateway.exchange("GET /")
            #expect(answer.text == (one.reason == nil ? "service" : "old"))
            #expect(answer["Banyan-Fallback"] == one.reason)
            #expect(monolith.requests.count == (one.reason == nil ? 0 : 1))
        }

        @Test("A service that hangs: the monolith answers within the time that is left")
        func hangs() throws {
            let service = try StubUpstream { connection in
                _ = try connection.request()
                try connection.awaitEnd()
            }
            let gateway = try Self.gateway(
                service, try StubUpstream.saying("old"), service: #""timeout": "300ms", "totalTimeout": "5s""#)
            let answer = try gateway.exchange("GET /")
            #expect(answer.text == "old" && answer["Banyan-Fallback"] == "upstream_timeout")
        }

        @Test("Where the monolith's budget is used up, the failure of the service is the answer")
        func budget() throws {
            let gate = Gate()
            let monolith = try StubUpstream { connection in
                while try connection.request() != nil {
                    try gate.wait()
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")
                }
            }
            defer { gate.open() }
            let gateway = try Self.gateway(
                try Self.answering("503 Busy", "service"), monolith,
                fallback: #", "fallbackBudget": 0, "fallbackMinimum": 2"#)
            let waiting = try (0..<2).map { _ in try gateway.client() }
            for (number, client) in waiting.enumerated() {
                try client.request("GET /waits")
                _ = try monolith.requests(number + 1)
            }
            let refused = try gateway.exchange("GET /refused")
            #expect(refused.status == 503 && refused.text == "service" && refused["Banyan-Fallback"] == nil)
            gate.open()
            for client in waiting { #expect(try client.response().text == "old") }
            #expect(try gateway.exchange("GET /again").text == "old", "the places were given back")
            let figures = try gateway.figures("banyan_old_path_used_total", reach: 4)
            #expect(figures.sum("banyan_old_path_used_total", ["reason": "budget"]) == 1, "\(figures)")
        }

        @Test("In a view the part whose service fails is answered by the monolith")
        func views() throws {
            let monolith = try StubUpstream.answering { request in
                let body = request.target == "/note" ? #"{"from":"old"}"# : "1"
                return
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            }
            let service = try StubUpstream.saying("never")
            service.stop()
            let gateway = try Self.gateway(service, monolith)
            let answer = try gateway.exchange("GET /view")
            #expect(answer.status == 200 && answer.text == #"{"note":{"from":"old"},"old":1}"#)
            #expect(answer["Banyan-Fallback"] == "note;reason=connect_failed" && answer["Banyan-Partial"] == nil)
            let line = try gateway.logLine(path: "/view")
            #expect((line["marks"] as? [String])?.contains("fallback") == true, "\(line)")
        }

        @Test("While the circuit is open the service is left alone, and the monolith answers at once")
        func openCircuit() throws {
            let service = try Self.answering("503 Busy", "service")
            let gateway = try Self.gateway(
                service, try StubUpstream.saying("old"),
                service: #""breaker": {"minRequests": 3, "openTime": "60s"}"#)
            for _ in 0..<3 { #expect(try gateway.exchange("GET /fails").text == "old") }
            let answer = try gateway.exchange("GET /open")
            #expect(answer.text == "old" && answer["Banyan-Fallback"] == "circuit_open")
            #expect(service.requests.count == 3)
        }

        @Test("However much comes, the monolith sees no more than its budget, and everybody gets an answer at once")
        func heavyLoad() throws {
            let monolith = try BusyUpstream("old", working: 0.01)
            let service = try StubUpstream.saying("never")
            service.stop()
            let gateway = try Self.gateway(service, monolith.stub, gateway: #""accessLog": false"#)
            let moderate = SteadyLoad(gateway.place, clients: 2, pause: 0.005)
            try eventually("a moderate load") { moderate.tally.safe > 200 }
            let first = try moderate.end()
            #expect(first.failures.isEmpty && first.unsafeFailures == 0, "\(first.failures.prefix(3))")
            let heavy = SteadyLoad(gateway.place, clients: 24, pause: 0)
            try eventually("a heavy load") { heavy.tally.safe > 1_000 }
            let second = try heavy.end()
            #expect(!second.failures.isEmpty && second.failures.allSatisfy { $0.contains("connect_failed") })
            #expect(second.failures.count < second.safe, "some are answered by the monolith")
            #expect(monolith.peak == 3)
        }

        @Test("The example of docs/resilience.md does what stands there")
        func example() throws {
            let document = try String(
                contentsOf: URL(filePath: #filePath).appending(path: "../../../docs/resilience.md").standardized,
                encoding: .utf8)
            let block = try #require(document.firstMatch(of: /```json\n(.*?)\n```/.dotMatchesNewlines()))
            let json = try #require(
                try JSONSerialization.jsonObject(with: Data(String(block.output.1).utf8)) as? [String: Any])
            let contexts = try #require(json["contexts"] as? [String: Any])
            let upstreams = try #require(json["upstreams"] as? [String: Any])
            var settings = try #require(upstreams["notifications"] as? [String: Any])
            #expect((settings.removeValue(forKey: "servers") as? [String])?.count == 2)
            func text(_ value: Any) throws -> String {
                String(decoding: try JSONSerialization.data(withJSONObject: value), as: UTF8.self)
            }
            let services = try (0..<2).map { _ in try StubUpstream.saying("new") }
            var setup = GatewaySetup().upstream("monolith", try StubUpstream.saying("old"))
                .upstream("notifications", services, String(try text(settings).dropFirst().dropLast()))
                .route(#"{"match": "/{rest...}", "to": "notifications"}"#)
            for (name, context) in contexts { setup = setup.context("\"\(name)\": \(try text(context))") }
            let flags = Self.flags.replacing("\"use\"", with: "\"use_notification_service\"")
            let gateway = try GatewayProcess(setup, flags: flags)
            #expect(try gateway.exchange("GET /").text == "new")
            services[0].kill()
            for _ in 0..<10 { #expect(try gateway.exchange("GET /").text == "new") }
            services[1].kill()
            let answer = try gateway.exchange("GET /")
            #expect(answer.text == "old" && answer["Banyan-Fallback"] == "connect_failed")
        }
    }
}
