import Foundation
import Synchronization
import Testing

extension EndToEnd {
    /// What the gateway uses: memory under large bodies, nothing at rest (http-behaviour §6, security §3).
    @Suite
    struct Resources {
        private static let large = 256 << 20
        private static let mebibyte = 1 << 20

        @Test("Clients that are cut off in every phase leave no descriptor behind")
        func descriptors() throws {
            let stub = try StubUpstream { connection in
                while let request = try connection.request() {
                    if request.target == "/held" { return try connection.awaitEnd() }
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                }
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            #expect(try gateway.exchange("GET /").status == 200)
            let phases = [
                "", "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\n", "GET /held HTTP/1.1\r\nHost: a\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf",
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
                "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            ]
            let before = try gateway.process.descriptors()
            for round in 0..<20 {
                for phase in phases {
                    let client = try gateway.client()
                    if !phase.isEmpty { try client.send(phase) }
                    if round.isMultiple(of: 2) { client.close() } else { client.reset() }
                }
            }
            // What is open to the upstream is the pool, of which one connection was there before.
            try eventually("the descriptors are given back") {
                try gateway.process.descriptors() < before + stub.connections - stub.closedConnections
            }
            #expect(try gateway.exchange("GET /").text == "ok")
        }

        @Test("A large upload and a large download at flat memory")
        func largeBodies() throws {
            let stub = try StubUpstream { connection in
                var piece = [UInt8](repeating: 0x61, count: Self.mebibyte)
                while let request = try connection.wire.head() {
                    if let length = request.contentLength {
                        var rest = length
                        while rest > 0 { rest -= try connection.wire.skip(rest) }
                        try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole")
                    } else {
                        try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(Self.large)\r\n\r\n")
                        for number in 0..<(Self.large / Self.mebibyte) {
                            piece[0] = UInt8(truncatingIfNeeded: number)
                            try connection.wire.send(piece)
                        }
                    }
                }
            }
            let setup = GatewaySetup().upstream("stub", stub)
                .route(#"{"match": "/{rest...}", "to": "stub", "maxBody": "unlimited"}"#)
            let gateway = try GatewayProcess(setup)
            let client = try gateway.client()
            try client.request("GET /warm-up")
            try Self.download(client)
            let before = try gateway.process.kibibytes("VmHWM")

            try client.request("PUT /up", ["Content-Length: \(Self.large)"])
            let piece = [UInt8](repeating: 0x62, count: Self.mebibyte)
            for _ in 0..<(Self.large / Self.mebibyte) { try client.wire.send(piece) }
            #expect(try client.response().text == "whole")
            try client.request("GET /down")
            try Self.download(client)
            let growth = try gateway.process.kibibytes("VmHWM") - before
            #expect(growth < 32 << 10, "the peak grew by \(growth) KiB")
        }

        private static func download(_ client: RawClient) throws {
            let head = try client.wire.head()
            #expect(head?.status == 200 && head?.contentLength == large)
            var rest = large
            while rest > 0 { rest -= try client.wire.skip(rest) }
        }

        @Test("A client that does not read holds its upstream back, not its answer in memory")
        func slowReader() throws {
            let sent = Mutex(0)
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(Self.large)\r\n\r\n")
                let piece = [UInt8](repeating: 0x61, count: 65_536)
                for _ in 0..<(Self.large / piece.count) {
                    try connection.wire.send(piece)
                    sent.withLock { $0 += piece.count }
                }
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let before = try gateway.process.kibibytes("VmHWM")
            let clients = try (0..<4).map { _ in try gateway.client().request("GET /slow") }
            for client in clients { #expect(try client.wire.head()?.status == 200) }
            var last = -1
            try eventually("the upstreams stand still") {
                defer { last = sent.withLock { $0 } }
                Thread.sleep(forTimeInterval: 0.2)
                return last > 0 && last == sent.withLock { $0 }
            }
            #expect(last < Self.large / 2, "\(last) bytes were taken from the upstreams, which nobody reads")
            let growth = try gateway.process.kibibytes("VmHWM") - before
            #expect(growth < 32 << 10, "the peak grew by \(growth) KiB")
            #expect(try gateway.admin("/healthz").status == 200)
        }

        @Test("Thousands of requests at once, and all cut off, again and again: memory is as after the first time")
        func crowds() throws {
            let stub = try StubUpstream { connection in
                _ = try connection.head()
                try connection.awaitEnd()
            }
            let bounds = #""maxConnections": 2, "maxRequests": 10000, "maxPending": 10000"#
            let setup = GatewaySetup(forwardingTo: stub, bounds + #", "connectTimeout": "60s", "timeout": "60s""#)
                .route(#"{"match": "/view", "aggregate": {"a": {"from": "stub", "get": "/a"}}}"#)
                .gateway(#""accessLog": false"#)
            let gateway = try GatewayProcess(setup)
            let streams = (0..<100).map { UInt32(2 * $0 + 1) }
            func crowd() throws -> Int {
                let clients = try (0..<24).map { _ in try HTTP2Wire(gateway) }
                for (number, client) in clients.enumerated() {
                    let path = number.isMultiple(of: 2) ? "/view" : "/held"
                    try client.send(streams.flatMap { HTTP2Wire.head($0, "GET", path) })
                }
                try gateway.figures("http_server_active_requests", reach: 2_400)
                for client in clients { client.wire.close() }
                try gateway.figures("http_server_active_requests", reach: 0)
                return try gateway.process.kibibytes("VmRSS")
            }
            _ = try crowd()
            let memory = try (0..<6).map { _ in try crowd() }
            // An exchange that was not let go of is some kilobytes, 1 376 of them a time.
            #expect(memory[5] - memory[0] < 8 << 10, "KiB after each time: \(memory)")
        }

        @Test("At rest it uses no processor time: after load, and after its upstream was killed and came back")
        func idle() throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub), workers: 2)
            let clients = try (0..<16).map { _ in try gateway.client() }
            for client in clients { for _ in 0..<20 { #expect(try client.exchange("GET /load").text == "ok") } }
            stub.kill()
            #expect(try clients[0].exchange("GET /gone").cause == "connect_failed")
            let again = try StubUpstream(at: stub.place) { connection in
                while try connection.request() != nil {
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                }
            }
            try eventually("the upstream is back") { try clients[1].exchange("GET /back").status == 200 }
            clients[2].close()
            clients[3].reset()
            // The last lines of the log are written first: what follows is rest.
            _ = try gateway.exchange("GET /last")
            _ = try gateway.logLine(path: "/last")
            let ticks = try gateway.process.processorTicks()
            // A span of wall-clock time is what is measured here, not a wait for something to happen.
            Thread.sleep(forTimeInterval: 2)
            let used = try gateway.process.processorTicks() - ticks
            #expect(used <= 3, "\(used) hundredths of a second of processor time in two seconds of rest")
            #expect(again.connections > 0)
        }
    }
}
