import Foundation
import Testing

extension EndToEnd {
    /// What only an optimised build can show: that a request costs no allocation, and that a gibibyte leaves memory flat.
    @Suite(
        .enabled(if: Binaries.optimised != nil, "needs an optimised build: scripts/test.sh without --filter makes one"))
    struct Optimised {
        private static let fields = [
            "X-User-Id: ann", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate: a=b",
            "baggage: k=v", "Cookie: a=b", "Accept: */*", "User-Agent: test",
        ]

        /// Answers by path: `/chunked...` in chunks, everything else with a kibibyte.
        private static func stub() throws -> StubUpstream {
            let body = String(repeating: "x", count: 1_024)
            return try .answering { request in
                if request.method == "HEAD" { return "HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" }
                return request.target.hasPrefix("/chunked")
                    ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n\(body)\r\n0\r\n\r\n"
                    : "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n\(body)"
            }
        }

        private static func setup(tracing: String = "") throws -> GatewaySetup {
            let stub = try stub()
            return GatewaySetup().gateway(#""identity": [{"header": "x-user-id"}]"#)
                .gateway(#""trustedProxies": ["127.0.0.0/8"]"#)
                .gateway(#""accessLog": {"slow": "1ms"}, "tracing": {"respond": "server-timing"\#(tracing)}"#)
                .upstream("monolith", stub).upstream("service", stub)
                .context(#""tasks": {"off": "monolith", "on": "service", "flag": "ramp"}"#)
                .route(#"{"match": "/{rest...}", "to": "tasks"}"#)
                .route(#"{"match": "GET /old/{rest...}", "redirect": {"location": "/new/{rest}"}}"#)
                .route(#"{"match": "GET /fixed", "respond": {"status": 200, "body": "fixed"}}"#)
        }

        private static let flags = """
            {"flags": {"ramp": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
              "targeting": {"fractional": [["on", 50], ["off", 50]]}}}}
            """

        @Test(
            "A request costs no allocation: decided by a flag, traced, measured, logged, and told of its trace",
            .enabled(if: AllocationCounter.compiler != nil, "needs a C compiler"),
            arguments: [
                ("GET /tasks/1?a=b", nil), ("GET /chunked", nil), ("HEAD /tasks/1", nil), ("POST /tasks", "hello"),
                ("GET /old/1", nil), ("GET /fixed", nil), ("TRACE /", nil),
            ] as [(String, String?)])
        func allocations(line: String, body: String?) throws {
            let folder = try TemporaryFolder()
            let counter = try AllocationCounter(in: folder)
            let gateway = try GatewayProcess(
                Self.setup(), flags: Self.flags, folder: folder, binary: try #require(Binaries.optimised),
                environment: counter.environment)
            #expect(counter.count > 0, "the program does not count")
            let client = try gateway.client()
            func allocations(of requests: Int) throws -> UInt64 {
                let before = counter.count
                for _ in 0..<requests { #expect(try client.exchange(line, Self.fields, body: body).status > 0) }
                return counter.count - before
            }
            _ = try allocations(of: 400)
            // The least of several rounds: what other threads do once in a while is not a request's.
            let rounds = try (0..<3).map { _ in try allocations(of: 200) }
            #expect(rounds.min() == 0, "allocations for 200 requests, three times: \(rounds)")
        }

        /// Everything that keeps an upstream from harm, in front of two servers. No hedge comes about: each costs a connection,
        /// that of the attempt that is cut off.
        private static func guarded() throws -> GatewaySetup {
            let stub = try stub()
            let settings = """
                "retry": {"attempts": 2, "on": ["connect-failure", "reset", "timeout", "502", "503", "504"]},
                "outlier": {"latency": true}, "breaker": {"scope": "both", "slowAfter": "1s"}, "hedge": {"after": "4s"},
                "maxRequests": "adaptive", "totalTimeout": "5s"
                """
            return GatewaySetup().gateway(#""overload": {"memory": "4GiB", "lag": "10s"}"#).upstream("monolith", stub)
                .upstream("service", [stub, try Self.stub()], settings)
                .context(#""tasks": {"off": "monolith", "on": "service", "flag": "on", "fallback": "monolith"}"#)
                .route(#"{"match": "/{rest...}", "to": "tasks", "idempotencyKey": true}"#)
        }

        @Test(
            "Being ready for failures costs a request no allocation",
            .enabled(if: AllocationCounter.compiler != nil, "needs a C compiler"),
            arguments: [("GET /tasks/1?a=b", nil), ("POST /tasks", "hello")] as [(String, String?)])
        func readiness(line: String, body: String?) throws {
            let folder = try TemporaryFolder()
            let counter = try AllocationCounter(in: folder)
            let flags = #"{"flags": {"on": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on"}}}"#
            let gateway = try GatewayProcess(
                Self.guarded(), flags: flags, folder: folder, binary: try #require(Binaries.optimised),
                environment: counter.environment)
            let client = try gateway.client()
            func allocations(of requests: Int) throws -> UInt64 {
                let before = counter.count
                for _ in 0..<requests {
                    let answer = try client.exchange(line, ["Idempotency-Key: k"], body: body)
                    #expect(answer.status == 200 && answer["Banyan-Served-By"] == "service", "\(client.transcript)")
                }
                return counter.count - before
            }
            _ = try allocations(of: 400)
            let rounds = try (0..<3).map { _ in try allocations(of: 200) }
            #expect(rounds.min() == 0, "allocations for 200 requests, three times: \(rounds)")
        }

        @Test(
            "Recording a request's spans costs it no allocation: only handing on a bunch of them does",
            .enabled(if: AllocationCounter.compiler != nil, "needs a C compiler"),
            arguments: ["GET /tasks/1?a=b", "GET /old/1", "TRACE /"])
        func recording(line: String) throws {
            let folder = try TemporaryFolder()
            let counter = try AllocationCounter(in: folder)
            let gateway = try GatewayProcess(
                Self.setup(tracing: #", "recent": 200, "query": true"#), flags: Self.flags, folder: folder,
                binary: try #require(Binaries.optimised), environment: counter.environment)
            let client = try gateway.client()
            func allocations(of requests: Int) throws -> UInt64 {
                let before = counter.count
                for _ in 0..<requests { #expect(try client.exchange(line, Self.fields).status > 0) }
                return counter.count - before
            }
            _ = try allocations(of: 2_000)
            let rounds = try (0..<3).map { _ in try allocations(of: 1_000) }
            // A bunch is handed on every 200 ms, or when it is full.
            let least = try #require(rounds.min())
            #expect(least > 0 && least < 100, "allocations for 1000 requests, three times: \(rounds)")
            let traces = try gateway.admin("/traces.json?limit=1")
            #expect(traces.text.contains("\"name\":"), "they are recorded: \(traces)")
        }

        @Test("A gibibyte up and a gibibyte down at flat memory")
        func gibibyte() throws {
            let size = 1 << 30
            let mebibyte = 1 << 20
            let stub = try StubUpstream { connection in
                let piece = [UInt8](repeating: 0x61, count: mebibyte)
                while let request = try connection.wire.head() {
                    if let length = request.contentLength {
                        var rest = length
                        while rest > 0 { rest -= try connection.wire.skip(rest) }
                        try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole")
                    } else {
                        try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
                        for _ in 0..<(size / mebibyte) { try connection.wire.send(piece) }
                    }
                }
            }
            let setup = GatewaySetup().upstream("stub", stub)
                .route(#"{"match": "/{rest...}", "to": "stub", "maxBody": "unlimited"}"#)
            let gateway = try GatewayProcess(setup, binary: try #require(Binaries.optimised))
            let client = try gateway.client()
            let before = try gateway.process.kibibytes("VmHWM")
            try client.request("PUT /up", ["Content-Length: \(size)"])
            let piece = [UInt8](repeating: 0x62, count: mebibyte)
            for _ in 0..<(size / mebibyte) { try client.wire.send(piece) }
            #expect(try client.response().text == "whole")
            try client.request("GET /down")
            #expect(try client.wire.head()?.contentLength == size)
            var rest = size
            while rest > 0 { rest -= try client.wire.skip(rest) }
            let growth = try gateway.process.kibibytes("VmHWM") - before
            #expect(growth < 4 << 10, "the peak grew by \(growth) KiB")
        }
    }
}
