import Foundation
import Testing

extension EndToEnd {
    /// HTTP/2 that would become something else in HTTP/1.1 (security.md §2.4; RFC 9113 §8.1 to §8.3, §10.3), in clear and
    /// over TLS: a reset or an answer, nothing of it upstream, and the connection goes on.
    @Suite(.enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
    struct Downgrade {
        private typealias H2 = HTTP2Wire
        private typealias Fields = [(String, String)]

        /// What has to come of a request.
        private enum Verdict: Equatable {
            /// RST_STREAM with PROTOCOL_ERROR.
            case reset
            case status(Int)
        }

        private static let get = H2.pseudo("GET", "/")
        private static let post = H2.pseudo("POST", "/")

        /// A GET with one of the pseudo-fields changed.
        private static func with(_ name: String, _ value: String) -> Fields {
            get.map { $0.0 == name ? (name, value) : $0 }
        }

        private static func without(_ name: String) -> Fields { get.filter { $0.0 != name } }

        private static let injection = "\r\nX: y\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

        private static let heads: [(String, Fields, Verdict)] = [
            ("CRLF in a value", get + [("x", "a" + injection)], .reset),
            ("LF in a value", get + [("x", "a\nb: c")], .reset), ("CR in a value", get + [("x", "a\rb")], .reset),
            ("NUL in a value", get + [("x", "a\0b")], .reset),
            ("a control byte in a value", get + [("x", "a\u{1}b")], .reset),
            ("DEL in a value", get + [("x", "a\u{7F}")], .reset),
            ("a blank before a value", get + [("x", " a")], .reset),
            ("a tab behind a value", get + [("x", "a\t")], .reset),
            ("CRLF in a cookie", get + [("cookie", "a=b" + injection)], .reset),
            ("CRLF in a name", get + [("x: y\r\nz", "a")], .reset), ("a colon in a name", get + [("x:y", "a")], .reset),
            ("a colon behind a name", get + [("transfer-encoding:", "chunked")], .reset),
            ("a blank in a name", get + [("x y", "a")], .reset),
            ("a blank behind a name", get + [("transfer-encoding ", "chunked")], .reset),
            ("a NUL in a name", get + [("x\0", "a")], .reset),
            ("a byte above ASCII in a name", get + [("\u{E9}", "a")], .reset),
            ("an empty name", get + [("", "a")], .reset), ("upper case", get + [("X", "a")], .reset),
            ("upper case in Transfer-Encoding", get + [("Transfer-Encoding", "chunked")], .reset),
            ("transfer-encoding", post + [("transfer-encoding", "chunked")], .reset),
            ("transfer-encoding: identity", post + [("transfer-encoding", "identity")], .reset),
            ("transfer_encoding", post + [("transfer_encoding", "chunked")], .status(400)),
            ("content_length", post + [("content_length", "5")], .status(400)),
            ("connection", get + [("connection", "close")], .reset),
            ("keep-alive", get + [("keep-alive", "timeout=5")], .reset),
            ("proxy-connection", get + [("proxy-connection", "close")], .reset),
            ("upgrade", get + [("upgrade", "h2c")], .reset),
            ("te", get + [("te", "chunked")], .reset), ("te and trailers", get + [("te", "trailers, chunked")], .reset),
            ("two lengths", post + [("content-length", "0"), ("content-length", "0")], .status(400)),
            ("a list of lengths", post + [("content-length", "0, 0")], .status(400)),
            ("a signed length", post + [("content-length", "+0")], .status(400)),
            ("a length without a body", post + [("content-length", "5")], .reset),
            ("a blank in the path", with(":path", "/ HTTP/1.1"), .status(400)),
            ("CRLF in the path", with(":path", "/" + injection), .reset),
            ("a fragment in the path", with(":path", "/#a"), .status(400)),
            ("an empty path", with(":path", ""), .reset),
            ("a path without a slash", with(":path", "a"), .reset),
            ("an address as path", with(":path", "http://b/"), .reset),
            ("an asterisk", with(":path", "*"), .status(400)), ("above the root", with(":path", "/../a"), .status(400)),
            ("a NUL in the path", with(":path", "/%00"), .status(400)), ("no path", without(":path"), .reset),
            ("a blank in the method", with(":method", "GET / HTTP/1.1"), .status(400)),
            ("CRLF in the method", with(":method", "GET" + injection), .reset),
            ("an empty method", with(":method", ""), .reset),
            ("a long method", with(":method", String(repeating: "A", count: 33)), .status(400)),
            ("no method", without(":method"), .reset),
            ("CRLF in the scheme", with(":scheme", "http" + injection), .reset),
            ("another scheme", with(":scheme", "ftp"), .status(400)),
            ("a path in the scheme", with(":scheme", "http://a/b?"), .status(400)),
            ("no scheme", without(":scheme"), .reset),
            ("CRLF in the authority", with(":authority", "a" + injection), .reset),
            ("a blank in the authority", with(":authority", "a b"), .status(400)),
            ("a user in the authority", with(":authority", "u@a"), .status(400)),
            ("a path in the authority", with(":authority", "a/b"), .status(400)),
            ("an empty authority", with(":authority", ""), .reset),
            ("no authority", without(":authority"), .status(400)), ("another host", get + [("host", "b")], .reset),
            ("two hosts", get + [("host", "api.test"), ("host", "api.test")], .status(400)),
            ("a pseudo-field twice", get + [(":path", "/b")], .reset),
            ("a late pseudo-field", without(":path") + [("x", "y"), (":path", "/")], .reset),
            ("an unknown pseudo-field", get + [(":x", "y")], .reset),
            ("a pseudo-field of answers", get + [(":status", "200")], .reset),
            ("an extended CONNECT", with(":method", "CONNECT") + [(":protocol", "websocket")], .reset),
            ("CONNECT", [(":method", "CONNECT"), (":authority", "a.test:80")], .status(405)),
            ("CONNECT with a path", with(":method", "CONNECT"), .reset),
            ("TRACE", with(":method", "TRACE"), .status(405)),
            ("an expectation", get + [("expect", "x")], .status(417)),
        ]

        @Test("A head that would be another one in HTTP/1.1", arguments: ConnectionKind.allHTTP2)
        func heads(kind: ConnectionKind) throws {
            let stub = try StubUpstream.saying("ok")
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub))
            try edge.withstand("heads that would be others") {
                let client = try edge.client(kind)
                for (index, (name, fields, verdict)) in Self.heads.enumerated() {
                    let stream = UInt32(2 * index + 1)
                    try client.wire.send(H2.head(stream, fields))
                    let outcome = try client.outcome(on: stream)
                    switch verdict {
                    case .reset: #expect(outcome.end == .reset(1), "\(name): \(outcome)")
                    case .status(let status): #expect(outcome.status == status, "\(name): \(outcome)")
                    }
                }
                // All of them were errors of their streams, none of the connection.
                let last = UInt32(2 * Self.heads.count + 1)
                try client.wire.send(H2.head(last, "GET", "/good"))
                #expect(try client.outcome(on: last).text == "ok")
            }
            let seen = stub.requestsOfOthers
            #expect(seen.allSatisfy { $0.target == "/good" }, "\(seen)")
        }

        private static let bodies: [(String, Fields, [[UInt8]])] = [
            ("longer than its length", [("content-length", "5")], [H2.data(0, "123456", ends: true)]),
            (
                "longer in the second frame", [("content-length", "5")],
                [H2.data(0, "12345"), H2.data(0, "6", ends: true)]
            ),
            ("shorter than its length", [("content-length", "5")], [H2.data(0, "123", ends: true)]),
            (
                "shorter, with an empty end", [("content-length", "5")],
                [H2.data(0, "1234"), H2.data(0, "", ends: true)]
            ),
            ("shorter, with trailers", [("content-length", "5")], [H2.data(0, "1234"), H2.head(0, [("x", "y")])]),
            ("where none is said to be", [("content-length", "0")], [H2.data(0, "1", ends: true)]),
            ("with a pseudo-field behind it", [], [H2.data(0, "1"), H2.head(0, [(":path", "/b")])]),
            ("with CRLF in a trailer", [], [H2.data(0, "1"), H2.head(0, [("x", "y\r\nz: a")])]),
            ("with upper case in a trailer", [], [H2.data(0, "1"), H2.head(0, [("X", "y")])]),
            ("with a head in its middle", [], [H2.data(0, "1"), H2.head(0, [("x", "y")], ends: false)]),
            ("with long trailers", [], [H2.data(0, "1"), H2.head(0, [("x", String(repeating: "y", count: 5_000))])]),
        ]

        @Test(
            "A body that contradicts its head never makes a whole request upstream", arguments: ConnectionKind.allHTTP2)
        func bodies(kind: ConnectionKind) throws {
            // Requests are written down when they are whole.
            let stub = try StubUpstream.saying("ok")
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub))
            try edge.withstand("bodies that contradict their heads") {
                let client = try edge.client(kind)
                for (index, (name, fields, frames)) in Self.bodies.enumerated() {
                    let stream = UInt32(2 * index + 1)
                    try client.wire.send(H2.head(stream, "POST", "/\(index)", fields, ends: false))
                    for var frame in frames {
                        frame.replaceSubrange(5..<9, with: H2.word(stream))
                        try client.wire.send(frame)
                    }
                    let outcome = try client.outcome(on: stream)
                    #expect(outcome.end == .reset(1), "a body \(name): \(outcome)")
                }
                // A connection that one of them was given up on before it was there may be used again: it is a clean one.
                let last = UInt32(2 * Self.bodies.count + 1)
                try client.wire.send(H2.head(last, "POST", "/good", ends: false) + H2.data(last, "good", ends: true))
                #expect(try client.outcome(on: last).text == "ok")
            }
            let seen = stub.requestsOfOthers
            #expect(seen.allSatisfy { $0.text == "good" }, "\(seen)")
        }

        @Test("Trailers of HTTP/2 say nothing that a head says", arguments: ConnectionKind.allHTTP2)
        func trailers(kind: ConnectionKind) throws {
            let stub = try StubUpstream { connection in
                while var request = try connection.wire.head() {
                    try connection.wire.chunkedBody(into: &request)
                    let names = request.trailers.map(\.name).joined(separator: " ")
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(names.utf8.count)\r\n\r\n\(names)")
                }
            }
            let edge = try EdgeGateway(
                GatewaySetup(forwardingTo: stub).gateway(#""identity": [{"header": "x-user-id"}]"#))
            let client = try edge.client(kind)
            let trailers = [
                ("x-sum", "1"), ("content-length", "5"), ("host", "b"), ("authorization", "x"), ("x-user-id", "1"),
                ("x_user_id", "1"), ("x-forwarded-for", "1.2.3.4"), ("cookie", "a=b"), ("te", "trailers"),
                ("etag", "\"a\""),
            ]
            try client.wire.send(
                H2.head(1, "POST", "/", ends: false) + H2.data(1, "body") + H2.head(1, trailers))
            #expect(try client.outcome(on: 1).text == "x-sum etag")
        }
    }
}
