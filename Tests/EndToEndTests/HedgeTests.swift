import Foundation
import Testing

extension EndToEnd {
    /// A second attempt beside a slow first one.
    @Suite
    struct Hedges {
        private static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

        private static func gateway(
            _ stubs: [StubUpstream], _ settings: String, gateway member: String? = nil
        ) throws -> GatewayProcess {
            var setup = GatewaySetup().upstream(
                "stub", stubs, #""balance": "round-robin", "slowStart": "none", \#(settings)"#)
            if let member { setup = setup.gateway(member) }
            return try GatewayProcess(setup.route(#"{"match": "/{rest...}", "to": "stub"}"#))
        }

        /// Answers the first request that comes when it is told to, all others at once.
        private static func slowOnce(_ gate: Gate, _ seen: Counter) throws -> StubUpstream {
            try StubUpstream { connection in
                while try connection.request() != nil {
                    if seen.next() == 1 { try gate.wait() }
                    try connection.send(ok)
                }
            }
        }

        @Test(
            "The second server's answer is passed on; that of the first is awaited in the background, and both are kept"
        )
        func secondWins() throws {
            let (gate, seen) = (Gate(), Counter())
            defer { gate.open() }
            let stubs = try [Self.slowOnce(gate, seen), Self.slowOnce(gate, seen)]
            let gateway = try Self.gateway(stubs, #""hedge": {"after": "50ms"}"#)
            let client = try gateway.client()
            #expect(try client.exchange("GET /hedged").text == "ok", "\(client.transcript)")
            #expect(stubs.map(\.requests.count) == [1, 1])
            let line = try gateway.logLine(path: "/hedged")
            #expect(line["attempts"] as? Int == 2 && line["status"] as? Int == 200, "\(line)")
            gate.open()
            try eventually("the first answer has come, too") {
                let report = try gateway.admin("/upstreams/stub").json
                return (report["requests"] as? [String: Any])?["underWay"] as? Int == 0
            }
            for _ in 0..<10 { #expect(try client.exchange("GET /").text == "ok", "\(client.transcript)") }
            #expect(stubs.map(\.requests.count).reduce(0, +) == 12, "nobody is asked twice who answers in time")
            #expect(stubs.map(\.connections) == [1, 1] && stubs.allSatisfy { $0.closedConnections == 0 })
            try gateway.figures("banyan_upstream_retries_total", ["result": "hedged"], reach: 1)
        }

        @Test(
            "A loser whose answer is long, or trickles, loses its connection; the client has its answer all the while",
            arguments: [
                "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nlong",
                "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n",
            ])
        func costlyLosers(_ answer: String) throws {
            let (gate, seen) = (Gate(), Counter())
            defer { gate.open() }
            let stubs = try (0..<2).map { _ in
                try StubUpstream { connection in
                    while try connection.request() != nil {
                        guard seen.next() == 1 else {
                            try connection.send(Self.ok)
                            continue
                        }
                        try gate.wait()
                        try connection.send(answer)
                        while true {
                            try connection.send("x")
                            // The pace of this server, and not a wait for something to happen.
                            Thread.sleep(forTimeInterval: 0.02)
                        }
                    }
                }
            }
            let gateway = try Self.gateway(stubs, #""hedge": {"after": "50ms"}"#)
            let client = try gateway.client()
            #expect(try client.exchange("GET /").text == "ok", "\(client.transcript)")
            gate.open()
            for _ in 0..<20 { #expect(try client.exchange("GET /").text == "ok", "\(client.transcript)") }
            try eventually("the loser's connection is closed") { stubs.map(\.closedConnections).max() == 1 }
            #expect(try client.exchange("GET /").text == "ok", "\(client.transcript)")
        }

        @Test("Where the client leaves, both attempts are cut off: nobody works for nobody")
        func clientLeaves() throws {
            let stubs = try (0..<2).map { _ in
                try StubUpstream { connection in
                    _ = try connection.request()
                    try connection.awaitEnd()
                }
            }
            let gateway = try Self.gateway(stubs, #""hedge": {"after": "50ms"}"#)
            let client = try gateway.client().request("GET /")
            try eventually("both are asked") { stubs.allSatisfy { $0.requests.count == 1 } }
            let left = ContinuousClock.now
            client.reset()
            try eventually("both are cut off") { stubs.allSatisfy { $0.closedConnections == 1 } }
            #expect(ContinuousClock.now - left < .milliseconds(900), "at once, and not after the patience for losers")
        }

        @Test("Where no other server is well, nobody is asked twice")
        func nobodyElse() throws {
            let seen = Counter()
            let well = try StubUpstream { connection in
                while try connection.request() != nil {
                    // The work of a slow server, and not a wait for something to happen.
                    if seen.next() > 2 { Thread.sleep(forTimeInterval: 0.3) }
                    try connection.send(Self.ok)
                }
            }
            let dead = try StubUpstream.saying("dead")
            let gateway = try Self.gateway(
                [well, dead],
                #""hedge": {"after": "50ms"}, "panicThreshold": 0, "outlier": {"consecutiveGatewayFailures": 1}"#)
            dead.kill()
            let client = try gateway.client()
            for _ in 0..<2 { #expect(try client.exchange("GET /").text == "ok", "\(client.transcript)") }
            try gateway.figures("banyan_upstream_endpoints", ["upstream": "stub", "state": "ejected"], reach: 1)
            #expect(try client.exchange("GET /slow").text == "ok", "\(client.transcript)")
            #expect(well.requests.count == 3)
            let line = try gateway.logLine(path: "/slow")
            #expect(line["attempts"] as? Int == 1, "\(line)")
        }

        @Test(
            "A hedge that found nobody leaves no span, whatever the one before it on the connection was",
            .enabled(if: ClientTool.python != nil, "no Python clients: scripts/test-tools.sh installs them"))
        func spans() throws {
            let (gate, seen) = (Gate(), Counter())
            defer { gate.open() }
            let stubs = try (0..<2).map { _ in
                try StubUpstream { connection in
                    while let request = try connection.request() {
                        if request.target == "/hedged", seen.next() == 1 { try gate.wait() }
                        // The work of a slow server, and not a wait for something to happen.
                        if request.target == "/alone" { Thread.sleep(forTimeInterval: 0.3) }
                        try connection.send(Self.ok)
                    }
                }
            }
            let collector = try SpanCollector()
            let gateway = try Self.gateway(
                stubs,
                #""hedge": {"after": "50ms"}, "panicThreshold": 0, "outlier": {"consecutiveGatewayFailures": 1}"#,
                gateway: #""tracing": {"otlp": {"url": "\#(collector.stub.url)", "delay": "50ms"}}"#)
            let client = try gateway.client()
            #expect(try client.exchange("GET /hedged").text == "ok", "\(client.transcript)")
            gate.open()
            stubs[1].kill()
            for _ in 0..<2 { #expect(try client.exchange("GET /").text == "ok", "\(client.transcript)") }
            try gateway.figures("banyan_upstream_endpoints", ["upstream": "stub", "state": "ejected"], reach: 1)
            #expect(try client.exchange("GET /alone").text == "ok", "\(client.transcript)")
            var found: [SpanCollector.Span] = []
            try eventually("the spans came") {
                found = try collector.stub.requests.isEmpty ? [] : collector.requests().flatMap(\.spans)
                return found.contains { $0.number("kind") == 2 && $0["url.path"] == "/alone" }
            }
            for (path, count) in [("/hedged", 2), ("/alone", 1)] {
                let server = try #require(found.first { $0.number("kind") == 2 && $0["url.path"] == path }, "\(found)")
                let calls = found.filter { $0.number("kind") == 3 && $0.text("trace") == server.text("trace") }
                #expect(calls.count == count, "\(path): \(calls)")
            }
        }

        @Test("The first server's answer is passed on where it comes first after all, once")
        func firstWins() throws {
            let gates = [Gate(), Gate()]
            defer { gates.forEach { $0.open() } }
            let seen = Counter()
            let script: StubUpstream.Script = { connection in
                while try connection.request() != nil {
                    let number = seen.next()
                    if number <= 2 { try gates[number - 1].wait() }
                    try connection.send(Self.ok)
                }
            }
            let stubs = try (0..<2).map { _ in try StubUpstream(script) }
            let gateway = try Self.gateway(stubs, #""hedge": {"after": "50ms"}"#)
            let client = try gateway.client().request("GET /")
            try eventually("both are asked") { stubs.allSatisfy { $0.requests.count == 1 } }
            gates[0].open()
            #expect(try client.response().text == "ok", "\(client.transcript)")
            #expect(try client.exchange("GET /").text == "ok", "\(client.transcript)")
        }

        @Test("An answer of 500 does not win while the other attempt is under way")
        func badAnswers() throws {
            let (gate, seen) = (Gate(), Counter())
            defer { gate.open() }
            let stubs = try (0..<2).map { _ in
                try StubUpstream { connection in
                    while try connection.request() != nil {
                        if seen.next() == 1 {
                            try gate.wait()
                            try connection.send(Self.ok)
                        } else {
                            try connection.send("HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nbad")
                        }
                    }
                }
            }
            let gateway = try Self.gateway(stubs, #""hedge": {"after": "50ms"}"#)
            let client = try gateway.client().request("GET /")
            try eventually("both are asked") { stubs.allSatisfy { $0.requests.count == 1 } }
            gate.open()
            #expect(try client.response().text == "ok", "\(client.transcript)")
        }

        @Test("Where the first attempt dies the second one goes on alone")
        func firstDies() throws {
            let gates = [Gate(), Gate()]
            defer { gates.forEach { $0.open() } }
            let seen = Counter()
            let stubs = try (0..<2).map { _ in
                try StubUpstream { connection in
                    _ = try connection.request()
                    let number = seen.next()
                    try gates[number - 1].wait()
                    if number == 1 { return connection.wire.reset() }
                    try connection.send(Self.ok)
                    try connection.awaitEnd()
                }
            }
            let gateway = try Self.gateway(stubs, #""hedge": {"after": "50ms"}, "outlier": false"#)
            let client = try gateway.client().request("GET /")
            try eventually("both are asked") { stubs.allSatisfy { $0.requests.count == 1 } }
            gates[0].open()
            try eventually("the first is gone") { stubs.contains { $0.closedConnections == 1 } }
            gates[1].open()
            #expect(try client.response().text == "ok", "\(client.transcript)")
        }

        @Test("A POST is not sent twice, and nothing is without a second server", arguments: ["POST", "GET"])
        func notHedged(method: String) throws {
            let gate = Gate()
            defer { gate.open() }
            let stubs = try (0..<(method == "GET" ? 1 : 2)).map { _ in
                try StubUpstream { connection in
                    while try connection.request() != nil {
                        try gate.wait()
                        try connection.send(Self.ok)
                    }
                }
            }
            let gateway = try Self.gateway(stubs, #""hedge": {"after": "20ms"}"#)
            let client = try gateway.client().request("\(method) /", body: method == "POST" ? "x" : nil)
            try eventually("one is asked") { stubs.map(\.requests.count).reduce(0, +) == 1 }
            // Another request on another connection shows that more than the time of a hedge has passed.
            let other = try gateway.client().request("\(method) /", body: method == "POST" ? "x" : nil)
            try eventually("another is asked") { stubs.map(\.requests.count).reduce(0, +) == 2 }
            gate.open()
            #expect(try client.response().status == 200 && other.response().status == 200)
            #expect(stubs.map(\.requests.count).reduce(0, +) == 2)
        }

        @Test("After a hundred answers the time is that of the route's slowest twentieth")
        func percentiles() throws {
            let slow = Gate()
            defer { slow.open() }
            let seen = Counter()
            let stubs = try (0..<2).map { _ in
                try StubUpstream { connection in
                    while let request = try connection.request() {
                        if request.target == "/slow", seen.next() == 1 { try slow.wait() }
                        try connection.send(Self.ok)
                    }
                }
            }
            let gateway = try Self.gateway(stubs, #""hedge": {"after": "p95"}, "timeout": "60s""#)
            let client = try gateway.client()
            for _ in 0..<120 { #expect(try client.exchange("GET /fast").status == 200) }
            #expect(try client.exchange("GET /slow").text == "ok", "\(client.transcript)")
        }
    }
}
