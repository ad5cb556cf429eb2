import GatewayConfig
import JSON
import Testing

/// What is in the sections for failing servers: defaults, what `true` and `false` mean, and which defaults give way.
@Suite struct ResilienceTests {
    /// The upstream `a` with `members` beside its servers.
    private func upstream(_ members: String) throws -> UpstreamSection {
        let text = #"""
            { "gateway": { "listeners": [ { "address": "127.0.0.1:0" } ] },
              "upstreams": { "a": { "servers": ["http://a", "http://b"], \#(members) } },
              "routes": [ { "match": "/", "to": "a" } ] }
            """#
        return try #require(read(text).upstreams.first)
    }

    private func read(_ text: String) throws -> GatewayConfiguration {
        let reading = Fixture.read(Array(text.utf8))
        return try #require(reading.configuration, "\(reading.lines.joined(separator: "\n"))")
    }

    // anchors.md §4.2
    @Test func fillsInTheDefaults() throws {
        let upstream = try upstream(#""protocol": "http/1.1""#)
        #expect(upstream.retry.attempts == 1)
        #expect(upstream.retry.conditions == [.connectFailure, .refusedStream])
        #expect(upstream.retry.budget == 0.2 && upstream.retry.budgetMinimum == 3)
        #expect(upstream.retry.backoff.base.value == 25 && upstream.retry.backoff.max.value == 250)
        #expect(upstream.retry.tryTimeout == .none)
        #expect(upstream.hedge == .off)
        #expect(upstream.health == nil)
        let outlier = try #require(upstream.outlier)
        #expect(outlier.consecutive5xx == 5 && outlier.consecutiveGatewayFailures == 5)
        #expect(outlier.interval.value == 10_000)
        #expect(outlier.baseEjection.value == 30_000 && outlier.maxEjection.value == 300_000)
        #expect(outlier.maxEjected == 0.5)
        #expect(outlier.successRate?.minServers == 5 && outlier.successRate?.minRequests == 100)
        #expect(outlier.successRate?.deviations == 1.9)
        #expect(outlier.latency == nil)
        #expect(upstream.panicThreshold == 0.5)
        #expect(upstream.breaker == nil)
        #expect(upstream.maxRequests == 1024 && upstream.adaptiveLimit == nil)
        #expect(upstream.slowStart == .after(.seconds(10)))
        #expect(upstream.pools.isEmpty && upstream.active == nil)
        #expect(upstream.activeServers == upstream.servers)
    }

    @Test func takesTheDefaultsForTrue() throws {
        let upstream = try upstream(
            #""retry": true, "hedge": true, "health": true, "outlier": { "latency": true }, "breaker": true"#)
        #expect(upstream.retry == (try self.upstream(#""retry": {}"#)).retry)
        #expect(upstream.hedge == .percentile(95))
        let health = try #require(upstream.health)
        #expect(health.type == .http && health.path == "/healthz" && health.host == nil && health.body == nil)
        #expect(health.statuses.map { $0.first...$0.last } == [200...299])
        #expect(health.interval.value == 5000 && health.timeout.value == 1000)
        #expect(health.healthy == 2 && health.unhealthy == 3)
        #expect(upstream.outlier?.latency?.factor == 3 && upstream.outlier?.latency?.minRequests == 100)
        let breaker = try #require(upstream.breaker)
        #expect(breaker.failureRate == 0.5 && breaker.slowRate == 1 && breaker.slowAfter == .none)
        #expect(breaker.minRequests == 20 && breaker.window.value == 10_000)
        #expect(breaker.openTime.value == 5000 && breaker.maxOpenTime.value == 60_000)
        #expect(breaker.probes == 3 && breaker.scope == .upstream)
    }

    @Test func turnsOffForFalse() throws {
        let upstream = try upstream(
            #""retry": false, "hedge": false, "health": false, "outlier": false, "breaker": false, "slowStart": "none""#
        )
        #expect(upstream.retry.attempts == 0)
        // What is hedged has a budget all the same.
        #expect(upstream.retry.budget == 0.2 && upstream.retry.budgetMinimum == 3)
        #expect(upstream.hedge == .off)
        #expect(upstream.health == nil && upstream.outlier == nil && upstream.breaker == nil)
        #expect(upstream.slowStart == .none)
        #expect(try self.upstream(#""outlier": { "successRate": false }"#).outlier?.successRate == nil)
    }

    @Test func givesWayWithDefaults() throws {
        let upstream = try upstream(
            #"""
            "retry": { "backoff": { "base": "1s" } }, "outlier": { "baseEjection": "10m" },
            "breaker": { "openTime": "2m" }, "maxRequests": { "adaptive": { "max": 20 } }
            """#)
        #expect(upstream.retry.backoff.max.value == 1000)
        #expect(upstream.outlier?.maxEjection.value == 600_000)
        #expect(upstream.breaker?.maxOpenTime.value == 120_000)
        #expect(upstream.adaptiveLimit?.start == 20)
        #expect(try self.upstream(#""maxRequests": { "adaptive": { "min": 500 } }"#).adaptiveLimit?.start == 500)
    }

    @Test func readsStatusesInEveryForm() throws {
        let upstream = try upstream(
            #""retry": { "on": ["502", 503, "timeout"] }, "health": { "status": [200, "204", "300-399"] }"#)
        #expect(upstream.retry.conditions == [.badGateway, .unavailable, .timeout])
        #expect(upstream.health?.statuses.map { $0.first...$0.last } == [200...200, 204...204, 300...399])
    }

    @Test(
        arguments: [
            (#""p90""#, .percentile(90)), (#""p99""#, .percentile(99)), (#""20ms""#, .after(Milliseconds(20))),
        ] as [(String, HedgeSection)])
    func readsWhenToHedge(_ after: String, _ expected: HedgeSection) throws {
        #expect(try upstream(#""hedge": { "after": \#(after) }"#).hedge == expected)
    }

    @Test func boundsAnAdaptiveLimit() throws {
        let upstream = try upstream(#""maxRequests": { "adaptive": { "min": 5, "max": 300, "start": 50 } }"#)
        #expect(upstream.maxRequests == 300)
        #expect(upstream.adaptiveLimit?.min == 5 && upstream.adaptiveLimit?.start == 50)
        #expect(try self.upstream(#""maxRequests": "adaptive""#).adaptiveLimit?.max == 1024)
    }

    @Test func choosesAPool() throws {
        let text = #"""
            { "gateway": { "listeners": [ { "address": "127.0.0.1:0" } ] },
              "upstreams": { "a": { "pools": { "blue": ["http://a"], "green": { "servers": ["http://b"] } },
                                    "active": "green" } },
              "routes": [] }
            """#
        let upstream = try #require(read(text).upstreams.first)
        #expect(upstream.servers.isEmpty)
        #expect(upstream.pools.map(\.name) == ["blue", "green"])
        #expect(upstream.activeServers.map(\.url.description) == ["http://b:80"])
    }

    @Test func readsWhatRoutesAndPartsSay() throws {
        let text = #"""
            { "gateway": { "listeners": [ { "address": "127.0.0.1:0" } ] }, "upstreams": { "a": "http://a" },
              "routes": [
                { "match": "/a", "to": "a", "retry": { "attempts": 3 }, "hedge": false, "idempotencyKey": true },
                { "match": "/b", "to": "a" },
                { "match": "/c", "aggregate": {
                    "a": { "from": "a", "get": "/", "retry": false },
                    "b": { "from": "a", "get": "/" } } } ] }
            """#
        let routes = try read(text).routes
        guard case .forward(let own) = routes[0].action, case .forward(let plain) = routes[1].action,
            case .aggregate(let view) = routes[2].action
        else {
            Issue.record("other actions than those of the file")
            return
        }
        #expect(own.retry?.attempts == 3 && own.hedge == .off && own.idempotencyKey)
        #expect(plain.retry == nil && plain.hedge == nil && !plain.idempotencyKey)
        #expect(view.parts[0].retry?.attempts == 0 && view.parts[1].retry == nil)
    }

    @Test func readsAFallback() throws {
        let text = #"""
            { "gateway": { "listeners": [ { "address": "127.0.0.1:0" } ] },
              "upstreams": { "a": "http://a", "b": "http://b" },
              "contexts": { "c": { "off": "a", "fallback": "b" }, "d": { "off": "a" },
                            "e": { "off": "a", "fallback": "b", "fallbackOn": [404, "501"], "fallbackBudget": 1,
                                   "fallbackMinimum": 0 } },
              "routes": [] }
            """#
        let contexts = try read(text).contexts
        #expect(contexts[0].fallback?.upstream == "b" && contexts[0].fallback?.statuses == [])
        #expect(contexts[0].fallback?.budget == 0.2 && contexts[0].fallback?.minimum == 3)
        #expect(contexts[1].fallback == nil)
        #expect(contexts[2].fallback?.statuses.map(\.code) == [404, 501])
        #expect(contexts[2].fallback?.budget == 1 && contexts[2].fallback?.minimum == 0)
    }

    @Test func readsZoneOverloadAndState() throws {
        let gateway = { (members: String) in
            try self.read(
                #"""
                { "gateway": { "listeners": [ { "address": "127.0.0.1:0" } ], \#(members) }, "routes": [] }
                """#
            ).gateway
        }
        let full = try gateway(#""zone": "a", "overload": { "memory": "1GiB", "lag": "250ms" }, "state": "run/s.json""#)
        #expect(full.zone == "a" && full.state == "run/s.json")
        #expect(full.overload?.memory?.bytes == 1 << 30 && full.overload?.lag?.value == 250)
        let none = try gateway(#""zone": "${EMPTY:-}", "overload": false"#)
        #expect(none.zone == nil && none.overload == nil && none.state == nil)
        #expect(try gateway(#""overload": { "lag": "1s" }"#).overload?.memory == nil)
    }

    /// A file that is not there yet will be written; a folder cannot be.
    @Test func refusesAFolderAsState() {
        let text = #"""
            { "gateway": { "listeners": [ { "address": "127.0.0.1:0" } ], "state": "run" },
              "upstreams": { "a": "http://a" }, "routes": [ { "match": "/", "to": "a" } ] }
            """#
        let lines = { (obstacle: FileObstacle?) in
            ConfigurationReader.read(
                text: Array(text.utf8), file: "routes.json", environment: [:],
                files: FileAccess(obstacle: { $0 == "run" ? obstacle : nil }, contents: { _ in nil })
            ).lines
        }
        #expect(lines(.folder) == [#"routes.json:1:72: /gateway/state: "run" is a folder, not a file"#])
        #expect(lines(.missing) == [])
        #expect(lines(nil) == [])
    }
}
