import Foundation
import Testing

extension EndToEnd {
    /// Who of several gets a request, and how many requests there may be.
    @Suite
    struct Balancing {
        private static func gateway(_ upstream: String, gateway: String...) throws -> GatewayProcess {
            var setup = GatewaySetup()
            setup.upstreams = [("stub", upstream)]
            setup.gateway = gateway
            return try GatewayProcess(setup.route(#"{"match": "/{rest...}", "to": "stub"}"#))
        }

        private static func ask(_ gateway: GatewayProcess, times: Int) throws {
            let client = try gateway.client()
            for _ in 0..<times { #expect(try client.exchange("GET /").status == 200, "\(client.transcript)") }
        }

        @Test("Servers of the gateway's zone get the requests as long as one of them is well")
        func zones() throws {
            let stubs = try ["near", "near too", "far"].map { try StubUpstream.saying($0) }
            let servers = zip(stubs, ["a", "a", "b"]).map { #"{"url": "\#($0.url)", "zone": "\#($1)"}"# }
            let gateway = try Self.gateway(
                """
                {"servers": [\(servers.joined(separator: ","))], "balance": "round-robin", "slowStart": "none",
                 "panicThreshold": 0, "outlier": {"consecutiveGatewayFailures": 2, "maxEjected": 1.0},
                 "retry": {"attempts": 3}}
                """, gateway: #""zone": "a""#)
            try Self.ask(gateway, times: 40)
            #expect(stubs.map(\.requests.count) == [20, 20, 0])
            // Half of the zone is still well.
            stubs[0].kill()
            try Self.ask(gateway, times: 40)
            let before = stubs[2].requests.count
            #expect(stubs[1].requests.count >= 40, "\(stubs.map(\.requests.count))")
            stubs[1].kill()
            try Self.ask(gateway, times: 20)
            #expect(stubs[2].requests.count >= before + 18, "\(stubs.map(\.requests.count))")
        }

        @Test("Another weight, or another zone, is no other server: connections and ejections stay")
        func weights() throws {
            let stubs = try (0..<2).map { try StubUpstream.saying("\($0)") }
            func setup(_ weight: Int, _ zone: String) -> GatewaySetup {
                let servers = stubs.map { #"{"url": "\#($0.url)", "weight": \#(weight), "zone": "\#(zone)"}"# }
                var setup = GatewaySetup().gateway(#""zone": "a""#).route(#"{"match": "/{rest...}", "to": "stub"}"#)
                setup.upstreams = [
                    (
                        "stub",
                        """
                        {"servers": [\(servers.joined(separator: ","))], "balance": "round-robin", "slowStart": "none",
                         "outlier": {"consecutiveGatewayFailures": 1}}
                        """
                    )
                ]
                return setup
            }
            let gateway = try GatewayProcess(setup(1, "a"), workers: 1)
            stubs[1].kill()
            try Self.ask(gateway, times: 4)
            let ejected = ["upstream": "stub", "state": "ejected"]
            try gateway.figures("banyan_upstream_endpoints", ejected, reach: 1)
            for (weight, zone) in [(3, "a"), (3, "b")] {
                try gateway.reload("routes.json", setup(weight, zone).text)
                try Self.ask(gateway, times: 10)
                #expect(try gateway.figures().sum("banyan_upstream_endpoints", ejected) == 1)
            }
            #expect(stubs[0].connections == 1)
        }

        @Test(
            "No bound is learned from answers of a few milliseconds, though a burst makes them many times as long"
        )
        func quickAnswers() throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try Self.gateway(
                #"{"servers": ["\#(stub.url)"], "maxRequests": {"adaptive": {"min": 4, "max": 64, "start": 16}}}"#)
            // What an answer takes without a queue.
            try Self.ask(gateway, times: 200)
            let clients = ClientLoad(gateway.place, clients: 12)
            try eventually("many answers") { clients.answered > 8_000 }
            let refused = try clients.end()
            #expect(refused.isEmpty, "\(refused.count): \(refused.prefix(1))")
        }

        @Test("A learned bound comes down to what an upstream works on at a time, and up again when there is room")
        func learnedBound() throws {
            // Eight at a time, each for 30 ms; whoever comes beyond waits in the upstream.
            let server = try BusyUpstream(working: 0.03, places: 8)
            let gateway = try Self.gateway(
                #"{"servers": ["\#(server.stub.url)"], "maxRequests": {"adaptive": {"min": 4, "max": 64, "start": 48}}}"#
            )
            // What an answer takes without a queue.
            try Self.ask(gateway, times: 30)
            let clients = ClientLoad(gateway.place, clients: 48)
            try eventually("the bound is near what the server works on") {
                server.forgetPeak()
                let answered = clients.answered
                try eventually("requests are answered") { clients.answered > answered + 200 }
                return server.peak <= 24
            }
            let refused = try clients.end()
            #expect(
                !refused.isEmpty && refused.allSatisfy { $0.contains("upstream_overloaded") }, "\(refused.prefix(3))")
            try eventually("the server has nothing to do") { server.now == 0 }
            server.forgetPeak()
            server.give(places: 56)
            let more = ClientLoad(gateway.place, clients: 40)
            try eventually("the bound is near what the server works on now") { server.peak >= 36 }
            _ = try more.end()
        }
    }
}
