import Foundation
import Testing

extension EndToEnd {
    /// What answers tell clients of their trace: to whom, in which form, and never twice (tracing.md §1.6).
    @Suite(.enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
    struct TraceResponses {
        private static let trusting = #""trustedProxies": ["127.0.0.0/8"]"#
        private static let theirs = "00-11111111111111111111111111111111-2222222222222222-01"

        private static func tracing(_ respond: String, to audience: String = "trusted") -> String {
            #""tracing": {"respond": "\#(respond)", "respondTo": "\#(audience)"}"#
        }

        private static func setup(_ gateway: String...) throws -> GatewaySetup {
            let fields = "Content-Length: 2\r\nServer-Timing: db;dur=5\r\nTraceResponse: \(theirs)"
            let stub = try StubUpstream.answering { request in
                request.target == "/part"
                    ? "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1" : "HTTP/1.1 200 OK\r\n\(fields)\r\n\r\nok"
            }
            var setup = GatewaySetup().upstream("stub", stub).upstream("nobody", url: "http://127.0.0.1:1")
                .route(#"{"match": "/to", "to": "stub"}"#)
                .route(#"{"match": "/silent", "to": "stub", "traceResponse": "none"}"#)
                .route(#"{"match": "/timing", "to": "stub", "traceResponse": "server-timing"}"#)
                .route(#"{"match": "/field", "to": "stub", "traceResponse": "traceresponse"}"#)
                .route(#"{"match": "/own", "respond": {"body": "own"}}"#)
                .route(#"{"match": "/moved", "redirect": {"location": "/own"}}"#)
                .route(#"{"match": "/view", "aggregate": {"a": {"from": "stub", "get": "/part"}}}"#)
                .route(#"{"match": "/failing", "to": "nobody"}"#)
            setup.gateway += gateway
            return setup
        }

        /// What the gateway should say of itself, by the log.
        private static func parent(_ line: [String: Any]) -> String {
            let words = ["trace_id", "span_id", "trace_flags"].map { line[$0] as? String ?? "nothing" }
            return "00-" + words.joined(separator: "-")
        }

        private static let answers: [(path: String, status: Int, isForwarded: Bool)] = [
            ("/to", 200, true), ("/own", 200, false), ("/moved", 308, false), ("/view", 200, false),
            ("/failing", 502, false), ("/none", 404, false),
        ]

        @Test("Every answer bears it, also those of the gateway itself", arguments: ConnectionKind.allCases)
        func everywhere(kind: ConnectionKind) throws {
            let edge = try EdgeGateway(try Self.setup(Self.trusting, Self.tracing("server-timing")))
            for (path, status, isForwarded) in Self.answers {
                let outcome = try edge.exchange(kind, EdgeRequest("GET", path))
                #expect(outcome.status == status, "\(outcome)")
                var values = outcome.answer?.values("server-timing") ?? []
                if isForwarded { #expect(values.removeFirst() == "db;dur=5", "\(outcome)") }
                let parent = Self.parent(try edge.gateway.logLine(path: path))
                let expected = try Regex(
                    "trace;desc=\(parent), gateway;dur=\\d+\\.\\d{3}"
                        + (isForwarded ? ", upstream;dur=\\d+\\.\\d{3}" : ""))
                #expect(values.count == 1 && values[0].wholeMatch(of: expected) != nil, "\(values)")
                #expect(outcome.answer?.values("traceresponse") == [], "\(outcome)")
            }
        }

        @Test("The field of earlier drafts takes the place of the upstream's", arguments: ConnectionKind.allCases)
        func field(kind: ConnectionKind) throws {
            let edge = try EdgeGateway(try Self.setup(Self.trusting, Self.tracing("traceresponse")))
            for (path, status, isForwarded) in Self.answers {
                let outcome = try edge.exchange(kind, EdgeRequest("GET", path))
                #expect(outcome.status == status, "\(outcome)")
                let parent = Self.parent(try edge.gateway.logLine(path: path))
                #expect(outcome.answer?.values("traceresponse") == [parent], "\(outcome)")
                #expect(outcome.answer?.values("server-timing") == (isForwarded ? ["db;dur=5"] : []), "\(outcome)")
            }
        }

        @Test("Strangers are told nothing, unless everybody is", arguments: ["server-timing", "traceresponse"])
        func strangers(form: String) throws {
            let shy = try GatewayProcess(try Self.setup(Self.tracing(form)))
            for (path, _, isForwarded) in Self.answers {
                let answer = try shy.exchange("GET \(path)")
                #expect(answer.values("traceresponse") == [], "\(answer)")
                #expect(answer.values("server-timing") == (isForwarded ? ["db;dur=5"] : []), "\(answer)")
            }
            let open = try GatewayProcess(try Self.setup(Self.tracing(form, to: "all")))
            for (path, _, _) in Self.answers {
                let answer = try open.exchange("GET \(path)")
                let told = answer.values(form).joined(separator: " ")
                #expect(told.contains(Self.parent(try open.logLine(path: path))), "\(answer)")
            }
        }

        @Test("What a route takes away, or answers for, is not in early hints either")
        func earlyHints() throws {
            let fields = "TraceResponse: \(Self.theirs)\r\nX-Secret: yes\r\nLink: </a>; rel=preload"
            let stub = try StubUpstream.answering { _ in
                "HTTP/1.1 103 Early Hints\r\n\(fields)\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\(fields)\r\n\r\n"
            }
            let setup = GatewaySetup().upstream("stub", stub).gateway(Self.tracing("traceresponse"))
                .route(#"{"match": "/", "to": "stub", "responseHeaders": {"remove": ["x-secret"]}}"#)
            let client = try GatewayProcess(setup).client()
            try client.request("GET /")
            for status in [103, 200] {
                let answer = try client.responseOrInterim()
                #expect(answer.status == status && answer["link"] == "</a>; rel=preload", "\(answer)")
                #expect(answer["traceresponse"] == nil && answer["x-secret"] == nil, "\(answer)")
            }
        }

        @Test("The times are those that the request took")
        func times() throws {
            let stub = try StubUpstream { connection in
                while try connection.request() != nil {
                    // How slow the server is: what is measured, no synchronisation.
                    Thread.sleep(forTimeInterval: 0.1)
                    try connection.send("HTTP/1.1 204 No Content\r\n\r\n")
                }
            }
            let setup = GatewaySetup(forwardingTo: stub).gateway(Self.tracing("server-timing", to: "all"))
            let gateway = try GatewayProcess(setup)
            let value = try #require(try gateway.exchange("GET /slow")["server-timing"])
            let match = try #require(value.firstMatch(of: #/gateway;dur=(.*), upstream;dur=(.*)/#), "\(value)")
            let ours = try #require(Double(match.output.1))
            let theirs = try #require(Double(match.output.2))
            let line = try gateway.logLine(path: "/slow")
            #expect(theirs >= 95 && theirs == line["upstream_time_ms"] as? Double, "\(value) \(line)")
            #expect(ours > 0 && ours + theirs <= (line["duration_ms"] as? Double ?? 0), "\(value) \(line)")
        }

        @Test func aRouteHasItsOwnForm() throws {
            let gateway = try GatewayProcess(try Self.setup(Self.trusting, Self.tracing("traceresponse")))
            let silent = try gateway.exchange("GET /silent")
            #expect(silent["traceresponse"] == Self.theirs && silent["server-timing"] == "db;dur=5", "\(silent)")
            let timing = try gateway.exchange("GET /timing")
            #expect(timing.values("traceresponse") == [] && timing.values("server-timing").count == 2, "\(timing)")
        }

        @Test("Nothing is said by default, and what an upstream says passes")
        func byDefault() throws {
            let gateway = try GatewayProcess(try Self.setup(Self.trusting))
            for (path, _, isForwarded) in Self.answers {
                let answer = try gateway.exchange("GET \(path)")
                #expect(answer.values("traceresponse") == (isForwarded ? [Self.theirs] : []), "\(answer)")
                #expect(answer.values("server-timing") == (isForwarded ? ["db;dur=5"] : []), "\(answer)")
            }
            let field = try gateway.exchange("GET /field")
            #expect(field["traceresponse"] == Self.parent(try gateway.logLine(path: "/field")), "\(field)")
        }

        @Test("A caller's trace is what a trusted caller is told of")
        func sameTrace() throws {
            let gateway = try GatewayProcess(try Self.setup(Self.trusting, Self.tracing("traceresponse")))
            let answer = try gateway.exchange("GET /to", ["traceparent: \(Self.theirs)"])
            #expect(answer["traceresponse"]?.hasPrefix(String(Self.theirs.prefix(36))) == true, "\(answer)")
            #expect(answer["traceresponse"] != Self.theirs)
        }

        @Test("A reload changes it for the next request")
        func reload() throws {
            let setup = try Self.setup(Self.trusting, Self.tracing("none"))
            let gateway = try GatewayProcess(setup)
            let client = try gateway.client()
            #expect(try client.exchange("GET /own")["server-timing"] == nil)
            let text = setup.text.replacing(#""respond": "none""#, with: #""respond": "server-timing""#)
            try gateway.reload("routes.json", text)
            #expect(try client.exchange("GET /own")["server-timing"] != nil)
        }
    }
}
