import Foundation
import Testing

extension EndToEnd {
    /// What the gateway does at its bounds: connections, descriptors, clients that take nothing (http-behaviour §6,
    /// security §3).
    @Suite
    struct Overload {
        /// Processor time within so many seconds, in hundredths of a second. The span is what is measured, not a wait.
        private func ticks(of gateway: GatewayProcess, in seconds: Double) throws -> Int {
            let before = try gateway.process.processorTicks()
            Thread.sleep(forTimeInterval: seconds)
            return try gateway.process.processorTicks() - before
        }

        @Test("Half of the descriptors are clients': who comes above waits, and upstreams and operators are reached")
        func descriptorsAreShared() throws {
            let limit = 256
            let stub = try StubUpstream { connection in
                while let request = try connection.request() {
                    if request.target.hasSuffix("/held") { return try connection.awaitEnd() }
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                }
            }
            // Requests that wait for the one connection are at work, and need no descriptor.
            let setup = GatewaySetup(forwardingTo: stub)
                .upstream("narrow", stub, #""maxConnections": 1, "connectTimeout": "60s""#)
                .route(#"{"match": "/narrow/{rest...}", "to": "narrow"}"#)
            // The hard limit, too: the gateway raises the soft one to it.
            let gateway = try GatewayProcess(setup, after: "ulimit -n \(limit)")
            try gateway.process.line("fewer connections than configured", in: .errors) {
                $0.contains("fewer connections") && $0.contains("each_worker=128")
            }
            let inside = try (0..<128).map { _ in try gateway.client() }
            for client in inside { try client.request("GET /narrow/held") }
            _ = try stub.requests(1)
            let outside = try (0..<72).map { _ in try gateway.client().request("GET /out") }
            let used = try ticks(of: gateway, in: 1)
            #expect(used < 25, "\(used) hundredths of a second of processor time in a second at the bound")
            #expect(outside.allSatisfy { !$0.wire.isReadable }, "neither answered nor closed")
            #expect(try gateway.admin("/healthz").status == 200)

            // Each of those that come in now needs a connection to the upstream of its own.
            for client in inside { client.close() }
            for client in outside { #expect(try client.response().text == "ok", "\(client.transcript)") }
            let held = try outside.prefix(10).map { try $0.request("GET /held") }
            _ = try stub.requests(1 + 72 + 10)
            #expect(try gateway.exchange("GET /in").text == "ok")
            for client in held { client.close() }
        }

        @Test("Requests that pile up before a slow service leave descriptors for operators, files and other services")
        func descriptorsAreKept() throws {
            let gate = Gate()
            let stub = try gated(gate)
            // By one connection of a client as many of the gateway's own as it may have.
            let setup = GatewaySetup(forwardingTo: stub, #""connectTimeout": "60s", "timeout": "60s""#)
            let gateway = try GatewayProcess(setup, after: "ulimit -n 256")
            let clients = try (0..<120).map { _ in try gateway.client().request("GET /held") }
            // 256, without 128 for clients and 32 in reserve.
            do {
                _ = try stub.requests(96)
            } catch {
                let open = try gateway.process.descriptors()
                throw ExchangeFailure(
                    "\(error); \(stub.connections) connections, \(open) descriptors",
                    transcript: gateway.process.transcript)
            }
            #expect(try gateway.admin("/healthz").status == 200)
            try gateway.reload("routes.json", setup.text.replacingOccurrences(of: "\"60s\"", with: "\"59s\""))
            #expect(try gateway.process.descriptors() < 256)
            #expect(stub.connections == 96)
            gate.open()
            for client in clients { #expect(try client.response().text == "ok", "\(client.transcript)") }
        }

        @Test("Without a descriptor left, accepting rests and does not spin; who is there is served, and later all are")
        func descriptorsAreUsedUp() throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let first = try gateway.client()
            #expect(try first.exchange("GET /").text == "ok")
            let before = try gateway.process.descriptors()
            // Taken away while it runs: what it has counted on is not there.
            let change = try RunningProcess(
                "/usr/bin/prlimit", ["--pid", "\(gateway.process.pid)", "--nofile=64:64"])
            try #require(try change.end() == 0, "\(change.transcript)")
            let clients = try (0..<200).map { _ in try gateway.client() }
            try eventually("every descriptor is in use") { try gateway.process.descriptors() >= 63 }
            let used = try ticks(of: gateway, in: 1)
            #expect(used < 25, "\(used) hundredths of a second of processor time in a second without descriptors")
            try gateway.process.line("clients wait, and why", in: .errors) {
                $0.contains("newcomers wait to be accepted: Too many open files")
            }
            #expect(try first.exchange("GET /").text == "ok", "\(first.transcript)")

            for client in clients.dropLast() { client.close() }
            let last = clients[clients.count - 1]
            #expect(try last.exchange("GET /last").text == "ok", "\(last.transcript)")
            last.close()
            #expect(try gateway.exchange("GET /new").text == "ok")
            #expect(try gateway.admin("/healthz").status == 200)
            try eventually("the descriptors are given back") { try gateway.process.descriptors() <= before }
        }

        /// An upstream that answers what ends in `/held` when the gate is opened, and everything else at once.
        private func gated(_ gate: Gate) throws -> StubUpstream {
            try StubUpstream { connection in
                while let request = try connection.request() {
                    if request.target.hasSuffix("/held") { try gate.wait() }
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                }
            }
        }

        @Test(
            "Where all are at work, accepting pauses: who is above the bound waits, is not dropped, and gets its answer"
        )
        func connectionsAreBounded() throws {
            let gate = Gate()
            let stub = try gated(gate)
            let setup = GatewaySetup(forwardingTo: stub).gateway(#""limits": {"connections": 3}"#)
            let gateway = try GatewayProcess(setup)
            let inside = try (0..<3).map { _ in try gateway.client().request("GET /held") }
            _ = try stub.requests(3)
            let outside = try (0..<3).map { try gateway.client().request("GET /out/\($0)") }
            let used = try ticks(of: gateway, in: 0.5)
            #expect(used < 10, "\(used) hundredths of a second of processor time in half a second at the bound")
            try gateway.process.line("clients wait, and why", in: .errors) {
                $0.contains("newcomers wait to be accepted: limits.connections is reached")
            }
            #expect(outside.allSatisfy { !$0.wire.isReadable }, "neither answered nor closed")
            #expect(stub.requests.count == 3)
            #expect(try gateway.admin("/healthz").status == 200, "the admin listener has a bound of its own")

            inside[0].close()
            #expect(try outside[0].response().text == "ok", "\(outside[0].transcript)")
            // A higher bound takes effect at once, although no connection ends.
            try gateway.reload(
                "routes.json", setup.text.replacingOccurrences(of: "\"connections\": 3", with: "\"connections\": 9"))
            for client in outside.dropFirst() {
                #expect(try client.response().text == "ok", "\(client.transcript)")
            }
            gate.open()
            for client in inside.dropFirst() {
                #expect(try client.response().text == "ok", "\(client.transcript)")
            }
        }

        @Test("At the bound whoever only waits makes room for newcomers; whoever is at work stays")
        func whoeverWaitsMakesRoom() throws {
            let gate = Gate()
            let stub = try gated(gate)
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub).gateway(#""limits": {"connections": 4}"#))
            let busy = try gateway.client().request("GET /held")
            let idle = try gateway.client()
            #expect(try idle.exchange("GET /in").text == "ok", "\(idle.transcript)")
            let silent = try gateway.client()
            let slow = try gateway.client().send("GET /slow HTTP/1.1\r\nHost: a\r\n")
            _ = try stub.requests(2)
            // Each comes to stay, so that the next one needs a place of its own.
            let newcomers = try (0..<3).map { _ in try gateway.client().request("GET /new/held") }
            _ = try stub.requests(5)
            for client in [idle, silent, slow] { #expect(try client.isClosed(), "\(client.transcript)") }
            try gateway.process.line("who made room", in: .errors) {
                $0.contains("closed to let newcomers in: limits.connections is reached")
            }
            gate.open()
            for client in newcomers + [busy] { #expect(try client.response().text == "ok", "\(client.transcript)") }
        }

        @Test("Operators and probes are answered, whoever holds the places of the admin listener")
        func adminListenerIsNotHeld() throws {
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: try StubUpstream.saying("ok")))
            let holders = try (0..<600).map { number in
                let client = try RawClient(gateway.adminPlace)
                return number % 2 == 0 ? client : try client.send("GET /healthz HTTP/1.1\r\nX: ")
            }
            let start = ContinuousClock.now
            #expect(try gateway.admin("/healthz").status == 200)
            let duration = ContinuousClock.now - start
            #expect(duration < .seconds(5), "longer than a probe waits: \(duration)")
            for client in holders { client.close() }
        }

        @Test("A client that stops reading its answer is closed in time, and its upstream request with it")
        func writeStalls() throws {
            let size = 64 << 20
            let stub = try StubUpstream { connection in
                while let request = try connection.request() {
                    if request.target != "/large" {
                        try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                        continue
                    }
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
                    let piece = [UInt8](repeating: 0x61, count: 1 << 20)
                    for _ in 0..<(size / piece.count) { try connection.wire.send(piece) }
                }
            }
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub).gateway(#""timeouts": {"write": "500ms"}"#))
            #expect(try gateway.exchange("GET /").status == 200)
            let before = try gateway.process.descriptors()
            let client = try gateway.client(receiveBuffer: 4_096).request("GET /large")
            #expect(try client.wire.head()?.status == 200, "\(client.transcript)")
            try eventually("the upstream request is given up") { stub.closedConnections == 1 }
            let line = try gateway.logLine(path: "/large")
            #expect(line["cause"] as? String == "client_closed", "\(line)")
            let duration = try #require(line["duration_ms"] as? Double)
            #expect(duration >= 500 && duration < 5_000, "\(line)")
            try eventually("the descriptors are given back") { try gateway.process.descriptors() <= before }
            let rest = try client.rest()
            #expect(rest.utf8.count < size, "the answer is cut")
            #expect(try gateway.exchange("GET /").text == "ok")
        }

        @Test("A client that reads slowly, but reads, gets all of its answer")
        func slowReaderIsNoStall() throws {
            let size = 6 << 20
            let stub = try StubUpstream.saying(String(repeating: "x", count: size))
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub).gateway(#""timeouts": {"write": "500ms"}"#))
            let client = try gateway.client(receiveBuffer: 65_536).request("GET /slow")
            #expect(try client.wire.head()?.contentLength == size, "\(client.transcript)")
            var rest = size
            let end = Deadline(.milliseconds(1_500))
            while rest > 0 {
                rest -= try client.wire.skip(min(rest, 65_536))
                // Slower than the write's time in all, and never silent for so long.
                if !end.hasPassed { Thread.sleep(forTimeInterval: 0.05) }
            }
            #expect(try client.exchange("HEAD /again").status == 200, "\(client.transcript)")
        }

        @Test("The same by HTTP/2, whose client has opened wide windows")
        func slowHTTP2ReaderIsNoStall() throws {
            let size = 6 << 20
            let stub = try StubUpstream.saying(String(repeating: "x", count: size))
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub).gateway(#""timeouts": {"write": "400ms"}"#))
            let client = try gateway.client(receiveBuffer: 65_536)
            func word(_ value: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(value >> $0 & 255) } }
            let windows =
                [0, 0, 6, 4, 0] + word(0) + [0, 4] + word(1 << 30)  // SETTINGS: INITIAL_WINDOW_SIZE
                + [0, 0, 4, 8, 0] + word(0) + word(1 << 30)  // WINDOW_UPDATE of the connection
            // GET, http and / from the static table, and an authority (RFC 7541 appendix A, §6.2.2).
            let fields: [UInt8] = [0x82, 0x86, 0x84, 0x01, 1, 0x61]
            try client.wire.send(
                Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + windows
                    + [0, 0, UInt8(fields.count), 1, 5] + word(1) + fields)
            var received = 0
            var isWhole = false
            let end = Deadline(.milliseconds(2_000))
            while !isWhole {
                let head = try client.wire.take(9)
                let payload = try client.wire.take(Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2]))
                #expect(head[3] != 3 && head[3] != 7, "a reset or a farewell after \(received) bytes")
                if head[3] == 3 || head[3] == 7 { return }
                if head[3] == 0 { received += payload.count }
                isWhole = head[3] == 0 && head[4] & 1 == 1
                if !end.hasPassed { Thread.sleep(forTimeInterval: 0.01) }
            }
            #expect(received == size)
        }
    }
}
