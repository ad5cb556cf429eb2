import Foundation
import Testing

extension EndToEnd {
    /// What goes wrong behind the gateway, or ends it, is told alike however a client is connected (http-behaviour.md §1,
    /// security.md §2.6, §3).
    @Suite(.enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
    struct EdgeFaults {
        /// An upstream that answers everything with this JSON text.
        private static func service(_ text: String, status: String = "200 OK") throws -> StubUpstream {
            try StubUpstream { connection in
                while try connection.request() != nil {
                    try connection.send(
                        "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nContent-Length: \(text.utf8.count)\r\n\r\n"
                            + text)
                }
            }
        }

        @Test(
            "Who cannot be reached, or has enough to do, is a problem with its cause",
            arguments: ConnectionKind.allCases)
        func unreachable(kind: ConnectionKind) throws {
            let gate = Gate()
            let gone = try StubUpstream.saying("no")
            gone.stop()
            let clear = try StubUpstream { connection in try connection.send("HTTP/1.1 400 Bad Request\r\n\r\n") }
            let busy = try StubUpstream { connection in
                while try connection.request() != nil {
                    try gate.wait()
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
                }
            }
            defer { gate.open() }
            var setup = GatewaySetup().upstream("gone", gone).upstream("busy", busy, #""maxRequests": 1"#)
                .upstream("clear", url: "https://127.0.0.1:\(clear.place.port)")
            for name in ["gone", "clear", "busy"] { setup = setup.route(#"{"match": "/\#(name)", "to": "\#(name)"}"#) }
            let edge = try EdgeGateway(setup)
            let holder = try edge.client(kind).send(EdgeRequest("GET", "/busy"))
            _ = try busy.requests(1)
            for (path, status, cause) in [
                ("/gone", 502, "connect_failed"), ("/clear", 502, "tls_failed"), ("/busy", 503, "upstream_overloaded"),
            ] {
                for method in ["GET", "POST"] {
                    // Whose body was not read is closed with the answer.
                    let outcome = try edge.exchange(
                        kind, EdgeRequest(method, path, body: method == "POST" ? "pay" : nil))
                    #expect(outcome.status == status && outcome.cause == cause, "\(method) \(path): \(outcome)")
                    #expect(outcome.answer?["content-type"] == "application/problem+json", "\(outcome)")
                    #expect((outcome.answer?["retry-after"] != nil) == (status == 503), "\(outcome)")
                    for place in [gone.place, clear.place, busy.place] {
                        #expect(!outcome.text.contains("\(place.port)"), "no address is told: \(outcome)")
                    }
                }
            }
            gate.open()
            #expect(try holder.outcome().text == "done")
            #expect(busy.requests.count == 1, "what was refused was not sent")
        }

        @Test("A POST is sent once, whatever became of its connection", arguments: ConnectionKind.allCases)
        func once(kind: ConnectionKind) throws {
            // Each connection answers one request, and ends when the next one has been read.
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst")
                _ = try connection.request()
            }
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub))
            let client = try edge.client(kind)
            #expect(try client.exchange(EdgeRequest("GET", "/1")).text == "first", "\(client.transcript)")
            let outcome = try client.exchange(EdgeRequest("POST", "/2", body: "pay"))
            #expect(outcome.status == 502 && outcome.cause == "upstream_closed", "\(outcome)")
            #expect(stub.requests.map(\.target) == ["/1", "/2"])
        }

        @Test("A request that outlasts the drain gets 503", arguments: ConnectionKind.allCases)
        func drainLimit(kind: ConnectionKind) throws {
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.awaitEnd()
            }
            let edge = try EdgeGateway(
                GatewaySetup(forwardingTo: stub).gateway(#""timeouts": {"drain": "300ms"}"#))
            let client = try edge.client(kind).send(EdgeRequest("GET", "/never"))
            _ = try stub.requests(1)
            edge.process.signal(SIGTERM)
            let outcome = try client.outcome()
            #expect(outcome.answer?.status == 503 && outcome.cause == "shutting_down", "\(outcome)")
            #expect(try edge.process.end() == 0)
        }

        @Test("A view tells what is missing, or which part it could not do without", arguments: ConnectionKind.allCases)
        func views(kind: ConnectionKind) throws {
            let tasks = try Self.service(#"{"user_id":1}"#)
            let cut = try StubUpstream { connection in
                while try connection.request() != nil {
                    return try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[")
                }
            }
            let missing = try Self.service("{}", status: "404 Not Found")
            let setup = GatewaySetup().upstream("tasks", tasks).upstream("cut", cut).upstream("missing", missing)
                .route(
                    #"{"match": "GET /partial", "aggregate": {"task": {"from": "tasks", "get": "/t"}, "#
                        + #""comments": {"from": "cut", "get": "/c", "optional": true, "default": []}}}"#
                )
                .route(
                    #"{"match": "GET /failed", "aggregate": {"task": {"from": "tasks", "get": "/t"}, "#
                        + #""user": {"from": "missing", "get": "/u"}}}"#)
            let edge = try EdgeGateway(setup)
            let client = try edge.client(kind)
            for _ in 0..<3 {
                let partial = try client.exchange(EdgeRequest("GET", "/partial"))
                #expect(partial.status == 200 && partial.text == #"{"task":{"user_id":1},"comments":[]}"#, "\(partial)")
                #expect(partial.answer?["banyan-partial"]?.hasPrefix("comments;reason=") == true, "\(partial)")
                let failed = try client.exchange(EdgeRequest("GET", "/failed"))
                #expect(failed.status == 404, "\(failed)")
                #expect(failed.answer?["content-type"] == "application/problem+json", "\(failed)")
            }
        }
    }
}
