import Foundation
import Testing

extension EndToEnd {
    /// Requests whose end two readers could see differently (security.md §2.1), on HTTP/1.1 in clear and over TLS: one
    /// answer, the end of the connection, nothing of it upstream, and nothing behind it is read.
    @Suite(.enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
    struct Smuggling {
        private static let second = "GET /second HTTP/1.1\r\nHost: a\r\n\r\n"

        /// Spellings of the framing beside those of `RefusedMessages`.
        private static let spellings: [String] = [
            "Transfer-Encoding\t: chunked", "Transfer-Encoding: chunked\u{0B}", "Transfer-Encoding: \u{0C}chunked",
            "Transfer-Encoding:\u{00}chunked", "Transfer-Encoding: chunked\u{00}", "Transfer-Encoding:\r\n chunked",
            "Transfer-Encoding: \"chunked\"", "Transfer-Encoding: 'chunked'", "Transfer-Encoding: chunked;a=b",
            "Transfer-Encoding: chunked,", "Transfer-Encoding: ,chunked", "Transfer-Encoding: identity, chunked",
            "Transfer-Encoding: chunked, identity", "Transfer-Encoding: gzip", "Transfer-Encoding: identity",
            "Transfer-Encoding:", "Transfer-Encoding: chunke", "Transfer-Encoding: chunkedx",
            " Transfer-Encoding: chunked",
            "X: y\rTransfer-Encoding: chunked", "X: y\nTransfer-Encoding: chunked", "Transfer_Encoding: chunked",
            "TRANSFER_encoding: chunked", "Content_Length: 5",
            "Transfer-Encoding: chunked\r\nTransfer_Encoding: identity",
            "Content-Length: 5\r\nTransfer-Encoding: identity", "Content-Length: 5 ,5", "Content-Length: 5 5",
            "Content-Length: 0_5", "Content-Length: 5.0", "Content-Length: \u{0B}5", "Content-Length:\r\n 5",
            "Content-Length: 0000000000000000005", "Content-Length: 9223372036854775808", "Content-Length : 5",
            "Content-Length: 5\r\nContent-Length:", "content-length: 5\r\nCONTENT-LENGTH: 0",
            "Content-Length: \u{FF15}",
        ]

        /// Whole messages beside those of `RefusedMessages`.
        private static let messages: [String] = [
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\n\n", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
            "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET http:///a HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n",
            "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET * HTTP/1.1\r\nHost: a\r\n\r\n", "GET a.test:80 HTTP/1.1\r\nHost: a\r\n\r\n",
            "G\u{00}T / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: \(String(repeating: "a,", count: 65))\r\n\r\n",
        ]

        /// Chunked bodies beside those of `RefusedMessages`.
        private static let bodies: [String] = [
            "5\rhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n",
            "5\t\r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "5;\r\nhello\r\n0\r\n\r\n",
            "5;a\rb\r\nhello\r\n0\r\n\r\n",
            "5;a=\"b\r\nhello\r\n0\r\n\r\n", "5;a b\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n",
            "5_0\r\nhello\r\n0\r\n\r\n",
            "\r\n5\r\nhello\r\n0\r\n\r\n", "5\u{00}\r\nhello\r\n0\r\n\r\n", "0000000000000005\r\nhello\r\n0\r\n\r\n",
            "5\r\nhelloXX0\r\n\r\n", "0\n\n", "0\r\n\n", "0\r\nX-T\r\n\r\n", "0\r\nX-T : a\r\n\r\n",
            "0\r\nX-T: a\r\n b\r\n\r\n",
            "0\r\nX-T: a\nb\r\n\r\n", "0\r\nX-T: \(String(repeating: "a", count: 5_000))\r\n\r\n",
            "0\r\n\(String(repeating: "X-T: a\r\n", count: 33))\r\n",
            String(repeating: "1;\(String(repeating: "e", count: 250))\r\na\r\n", count: 80) + "0\r\n\r\n",
        ]

        @Test("Framing with two readings is refused", arguments: ConnectionKind.allHTTP1)
        func framing(kind: ConnectionKind) throws {
            let stub = try StubUpstream.saying("ok")
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub))
            let start = "POST / HTTP/1.1\r\nHost: a\r\n"
            let all =
                RefusedMessages.smuggling.map { start + $0.text } + RefusedMessages.malformed.map(\.text)
                + Self.spellings.map { start + $0 + "\r\n\r\n0\r\n\r\n" } + Self.messages
            try edge.withstand("framing with two readings") {
                for message in all {
                    let client = try edge.client(kind)
                    try client.wire.send(message + Self.second)
                    let outcome = try client.outcome()
                    #expect([400, 505].contains(outcome.status), "\(message.debugDescription): \(outcome)")
                    #expect(outcome.answer?["connection"] == "close", "\(message.debugDescription): \(outcome)")
                    #expect(try client.wire.takeAll().isEmpty, "more than one answer to \(message.debugDescription)")
                }
            }
            #expect(stub.requestsOfOthers.isEmpty, "\(stub.requestsOfOthers)")
        }

        @Test("A chunked body with two readings is refused", arguments: ConnectionKind.allHTTP1)
        func chunks(kind: ConnectionKind) throws {
            let stub = try StubUpstream.saying("ok")
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub))
            try edge.withstand("chunks with two readings") {
                for body in RefusedMessages.chunks.map(\.text) + Self.bodies {
                    let client = try edge.client(kind)
                    try client.wire.send(
                        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body + Self.second)
                    let outcome = try client.outcome()
                    #expect(
                        outcome.status == 400 && outcome.cause == "bad_request", "\(body.debugDescription): \(outcome)")
                    #expect(try client.wire.takeAll().isEmpty, "more than one answer to \(body.debugDescription)")
                }
            }
            #expect(stub.requestsOfOthers.isEmpty, "\(stub.requestsOfOthers)")
        }

        @Test(
            "What is refused does not hold up or change what others ask on the upstream's connections",
            arguments: ConnectionKind.allHTTP1)
        func victims(kind: ConnectionKind) throws {
            let stub = try StubUpstream.answering { request in
                "HTTP/1.1 200 OK\r\nContent-Length: \(request.target.utf8.count)\r\n\r\n\(request.target)"
            }
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub))
            let victim = try edge.client(.http2)
            let prefixes = [
                "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n",
                "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nGET /stolen HTTP/1.1\r\nX: ",
                "GET /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nGET /stolen HTTP/1.1\r\nX: ",
            ]
            for (number, prefix) in prefixes.enumerated() {
                let attacker = try edge.client(kind)
                try attacker.wire.send(prefix)
                for round in 0..<3 {
                    let path = "/victim/\(number)/\(round)"
                    #expect(try victim.exchange(EdgeRequest("GET", path)).text == path)
                }
                attacker.close()
            }
            #expect(!stub.requests.contains { $0.target == "/stolen" }, "\(stub.requests)")
        }

        @Test(
            "A body where none is common is read as a body, never as a request (CL.0)",
            arguments: ConnectionKind.allHTTP1)
        func bodies(kind: ConnectionKind) throws {
            let stub = try StubUpstream.answering { request in
                let body = request.method == "HEAD" ? "" : "ok"
                return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\(body)"
            }
            let setup = GatewaySetup().upstream("stub", stub)
                .route(#"{"match": "/own", "respond": {"body": "own"}}"#)
                .route(#"{"match": "GET /get", "to": "stub"}"#)
                .route(#"{"match": "/{rest...}", "to": "stub", "maxBody": "64"}"#)
            let edge = try EdgeGateway(setup)
            let inner = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
            let framings = [
                "Content-Length: \(inner.utf8.count)\r\n\r\n\(inner)",
                "Transfer-Encoding: chunked\r\n\r\n\(String(inner.utf8.count, radix: 16))\r\n\(inner)\r\n0\r\n\r\n",
            ]
            for line in [
                "GET /a", "HEAD /a", "DELETE /a", "OPTIONS /a", "GET /own", "POST /get", "TRACE /a", "OPTIONS *",
            ] {
                for framing in framings {
                    let client = try edge.client(kind)
                    try client.wire.send("\(line) HTTP/1.1\r\nHost: a\r\n\(framing)")
                    let first = try client.outcome(on: 0, toHead: line.hasPrefix("HEAD"))
                    #expect(first.status > 0, "\(line) \(framing.debugDescription): \(first)")
                    // Either the body was read, and this is the next request, or the connection is closed.
                    try? client.wire.send("GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    if first.answer?["connection"] != "close" {
                        #expect(try client.outcome().text == "ok", "\(line) \(framing.debugDescription): \(first)")
                    }
                    #expect((try? client.wire.takeAll())?.isEmpty ?? true, "one answer too many to \(line)")
                }
            }
            #expect(!stub.requests.contains { $0.target == "/smuggled" }, "\(stub.requests)")
        }

        @Test("Requests sent ahead are answered in order, and none behind the last", arguments: ConnectionKind.allHTTP1)
        func pipelining(kind: ConnectionKind) throws {
            let stub = try StubUpstream.answering { request in
                switch request.target {
                case "/204": "HTTP/1.1 204 No Content\r\n\r\n"
                case "/304": "HTTP/1.1 304 Not Modified\r\n\r\n"
                default:
                    "HTTP/1.1 200 OK\r\nContent-Length: \(request.target.utf8.count)\r\n\r\n"
                        + (request.method == "HEAD" ? "" : request.target)
                }
            }
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub))
            let client = try edge.client(kind)
            func line(_ text: String, _ fields: String = "") -> String {
                "\(text) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n"
            }
            try client.wire.send(
                line("HEAD /1") + line("GET /2") + line("GET /204") + line("GET /3") + line("GET /304")
                    + line("POST /4", "Content-Length: 3\r\n") + "abc" + line("GET /5", "Connection: close\r\n")
                    + line("GET /never"))
            #expect(try client.outcome(on: 0, toHead: true).answer?["content-length"] == "2")
            for expected in ["/2", "", "/3", "", "/4", "/5"] {
                let outcome = try client.outcome()
                #expect(outcome.end == .whole && outcome.text == expected, "\(outcome)")
            }
            #expect(try client.wire.takeAll().isEmpty, "\(client.transcript)")
            #expect(!stub.requests.contains { $0.target == "/never" })
        }
    }
}
