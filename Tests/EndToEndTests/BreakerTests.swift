import Foundation
import Testing

extension EndToEnd {
    /// Circuit breakers and ejections: what fails is left alone for a while.
    @Suite
    struct Breakers {
        private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        private static let bad = "HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nbad"

        /// Answers 500 as long as `isBad`.
        private final class Switch: @unchecked Sendable {
            // SAFETY: every access holds the lock.
            private let lock = NSLock()
            private var value = true
            var isBad: Bool {
                get { lock.withLock { value } }
                set { lock.withLock { value = newValue } }
            }
        }

        @Test("Too many failures open the circuit; it is tried again, and closes when all is well")
        func breaker() throws {
            let state = Switch()
            let stub = try StubUpstream.answering { _ in state.isBad ? Self.bad : Self.ok }
            let gateway = try GatewayProcess(
                GatewaySetup(
                    forwardingTo: stub,
                    #""breaker": {"minRequests": 4, "failureRate": 0.5, "openTime": "400ms", "probes": 2}"#))
            let client = try gateway.client()
            for _ in 0..<4 { #expect(try client.exchange("GET /").status == 500) }
            let refused = try client.exchange("GET /refused")
            #expect(refused.status == 503 && refused.cause == "circuit_open", "\(client.transcript)")
            #expect(refused["Retry-After"] == "1", "\(client.transcript)")
            #expect(stub.requests.count == 4)
            _ = try gateway.process.line("circuit breaker open", in: .errors) { $0.contains("circuit breaker open") }
            let line = try gateway.logLine(path: "/refused")
            #expect(line["cause"] as? String == "circuit_open" && line["status"] as? Int == 503)
            // A probe that fails keeps it open, for longer.
            try eventually("a probe") {
                _ = try client.exchange("GET /probe")
                return stub.requests.count == 5
            }
            #expect(try client.exchange("GET /").cause == "circuit_open", "\(client.transcript)")
            state.isBad = false
            try eventually("the circuit closes") { try client.exchange("GET /").status == 200 }
            for _ in 0..<10 { #expect(try client.exchange("GET /").status == 200, "\(client.transcript)") }
            _ = try gateway.process.line("circuit breaker closed", in: .errors) {
                $0.contains("circuit breaker closed")
            }
        }

        @Test("A client that leaves opens no circuit")
        func abandoned() throws {
            let stub = try StubUpstream { connection in
                while let request = try connection.request() {
                    if request.target == "/slow" { return try connection.awaitEnd() }
                    try connection.send(Self.ok)
                }
            }
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub, #""breaker": {"minRequests": 1, "openTime": "60s"}"#))
            for number in 0..<5 {
                let client = try gateway.client()
                try client.request("GET /slow")
                _ = try stub.requests(number + 1)
                client.close()
                try eventually("the upstream is told") { stub.closedConnections == number + 1 }
            }
            #expect(try gateway.exchange("GET /").status == 200)
        }

        @Test("An endpoint that fails five times in a row gets no requests for a while, and then gets them again")
        func ejection() throws {
            let state = Switch()
            let sick = try StubUpstream.answering { _ in state.isBad ? Self.bad : Self.ok }
            let well = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(
                GatewaySetup().upstream(
                    "stub", [sick, well],
                    #""balance": "round-robin", "slowStart": "none", "outlier": {"baseEjection": "500ms", "interval": "100ms"}"#
                ).route(#"{"match": "/{rest...}", "to": "stub"}"#))
            let client = try gateway.client()
            var failures = 0
            for _ in 0..<40 where try client.exchange("GET /").status == 500 { failures += 1 }
            #expect(failures == 5, "\(client.transcript)")
            _ = try gateway.process.line("endpoint ejected", in: .errors) {
                $0.contains("endpoint ejected") && $0.contains("consecutive")
            }
            state.isBad = false
            let before = sick.requests.count
            try eventually("the endpoint is back") {
                _ = try client.exchange("GET /")
                return sick.requests.count > before
            }
            _ = try gateway.process.line("endpoint taken back", in: .errors) { $0.contains("endpoint taken back") }
        }

        @Test("The last endpoint is never ejected, and a bulkhead's refusals eject nobody")
        func lastEndpoint() throws {
            let stubs = try (0..<2).map { _ in try StubUpstream.answering { _ in Self.bad } }
            let gateway = try GatewayProcess(
                GatewaySetup().upstream(
                    "stub", stubs, #""balance": "round-robin", "outlier": {"baseEjection": "60s", "maxEjected": 1}"#
                ).route(#"{"match": "/{rest...}", "to": "stub"}"#))
            let client = try gateway.client()
            for _ in 0..<60 { #expect(try client.exchange("GET /").status == 500, "\(client.transcript)") }
            let counts = stubs.map(\.requests.count).sorted()
            #expect(counts[0] == 5 && counts[1] == 55)
        }
    }
}
