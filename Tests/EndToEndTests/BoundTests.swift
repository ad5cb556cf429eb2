import Foundation
import Testing

extension EndToEnd {
    /// The bounds of http-behaviour.md §6, and what is answered at each of them, on every kind of connection.
    @Suite(.enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
    struct Bounds {
        private typealias H2 = HTTP2Wire

        private static func x(_ count: Int, _ text: String = "x") -> String { String(repeating: text, count: count) }

        private static func fields(_ count: Int, _ field: (String, String)) -> [(String, String)] {
            Array(repeating: field, count: count)
        }

        private static let requests: [(String, EdgeRequest, Int, String)] = [
            ("a body", EdgeRequest("POST", "/", body: x(9)), 413, "body_too_large"),
            ("a target", EdgeRequest("GET", "/" + x(8_192)), 414, "uri_too_long"),
            ("a query", EdgeRequest("GET", "/?" + x(8_192)), 414, "uri_too_long"),
            ("a field", EdgeRequest("GET", "/", [("X", x(33_000))]), 431, "headers_too_large"),
            ("fields", EdgeRequest("GET", "/", fields(101, ("X", "y"))), 431, "headers_too_large"),
            ("cookies", EdgeRequest("GET", "/", fields(101, ("Cookie", "a=b"))), 431, "headers_too_large"),
            ("long cookies", EdgeRequest("GET", "/", fields(20, ("Cookie", x(2_000)))), 431, "headers_too_large"),
            ("a method", EdgeRequest(x(33, "A"), "/"), 400, "bad_request"),
            ("an expectation", EdgeRequest("GET", "/", [("Expect", "y 100-continue")]), 417, "unsupported_expectation"),
            ("a loop", EdgeRequest("GET", "/", [("Via", "1.1 a, 1.1 banyan")]), 508, "loop_detected"),
            ("no route", EdgeRequest("GET", "/none"), 404, "no_route"),
            ("no method", EdgeRequest("DELETE", "/get"), 405, "method_not_allowed"),
        ]

        @Test("What passes a bound is answered before an upstream hears of it", arguments: ConnectionKind.allCases)
        func refusals(kind: ConnectionKind) throws {
            let stub = try StubUpstream.saying("ok")
            let setup = GatewaySetup().upstream("stub", stub)
                .route(#"{"match": "/", "to": "stub", "maxBody": "8"}"#).route(#"{"match": "GET /get", "to": "stub"}"#)
                .route(#"{"match": "GET /bystander", "to": "stub"}"#)
            let edge = try EdgeGateway(setup)
            try edge.withstand("requests above a bound") {
                for (name, request, status, cause) in Self.requests {
                    let client = try edge.client(kind)
                    let outcome = try client.exchange(request)
                    #expect(outcome.status == status && outcome.cause == cause, "\(name): \(outcome)")
                    #expect(outcome.answer?["content-type"] == "application/problem+json", "\(name): \(outcome)")
                    #expect(outcome.answer?["x-request-id"] != nil, "\(name): \(outcome)")
                    let text = outcome.answer?.description ?? ""
                    #expect(!text.contains("\(stub.place.port)") && !text.contains("xxxx"), "\(name): \(outcome)")
                    // In HTTP/2 the stream has ended, and the connection goes on.
                    if kind.isHTTP2 || outcome.answer?["connection"] != "close" {
                        #expect(try client.exchange(EdgeRequest("GET", "/get")).text == "ok", "behind \(name)")
                    } else {
                        #expect(try client.wire.takeAll().isEmpty, "behind \(name)")
                    }
                }
            }
            let seen = stub.requestsOfOthers
            #expect(seen.allSatisfy { $0.target == "/get" && $0.method == "GET" }, "\(seen)")
        }

        @Test(
            "An answer that does not wait for the body is not taken back when the body comes",
            arguments: ConnectionKind.allCases)
        func earlyAnswers(kind: ConnectionKind) throws {
            let setup = GatewaySetup().route(#"{"match": "/own", "respond": {"body": "own"}}"#)
                .route(#"{"match": "/moved", "redirect": {"location": "/own"}}"#)
            let edge = try EdgeGateway(setup)
            for (path, status) in [("/none", 404), ("/own", 200), ("/moved", 308)] {
                var client = try edge.client(kind)
                // More often than a client may make the gateway reset streams.
                for number in 0..<(kind.isHTTP2 ? 250 : 5) {
                    let outcome = try client.exchange(EdgeRequest("POST", path, body: "\(number)"))
                    try #require(outcome.status == status, "\(path) \(number): \(outcome)")
                    if outcome.answer?["connection"] == "close" { client = try edge.client(kind) }
                }
            }
        }

        @Test("Bodies that nobody takes give their windows back", arguments: ConnectionKind.allHTTP2)
        func windows(kind: ConnectionKind) throws {
            let stub = try StubUpstream { connection in
                while let request = try connection.head() {
                    if request.target == "/held" { return try connection.awaitEnd() }
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                }
            }
            let setup = GatewaySetup().upstream("stub", stub).route(#"{"match": "GET|PUT /held", "to": "stub"}"#)
                .route(#"{"match": "/ok", "to": "stub"}"#)
            let edge = try EdgeGateway(setup)
            let client = try edge.client(kind)
            // In all six times the connection's window: a client that is not given it back would be stuck, and this one,
            // which does not ask, breaks the rules then.
            let body = Self.x(60_000)
            var stream: UInt32 = 1
            for round in 0..<100 {
                if round.isMultiple(of: 2) {
                    try client.wire.send(
                        H2.head(stream, "POST", "/none", ends: false) + H2.data(stream, body, ends: true))
                    #expect(try client.outcome(on: stream).status == 404, "\(round): \(client.transcript)")
                } else {
                    try client.wire.send(H2.head(stream, "PUT", "/held", ends: false) + H2.data(stream, body))
                    try client.wire.send(H2.reset(stream))
                }
                stream += 2
            }
            try client.wire.send(H2.head(stream, "GET", "/ok"))
            #expect(try client.outcome(on: stream).text == "ok", "\(client.transcript)")
        }

        @Test(
            "A body without a length that passes its bound: 413, and no whole request upstream",
            arguments: ConnectionKind.allCases)
        func unsizedBody(kind: ConnectionKind) throws {
            let stub = try StubUpstream.saying("no")
            let edge = try EdgeGateway(
                GatewaySetup().upstream("stub", stub).route(#"{"match": "/", "to": "stub", "maxBody": "8"}"#))
            let client = try edge.client(kind)
            if kind.isHTTP2 {
                try client.wire.send(H2.head(1, "POST", "/", ends: false) + H2.data(1, "12345") + H2.data(1, "67890"))
            } else {
                let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                try client.wire.send(head + "5\r\n12345\r\n5\r\n67890\r\n")
            }
            let outcome = try client.outcome(on: 1)
            #expect(outcome.status == 413 && outcome.cause == "body_too_large", "\(outcome)")
            #expect(stub.requests.isEmpty, "\(stub.requests)")
        }

        @Test(
            "100 is sent where the body is wanted, and a refusal comes without it", arguments: ConnectionKind.allCases)
        func expectations(kind: ConnectionKind) throws {
            let stub = try StubUpstream.answering { "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\($0.text)" }
            let setup = GatewaySetup().upstream("stub", stub).route(#"{"match": "/", "to": "stub", "maxBody": "8"}"#)
            let edge = try EdgeGateway(setup)
            func begin(_ length: Int) throws -> EdgeClient {
                let client = try edge.client(kind)
                let fields = [("content-length", "\(length)"), ("expect", "100-continue")]
                if kind.isHTTP2 {
                    try client.wire.send(H2.head(1, "POST", "/", fields, ends: false))
                } else {
                    let lines = fields.map { "\($0.0): \($0.1)\r\n" }.joined()
                    try client.wire.send("POST / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n")
                }
                return client
            }
            let wanted = try begin(4)
            if let http2 = wanted.http2 {
                while let frame = try http2.next(), frame.type != 1 {}
                try wanted.wire.send(H2.data(1, "body", ends: true))
            } else {
                #expect(try wanted.wire.head()?.status == 100, "\(wanted.transcript)")
                try wanted.wire.send("body")
            }
            #expect(try wanted.outcome(on: 1).text == "body", "\(wanted.transcript)")
            #expect(try begin(9).outcome(on: 1).status == 413)
            #expect(stub.requests.count == 1 && stub.requests[0].values("expect").isEmpty, "\(stub.requests)")
        }

        @Test("A connection ends behind its last request", arguments: ConnectionKind.allCases)
        func lastRequest(kind: ConnectionKind) throws {
            let stub = try StubUpstream.saying("ok")
            let edge = try EdgeGateway(
                GatewaySetup(forwardingTo: stub).gateway(#""limits": {"requestsPerConnection": 3}"#))
            let client = try edge.client(kind)
            for number in 1...3 {
                let outcome = try client.exchange(EdgeRequest("GET", "/\(number)"))
                #expect(outcome.text == "ok", "\(outcome)")
                #expect(outcome.answer?["connection"] == (number == 3 && !kind.isHTTP2 ? "close" : nil), "\(outcome)")
            }
            if kind.isHTTP2 {
                #expect(client.farewell == 0, "GOAWAY without an error: \(client.transcript)")
            } else {
                #expect(try client.wire.takeAll().isEmpty)
            }
        }

        @Test(
            "More requests at once than a connection may have are refused, unharmed", arguments: ConnectionKind.allHTTP2
        )
        func streams(kind: ConnectionKind) throws {
            let gate = Gate()
            let stub = try StubUpstream { connection in
                while try connection.request() != nil {
                    try gate.wait()
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                }
            }
            defer { gate.open() }
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub).gateway(#""limits": {"streams": 4}"#))
            let client = try edge.client(kind)
            // All at once, before the bound can be known.
            try client.wire.send((0..<6).flatMap { H2.head(UInt32(2 * $0 + 1), "GET", "/\($0)") })
            for stream in [9, 11] as [UInt32] {
                #expect(try client.outcome(on: stream).end == .reset(7), "REFUSED_STREAM: nothing was done for it")
            }
            _ = try stub.requests(4)
            gate.open()
            var stream: UInt32 = 11
            try eventually("there is room again") {
                stream += 2
                try client.wire.send(H2.head(stream, "GET", "/last"))
                return try client.outcome(on: stream).text == "ok"
            }
            #expect(stub.requests.map(\.target).sorted() == ["/0", "/1", "/2", "/3", "/last"])
        }

        @Test("A drain ends what runs, tells the clients, and refuses nothing", arguments: ConnectionKind.allCases)
        func drain(kind: ConnectionKind) throws {
            let gate = Gate()
            let stub = try StubUpstream.holding(gate)
            defer { gate.open() }
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub))
            let idle = try edge.client(kind)
            #expect(try idle.exchange(EdgeRequest("GET", "/a")).text == "ok")
            let busy = try edge.client(kind).send(EdgeRequest("GET", "/held"))
            _ = try stub.requests(2)
            edge.process.signal(SIGTERM)
            // A connection that is in use is served until its client has been told that it ends.
            try eventually("the client is told") {
                let last = try idle.exchange(EdgeRequest("GET", "/b"))
                try #require(last.text == "ok", "\(last)")
                return kind.isHTTP2 ? idle.farewell == 0 : last.answer?["connection"] == "close"
            }
            gate.open()
            let outcome = try busy.outcome()
            #expect(outcome.text == "ok" && (kind.isHTTP2 || outcome.answer?["connection"] == "close"), "\(outcome)")
            #expect(try edge.process.end() == 0)
        }
    }
}
