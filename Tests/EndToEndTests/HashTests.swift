import Testing

extension EndToEnd {
    /// The same value reaches the same server.
    @Suite
    struct Hashes {
        /// Where the value stands in a request.
        struct Place: Sendable, CustomTestStringConvertible {
            var setting: String
            var ask: @Sendable (String) -> (line: String, fields: [String])
            var testDescription: String { setting }
        }

        private static let places = [
            Place(setting: #""user""#) { ("GET /", ["X-User-Id: \($0)"]) },
            Place(setting: #""path""#) { ("GET /\($0)?other=\(Int.random(in: 0...99))", []) },
            Place(setting: #"{"header": "X-Tenant"}"#) { ("GET /", ["x-tenant: \($0)"]) },
            Place(setting: #"{"cookie": "basket"}"#) { ("GET /", ["Cookie: a=b; basket=\($0); c=d"]) },
        ]

        private static let keys = (0..<60).map { "key-\($0)" }

        private static func gateway(_ stubs: [StubUpstream], _ place: Place) throws -> GatewayProcess {
            // Two workers have to agree on whose a value is.
            try GatewayProcess(
                GatewaySetup().upstream(
                    "stub", stubs,
                    #""balance": {"hash": \#(place.setting)}, "slowStart": "none", "panicThreshold": 0, "#
                        + #""retry": {"attempts": 3}, "#
                        + #""outlier": {"consecutiveGatewayFailures": 1, "baseEjection": "60s", "maxEjected": 1.0}"#
                ).gateway(#""identity": [{"header": "x-user-id"}], "trustedProxies": ["127.0.0.0/8"]"#)
                    .route(#"{"match": "/{rest...}", "to": "stub"}"#), workers: 2)
        }

        /// Who serves each value, asked on one connection.
        private static func owners(_ gateway: GatewayProcess, _ place: Place) throws -> [String: String] {
            let client = try gateway.client()
            return Dictionary(
                uniqueKeysWithValues: try keys.map { key in
                    let (line, fields) = place.ask(key)
                    let answer = try client.exchange(line, fields)
                    #expect(answer.status == 200, "\(client.transcript)")
                    return (key, answer.text)
                })
        }

        @Test(
            "A value keeps its server; where that dies its values go to others, and no other value moves",
            arguments: places)
        func keeping(_ place: Place) throws {
            let stubs = try (0..<4).map { try StubUpstream.saying("\($0)") }
            let gateway = try Self.gateway(stubs, place)
            let before = try Self.owners(gateway, place)
            #expect(Set(before.values).count == 4, "\(before)")
            for _ in 0..<4 { #expect(try Self.owners(gateway, place) == before) }
            stubs[2].kill()
            // The first ones to it are repeated elsewhere.
            _ = try Self.owners(gateway, place)
            try gateway.figures("banyan_upstream_endpoints", ["upstream": "stub", "state": "ejected"], reach: 1)
            let after = try Self.owners(gateway, place)
            #expect(after.filter { before[$0.key] != "2" } == before.filter { $0.value != "2" })
            let moved = after.filter { before[$0.key] == "2" }
            #expect(!moved.values.contains("2") && Set(moved.values).count > 1, "\(moved)")
            #expect(try Self.owners(gateway, place) == after)
        }

        @Test("A request without the value is answered by one server or another", arguments: places)
        func missing(_ place: Place) throws {
            if place.setting == #""path""# { return }
            let stubs = try (0..<4).map { try StubUpstream.saying("\($0)") }
            let gateway = try Self.gateway(stubs, place)
            let client = try gateway.client()
            var found: Set<String> = []
            for _ in 0..<60 {
                let answer = try client.exchange("GET /")
                #expect(answer.status == 200, "\(client.transcript)")
                found.insert(answer.text)
            }
            #expect(found.count == 4, "\(found)")
        }
    }
}
