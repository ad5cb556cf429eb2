import Foundation
import Synchronization
import Testing

extension EndToEnd {
    /// Upstreams that close early, lie, send garbage, drip or hang (security.md §2.5), asked for over every kind of
    /// connection: the client gets an answer with a cause or sees the cut, and others notice nothing.
    @Suite(.enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
    struct LyingUpstreams {
        private static let ok = "HTTP/1.1 200 OK\r\n"

        /// What goes wrong before a head is complete, beside `BadAnswers.beforeHead`.
        private static let heads: [BadAnswer] =
            BadAnswers.beforeHead.filter { !$0.resets } + [
                .init("interim answers without end", String(repeating: "HTTP/1.1 102 Processing\r\n\r\n", count: 100)),
                .init("an interim answer and nothing", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"),
                .init("HTTP/0.9", "<html>hello</html>\r\n\r\n"),
                .init("TLS", "\u{15}\u{3}\u{1}\u{0}\u{2}\u{2}\u{46}\r\n\r\n"),
                .init("many fields", ok + String(repeating: "X: y\r\n", count: 20_000) + "\r\n"),
                .init("one long field", ok + "X: \(String(repeating: "y", count: 100_000))\r\n\r\n"),
                .init("a long reason", "HTTP/1.1 200 \(String(repeating: "y", count: 70_000))\r\n\r\n"),
                .init("the status 600", "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n"),
                .init("the status 099", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"),
                .init("a blank before a colon", ok + "X : y\r\nContent-Length: 0\r\n\r\n"),
                .init("a blank before the length's colon", ok + "Content-Length : 0\r\n\r\n"),
                .init("no colon", ok + "X\r\nContent-Length: 0\r\n\r\n"),
                .init("an empty name", ok + ": x\r\nContent-Length: 0\r\n\r\n"),
                .init("lines that end with LF", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
                .init("a bare CR", ok + "X: y\rContent-Length: 0\r\n\r\n"),
                .init("a control byte", ok + "X: y\u{1}\r\nContent-Length: 0\r\n\r\n"),
                .init("an unknown coding", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
                .init(
                    "chunked twice", ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                .init("chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                .init("a list of lengths", ok + "Content-Length: 2, 2\r\n\r\nok"),
                .init("a signed length", ok + "Content-Length: +2\r\n\r\nok"),
                .init("a negative length", ok + "Content-Length: -2\r\n\r\nok"),
                .init("an empty length", ok + "Content-Length:\r\n\r\nok"),
                .init("a length beyond 2^64", ok + "Content-Length: 18446744073709551618\r\n\r\nok"),
                .init("Content_Length", ok + "Content-Length: 2\r\nTransfer-Encoding: identity\r\n\r\nok"),
            ]

        /// What goes wrong in a body, beside `BadAnswers.cut`.
        private static let bodies: [BadAnswer] =
            BadAnswers.cut + [
                .init("a chunk size that overflows", ok + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx"),
                .init("a signed chunk size", ok + "Transfer-Encoding: chunked\r\n\r\n-1\r\nx"),
                .init("LF behind a chunk size", ok + "Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n"),
                .init(
                    "a chunk that is longer than said", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n"),
                .init(
                    "a chunk extension without end",
                    ok + "Transfer-Encoding: chunked\r\n\r\n1;\(String(repeating: "e", count: 100_000))"),
                .init("trailers that are none", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-T\r\n\r\n"),
                .init(
                    "trailers without end",
                    ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + String(repeating: "X: y\r\n", count: 10_000)),
                .init("no last chunk's end", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"),
            ]

        /// Sends what the last word of the target is the number of, and closes; answers all else with `ok`.
        private static func stub(_ answers: [BadAnswer]) throws -> StubUpstream {
            try StubUpstream { connection in
                while let request = try connection.request() {
                    guard let number = request.target.split(separator: "/").last.flatMap({ Int($0) }) else {
                        try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                        continue
                    }
                    return try connection.send(answers[number].bytes)
                }
            }
        }

        /// What carries requests to the upstream: what reads its answers.
        private static let transports = ["connection", "libcurl"]

        @Test("What is no answer becomes 502", arguments: ConnectionKind.allCases, transports)
        func heads(kind: ConnectionKind, transport: String) throws {
            let edge = try EdgeGateway(
                GatewaySetup(forwardingTo: try Self.stub(Self.heads), #""transport": "\#(transport)""#).gateway(
                    #""accessLog": false"#))
            try edge.withstand("answers that are none") {
                let client = try edge.client(kind)
                for (number, bad) in Self.heads.enumerated() {
                    // POST, so that nothing is repeated.
                    let outcome = try client.exchange(EdgeRequest("POST", "/\(number)", body: "x"))
                    #expect(outcome.status == 502, "\(bad.name): \(outcome)")
                    #expect(
                        ["upstream_closed", "upstream_protocol"].contains(outcome.cause), "\(bad.name): \(outcome)")
                }
                #expect(try client.exchange(EdgeRequest("GET", "/good")).text == "ok")
            }
        }

        @Test("A body that is cut or broken is seen to be", arguments: ConnectionKind.allCases, transports)
        func bodies(kind: ConnectionKind, transport: String) throws {
            let edge = try EdgeGateway(
                GatewaySetup(forwardingTo: try Self.stub(Self.bodies), #""transport": "\#(transport)""#).gateway(
                    #""accessLog": false"#))
            try edge.withstand("bodies that are cut") {
                for (number, bad) in Self.bodies.enumerated() {
                    // libcurl reads chunks by itself, and takes this one.
                    if transport == "libcurl", bad.name == "LF behind a chunk size" { continue }
                    let outcome = try edge.exchange(kind, EdgeRequest("GET", "/\(number)"))
                    if outcome.status == 502 { continue }
                    let expected: EdgeOutcome.End = kind.isHTTP2 ? .reset(2) : .closed
                    // In HTTP/2 a reset may overtake the head.
                    let status = outcome.answer?.status ?? (kind.isHTTP2 ? 200 : 0)
                    #expect(outcome.end == expected && status == 200, "\(bad.name): \(outcome)")
                }
            }
        }

        @Test("For a client of HTTP/1.0 a cut is no regular end", arguments: ConnectionKind.allHTTP1)
        func cutForOldClient(kind: ConnectionKind) throws {
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: try Self.stub(Self.bodies)))
            let client = try edge.client(kind)
            try client.wire.send("GET /1 HTTP/1.0\r\n\r\n")
            let text = String(decoding: try client.wire.takeAll(), as: UTF8.self)
            #expect(client.wire.wasReset || text.hasPrefix("HTTP/1.1 502"), "a clean end:\n\(client.transcript)")
        }

        @Test("Bytes that nobody asked for are nobody's answer", arguments: ConnectionKind.allCases, transports)
        func surplus(kind: ConnectionKind, transport: String) throws {
            let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
            let stub = try StubUpstream { connection in
                while let request = try connection.request() {
                    switch request.target {
                    case "/204": try connection.send("HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n" + evil)
                    case "/304":
                        try connection.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil" + evil)
                    case "/205": try connection.send("HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n" + evil)
                    case "/head": try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + evil)
                    case "/two": try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + evil)
                    case "/chunked":
                        try connection.send(
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + evil)
                    default: try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
                    }
                }
            }
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub, #""transport": "\#(transport)""#))
            let client = try edge.client(kind)
            let other = try edge.client(.http1)
            for (method, path, text) in [
                ("GET", "/204", ""), ("GET", "/304", ""), ("GET", "/205", ""), ("HEAD", "/head", ""),
                ("GET", "/two", "ok"),
                ("GET", "/chunked", "ok"),
            ] {
                for _ in 0..<2 {
                    let outcome = try client.exchange(EdgeRequest(method, path))
                    #expect(outcome.end == .whole && outcome.text == text, "\(path): \(outcome)")
                    #expect(try client.exchange(EdgeRequest("GET", "/good")).text == "good", "behind \(path)")
                    #expect(try other.exchange(EdgeRequest("GET", "/good")).text == "good", "behind \(path)")
                }
            }
        }

        @Test(
            "An answer before the request's end: the rest is nobody's request", arguments: ConnectionKind.allCases,
            transports)
        func early(kind: ConnectionKind, transport: String) throws {
            let stub = try StubUpstream { connection in
                while let request = try connection.head() {
                    if request.method == "POST" {
                        try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
                        return try connection.awaitEnd()
                    }
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                }
            }
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub, #""transport": "\#(transport)""#))
            let inner = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
            // Longer than what is awaited before the upstream is asked.
            let length = "100000"
            let client = try edge.client(kind)
            if kind.isHTTP2 {
                let head = HTTP2Wire.head(1, "POST", "/a", [("content-length", length)], ends: false)
                try client.wire.send(head + HTTP2Wire.data(1, "half"))
            } else {
                try client.wire.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\r\nhalf")
            }
            let outcome = try client.outcome(on: 1)
            #expect(outcome.text == "early", "\(outcome)")
            #expect(kind.isHTTP2 || outcome.answer?["connection"] == "close", "\(outcome)")
            try? client.wire.send(kind.isHTTP2 ? HTTP2Wire.data(1, inner, ends: true) : Array(inner.utf8))
            for _ in 0..<3 { #expect(try edge.exchange(kind, EdgeRequest("GET", "/good")).text == "ok") }
            try eventually("the half request's connection is closed") { stub.closedConnections == 1 }
            #expect(!stub.requests.contains { $0.target == "/smuggled" }, "\(stub.requests)")
        }

        @Test("Upstreams that hang or drip are given up in time", arguments: ConnectionKind.allCases, transports)
        func slow(kind: ConnectionKind, transport: String) throws {
            let stub = try StubUpstream { connection in
                while let request = try connection.request() {
                    func drip(_ text: String) throws {
                        for byte in text.utf8 {
                            try connection.wire.send([byte])
                            Thread.sleep(forTimeInterval: 0.02)
                        }
                    }
                    let long = String(repeating: "x", count: 2_000)
                    switch request.target {
                    case "/never": return try connection.awaitEnd()
                    case "/head": return try drip("HTTP/1.1 200 OK\r\nX: \(long)")
                    case "/interim": return try drip(String(repeating: "HTTP/1.1 102 P\r\n\r\n", count: 100))
                    case "/body", "/chunks":
                        let isChunked = request.target == "/chunks"
                        let framing = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: 3000"
                        try connection.send("HTTP/1.1 200 OK\r\n\(framing)\r\n\r\n")
                        return try drip(isChunked ? String(repeating: "1\r\nx\r\n", count: 400) : long)
                    case "/silence":
                        try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
                        return try connection.awaitEnd()
                    default: try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    }
                }
            }
            let times =
                #""timeout": "300ms", "idleTimeout": "300ms", "totalTimeout": "700ms""#
                + #", "transport": "\#(transport)""#
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub, times))
            let bystander = try Bystander(edge)
            let began = ContinuousClock.now
            let paths = ["/never", "/head", "/interim", "/body", "/chunks", "/silence"]
            let clients = try paths.map { try edge.client(kind).send(EdgeRequest("GET", $0)) }
            for (path, client) in zip(paths, clients) {
                let outcome = try client.outcome()
                if ["/never", "/head", "/interim"].contains(path) {
                    #expect(outcome.status == 504 && outcome.cause == "upstream_timeout", "\(path): \(outcome)")
                } else {
                    #expect(outcome.end == (kind.isHTTP2 ? .reset(2) : .closed), "\(path): \(outcome)")
                }
            }
            let time = ContinuousClock.now - began
            #expect(time < .seconds(5), "\(time)")
            try bystander.stop("slow upstreams")
        }
    }
}
