import Foundation
import Synchronization
import Testing

extension EndToEnd {
    /// Requests that are sent once more, and those that must not be.
    @Suite
    struct Retries {
        private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

        /// Answers like `first` to the first request that comes, on whatever connection, and well to all others.
        private static func failing(
            _ count: Int, _ first: @escaping @Sendable (StubConnection) throws -> Void
        ) throws -> StubUpstream {
            let seen = Counter()
            return try StubUpstream { connection in
                while try connection.request() != nil {
                    if seen.next() <= count { return try first(connection) }
                    try connection.send(ok)
                }
            }
        }

        private static let reset: @Sendable (StubConnection) throws -> Void = { $0.wire.reset() }

        @Test("A server that refuses connections costs nobody an answer, whatever the method")
        func refusedConnections() throws {
            let (dead, live) = (try StubUpstream.saying("x"), try StubUpstream.saying("ok"))
            dead.stop()
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("stub", [dead, live], #""outlier": false"#)
                    .route(#"{"match": "/{rest...}", "to": "stub"}"#))
            let client = try gateway.client()
            for number in 0..<20 {
                let method = number % 2 == 0 ? "GET" : "POST"
                let answer = try client.exchange("\(method) /\(number)", body: method == "POST" ? "body" : nil)
                #expect(answer.status == 200, "\(client.transcript)")
            }
            #expect(live.requests.count == 20 && live.requests.allSatisfy { $0.method == "GET" || $0.text == "body" })
            let lines = try (0..<20).map { try gateway.logLine(path: "/\($0)") }
            let repeated = lines.filter { $0["attempts"] as? Int == 2 }
            #expect(
                !repeated.isEmpty && repeated.allSatisfy { ($0["marks"] as? [String])?.contains("retried") == true })
            #expect(lines.allSatisfy { ($0["attempts"] as? Int ?? 0) <= 2 })
            let figures = try gateway.figures("banyan_upstream_retries_total", reach: Double(repeated.count))
            #expect(figures.sum("banyan_upstream_retries_total", ["result": "begun"]) == Double(repeated.count))
        }

        @Test("A safe request whose connection was reset is sent once more where the configuration says so")
        func resets() throws {
            let stub = try Self.failing(1, Self.reset)
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub, #""retry": {"attempts": 1, "on": ["reset"]}"#))
            let answer = try gateway.exchange("GET /again")
            #expect(answer.status == 200 && stub.requests.count == 2)
            #expect(try gateway.logLine(path: "/again")["attempts"] as? Int == 2)
        }

        @Test("A POST that the server may have seen is never sent twice")
        func unsafe() throws {
            let stub = try Self.failing(1, Self.reset)
            let gateway = try GatewayProcess(
                GatewaySetup(
                    forwardingTo: stub, #""retry": {"attempts": 3, "on": ["reset", "timeout", "502", "503", "504"]}"#))
            let answer = try gateway.exchange("POST /once", ["Idempotency-Key: k"], body: "x")
            #expect(answer.status == 502 && answer.cause == "upstream_closed")
            #expect(stub.requests.count == 1, "the route does not say that keys count")
        }

        @Test("With an Idempotency-Key and a route that allows it a POST is sent once more, with its body")
        func keys() throws {
            let stub = try Self.failing(1, Self.reset)
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("stub", stub, #""retry": {"on": ["reset"]}"#)
                    .route(#"{"match": "/{rest...}", "to": "stub", "idempotencyKey": true}"#))
            let body = String(repeating: "0123456789abcdef", count: 4_096)
            let answer = try gateway.exchange("POST /keyed", ["Idempotency-Key: k"], body: body)
            #expect(answer.status == 200)
            #expect(stub.requests.map(\.text) == [body, body])
            #expect(try gateway.exchange("POST /keyless", body: "x").status == 200)
        }

        @Test("A body of more than 64 KiB is not kept, so that its request is not repeated")
        func largeBodies() throws {
            let stub = try Self.failing(1, Self.reset)
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub, #""retry": {"attempts": 3, "on": ["reset"]}"#))
            let answer = try gateway.exchange("PUT /large", body: String(repeating: "x", count: 65_537))
            #expect(answer.status == 502 && stub.requests.count == 1)
            #expect(try gateway.exchange("PUT /small", body: String(repeating: "x", count: 65_536)).status == 200)
        }

        @Test("A 503 is not passed on while another try may follow; the last one is", arguments: [1, 3])
        func statuses(failures: Int) throws {
            let stub = try Self.failing(failures) {
                try $0.send("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")
            }
            let gateway = try GatewayProcess(
                GatewaySetup(
                    forwardingTo: stub,
                    #""retry": {"attempts": 2, "on": ["503"], "backoff": {"base": "1ms", "max": "2ms"}}"#))
            let answer = try gateway.exchange("GET /busy")
            #expect(answer.status == (failures < 3 ? 200 : 503) && answer.text == (failures < 3 ? "ok" : "busy"))
            #expect(stub.requests.count == failures + (failures < 3 ? 1 : 0))
        }

        @Test("Retry-After is respected where it is short, and passed on where it is long")
        func retryAfter() throws {
            let seen = Counter()
            let stub = try StubUpstream.answering { _ in
                let wait = seen.next() == 1 ? 1 : 3_600
                return seen.value == 2
                    ? Self.ok : "HTTP/1.1 503 Busy\r\nRetry-After: \(wait)\r\nContent-Length: 0\r\n\r\n"
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub, #""retry": {"on": ["503"]}"#))
            let start = ContinuousClock.now
            #expect(try gateway.exchange("GET /soon").status == 200)
            #expect(ContinuousClock.now - start >= .seconds(1))
            let late = try gateway.exchange("GET /late")
            #expect(late.status == 503 && late["Retry-After"] == "3600" && stub.requests.count == 3)
        }

        @Test("Nothing is repeated once a byte of the answer has been passed on")
        func begunAnswers() throws {
            let stub = try Self.failing(1) { connection in
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
                connection.wire.reset()
            }
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub, #""retry": {"attempts": 3, "on": ["reset", "timeout"]}"#))
            let client = try gateway.client()
            try client.request("GET /cut")
            #expect(throws: (any Error).self) { try client.response() }
            #expect(stub.requests.count == 1)
        }

        @Test("The whole exchange's time bounds all tries")
        func deadlines() throws {
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.awaitEnd()
            }
            let gateway = try GatewayProcess(
                GatewaySetup(
                    forwardingTo: stub,
                    #""totalTimeout": "700ms", "retry": {"attempts": 10, "on": ["timeout"], "tryTimeout": "200ms"}"#))
            let start = ContinuousClock.now
            let answer = try gateway.exchange("GET /hangs")
            let time = ContinuousClock.now - start
            #expect(answer.status == 504 && time >= .milliseconds(600) && time < .seconds(5))
            #expect((2...5).contains(stub.requests.count))
        }

        @Test("A trusted peer's patience bounds the exchange")
        func patience() throws {
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.awaitEnd()
            }
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub).gateway(#""trustedProxies": ["127.0.0.0/8"]"#))
            let start = ContinuousClock.now
            let answer = try gateway.exchange("GET /", ["Banyan-Deadline-Ms: 300"])
            #expect(answer.status == 504 && ContinuousClock.now - start < .seconds(5))
        }

        @Test("Repeated requests are no more than their budget")
        func budget() throws {
            let gate = Gate()
            // Everybody is refused at once; whoever comes once more has to wait.
            let seen = Mutex<Set<String>>([])
            let stub = try StubUpstream { connection in
                while let request = try connection.request() {
                    let isFirst = seen.withLock { $0.insert(request.target).inserted }
                    if !isFirst { try gate.wait() }
                    try connection.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
                }
            }
            defer { gate.open() }
            let gateway = try GatewayProcess(
                GatewaySetup(
                    forwardingTo: stub,
                    #""retry": {"on": ["503"], "budget": 0, "budgetMinimum": 2, "backoff": {"base": "1ms"}}"#))
            let clients = try (0..<12).map { _ in try gateway.client() }
            for (number, client) in clients.enumerated() { try client.request("GET /\(number)") }
            // Two wait at the upstream; the others have had their answers without a second try.
            _ = try stub.requests(14)
            let figures = try gateway.figures(
                "banyan_upstream_retries_total", ["result": "budget"], reach: 10)
            #expect(figures.sum("banyan_upstream_retries_total", ["result": "begun"]) == 2, "\(figures)")
            gate.open()
            for client in clients { #expect(try client.response().status == 503) }
            #expect(stub.requests.count == 14)
        }
    }
}

/// Counts from 1, on any thread.
final class Counter: @unchecked Sendable {
    // SAFETY: every access holds the lock.
    private let lock = NSLock()
    private var count = 0

    var value: Int { lock.withLock { count } }

    func next() -> Int {
        lock.withLock {
            count += 1
            return count
        }
    }
}
