import Foundation
import Testing

extension EndToEnd {
    /// Active checks: who is not well is left alone, and comes back.
    @Suite
    struct Health {
        /// What a stub says when it is asked how it does.
        private final class Mood: @unchecked Sendable {
            // SAFETY: every access holds the lock.
            private let lock = NSLock()
            private var value: String
            init(_ value: String) { self.value = value }
            var answer: String {
                get { lock.withLock { value } }
                set { lock.withLock { value = newValue } }
            }
        }

        private static func answer(_ status: String, _ body: String) -> String {
            "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }
        private static let good = answer("200 OK", "fine")
        private static let bad = answer("500 Oh", "bad")

        /// A server that says `name` to requests, and how it feels to checks.
        private static func server(_ name: String, _ mood: Mood) throws -> StubUpstream {
            try StubUpstream.answering { request in
                request.target.hasSuffix("/healthz") ? mood.answer : answer("200 OK", name)
            }
        }

        /// Soon, and patient on a busy machine.
        private static func often(_ more: String = "") -> String {
            #""health": {"interval": "100ms", "timeout": "10s"\#(more)}, "slowStart": "none", "balance": "round-robin""#
        }

        private static func gateway(_ stubs: [StubUpstream], _ settings: String) throws -> GatewayProcess {
            try GatewayProcess(
                GatewaySetup().upstream("stub", stubs, settings).route(#"{"match": "/{rest...}", "to": "stub"}"#))
        }

        private static func awaitLine(_ gateway: GatewayProcess, _ words: String...) throws {
            _ = try gateway.process.line("\(words)", in: .errors) { line in words.allSatisfy { line.contains($0) } }
        }

        private static func probes(_ stub: StubUpstream) -> Int {
            stub.requests.count { $0.target.hasSuffix("/healthz") }
        }

        @Test("A server that is not well gets no requests, and gets them again when it is; probes count nowhere")
        func comesAndGoes() throws {
            let mood = Mood(Self.bad)
            let sick = try Self.server("sick", mood)
            let well = try Self.server("well", Mood(Self.good))
            let gateway = try Self.gateway([sick, well], Self.often())
            try Self.awaitLine(gateway, "endpoint unhealthy", "\(sick.place)", "status 500")
            try Self.awaitLine(gateway, "endpoint healthy", "\(well.place)")
            let client = try gateway.client()
            for _ in 0..<10 { #expect(try client.exchange("GET /").text == "well", "\(client.transcript)") }
            mood.answer = Self.good
            try Self.awaitLine(gateway, "endpoint healthy", "\(sick.place)")
            let answers = try (0..<10).map { _ in try client.exchange("GET /").text }
            #expect(answers.count { $0 == "sick" } == 5, "\(answers)")

            let probe = try #require(sick.requests.first { $0.target == "/healthz" })
            #expect(probe.method == "GET" && probe["User-Agent"] == "banyan-health/0.1.0", "\(probe)")
            #expect(probe["Host"] == "\(sick.place)" && probe["Connection"] == "close", "\(probe)")
            let figures = try gateway.figures("http_server_request_duration_seconds_count", reach: 20)
            #expect(figures.sum("banyan_upstream_attempts_total") == 20)
            #expect(figures.sum("banyan_health_probes_total", ["upstream": "stub", "result": "unwell"]) >= 3)
            #expect(figures.sum("banyan_health_probes_total", ["upstream": "stub", "result": "well"]) >= 3)
            // A connection for each, closed at its end.
            try eventually("the connections of probes are closed") {
                sick.connections - sick.closedConnections <= 2
            }
        }

        @Test("A server that hangs when it is asked is not well, and is not waited for beyond the time")
        func hangs() throws {
            let hanging = try StubUpstream { connection in
                while let request = try connection.request() {
                    if request.target == "/ready?deep=1" { return try connection.awaitEnd() }
                    try connection.send(Self.answer("200 OK", "hanging"))
                }
            }
            let well = try StubUpstream.saying("well")
            let gateway = try Self.gateway(
                [hanging, well],
                #""slowStart": "none", "health": {"path": "/ready?deep=1", "interval": "100ms", "timeout": "500ms"}"#)
            try Self.awaitLine(gateway, "endpoint unhealthy", "\(hanging.place)", "upstream_timeout")
            #expect(hanging.closedConnections >= 2, "the first ones were given up")
            for _ in 0..<6 { #expect(try gateway.exchange("GET /").text == "well") }
        }

        @Test("An answer without the text is not well, nor is one with another status than those that are awaited")
        func texts() throws {
            let mood = Mood(Self.answer("200 OK", #"{"db": "down"}"#))
            let (stub, other) = (try Self.server("stub", mood), try StubUpstream.saying("other"))
            let setup = GatewaySetup()
                .upstream(
                    "stub", url: stub.url + "/base", Self.often(#", "body": "\"db\": \"ok\"", "host": "shop.test""#)
                )
                .upstream("other", url: other.url, Self.often(#", "status": ["204", "300-399"]"#))
                .route(#"{"match": "/{rest...}", "to": "stub"}"#)
            let gateway = try GatewayProcess(setup)
            try Self.awaitLine(gateway, "endpoint unhealthy", "upstream=stub", "the answer lacks the text")
            try Self.awaitLine(gateway, "endpoint unhealthy", "upstream=other", "status 200")
            let probe = try #require(stub.requests.first)
            #expect(probe.target == "/base/healthz" && probe["Host"] == "shop.test", "\(probe)")
            // Far behind, in what is looked at, and not whole: nobody waits for the rest.
            let filling = String(repeating: ".", count: 60_000)
            mood.answer = "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n\(filling)\"db\": \"ok\""
            try Self.awaitLine(gateway, "endpoint healthy", "upstream=stub")
            mood.answer = Self.answer("200 OK", String(repeating: ".", count: 70_000) + "\"db\": \"ok\"")
            let count = gateway.process.lines(.errors).count
            try eventually("what stands behind the first 64 KiB does not count") {
                gateway.process.lines(.errors).dropFirst(count).contains {
                    $0.contains("endpoint unhealthy") && $0.contains("upstream=stub")
                }
            }
        }

        @Test("Where all are unwell they are asked all the same, unless there is a fallback")
        func panic() throws {
            let mood = Mood(Self.bad)
            let (service, monolith) = (try Self.server("new", mood), try StubUpstream.saying("old"))
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("service", service, Self.often()).upstream("monolith", monolith)
                    .context(#""notes": {"off": "service", "fallback": "monolith"}"#)
                    .route(#"{"match": "/{rest...}", "to": "service"}"#)
                    .route(#"{"match": "/notes/{rest...}", "to": "notes"}"#))
            try Self.awaitLine(gateway, "endpoint unhealthy")
            #expect(try gateway.exchange("GET /").text == "new")
            let answer = try gateway.exchange("GET /notes/1")
            #expect(answer.text == "old" && answer["Banyan-Fallback"] == "no_healthy_endpoint", "\(answer)")
            // Nothing of it was sent: any method may be.
            #expect(try gateway.exchange("POST /notes/1", body: "x").text == "old")
            mood.answer = Self.good
            try Self.awaitLine(gateway, "endpoint healthy")
            #expect(try gateway.exchange("GET /notes/1").text == "new")
        }

        @Test("A check that succeeds takes an ejected server back before its time")
        func readmission() throws {
            let mood = Mood(Self.bad)
            let sick = try StubUpstream.answering { $0.target == "/healthz" ? Self.good : mood.answer }
            let gateway = try Self.gateway(
                [sick, try StubUpstream.saying("well")],
                #""balance": "round-robin", "health": {"interval": "1s"}, "outlier": {"baseEjection": "600s"}"#)
            let client = try gateway.client()
            try eventually("the server is ejected") {
                _ = try client.exchange("GET /")
                return gateway.process.lines(.errors).contains { $0.contains("endpoint ejected") }
            }
            mood.answer = Self.good
            try Self.awaitLine(gateway, "endpoint taken back", "\(sick.place)")
        }

        @Test("A check of the type tcp asks for a connection alone, over TLS servers too")
        func connections() throws {
            let stub = try StubUpstream { connection in
                // Whoever would say something first waits here for nothing.
                try connection.awaitEnd()
            }
            let url = stub.url.replacingOccurrences(of: "http:", with: "https:")
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("stub", url: url, Self.often(#", "type": "tcp""#))
                    .route(#"{"match": "/{rest...}", "to": "stub"}"#))
            try Self.awaitLine(gateway, "endpoint healthy", "\(stub.place.port)")
            try eventually("several connections, all of them closed") {
                stub.connections >= 3 && stub.connections - stub.closedConnections <= 1
            }
            stub.stop()
            try Self.awaitLine(gateway, "endpoint unhealthy", "connect_failed")
        }

        @Test(
            "HTTP/2 over TLS is asked as requests are",
            .enabled(if: access(NGHTTPD.program, X_OK) == 0, "nghttpd is not there (Debian: nghttp2-server)"),
            arguments: ["connection", "libcurl"])
        func http2OverTLS(_ transport: String) throws {
            let certificates = try CertificateFolder()
            try certificates.make("server")
            let server = try NGHTTPD(certificates: certificates)
            try server.folder.write("healthz", "fine")
            let trust = #""tls": {"ca": "\#(certificates.file("ca.crt"))"}"#
            let gateway = try server.gateway(
                transport, trust + ", " + Self.often(#", "body": "fine""#), scheme: "https")
            try Self.awaitLine(gateway, "endpoint healthy")
            #expect(try gateway.exchange("GET /hello").text == "hello")
            try FileManager.default.removeItem(atPath: server.folder.file("healthz"))
            try Self.awaitLine(gateway, "endpoint unhealthy", "status 404")
            // The certificate is judged as it is for requests.
            let distrust = try server.gateway(transport, Self.often(), scheme: "https")
            try Self.awaitLine(distrust, "endpoint unhealthy", "tls_failed")
        }

        @Test(
            "gRPC's own health service is asked",
            .enabled(if: ClientTool.python != nil, "no Python clients: scripts/test-tools.sh installs them"))
        func grpc() throws {
            let folder = try TemporaryFolder()
            let server = try RunningProcess(
                try #require(ClientTool.python), [ClientTool.script("grpc_peer.py"), "server", folder.file("sick")])
            defer { server.signal(SIGKILL) }
            let port = try server.line("the server's port") { Int($0) != nil }
            func setup(_ name: String, _ service: String) -> GatewaySetup {
                GatewaySetup().upstream(
                    "calls", url: "http://127.0.0.1:\(port)",
                    #""protocol": "h2", "# + Self.often(#", "type": "grpc"\#(service)"#)
                ).route(#"{"match": "/{rest...}", "to": "calls"}"#)
            }
            let whole = try GatewayProcess(setup("whole", ""))
            let shop = try GatewayProcess(setup("shop", #", "service": "shop""#))
            let unknown = try GatewayProcess(setup("unknown", #", "service": "unknown""#))
            try Self.awaitLine(whole, "endpoint healthy")
            try Self.awaitLine(shop, "endpoint healthy")
            try Self.awaitLine(unknown, "endpoint unhealthy", "grpc-status 5")
            try folder.write("sick", "")
            try Self.awaitLine(whole, "endpoint unhealthy", "not serving (2)")
            try Self.awaitLine(shop, "endpoint unhealthy", "not serving (2)")
        }

        @Test("Checks and what they have found go on over a reload; servers that are gone are asked no more")
        func reloads() throws {
            let sick = try Self.server("sick", Mood(Self.bad))
            let well = try Self.server("well", Mood(Self.good))
            let gone = try Self.server("gone", Mood(Self.good))
            func text(_ stubs: [StubUpstream], _ settings: String) -> String {
                GatewaySetup().upstream("stub", stubs, settings + #", "panicThreshold": 0.0"#)
                    .route(#"{"match": "/{rest...}", "to": "stub"}"#).text
            }
            let gateway = try Self.gateway([sick, well, gone], Self.often() + #", "panicThreshold": 0.0"#)
            try Self.awaitLine(gateway, "endpoint unhealthy", "\(sick.place)")
            try gateway.reload("routes.json", text([sick, well], Self.often()))
            let client = try gateway.client()
            for _ in 0..<10 { #expect(try client.exchange("GET /").text == "well", "\(client.transcript)") }
            let before = (Self.probes(sick), Self.probes(well), Self.probes(gone))
            try eventually("those who stay are asked") {
                Self.probes(sick) >= before.0 + 4 && Self.probes(well) >= before.1 + 4
            }
            #expect(Self.probes(gone) - before.2 <= 1, "one may have been on its way")
            let opinions = gateway.process.lines(.errors).filter { $0.contains("endpoint unhealthy") }
            #expect(opinions.count == 1, "\(opinions)")
            // Without checks nobody is unwell.
            try gateway.reload("routes.json", text([sick, well], #""slowStart": "none", "balance": "round-robin""#))
            let answers = try (0..<10).map { _ in try client.exchange("GET /").text }
            #expect(answers.count { $0 == "sick" } == 5, "\(answers)")
        }
    }
}
