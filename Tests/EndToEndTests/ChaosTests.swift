import Foundation
import Synchronization
import Testing

extension EndToEnd {
    /// Three endpoints of a service and the monolith, under a steady load, while a seeded script kills, hangs, slows, cuts off
    /// and restarts the endpoints.
    @Suite
    struct Chaos {
        private static let flags = """
            {"flags": {"use": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}}}
            """
        /// How long it lasts, in milliseconds.
        private static let length = 60_000
        private static let seed: UInt64 = 20_261_123
        /// The bound of a whole exchange, and what a busy machine may add to it.
        private static let deadline = Duration.milliseconds(3_000)
        private static let slack = Duration.milliseconds(1_500)

        @Test("One seed is one script")
        func scripts() {
            let script = ChaosEvent.script(seed: Self.seed, endpoints: 3, milliseconds: Self.length)
            #expect(script == ChaosEvent.script(seed: Self.seed, endpoints: 3, milliseconds: Self.length))
            #expect(script != ChaosEvent.script(seed: Self.seed + 1, endpoints: 3, milliseconds: Self.length))
            #expect(
                Set(script.map(\.fault)) == Set(ChaosEvent.Fault.allCases) && Set(script.map(\.endpoint)).count == 3)
        }

        @Test(
            "Safe requests are answered, nobody waits too long, nothing unsafe is done twice", .timeLimit(.minutes(5)))
        func chaos() throws {
            let worked = Mutex<[String: Int]>([:])
            let note: @Sendable (String) -> Void = { id in worked.withLock { $0[id, default: 0] += 1 } }
            let endpoints = try (0..<3).map { try ChaosEndpoint("service \($0)", work: note) }
            let monolith = try ChaosEndpoint("monolith", work: note)
            let servers = endpoints.map { "\"\($0.url)\"" }.joined(separator: ", ")
            var setup = GatewaySetup().upstream("monolith", url: monolith.url)
                .context(
                    #""notes": {"off": "monolith", "on": "service", "flag": "use", "fallback": "monolith", "fallbackMinimum": 20}"#
                ).route(#"{"match": "/{rest...}", "to": "notes"}"#).gateway(#""accessLog": false"#)
            setup.upstreams.append(
                (
                    "service",
                    """
                    {"servers": [\(servers)], "timeout": "400ms", "connectTimeout": "400ms", "totalTimeout": "3s",
                     "retry": {"attempts": 2, "budgetMinimum": 20,
                               "on": ["connect-failure", "reset", "timeout", "502", "503", "504"]},
                     "outlier": {"baseEjection": "1s", "interval": "1s"}, "breaker": {"openTime": "500ms"}}
                    """
                ))
            let gateway = try GatewayProcess(setup, flags: Self.flags, workers: 2)
            let load = SteadyLoad(gateway.place, clients: 8, pause: 0.02)
            try eventually("the load runs") { load.tally.safe > 200 }
            let memory = try gateway.process.kibibytes("VmRSS")
            let descriptors = try gateway.process.descriptors()

            try Self.play(
                ChaosEvent.script(seed: Self.seed, endpoints: 3, milliseconds: Self.length), on: endpoints)
            let seen = try load.end()

            #expect(seen.safe > 2_000, "a load that shows something")
            let good = Double(seen.safe - seen.failures.count) / Double(seen.safe)
            #expect(good >= 0.999, "\(seen.failures.count) of \(seen.safe): \(seen.failures.prefix(5))")
            #expect(seen.longest < Self.deadline + Self.slack)
            let twice = worked.withLock { $0.filter { $0.key.hasPrefix("unsafe") && $0.value > 1 } }
            #expect(twice.isEmpty, "\(twice.prefix(5))")
            #expect(seen.unsafe > 200 && seen.unsafeFailures < seen.unsafe / 4)
            try eventually("memory and descriptors are where they were") {
                let now = (try gateway.process.kibibytes("VmRSS"), try gateway.process.descriptors())
                return now.0 < memory + 8_192 && now.1 <= descriptors + 4
            }
        }

        /// Has the events happen, each at its time.
        private static func play(_ script: [ChaosEvent], on endpoints: [ChaosEndpoint]) throws {
            let start = ContinuousClock.now
            var steps: [(at: Int, step: () throws -> Void)] = []
            for event in script {
                let endpoint = endpoints[event.endpoint]
                steps.append((event.at, { endpoint.begin(event.fault) }))
                steps.append((event.at + event.duration, { try endpoint.end() }))
            }
            for (at, step) in steps.sorted(by: { $0.at < $1.at }) {
                // The pace of the script, and not a wait for something to happen.
                let left = start + .milliseconds(at) - .now
                if left > .zero { Thread.sleep(forTimeInterval: left / .seconds(1)) }
                try step()
            }
        }
    }
}
