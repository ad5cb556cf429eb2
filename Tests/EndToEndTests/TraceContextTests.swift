import Foundation
import Testing

extension EndToEnd {
    /// What of a caller's trace comes out at an upstream (W3C Trace Context, level 2), over each version of HTTP.
    @Suite struct TraceContexts {
        /// A way through the gateway.
        struct Way: CustomTestStringConvertible, Sendable {
            var client: ConnectionKind
            var upstream: TracedUpstream.Kind
            var edge = "continue"
            var ratio = "1.0"

            var testDescription: String { "\(client.rawValue) to \(upstream.rawValue), \(edge), \(ratio) sampled" }
            /// The flags of a trace that begins in the gateway: its ids are random.
            var ownFlags: String { ratio == "1.0" ? "03" : "02" }
        }

        static let ways = [
            Way(client: .http1, upstream: .http1), Way(client: .http2, upstream: .http1, ratio: "0.0"),
            Way(client: .http1, upstream: .libcurl, ratio: "0.0"), Way(client: .http2, upstream: .http2),
            Way(client: .http1, upstream: .http2, ratio: "0.0"),
        ].filter { $0.upstream.isPossible }

        @Test("A caller's trace goes on, or a new one begins, as the specification has it", arguments: ways)
        func propagation(_ way: Way) throws { try walk(way, TraceContextCase.all) { $0.outcome } }

        @Test(
            "A front gate begins a new trace, whatever callers say (§Mutating the traceparent Field)",
            arguments: [
                Way(client: .http1, upstream: .http1, edge: "restart"),
                Way(client: .http2, upstream: .http1, edge: "restart", ratio: "0.0"),
            ])
        func frontGate(_ way: Way) throws { try walk(way, TraceContextCase.all) { _ in .restarted } }

        /// Sends all cases over one connection and compares what arrives.
        private func walk(
            _ way: Way, _ cases: [TraceContextCase], expecting outcome: (TraceContextCase) -> TraceContextCase.Outcome
        ) throws {
            let upstream = try TracedUpstream(way.upstream)
            var setup = GatewaySetup()
                .upstream("next", url: upstream.url, upstream.settings)
                .route(#"{"match": "/{rest...}", "to": "next"}"#)
                .gateway(#""tracing": {"sampleRatio": \#(way.ratio)}"#)
            setup.listeners = [#"{"address": "127.0.0.1:0", "edge": "\#(way.edge)"}"#]
            let gateway = try GatewayProcess(setup)
            let client = try EdgeClient(way.client, on: Wire(adopting: try gateway.place.connect()))
            let sent = cases.enumerated().filter { !($0.element.isForHTTP1 && way.client.isHTTP2) }
            for (number, example) in sent {
                let answer = try client.exchange(EdgeRequest("GET", "/\(number)", example.fields))
                #expect(answer.status == 200 || answer.status == 404, "\(example)\n\(answer)")
            }
            let received = try upstream.fields(upTo: "/\(sent.last?.offset ?? 0)")
            // No span id is given twice, and none is the caller's.
            var spans: Set = [TraceContextCase.span]
            var traces: Set = [TraceContextCase.trace]
            for (number, example) in sent {
                let fields = received["/\(number)"] ?? []
                let seen: Comment = "\(example)\nwent on as\n\(fields.map(\.description).joined(separator: "\n"))"

                let parents = fields.filter { $0.name.lowercased() == "traceparent" }
                #expect(parents.map(\.name) == ["traceparent"], seen)
                let parts = (parents.first?.value ?? "").split(separator: "-", omittingEmptySubsequences: false)
                    .map(String.init)
                guard parts.map(\.count) == [2, 32, 16, 2], parts[0] == "00",
                    parts.joined().allSatisfy({ "0123456789abcdef".contains($0) })
                else {
                    Issue.record(seen)
                    continue
                }
                #expect(parts[1].contains { $0 != "0" } && parts[2].contains { $0 != "0" }, seen)
                #expect(spans.insert(parts[2]).inserted, seen)
                let states = fields.filter { $0.name.lowercased() == "tracestate" }.map(\.description)
                switch outcome(example) {
                case .restarted:
                    #expect(traces.insert(parts[1]).inserted, seen)
                    #expect(parts[3] == way.ownFlags && states.isEmpty, seen)
                case .continued(let flags, let state):
                    #expect(parts[1] == TraceContextCase.trace && parts[3] == flags, seen)
                    #expect(states == (state.map { ["tracestate: \($0)"] } ?? []), seen)
                }
            }
        }

        @Test("No part of a trace comes in by the trailers of a body (§traceparent Header; RFC 9110 §6.5.1)")
        func trailers() throws {
            let stub = try StubUpstream.saying("ok")
            var setup = GatewaySetup(forwardingTo: stub)
            setup.listeners = [#"{"address": "127.0.0.1:0", "edge": "continue"}"#]
            let client = try GatewayProcess(setup).client()
            try client.send(
                """
                POST / HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\nTrailer: traceparent, tracestate\r\n\r\n\
                2\r\nhi\r\n0\r\ntraceparent: \(TraceContextCase.parent())\r\ntracestate: a=1\r\nX-Sum: 7\r\n\r\n
                """)
            #expect(try client.response().status == 200, "\(client.transcript)")
            let request = try stub.lastRequest()
            #expect(request.trailers.map(\.description) == ["X-Sum: 7"], "\(request)")
            #expect(request["traceparent"]?.contains(TraceContextCase.trace) == false, "\(request)")
        }
    }
}
