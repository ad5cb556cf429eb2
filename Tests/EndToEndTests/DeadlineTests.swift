import Foundation
import Testing

extension EndToEnd {
    /// How long upstreams are told that they are waited for.
    @Suite
    struct Deadlines {
        private static func told(_ request: HTTPText) -> Int? {
            let values = request.values("banyan-deadline-ms")
            return values.count == 1 ? Int(values[0]) : nil
        }

        @Test("A part is told what it has: its own time, or what the view has left without a reserve")
        func parts() throws {
            let first = try StubUpstream.answering { _ in "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1" }
            let second = try StubUpstream.answering { _ in "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2" }
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("first", first).upstream("second", second).route(
                    #"""
                    {"match": "/view", "timeout": "10s", "aggregate": {
                      "a": {"from": "first", "get": "/", "timeout": "3s"},
                      "b": {"from": "second", "get": "/{a}", "timeout": "1m"}}}
                    """#))
            let answer = try gateway.exchange("GET /view", ["Banyan-Deadline-Ms: 7"])
            #expect(answer.text == #"{"a":1,"b":2}"#, "\(answer)")
            let (a, b) = (try first.lastRequest(), try second.lastRequest())
            let (toldA, toldB) = (try #require(Self.told(a), "\(a)"), try #require(Self.told(b), "\(b)"))
            #expect(toldA > 1000 && toldA <= 3000, "\(a)")
            #expect(toldB > 4000 && toldB <= 9950, "\(b)")
        }

        @Test("A view that takes as long as it may is answered within its time")
        func reserve() throws {
            let slow = try StubUpstream { connection in
                _ = try connection.request()
                try connection.awaitEnd()
            }
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("slow", slow).upstream("fast", try .saying("1")).route(
                    #"""
                    {"match": "/view", "timeout": "400ms", "aggregate": {
                      "a": {"from": "fast", "get": "/"},
                      "b": {"from": "slow", "get": "/", "optional": true, "timeout": "1m"}}}
                    """#))
            let answer = try gateway.exchange("GET /view")
            #expect(answer.text == #"{"a":1,"b":null}"#, "\(answer)")
            #expect(answer["banyan-partial"] == "b;reason=timeout", "\(answer)")
            let parts = try gateway.logLine(path: "/view")["parts"] as? [String: Any]
            let taken = (parts?["b"] as? [String: Any])?["duration_ms"] as? Double
            #expect((taken ?? 0) > 300, "\(String(describing: parts))")
        }

        @Test("A forwarded request is told the least of what bounds it")
        func forwarded() throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("stub", stub, #""timeout": "5s""#)
                    .route(#"{"match": "/total", "to": "stub", "totalTimeout": "2s"}"#)
                    .route(#"{"match": "/head", "to": "stub"}"#)
                    .route(#"{"match": "/none", "to": "stub", "timeout": "none"}"#)
                    .gateway(#""trustedProxies": ["127.0.0.2/32"]"#))
            let client = try gateway.client()
            func ask(_ line: String, body: String? = nil) throws -> HTTPText {
                let answer = try client.exchange(line, ["Banyan-Deadline-Ms: 7"], body: body ?? "")
                #expect(answer.status == 200, "\(client.transcript)")
                return try stub.requests.last ?? stub.lastRequest()
            }
            let total = try #require(Self.told(try ask("GET /total")), "\(client.transcript)")
            #expect(total > 1000 && total <= 2000)
            #expect(Self.told(try ask("GET /head")) == 5000, "\(client.transcript)")
            #expect(Self.told(try ask("POST /head", body: "short")) == 5000, "\(client.transcript)")
            #expect(try ask("GET /none").values("banyan-deadline-ms").isEmpty, "\(client.transcript)")
        }

        @Test("A trusted peer that waits no longer is believed, and says it once")
        func trusted() throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub).gateway(#""trustedProxies": ["127.0.0.0/8"]"#))
            // The peer's time is under way when the upstream is told what is left of it.
            for (fields, expected) in [
                (["Banyan-Deadline-Ms: 7000", "banyan-deadline-ms: 8000"], 1...7_000),
                (["Banyan-Deadline-Ms: 99999"], 15_000...15_000), (["Banyan-Deadline-Ms: soon"], 15_000...15_000),
            ] {
                _ = try gateway.exchange("GET /", fields)
                let request = try #require(stub.requests.last)
                #expect(expected.contains(Self.told(request) ?? 0), "\(request)")
            }
        }

        @Test("A gRPC call has no longer than the gateway waits, and no longer than the client says")
        func grpc() throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("stub", stub)
                    .route(#"{"match": "/bound", "to": "stub", "totalTimeout": "2s"}"#)
                    .route(#"{"match": "/free", "to": "stub"}"#)
                    .route(
                        #"""
                        {"match": "/own", "to": "stub", "totalTimeout": "2s",
                         "requestHeaders": {"set": {"grpc-timeout": "9S"}}}
                        """#))
            func ask(_ path: String, _ fields: String..., type: String = "application/grpc") throws -> [String] {
                let answer = try gateway.exchange("POST \(path)", ["Content-Type: \(type)"] + fields, body: "x")
                #expect(answer.status == 200, "\(answer)")
                return try #require(stub.requests.last).values("grpc-timeout")
            }
            func milliseconds(_ values: [String]) throws -> Int {
                #expect(values.count == 1 && values[0].hasSuffix("m"), "\(values)")
                return try #require(Int(values.first?.dropLast() ?? ""))
            }
            #expect((1000...2000).contains(try milliseconds(ask("/bound"))))
            #expect((1000...2000).contains(try milliseconds(ask("/bound", "grpc-timeout: 1H"))))
            #expect((1000...2000).contains(try milliseconds(ask("/bound", "GRPC-Timeout: 9S", "grpc-timeout: 8S"))))
            #expect(try ask("/bound", "grpc-timeout: 100000u") == ["100000u"])
            #expect(try ask("/bound", "grpc-timeout: soon") == ["soon"])
            #expect(try ask("/bound", "grpc-timeout: 1H", type: "application/json") == ["1H"])
            #expect(try ask("/free", "grpc-timeout: 1H") == ["1H"])
            #expect(try ask("/free") == [])
            #expect(try ask("/own", "grpc-timeout: 1S") == ["9S"])
        }
    }
}
