import Foundation
import Glibc
import Testing

extension EndToEnd {
    /// The marks of the access log: each by what causes it, and none without.
    @Suite
    struct LogMarks {
        private static func marks(_ line: [String: Any]) -> [String] { line["marks"] as? [String] ?? ["none at all"] }

        private static func answer(_ body: String, _ fields: String = "") -> String {
            "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)"
        }

        @Test func whatWentWellHasNone() throws {
            let setup = GatewaySetup(forwardingTo: try .saying("ok")).route(
                #"{"match": "/own", "respond": {"body": "x"}}"#)
            let gateway = try GatewayProcess(setup)
            for (line, body) in [("GET /a", nil), ("POST /b", "body"), ("GET /own", nil), ("GET /a/..%00", nil)] {
                _ = try gateway.exchange(line, body: body)
                let path = line.split(separator: " ")[1]
                #expect(Self.marks(try gateway.logLine(path: "\(path)")) == [], "\(line)")
            }
        }

        @Test(
            "A dead connection that another one replaces", arguments: ["connection", "libcurl"], ["/again", "/view"])
        func retried(transport: String, path: String) throws {
            let stub = try StubUpstream { connection in
                while let request = try connection.request() {
                    if connection.number == 0, request.target != "/first" { return }
                    try connection.send(Self.answer("1"))
                }
            }
            let setup = GatewaySetup().upstream("stub", stub, #""transport": "\#(transport)""#)
                .route(#"{"match": "/{rest...}", "to": "stub"}"#)
                .route(#"{"match": "/view", "aggregate": {"part": {"from": "stub", "get": "/part"}}}"#)
            let gateway = try GatewayProcess(setup)
            #expect(try gateway.exchange("GET /first").status == 200)
            #expect(Self.marks(try gateway.logLine(path: "/first")) == [])
            #expect(try gateway.exchange("GET \(path)").status == 200)
            #expect(Self.marks(try gateway.logLine(path: path)) == ["retried"])
            // The exchange is used again, and knows nothing of it.
            #expect(try gateway.exchange("GET /next").status == 200)
            #expect(Self.marks(try gateway.logLine(path: "/next")) == [])
        }

        @Test func viewsWithoutPartsAndViewsThatTheClientHas() throws {
            let stub = try StubUpstream.answering { request in
                request.target == "/broken" ? "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n" : Self.answer("1")
            }
            let setup = GatewaySetup().upstream("stub", stub)
                .route(
                    """
                    {"match": "/partial", "aggregate": {"a": {"from": "stub", "get": "/whole"}, \
                    "b": {"from": "stub", "get": "/broken", "optional": true}}}
                    """
                )
                .route(#"{"match": "/whole", "aggregate": {"a": {"from": "stub", "get": "/whole"}}}"#)
                .gateway(#""accessLog": {"sample": 0}"#)
            let gateway = try GatewayProcess(setup)
            let tag = try #require(try gateway.exchange("GET /whole")["etag"])
            #expect(try gateway.exchange("GET /partial").status == 200)
            // Logged although nothing is that went well: a part was missing.
            #expect(Self.marks(try gateway.logLine(path: "/partial")) == ["partial"])
            try gateway.reload("routes.json", setup.text.replacing(#""sample": 0"#, with: #""sample": 1"#))
            #expect(try gateway.exchange("GET /whole", ["If-None-Match: \(tag)"]).status == 304)
            #expect(Self.marks(try gateway.logLine(path: "/whole")) == ["not_modified"])
        }

        @Test(
            "An answer that does not wait for the body",
            .enabled(if: CertificateFolder.isPossible, "the openssl command is not there"),
            arguments: ConnectionKind.allCases)
        func early(kind: ConnectionKind) throws {
            let stub = try StubUpstream { connection in
                _ = try connection.head()
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
                try connection.awaitEnd()
            }
            let setup = GatewaySetup().upstream("stub", stub)
                .route(#"{"match": "/small", "to": "stub", "maxBody": "1"}"#)
                .route(#"{"match": "/early", "to": "stub"}"#)
            let edge = try EdgeGateway(setup)
            #expect(try edge.exchange(kind, EdgeRequest("POST", "/small", body: "xx")).status == 413)
            #expect(Self.marks(try edge.gateway.logLine(path: "/small")) == ["early_answer"])
            let client = try edge.client(kind)
            if kind.isHTTP2 {
                try client.wire.send(
                    HTTP2Wire.head(1, "POST", "/early", [("content-length", "99999")], ends: false)
                        + HTTP2Wire.data(1, "half"))
            } else {
                try client.wire.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\nhalf")
            }
            #expect(try client.outcome(on: 1).text == "early", "\(client.transcript)")
            client.close()
            #expect(Self.marks(try edge.gateway.logLine(path: "/early")).first == "early_answer")
        }

        @Test(
            "A client that leaves, and an answer that breaks off",
            .enabled(if: CertificateFolder.isPossible, "the openssl command is not there"),
            arguments: ConnectionKind.allCases)
        func ends(kind: ConnectionKind) throws {
            let stub = try StubUpstream { connection in
                guard let request = try connection.request() else { return }
                if request.target != "/gone" { try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf") }
                if request.target != "/truncated" { try connection.awaitEnd() }
            }
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub).gateway(#""accessLog": {"sample": 0}"#))
            let gone = try edge.client(kind)
            try gone.send(EdgeRequest("GET", "/gone"))
            _ = try stub.requests(1)
            gone.close()
            let first = try edge.gateway.logLine(path: "/gone")
            #expect(Self.marks(first) == ["client_gone"] && first["status"] as? Int == 499, "\(first)")
            // Both were 200 when they broke off, and are logged although nothing is that went well.
            #expect(try edge.exchange(kind, EdgeRequest("GET", "/truncated")).end != .whole)
            let second = try edge.gateway.logLine(path: "/truncated")
            #expect(
                Self.marks(second) == ["truncated"] && second["cause"] as? String == "upstream_truncated", "\(second)")
            #expect(second["status"] as? Int == 200)
            let half = try edge.client(kind)
            try half.send(EdgeRequest("GET", "/half"))
            try eventually("the head is there") {
                _ = try half.wire.readMore()
                return half.wire.pending.count > 60
            }
            half.close()
            let third = try edge.gateway.logLine(path: "/half")
            #expect(Self.marks(third) == ["client_gone"] && third["status"] as? Int == 200, "\(third)")
        }

        @Test func tunnels() throws {
            let stub = try StubUpstream { connection in
                guard try connection.request() != nil else { return }
                try connection.send("HTTP/1.1 101 Over\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
                try connection.awaitEnd()
            }
            let setup = GatewaySetup().upstream("stub", stub)
                .route(#"{"match": "/{rest...}", "to": "stub", "upgrade": ["websocket"]}"#)
            let gateway = try GatewayProcess(setup)
            let client = try gateway.client()
            try client.request(
                "GET /tunnel",
                [
                    "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                    "Sec-WebSocket-Version: 13",
                ])
            #expect(try client.wire.head()?.status == 101)
            client.close()
            #expect(Self.marks(try gateway.logLine(path: "/tunnel")) == ["tunnel"])
        }

        @Test func whatEndsDuringADrain() throws {
            let gate = Gate()
            let stub = try StubUpstream { connection in
                while try connection.request() != nil {
                    try gate.wait()
                    try connection.send(Self.answer("ok"))
                }
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            try client.request("GET /last")
            _ = try stub.requests(1)
            gateway.process.signal(SIGTERM)
            try eventually("nobody is accepted any more") { (try? gateway.client()) == nil }
            gate.open()
            #expect(try client.response()["connection"] == "close")
            #expect(Self.marks(try gateway.logLine(path: "/last")) == ["draining"])
        }
    }
}
