import Foundation
import Testing

extension EndToEnd {
    /// What the client gets when an upstream does not do what it should (security §2.5).
    @Suite
    struct UpstreamFaults {
        @Test("Nobody listens: 502 connect_failed, and 200 as soon as somebody does")
        func refused() throws {
            let stub = try StubUpstream.saying("first")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            stub.stop()
            let answer = try client.exchange("GET /refused")
            #expect(answer.status == 502 && answer.cause == "connect_failed", "\(client.transcript)")
            #expect(!answer.text.contains("\(stub.place.port)"), "no address of an upstream is told")
            #expect(try gateway.logLine(path: "/refused")["cause"] as? String == "connect_failed")
            let again = try StubUpstream(at: stub.place) { connection in
                while try connection.request() != nil {
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nback")
                }
            }
            try eventually("the upstream is back") { try client.exchange("GET /back").text == "back" }
            #expect(again.connections >= 1)
        }

        @Test("Before the answer's head is whole: 502", arguments: BadAnswers.beforeHead)
        func beforeHead(bad: BadAnswer) throws {
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                if !bad.bytes.isEmpty { try connection.send(bad.bytes) }
                if bad.resets { connection.wire.reset() }
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            // POST, so that nothing is repeated.
            let answer = try client.exchange("POST /", body: "x")
            #expect(answer.status == 502 && answer.cause == bad.cause, "\(client.transcript)")
            #expect(stub.requests.count == 1)
            #expect(
                try client.exchange("POST /", body: "y").status == 502, "the connection goes on: \(client.transcript)")
        }

        @Test("No answer in time: 504, and the upstream connection is given up")
        func timeout() throws {
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.awaitEnd()
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub, #""timeout": "200ms""#))
            let client = try gateway.client()
            let answer = try client.exchange("GET /slow")
            #expect(answer.status == 504 && answer.cause == "upstream_timeout", "\(client.transcript)")
            try eventually("the connection is closed") { stub.closedConnections == stub.connections }
        }

        @Test("An answer that drips is bounded by the whole exchange's time")
        func drip() throws {
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                for byte in "HTTP/1.1 200 OK\r\nX-Drip: \(String(repeating: "x", count: 10_000))".utf8 {
                    try connection.wire.send([byte])
                    Thread.sleep(forTimeInterval: 0.02)
                }
            }
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub, #""timeout": "400ms", "totalTimeout": "600ms""#))
            #expect(try gateway.exchange("GET /drip").cause == "upstream_timeout")
        }

        @Test("More requests at once than the upstream may have: 503 with Retry-After at once")
        func overload() throws {
            let gate = Gate()
            let stub = try StubUpstream { connection in
                while try connection.request() != nil {
                    try gate.wait()
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
                }
            }
            defer { gate.open() }
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub, #""maxRequests": 1"#))
            let first = try gateway.client().request("GET /first")
            _ = try stub.requests(1)
            let second = try gateway.exchange("GET /second")
            #expect(second.status == 503 && second.cause == "upstream_overloaded", "\(second)")
            #expect(second["retry-after"] == "1", "\(second)")
            gate.open()
            #expect(try first.response().text == "done", "\(first.transcript)")
            #expect(try gateway.exchange("GET /third").status == 200)
        }

        @Test("A body that is cut is seen to be cut by the client", arguments: BadAnswers.cut)
        func truncated(bad: BadAnswer) throws {
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.send(bad.bytes)
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client().request("GET /cut")
            let head = try client.wire.head()
            #expect(head?.status == 200 || head?.status == 502, "\(client.transcript)")
            let rest = try client.rest()
            #expect(!rest.contains("0\r\n\r\n"), "the client takes it for whole: \(client.transcript)")
            if let length = head?.contentLength, head?.status == 200 { #expect(rest.utf8.count < length) }
            let curl = try Curl("\(gateway.url)/cut")
            #expect(curl.exitCode != 0 || curl.status == 502, "curl takes it for whole: \(curl)")
            #expect(try gateway.logLine(path: "/cut")["cause"] as? String == "upstream_truncated")
        }

        @Test("For a client of HTTP/1.0 a cut is a reset: a plain end would be the end of the body")
        func truncatedForOldClient() throws {
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client().send("GET /cut HTTP/1.0\r\n\r\n")
            let text = try client.rest()
            #expect(client.wire.wasReset || text.hasPrefix("HTTP/1.1 502"), "a clean end:\n\(client.transcript)")
        }

        @Test("Bytes behind an answer are never the next one (RFC 9112 §11.2)")
        func bytesBehindAnswer() throws {
            let stub = try StubUpstream { connection in
                while try connection.request() != nil {
                    try connection.send(
                        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
                    )
                }
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            for _ in 0..<3 { #expect(try client.exchange("GET /").text == "ok", "\(client.transcript)") }
            #expect(stub.connections == 3)
        }

        @Test("A body behind an answer to HEAD, a 204 or a 304 is thrown away with the connection (RFC 9112 §6.3)")
        func bodyWhereNoneBelongs() throws {
            let stub = try StubUpstream { connection in
                while let request = try connection.request() {
                    let status = request.method == "HEAD" ? "200" : String(request.target.dropFirst())
                    try connection.send("HTTP/1.1 \(status) X\r\nContent-Length: 4\r\n\r\nevil")
                }
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            #expect(try client.exchange("HEAD /200").status == 200, "\(client.transcript)")
            #expect(try client.exchange("GET /304").status == 304, "\(client.transcript)")
            #expect(try client.exchange("GET /200").text == "evil", "\(client.transcript)")
            #expect(stub.connections >= 2)
        }

        /// An upstream whose first connection answers once and closes on the second request; all later ones go on.
        private func dying() throws -> StubUpstream {
            try StubUpstream { connection in
                if connection.number == 0 {
                    _ = try connection.request()
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst")
                    _ = try connection.request()
                    return
                }
                while try connection.request() != nil {
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfresh")
                }
            }
        }

        @Test("GET on a pooled connection that turns out dead is repeated on a fresh one (RFC 9112 §9.3.1)")
        func getOnDeadConnection() throws {
            let stub = try dying()
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            #expect(try client.exchange("GET /1").text == "first")
            #expect(try client.exchange("GET /2").text == "fresh", "\(client.transcript)")
            #expect(stub.requests.map(\.target) == ["/1", "/2", "/2"])
        }

        @Test("POST on a pooled connection that turns out dead is sent once (RFC 9110 §9.2.2)")
        func postOnDeadConnection() throws {
            let stub = try dying()
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            #expect(try client.exchange("GET /1").text == "first")
            let answer = try client.exchange("POST /2", body: "pay")
            #expect(answer.status == 502 && answer.cause == "upstream_closed", "\(client.transcript)")
            #expect(stub.requests.map(\.target) == ["/1", "/2"])
        }

        @Test("A connection that the upstream closes while it is idle is not used again")
        func idleClosed() throws {
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            for round in 1...5 {
                #expect(try client.exchange("POST /", body: "x").status == 200, "\(client.transcript)")
                try eventually("the connection is closed") { stub.closedConnections == round }
            }
        }

        @Test("A client that goes away ends its request at the upstream")
        func clientGone() throws {
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.awaitEnd()
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            for reset in [false, true] {
                let before = stub.requests.count
                let client = try gateway.client().request("GET /gone")
                _ = try stub.requests(before + 1)
                if reset { client.reset() } else { client.close() }
                try eventually("the request is cancelled") { stub.closedConnections == before + 1 }
            }
            #expect(try gateway.logLine(path: "/gone")["cause"] as? String == "client_closed")
        }
    }
}

/// What an upstream may send that is no answer, or not a whole one.
enum BadAnswers {
    /// What goes wrong before a head is complete, what the upstream sends, whether it resets the connection then.
    static let beforeHead: [BadAnswer] = [
        .init("closed without a byte", "", false, "upstream_closed"),
        .init("reset without a byte", "", true, "upstream_closed"),
        .init("half a head", "HTTP/1.1 200 OK\r\nContent-Le", false, "upstream_closed"),
        .init("garbage", "SSH-2.0-OpenSSH_9.2\r\n\r\n", false, "upstream_protocol"),
        .init("a status that is no number", "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n", false, "upstream_protocol"),
        .init("HTTP/2 in a status line", "HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n", false, "upstream_protocol"),
        .init(
            "length and chunked (RFC 9112 §6.3)",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false,
            "upstream_protocol"
        ),
        .init(
            "two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", false,
            "upstream_protocol"
        ),
        .init(
            "a folded line", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n", false, "upstream_protocol"),
        .init(
            "a NUL in a value", "HTTP/1.1 200 OK\r\nX: a\u{00}\r\nContent-Length: 0\r\n\r\n", false, "upstream_protocol"
        ),
        .init(
            "a head without end",
            "HTTP/1.1 200 OK\r\n" + String(repeating: "X-Long: \(String(repeating: "x", count: 1_000))\r\n", count: 80),
            false, "upstream_protocol"
        ),
        .init(
            "an upgrade nobody asked for", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", false, "upstream_protocol"),
    ]

    /// What the upstream sends before it closes in the middle of a body.
    static let cut: [BadAnswer] = [
        .init("with a length (RFC 9112 §8)", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst"),
        .init("chunked (RFC 9112 §8)", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"),
        .init("in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nfirst"),
        .init("malformed chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\nxyz\r\n"),
    ]
}

/// What an upstream sends, with a name that the output of a run can bear.
struct BadAnswer: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: String
    let resets: Bool
    let cause: String

    init(_ name: String, _ bytes: String, _ resets: Bool = false, _ cause: String = "upstream_truncated") {
        self.name = name
        self.bytes = bytes
        self.resets = resets
        self.cause = cause
    }

    var testDescription: String { name }
}
