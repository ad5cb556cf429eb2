import Foundation
import Synchronization
import Testing

extension EndToEnd {
    /// Requests that go over to WebSocket, and answers without an end (RFC 9110 §7.8, RFC 6455 §4).
    @Suite
    struct Upgrade {
        private static let fields = [
            "Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        ]
        private static let switching =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

        private static func setup(_ stub: StubUpstream, _ options: String = "") -> GatewaySetup {
            GatewaySetup().upstream("stub", stub)
                .route(#"{"match": "/plain", "to": "stub"}"#)
                .route(#"{"match": "/{rest...}", "to": "stub", "upgrade": ["websocket"]\#(options)}"#)
        }

        /// Goes over to another protocol and gives back what is sent, until the gateway closes.
        private static func echo() throws -> StubUpstream {
            try StubUpstream { connection in
                guard try connection.request() != nil else { return }
                try connection.send(switching)
                while let piece = try connection.wire.some() { try connection.wire.send(piece) }
            }
        }

        /// Asks for WebSocket and reads the head of the answer.
        private static func open(_ client: RawClient, _ path: String = "/ws") throws -> HTTPText? {
            try client.request("GET \(path)", fields)
            return try client.wire.head()
        }

        @Test("Bytes go both ways as they come, and the end of the client ends the upstream's connection")
        func relay() throws {
            let stub = try Self.echo()
            let gateway = try GatewayProcess(Self.setup(stub))
            let client = try gateway.client()
            let head = try #require(try Self.open(client))
            #expect(head.status == 101, "\(client.transcript)")
            #expect(head["upgrade"]?.lowercased() == "websocket" && head["connection"]?.lowercased() == "upgrade")
            #expect(head["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            #expect(head["transfer-encoding"] == nil && head["content-length"] == nil)
            var bytes = 0
            for message in ["\u{01}first", "second\r\n\r\nGET / HTTP/1.1\r\n", String(repeating: "x", count: 30_000)] {
                bytes += message.utf8.count
                try client.send(message)
                #expect(try client.wire.take(message.utf8.count) == Array(message.utf8))
            }
            let request = try stub.lastRequest()
            #expect(request["upgrade"] == "websocket" && request["connection"] == "Upgrade", "\(request)")
            #expect(request["sec-websocket-key"] == "dGhlIHNhbXBsZSBub25jZQ==" && request["traceparent"] != nil)
            client.close()
            try eventually("the upstream's connection is closed") { stub.closedConnections == 1 }
            let line = try gateway.logLine(path: "/ws")
            #expect(line["status"] as? Int == 101 && line["cause"] as? String == nil, "\(line)")
            #expect(line["bytes_in"] as? Int == bytes && line["bytes_out"] as? Int == bytes, "\(line)")
        }

        @Test("The upstream's end ends the client's connection, with everything that was sent before")
        func upstreamEnds() throws {
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.send(Self.switching + "in the same segment")
                try connection.send(String(repeating: "y", count: 200_000))
            }
            let client = try GatewayProcess(Self.setup(stub)).client()
            #expect(try Self.open(client)?.status == 101)
            let rest = try client.wire.takeAll()
            #expect(rest.count == 200_019 && rest.starts(with: Array("in the same segment".utf8)))
        }

        @Test("What the client sends ahead of the answer reaches the upstream behind the request")
        func early() throws {
            let stub = try Self.echo()
            let client = try GatewayProcess(Self.setup(stub)).client()
            try client.send(
                "GET /ws HTTP/1.1\r\nHost: a\r\n" + Self.fields.joined(separator: "\r\n") + "\r\n\r\nsent ahead")
            #expect(try client.wire.head()?.status == 101)
            #expect(try client.wire.take(10) == Array("sent ahead".utf8))
        }

        @Test("Both sides are held back by each other: nothing is gathered")
        func backPressure() throws {
            let release = Gate()
            let total = 64 << 20
            let read = Mutex(0)
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.send(Self.switching)
                try release.wait()
                var rest = total
                while rest > 0 {
                    let count = try connection.wire.skip(rest)
                    rest -= count
                    read.withLock { $0 += count }
                }
                let piece = [UInt8](repeating: 0x7A, count: 1 << 20)
                for _ in 0..<(total / piece.count) { try connection.wire.send(piece) }
            }
            let gateway = try GatewayProcess(Self.setup(stub))
            let client = try gateway.client()
            #expect(try Self.open(client)?.status == 101)
            let before = try gateway.process.kibibytes("VmHWM")
            let sent = Mutex(0)
            // SAFETY: this thread only reads meanwhile, and a wire keeps the two directions apart.
            nonisolated(unsafe) let wire = client.wire
            let sender = Thread {
                let piece = [UInt8](repeating: 0x71, count: 1 << 20)
                for _ in 0..<(total / piece.count) {
                    guard (try? wire.send(piece)) != nil else { return }
                    sent.withLock { $0 += piece.count }
                }
            }
            sender.start()
            var last = -1
            try eventually("the client stands still") {
                defer { last = sent.withLock { $0 } }
                Thread.sleep(forTimeInterval: 0.2)
                return last == sent.withLock { $0 }
            }
            #expect(last < total / 2, "\(last) bytes were taken that nobody read")
            release.open()
            var rest = total
            while rest > 0 { rest -= try client.wire.skip(rest) }
            #expect(read.withLock { $0 } == total)
            let growth = try gateway.process.kibibytes("VmHWM") - before
            #expect(growth < 16 << 10, "the peak grew by \(growth) KiB")
        }

        @Test(
            "What is no WebSocket request, or not allowed to be one, goes on without a word of it",
            arguments: [
                ("GET /plain", fields), ("POST /ws", fields), ("GET /ws", ["Upgrade: websocket"]),
                ("GET /ws", ["Connection: upgrade", "Upgrade: h2c"]), ("GET /ws", ["Connection: upgrade"]),
            ])
        func notAsked(line: String, fields: [String]) throws {
            let stub = try StubUpstream.saying("plain")
            let gateway = try GatewayProcess(Self.setup(stub))
            #expect(try gateway.exchange(line, fields, body: line.hasPrefix("POST") ? "x" : nil).text == "plain")
            let request = try stub.lastRequest()
            #expect(request["upgrade"] == nil && request["connection"] == nil, "\(request)")
        }

        @Test("An upstream that refuses is passed on, and the connection goes on")
        func refused() throws {
            let stub = try StubUpstream.answering { request in
                request.target == "/ws"
                    ? "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nno"
                    : "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"
            }
            let client = try GatewayProcess(Self.setup(stub)).client()
            let answer = try client.exchange("GET /ws", Self.fields)
            #expect(answer.status == 426 && answer.text == "no", "\(client.transcript)")
            #expect(try client.exchange("GET /next").text == "next", "\(client.transcript)")
        }

        @Test(
            "An upgrade to something else, or that nobody asked for, is no answer",
            arguments: [
                ("GET /ws", "Upgrade: h2c\r\nConnection: Upgrade"), ("GET /ws", "Upgrade: websocket"),
                ("GET /ws", "Upgrade: websocket, h2c\r\nConnection: Upgrade"), ("GET /ws", "Connection: Upgrade"),
                ("GET /plain", "Upgrade: websocket\r\nConnection: Upgrade"),
            ])
        func wrongUpgrade(line: String, switching: String) throws {
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.send("HTTP/1.1 101 Switching Protocols\r\n\(switching)\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
                try connection.awaitEnd()
            }
            let answer = try GatewayProcess(Self.setup(stub)).exchange(line, Self.fields)
            #expect(answer.status == 502 && answer.cause == "upstream_protocol", "\(answer)")
        }

        @Test("A relay on which both sides are silent ends; the time for a whole exchange does not count")
        func silence() throws {
            let stub = try Self.echo()
            let gateway = try GatewayProcess(Self.setup(stub, #", "idleTimeout": "600ms", "totalTimeout": "300ms""#))
            let client = try gateway.client()
            #expect(try Self.open(client)?.status == 101)
            for _ in 0..<8 {
                try client.send("tick")
                #expect(try client.wire.take(4) == Array("tick".utf8))
                // The span of time is what is tested: together they are longer than each of the limits.
                Thread.sleep(forTimeInterval: 0.1)
            }
            #expect(try client.wire.takeAll().isEmpty)
            let line = try gateway.logLine(path: "/ws")
            #expect((line["duration_ms"] as? Double ?? 0) >= 1_200, "\(line)")
        }

        @Test("A drain waits for a relay up to its limit, then cuts it off")
        func drain() throws {
            let stub = try Self.echo()
            let gateway = try GatewayProcess(Self.setup(stub).gateway(#""timeouts": {"drain": "1s"}"#))
            let client = try gateway.client()
            #expect(try Self.open(client)?.status == 101)
            gateway.process.signal(SIGTERM)
            try gateway.process.line("it drains", in: .errors) { $0.contains("draining") }
            try client.send("still here")
            #expect(try client.wire.take(10) == Array("still here".utf8))
            #expect(try gateway.process.end() == 0)
        }

        @Test("Each event of an endless answer is sent on when it comes")
        func events() throws {
            let next = (0..<3).map { _ in Gate() }
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.send(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
                for (number, gate) in next.enumerated() {
                    try gate.wait()
                    try connection.send("9\r\ndata: \(number)\n\n\r\n")
                }
                try connection.awaitEnd()
            }
            let gateway = try GatewayProcess(Self.setup(stub))
            let client = try gateway.client()
            try client.request("GET /events")
            #expect(try client.wire.head()?["content-type"] == "text/event-stream")
            for (number, gate) in next.enumerated() {
                gate.open()
                let event = Array("9\r\ndata: \(number)\n\n\r\n".utf8)
                #expect(try client.wire.take(event.count) == event)
            }
            client.close()
            try eventually("the upstream's connection is closed") { stub.closedConnections == 1 }
        }
    }
}
