import Foundation
import Testing

extension EndToEnd {
    /// Where the time of slow requests went, as the access log tells it: each kind of slowness is in its own share.
    @Suite
    struct TimeSplits {
        /// What is slow, in seconds, and what the log calls slow.
        private static let pause = 0.4
        private static let log = #""accessLog": {"sample": 0, "slow": "150ms"}"#
        static let transports = ["connection", "libcurl"]

        /// How slow somebody is. No synchronisation rests on it: it is what is measured.
        private static func beSlow() { Thread.sleep(forTimeInterval: pause) }

        private static func answer(_ body: String) -> String {
            "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }

        /// Checks that the line of a request has the pause in this share and in no other.
        private static func expect(_ share: String, in line: [String: Any]) throws {
            let split = try #require(line["time_split_ms"] as? [String: Double], "\(line)")
            #expect((split[share] ?? 0) >= pause * 950, "\(line)")
            for (name, time) in split where name != share {
                #expect(time < (split[share] ?? 0), "\(name): \(line)")
            }
            #expect((line["marks"] as? [String])?.contains("slow") == true, "\(line)")
            let duration = try #require(line["duration_ms"] as? Double)
            #expect(split.values.reduce(0, +) <= duration + 0.01, "\(line)")
        }

        private static func gateway(_ stub: StubUpstream, _ settings: String) throws -> GatewayProcess {
            try GatewayProcess(GatewaySetup(forwardingTo: stub, settings).gateway(log))
        }

        @Test func aHeadThatComesInPieces() throws {
            let gateway = try Self.gateway(try .saying("ok"), #""transport": "connection""#)
            let client = try gateway.client()
            try client.send("GET /parse HTTP/1.1\r\n")
            Self.beSlow()
            #expect(try client.send("Host: a\r\n\r\n").response().status == 200)
            try Self.expect("parse", in: try gateway.logLine(path: "/parse"))
        }

        @Test func aHeadThatIsNotWanted() throws {
            let gateway = try Self.gateway(try .saying("ok"), #""transport": "connection""#)
            let client = try gateway.client()
            try client.send("GET /a HTTP/1.1\r\nHost: a\r\n")
            Self.beSlow()
            #expect(try client.send(" : b\r\n\r\n").response().status == 400)
            let line = try gateway.logLine("the refusal") { $0["cause"] as? String == "bad_request" }
            try Self.expect("parse", in: line)
        }

        @Test("A server that thinks for long", arguments: transports)
        func firstByte(transport: String) throws {
            let stub = try StubUpstream { connection in
                while try connection.request() != nil {
                    Self.beSlow()
                    try connection.send(Self.answer("ok"))
                }
            }
            let gateway = try Self.gateway(stub, #""transport": "\#(transport)""#)
            #expect(try gateway.exchange("GET /think").text == "ok")
            try Self.expect("first_byte", in: try gateway.logLine(path: "/think"))
        }

        @Test("A server that does not answer at all")
        func noAnswer() throws {
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.awaitEnd()
            }
            let gateway = try Self.gateway(stub, #""timeout": "400ms""#)
            #expect(try gateway.exchange("GET /never").status == 504)
            try Self.expect("first_byte", in: try gateway.logLine(path: "/never"))
        }

        @Test("A server that stops in the middle of its answer", arguments: transports)
        func body(transport: String) throws {
            let stub = try StubUpstream { connection in
                while try connection.request() != nil {
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
                    Self.beSlow()
                    try connection.send("lf")
                }
            }
            let gateway = try Self.gateway(stub, #""transport": "\#(transport)""#)
            #expect(try gateway.exchange("GET /half").text == "half")
            try Self.expect("body", in: try gateway.logLine(path: "/half"))
        }

        /// A short body whose length is known is awaited before the server is asked, any other one is passed on as it comes.
        @Test("A client that stops in the middle of its upload", arguments: transports, [true, false])
        func upload(transport: String, isShort: Bool) throws {
            let gateway = try Self.gateway(try .saying("ok"), #""transport": "\#(transport)""#)
            let client = try gateway.client()
            if isShort {
                try client.request("POST /upload", ["Content-Length: 4"]).send("ha")
            } else {
                try client.request("POST /upload", ["Transfer-Encoding: chunked"]).send("2\r\nha\r\n")
            }
            Self.beSlow()
            #expect(try client.send(isShort ? "lf" : "2\r\nlf\r\n0\r\n\r\n").response().status == 200)
            try Self.expect("upload", in: try gateway.logLine(path: "/upload"))
        }

        @Test("A client that takes its answer late", arguments: transports)
        func write(transport: String) throws {
            let size = 16 << 20
            let stub = try StubUpstream { connection in
                let piece = [UInt8](repeating: 0x61, count: 1 << 20)
                while try connection.request() != nil {
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
                    for _ in 0..<16 { try connection.wire.send(piece) }
                }
            }
            let gateway = try Self.gateway(stub, #""transport": "\#(transport)""#)
            let client = try gateway.client(receiveBuffer: 16_384)
            try client.request("GET /late")
            try client.wire.awaitStandstill()
            Self.beSlow()
            var rest = try #require(try client.wire.head()?.contentLength)
            while rest > 0 { rest -= try client.wire.skip(rest) }
            try Self.expect("write", in: try gateway.logLine(path: "/late"))
        }

        @Test("A place that others have", arguments: transports)
        func queue(transport: String) throws {
            let gate = Gate()
            let stub = try StubUpstream { connection in
                while let request = try connection.head() {
                    if request.target == "/first" { try gate.wait() }
                    try connection.send(Self.answer("ok"))
                }
            }
            let gateway = try Self.gateway(
                stub, #""transport": "\#(transport)", "maxConnections": 1, "connectTimeout": "20s""#)
            let first = try gateway.client()
            try first.request("GET /first")
            _ = try stub.requests(1)
            let second = try gateway.client()
            try second.request("GET /second")
            Self.beSlow()
            gate.open()
            #expect(try first.response().text == "ok")
            #expect(try second.response().text == "ok")
            try Self.expect("queue", in: try gateway.logLine(path: "/second"))
            try Self.expect("first_byte", in: try gateway.logLine(path: "/first"))
        }

        @Test("A server whose TLS never comes, and one whose HTTP/2 comes late")
        func connect() throws {
            let silent = try StubUpstream { try $0.awaitEnd() }
            let late = try StubUpstream { connection in
                Self.beSlow()
                // SETTINGS, then nothing.
                try connection.wire.send([0, 0, 0, 4, 0, 0, 0, 0, 0])
                try connection.awaitEnd()
            }
            let setup = GatewaySetup()
                .upstream("silent", url: "https://127.0.0.1:\(silent.place.port)", #""connectTimeout": "400ms""#)
                .upstream("late", late, #""protocol": "h2", "connectTimeout": "10s", "timeout": "10ms""#)
                .route(#"{"match": "/tls", "to": "silent"}"#).route(#"{"match": "/h2", "to": "late"}"#).gateway(
                    Self.log)
            let gateway = try GatewayProcess(setup)
            for path in ["/tls", "/h2"] {
                #expect(try gateway.exchange("GET \(path)").status >= 502)
                try Self.expect("connect", in: try gateway.logLine(path: path))
            }
            withExtendedLifetime(silent) {}
        }

        @Test("HTTP/2 to the server, by either transport", arguments: transports)
        func http2(transport: String) throws {
            let stub = try StubUpstream { connection in
                while let request = try connection.request() {
                    if request.target == "/head" { Self.beSlow() }
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
                    if request.target == "/body" { Self.beSlow() }
                    try connection.send("lf")
                }
            }
            let server = try GatewayProcess(GatewaySetup(forwardingTo: stub).gateway(#""name": "behind""#))
            let setup = GatewaySetup()
                .upstream("server", url: server.url, #""protocol": "h2", "transport": "\#(transport)""#)
                .route(#"{"match": "/{rest...}", "to": "server"}"#).gateway(Self.log)
            let gateway = try GatewayProcess(setup)
            for (path, share) in [("/head", "first_byte"), ("/body", "body")] {
                #expect(try gateway.exchange("GET \(path)").text == "half")
                try Self.expect(share, in: try gateway.logLine(path: path))
            }
        }

        @Test("A connection from the pool costs no time to connect", arguments: transports)
        func pooled(transport: String) throws {
            let stub = try StubUpstream.saying("ok")
            let setup = GatewaySetup(forwardingTo: stub, #""transport": "\#(transport)""#)
                .gateway(#""accessLog": {"format": "split {path} {connect_ms} {queue_ms}"}"#)
            let gateway = try GatewayProcess(setup)
            let client = try gateway.client()
            for path in ["/new", "/pooled"] { #expect(try client.exchange("GET \(path)").status == 200) }
            func times(_ path: String) throws -> [Double] {
                let line = try gateway.process.line(path) { $0.hasPrefix("split \(path) ") }
                return line.split(separator: " ").dropFirst(2).compactMap { Double($0) }
            }
            let new = try times("/new")
            #expect(new.count == 2 && new[0] > 0, "\(new)")
            #expect(try times("/pooled") == [0, 0])
            #expect(stub.connections == 1)
        }

        @Test("Of a view, the part that took longest")
        func view() throws {
            let stub = try StubUpstream { connection in
                while let request = try connection.request() {
                    if request.target == "/slow" { Self.beSlow() }
                    try connection.send(Self.answer("1"))
                }
            }
            let setup = GatewaySetup().upstream("stub", stub).gateway(Self.log)
                .route(
                    """
                    {"match": "/view", "aggregate": {"quick": {"from": "stub", "get": "/quick"}, \
                    "slow": {"from": "stub", "get": "/slow"}}}
                    """)
            let gateway = try GatewayProcess(setup)
            #expect(try gateway.exchange("GET /view").text == #"{"quick":1,"slow":1}"#)
            try Self.expect("first_byte", in: try gateway.logLine(path: "/view"))
        }

        @Test("Only what is slow is logged where nothing else is, and a tunnel is not slow")
        func sampling() throws {
            let stub = try StubUpstream { connection in
                while let request = try connection.request() {
                    if request.target == "/slow" { Self.beSlow() }
                    if request.target == "/tunnel" {
                        try connection.send("HTTP/1.1 101 Over\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
                        Self.beSlow()
                        return
                    }
                    try connection.send(Self.answer("ok"))
                }
            }
            let setup = GatewaySetup().upstream("stub", stub).gateway(Self.log)
                .route(#"{"match": "/{rest...}", "to": "stub", "upgrade": ["websocket"]}"#)
            let gateway = try GatewayProcess(setup)
            #expect(try gateway.exchange("GET /quick").status == 200)
            let tunnel = try gateway.client()
            try tunnel.request(
                "GET /tunnel",
                [
                    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                    "Sec-WebSocket-Version: 13",
                ])
            #expect(try tunnel.rest().hasPrefix("HTTP/1.1 101 "))
            #expect(try gateway.exchange("GET /slow").status == 200)
            #expect(try gateway.terminate() == 0)
            let lines = gateway.process.lines().filter { $0.hasPrefix("{") }
            #expect(lines.count == 1 && lines[0].contains(#""path":"/slow""#), "\(lines)")
        }
    }
}
