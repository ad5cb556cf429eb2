import Foundation
import Synchronization
import Testing

extension EndToEnd {
    /// Collectors that are slow, dead or hostile, and what is left out: a request never pays for it.
    @Suite(.enabled(if: ClientTool.python != nil, "no Python clients: scripts/test-tools.sh installs them"))
    struct SpanExportFaults {
        private static func gateway(
            _ otlp: String, _ more: String..., workers: Int = 1, environment: [String: String] = [:]
        ) throws -> GatewayProcess {
            let service = try StubUpstream.answering { request in
                let status = request.target.contains("bad") ? "500 Oh" : "200 OK"
                let seen = ["b3", "traceparent"].map { request[$0] == nil ? "0" : "1" }
                return "HTTP/1.1 \(status)\r\nSaw-B3: \(seen[0])\r\nSaw-Parent: \(seen[1])\r\n"
                    + "Content-Length: 2\r\n\r\nok"
            }
            let tracing = ([otlp] + more).filter { !$0.isEmpty }.joined(separator: ", ")
            let setup = GatewaySetup().upstream("service", service)
                .route(#"{"match": "/quiet/{rest...}", "to": "service", "sampleRatio": 0}"#)
                .route(#"{"match": "/{rest...}", "to": "service"}"#)
                .gateway(#""tracing": {\#(tracing)}"#)
            return try GatewayProcess(setup, workers: workers, environment: environment)
        }

        private static func otlp(_ collector: SpanCollector, _ more: String = "") -> String {
            #""otlp": {"url": "\#(collector.stub.url)", "delay": "20ms"\#(more)}"#
        }

        private static func spans(_ gateway: GatewayProcess) throws -> [String: Int] {
            try gateway.admin("/status").json["spans"] as? [String: Int] ?? [:]
        }

        @Test("Answers that may be asked again are, and no span comes twice", arguments: [429, 502, 503, 504])
        func retries(status: Int) throws {
            let collector = try SpanCollector { number in
                number == 0
                    ? "HTTP/1.1 \(status) No\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n" : SpanCollector.ok
            }
            let gateway = try Self.gateway(Self.otlp(collector))
            #expect(try gateway.exchange("GET /a").status == 200)
            try eventually("the second attempt is taken") { try Self.spans(gateway)["exported"] == 2 }
            let requests = try collector.requests()
            #expect(requests.count == 2 && requests[0].spans.count == 2)
            #expect(requests[0].spans.map { $0.text("id") } == requests[1].spans.map { $0.text("id") })
            #expect(try Self.spans(gateway)["refused"] == 0 && Self.spans(gateway)["failed"] == 0)
        }

        @Test("Other answers end it: the spans are counted as refused", arguments: [400, 401, 404, 413, 500, 301])
        func refusals(status: Int) throws {
            let collector = try SpanCollector { number in
                number == 0 ? "HTTP/1.1 \(status) No\r\nContent-Length: 0\r\n\r\n" : SpanCollector.ok
            }
            let gateway = try Self.gateway(Self.otlp(collector))
            #expect(try gateway.exchange("GET /a").status == 200)
            try eventually("they are refused") { try Self.spans(gateway)["refused"] == 2 }
            try gateway.process.line("why", in: .errors) { $0.contains("the collector answers \(status)") }
            #expect(try gateway.exchange("GET /b").status == 200)
            try eventually("the next ones are taken") { try Self.spans(gateway)["exported"] == 2 }
            #expect(collector.stub.requests.count == 2, "nothing was sent again")
            try gateway.process.line("that it works again", in: .errors) { $0.contains("exported again") }
        }

        @Test("A collector that takes a part says so, and nothing is sent again")
        func partialSuccess() throws {
            // partial_success { rejected_spans: 1, error_message: "no" }
            let body = "\u{0A}\u{06}\u{08}\u{01}\u{12}\u{02}no"
            let collector = try SpanCollector { _ in
                "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            }
            let gateway = try Self.gateway(Self.otlp(collector))
            #expect(try gateway.exchange("GET /a").status == 200)
            try eventually("one is counted as refused") {
                let counts = try Self.spans(gateway)
                return counts["refused"] == 1 && counts["exported"] == 1
            }
            try gateway.process.line("what the collector says", in: .errors) { $0.contains("message=no") }
            #expect(collector.stub.requests.count == 1)
        }

        @Test(
            "The head of an answer counts, whether or not the rest comes: no span comes twice",
            arguments: ["Content-Length: 9\r\n\r\ncut", "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n"])
        func answersWithoutEnd(rest: String) throws {
            let collector = try SpanCollector { number in
                number == 0 ? "HTTP/1.1 200 OK\r\n\(rest)" : SpanCollector.ok
            }
            let gateway = try Self.gateway(Self.otlp(collector, #", "timeout": "500ms""#))
            #expect(try gateway.exchange("GET /a").status == 200)
            try eventually("the first ones count as taken") { try Self.spans(gateway)["exported"] == 2 }
            #expect(try gateway.exchange("GET /b").status == 200)
            try eventually("the next ones are taken") { try Self.spans(gateway)["exported"] == 4 }
            let ids = try collector.requests().map { $0.spans.map { $0.text("id") } }
            #expect(ids.map(\.count) == [2, 2] && Set(ids.joined()).count == 4, "\(ids)")
        }

        @Test("A collector that says yes before it was handed everything has not got it: it is sent again")
        func earlyAnswer() throws {
            let gate = Gate()
            defer { gate.open() }
            let stub = try StubUpstream { connection in
                if connection.number > 0 {
                    while try connection.request() != nil { try connection.send(SpanCollector.ok) }
                } else if try connection.head() != nil {
                    try connection.send(SpanCollector.ok)
                    try gate.wait()
                }
            }
            let gateway = try Self.gateway(
                #""otlp": {"url": "\#(stub.url)", "delay": "1h", "batch": 800, "compress": false}"#)
            let client = try gateway.client()
            let path = String(repeating: "long", count: 2000)
            for _ in 0..<400 { #expect(try client.exchange("GET /\(path)").status == 200) }
            try eventually("all are taken") { try Self.spans(gateway)["exported"] == 800 }
            let requests = stub.requests
            try #require(requests.count == 2, "the first answer does not count")
            #expect(requests[1].body.count == requests[1].contentLength)
            #expect(requests[0].contentLength == requests[1].contentLength, "it is the same batch")
        }

        @Test("A collector that hangs costs no request: the oldest spans are dropped and counted")
        func hangs() throws {
            let gate = Gate()
            defer { gate.open() }
            let collector = try SpanCollector { _ in
                try? gate.wait()
                return SpanCollector.ok
            }
            let gateway = try Self.gateway(Self.otlp(collector, #", "queue": 100, "batch": 10"#))
            let client = try gateway.client()
            for number in 0..<300 { #expect(try client.exchange("GET /\(number)").status == 200) }
            try eventually("those that do not fit are dropped") {
                let counts = try Self.spans(gateway)
                return counts["recorded"] == 600 && (counts["overflowed"] ?? 0) >= 480
            }
            let counts = try Self.spans(gateway)
            #expect((counts["waiting"] ?? 0) <= 120, "what waits is bounded: \(counts)")
            gate.open()
            try eventually("what was kept is taken") {
                let counts = try Self.spans(gateway)
                return counts["waiting"] == 0 && (counts["exported"] ?? 0) + (counts["overflowed"] ?? 0) == 600
            }
        }

        @Test("A collector that is not there, answers nonsense or dies is tried again, and the gateway ends in time")
        func unreachable() throws {
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.send("nonsense\r\n\r\n")
            }
            for url in [stub.url, "http://127.0.0.1:1"] {
                let gateway = try Self.gateway(#""otlp": {"url": "\#(url)", "delay": "20ms"}"#)
                #expect(try gateway.exchange("GET /a").status == 200)
                try gateway.process.line("why", in: .errors) { $0.contains("the collector does not answer") }
                #expect(try gateway.exchange("GET /b").status == 200)
                let start = ContinuousClock.now
                #expect(try gateway.terminate() == 0)
                #expect(ContinuousClock.now - start < .seconds(10), "a collector does not hold the end up")
                try gateway.process.line("what was lost", in: .errors) { $0.contains("not exported before the end") }
            }
        }

        @Test("What was recorded last is exported at the end")
        func shutdown() throws {
            let collector = try SpanCollector()
            let gateway = try Self.gateway(
                #""otlp": {"url": "\#(collector.stub.url)", "delay": "1h", "batch": 5}"#, workers: 2)
            for number in 0..<11 { #expect(try gateway.exchange("GET /\(number)").status == 200) }
            #expect(try gateway.terminate() == 0)
            let spans = try collector.spans(22)
            #expect(spans.count == 22 && Set(spans.map { $0.text("id") }).count == 22)
        }

        @Test("A batch that waits to be sent again is sent at the end, whatever pause the collector asked for")
        func shutdownInPause() throws {
            let collector = try SpanCollector { number in
                number == 0
                    ? "HTTP/1.1 503 No\r\nRetry-After: 20\r\nContent-Length: 0\r\n\r\n" : SpanCollector.ok
            }
            let gateway = try Self.gateway(Self.otlp(collector))
            #expect(try gateway.exchange("GET /a").status == 200)
            try gateway.process.line("the refusal", in: .errors) { $0.contains("the collector answers 503") }
            #expect(try gateway.terminate() == 0)
            #expect(collector.stub.requests.count == 2, "\(gateway.process.transcript)")
            #expect(!gateway.process.transcript.contains("spans were not exported"), "\(gateway.process.transcript)")
        }

        @Test("Only what is sampled is recorded; failed and slow requests may be kept all the same")
        func sampling() throws {
            let collector = try SpanCollector()
            let gateway = try Self.gateway(
                Self.otlp(collector), #""sampleRatio": 0"#, #""keepErrors": true"#, #""keepSlow": "1h""#)
            for number in 0..<20 { #expect(try gateway.exchange("GET /\(number)").status == 200) }
            #expect(try gateway.exchange("GET /bad").status == 500)
            let spans = try collector.spans(2)
            #expect(Set(spans.compactMap { $0["url.path"] }) == ["/bad"], "\(spans)")
            // It is told with the flag that was sent on: nobody else has recorded it.
            #expect(spans.allSatisfy { $0.number("flags") & 1 == 0 }, "\(spans)")
            #expect(try Self.spans(gateway)["recorded"] == 2)
        }

        @Test("A route may have a share of its own, and a share is told to others")
        func shares() throws {
            let collector = try SpanCollector()
            let gateway = try Self.gateway(Self.otlp(collector), #""sampleRatio": 0.5"#)
            for number in 0..<100 { #expect(try gateway.exchange("GET /\(number)").status == 200) }
            for number in 0..<20 { #expect(try gateway.exchange("GET /quiet/\(number)").status == 200) }
            var counts: [String: Int] = [:]
            try eventually("all is exported") {
                counts = try Self.spans(gateway)
                return (counts["recorded"] ?? 0) > 0 && counts["waiting"] == 0
            }
            let spans = try collector.spans(counts["recorded"] ?? 0)
            let servers = spans.filter { $0.number("kind") == 2 }
            #expect((20...80).contains(servers.count), "about half of a hundred: \(servers.count)")
            #expect(!spans.contains { $0["url.path"]?.hasPrefix("/quiet") == true })
            #expect(spans.allSatisfy { $0.text("state") == "ot=th:8" && $0.number("flags") & 1 == 1 })
        }

        @Test("So many traces a second, whatever the share")
        func rate() throws {
            let collector = try SpanCollector()
            let gateway = try Self.gateway(Self.otlp(collector), #""tracesPerSecond": 2"#)
            let client = try gateway.client()
            let start = ContinuousClock.now
            for number in 0..<200 { #expect(try client.exchange("GET /\(number)").status == 200) }
            let seconds = Int((ContinuousClock.now - start).components.seconds) + 1
            try eventually("what was sampled is exported") {
                let counts = try Self.spans(gateway)
                return counts["waiting"] == 0 && (counts["exported"] ?? 0) >= 4
            }
            let recorded = try Self.spans(gateway)["recorded"] ?? 0
            #expect(recorded <= 2 * (2 + 2 * seconds), "\(recorded) spans in \(seconds) s")
        }

        @Test("The environment of OpenTelemetry is heeded where the file is silent")
        func environment() throws {
            let collector = try SpanCollector()
            let gateway = try Self.gateway(
                "",
                environment: [
                    "OTEL_EXPORTER_OTLP_ENDPOINT": collector.stub.url + "/base/",
                    "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20key,x-team=edge",
                    "OTEL_SERVICE_NAME": "named", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
                    "OTEL_BSP_SCHEDULE_DELAY": "20", "OTEL_TRACES_SAMPLER_ARG": "much",
                    "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_PROPAGATORS": "b3",
                ])
            let echo = try gateway.exchange("GET /a")
            #expect(echo.status == 200 && echo["saw-b3"] == "1" && echo["saw-parent"] == "0", "\(echo)")
            _ = try collector.spans(2)
            let request = try #require(try collector.requests().first)
            #expect(request.resource["service.name"] as? String == "named")
            #expect(request.resource["deployment.environment"] as? String == "test")
            let head = collector.stub.requests[0]
            #expect(head.target == "/base/v1/traces" && head["authorization"] == "Bearer key", "\(head)")
            #expect(head["x-team"] == "edge")
            try gateway.process.line("what is wrong", in: .errors) { $0.contains("OTEL_TRACES_SAMPLER_ARG") }
        }

        @Test("Standard output is for development: a span a line, in JSON")
        func standardOutput() throws {
            let gateway = try Self.gateway(#""otlp": {"url": "stdout", "delay": "20ms"}"#)
            #expect(try gateway.exchange("GET /a").status == 200)
            let line = try gateway.process.line("the server's span") { $0.contains("\"kind\":2") }
            let span = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            #expect(span["name"] as? String == "GET /{rest...}")
            #expect((span["traceId"] as? String)?.count == 32 && (span["spanId"] as? String)?.count == 16)
            #expect((span["attributes"] as? [String: Any])?["http.response.status_code"] as? Int == 200)
        }
    }
}
