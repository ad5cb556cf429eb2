import Foundation
import Synchronization
import Testing

extension EndToEnd {
    /// Pools that are switched and servers that are replaced while requests come, and what survives a restart.
    @Suite
    struct BlueGreen {
        private static let json = ["Content-Type: application/json"]

        /// An upstream `shop` with two pools.
        private static func setup(
            _ blue: StubUpstream, _ green: [StubUpstream], active: String = "blue"
        ) -> GatewaySetup {
            let servers = green.map { "\"\($0.url)\"" }.joined(separator: ", ")
            // An upstream that nothing uses keeps all of them alive.
            var setup = GatewaySetup().upstream("all", [blue] + green).gateway(#""state": "state.json""#)
                .route(#"{"match": "/{rest...}", "to": "shop"}"#)
            setup.upstreams.append(
                (
                    "shop",
                    #"{"pools": {"blue": ["\#(blue.url)"], "green": [\#(servers)]}, "active": "\#(active)"}"#
                ))
            return setup
        }

        private static func put(
            _ path: String, _ body: String, to gateway: GatewayProcess, _ fields: [String] = json
        ) throws -> HTTPText { try RawClient(gateway.adminPlace).exchange("PUT \(path)", fields, body: body) }

        private static func delete(_ path: String, of gateway: GatewayProcess) throws -> HTTPText {
            try RawClient(gateway.adminPlace).exchange("DELETE \(path)")
        }

        private static func warning(_ gateway: GatewayProcess, _ words: String) throws -> String {
            try gateway.process.line("a warning of \(words)", in: .errors) { $0.contains(words) }
        }

        @Test("blue → green → blue, by the admin listener, the command line and the file, and no request fails")
        func switching() throws {
            let blue = try StubUpstream.saying("blue")
            let green = try StubUpstream.saying("green")
            let gateway = try GatewayProcess(Self.setup(blue, [green]), workers: 2)
            let load = BusyClients(gateway) { $0 % 2 == 0 ? "GET /" : "POST /" }
            try load.goOn()
            #expect(green.requests.isEmpty)
            let answer = try Self.put("/upstreams/shop/active", #""green""#, to: gateway)
            #expect(answer.status == 200 && answer.json["survivesRestart"] as? Bool == true, "\(answer)")
            try eventually("green serves") { try gateway.exchange("GET /").text == "green" }
            try eventually("connections to blue are closed") { blue.closedConnections == blue.connections }
            let left = blue.requests.count
            try load.goOn()
            #expect(blue.requests.count == left)
            let back = try RunningProcess(
                Binaries.path("banyan"), ["switch", "shop", "blue", "--admin", "\(gateway.adminPlace)"])
            #expect(try back.end() == 0, "\(back.transcript)")
            try eventually("blue serves") { try gateway.exchange("GET /").text == "blue" }
            try load.goOn()
            try gateway.reload("routes.json", Self.setup(blue, [green], active: "green").text)
            try eventually("green serves") { try gateway.exchange("GET /").text == "green" }
            try load.goOn()
            try gateway.reload("routes.json", Self.setup(blue, [green]).text)
            try eventually("blue serves") { try gateway.exchange("GET /").text == "blue" }
            try load.goOn()
            #expect(load.end() == [])
            _ = try Self.warning(gateway, "pool switched")
        }

        @Test("A choice outlives reloads and restarts, until it is taken back or the file says something else")
        func survival() throws {
            let blue = try StubUpstream.saying("blue")
            let green = try StubUpstream.saying("green")
            let setup = Self.setup(blue, [green])
            let folder = try TemporaryFolder()
            do {
                let gateway = try GatewayProcess(setup, folder: folder)
                #expect(try Self.put("/upstreams/shop/active", #"{"active": "green"}"#, to: gateway).status == 200)
                // Something else changes in the file.
                try gateway.reload("routes.json", setup.gateway(#""name": "other""#).text)
                #expect(try gateway.exchange("GET /").text == "green")
                let report = try gateway.admin("/upstreams/shop").json
                #expect(report["active"] as? String == "green" && report["activeByFile"] as? String == "blue")
                #expect(try gateway.terminate() == 0)
            }
            do {
                let gateway = try GatewayProcess(setup, folder: folder)
                #expect(try gateway.exchange("GET /").text == "green")
                #expect(try Self.delete("/upstreams/shop/active", of: gateway).status == 200)
                try eventually("blue serves") { try gateway.exchange("GET /").text == "blue" }
                #expect(try Self.put("/upstreams/shop/active", #""green""#, to: gateway).status == 200)
                #expect(try gateway.terminate() == 0)
            }
            // The file's own word changes while nothing runs, and changes back: it has been the later word.
            do {
                let gateway = try GatewayProcess(Self.setup(blue, [green], active: "green"), folder: folder)
                _ = try Self.warning(gateway, "choice made at run time dropped")
                #expect(try gateway.terminate() == 0)
            }
            let gateway = try GatewayProcess(setup, folder: folder)
            #expect(try gateway.exchange("GET /").text == "blue")
        }

        @Test(
            "A state file that is broken is a warning, and the next choice replaces it",
            arguments: ["{", #"{"upstreams": {"shop": {"active": "gren", "over": "blue"}}}"#, "\u{0}\u{1}", ""])
        func brokenState(_ text: String) throws {
            let blue = try StubUpstream.saying("blue")
            let folder = try TemporaryFolder()
            try folder.write("state.json", text)
            let gateway = try GatewayProcess(Self.setup(blue, [try StubUpstream.saying("green")]), folder: folder)
            _ = try Self.warning(gateway, "choice made at run time dropped")
            #expect(try gateway.exchange("GET /").text == "blue")
            #expect(try Self.put("/upstreams/shop/active", #""green""#, to: gateway).status == 200)
            let kept = try String(contentsOfFile: folder.file("state.json"), encoding: .utf8)
            #expect(kept.contains(#""active":"green""#), "\(kept)")
            #expect(!FileManager.default.fileExists(atPath: folder.file("state.json.new")))
        }

        @Test("Without a state file, or where it cannot be written, a choice is in force, and says that it is not kept")
        func notKept() throws {
            let blue = try StubUpstream.saying("blue")
            let green = try StubUpstream.saying("green")
            for state in [nil, #""state": "none/state.json""#] {
                var setup = Self.setup(blue, [green])
                setup.gateway = state.map { [$0] } ?? []
                let gateway = try GatewayProcess(setup)
                let answer = try Self.put("/upstreams/shop/active", #""green""#, to: gateway)
                #expect(answer.status == 200 && answer.json["survivesRestart"] as? Bool == false, "\(answer)")
                #expect(answer.json["warning"] is String)
                try eventually("green serves") { try gateway.exchange("GET /").text == "green" }
            }
        }

        @Test(
            "A pool whose servers answer, but not as `health` asks, gets no requests",
            arguments: ["127.0.0.1", "localhost"])
        func unhealthy(host: String) throws {
            let blue = try StubUpstream.saying("blue")
            let isWell = Mutex(false)
            let green = try StubUpstream.answering { request in
                request.target == "/health" && !isWell.withLock { $0 }
                    ? "HTTP/1.1 503 Starting\r\nContent-Length: 0\r\n\r\n"
                    : "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ngreen"
            }
            var setup = GatewaySetup().route(#"{"match": "/{rest...}", "to": "shop"}"#)
            let place = green.url.replacing("127.0.0.1", with: host)
            setup.upstreams = [
                (
                    "shop",
                    """
                    {"pools": {"blue": {"servers": ["\(blue.url)"]}, "green": {"servers": ["\(place)"]}}, "active": "blue",
                     "health": {"path": "/health"}}
                    """
                )
            ]
            let gateway = try GatewayProcess(setup)
            let refused = try Self.put("/upstreams/shop/active", #""green""#, to: gateway)
            #expect(refused.status == 409, "\(refused)")
            #expect(refused.json["errors"] as? [String] == ["\(place): status 503"], "\(refused)")
            #expect(try gateway.exchange("GET /").text == "blue")
            isWell.withLock { $0 = true }
            #expect(try Self.put("/upstreams/shop/active", #""green""#, to: gateway).status == 200)
            try eventually("green serves") { try gateway.exchange("GET /").text == "green" }
        }

        @Test("A pool that has a name for its servers is looked up by the gateway's name servers, and then asked")
        func named() throws {
            let blue = try StubUpstream.saying("blue")
            let green = try (0..<2).map { _ in try StubUpstream.saying("green") }
            let dns = try DNSStub([
                "a.test": [.a("127.0.0.1")],
                "_green._tcp.test": green.map {
                    .service(priority: 1, weight: 1, port: $0.place.port, target: "a.test")
                },
            ])
            var setup = GatewaySetup().route(#"{"match": "/{rest...}", "to": "shop"}"#).gateway(dns.setting)
            let place = "srv+http://_green._tcp.test"
            setup.upstreams = [
                (
                    "shop",
                    #"{"pools": {"blue": ["\#(blue.url)"], "green": ["\#(place)"], "none": ["srv+http://_none._tcp.test"]}, "#
                        + #""active": "blue", "resolveInterval": "1s"}"#
                )
            ]
            let gateway = try GatewayProcess(setup)
            let asked = dns.questions
            #expect(try Self.put("/upstreams/shop/active", #""green""#, to: gateway).status == 200)
            #expect(dns.questions > asked)
            try eventually("green serves") { try gateway.exchange("GET /").text == "green" }
            #expect(try Self.put("/upstreams/shop/active", #""blue""#, to: gateway).status == 200)
            // Of the two servers of the one name none is left.
            for stub in green { stub.kill() }
            let refused = try Self.put("/upstreams/shop/active", #""green""#, to: gateway)
            #expect(refused.status == 409, "\(refused)")
            #expect(refused.json["errors"] as? [String] == ["\(place): connect_failed"], "\(refused)")
            let unknown = try Self.put("/upstreams/shop/active", #""none""#, to: gateway)
            #expect(unknown.status == 409 && unknown.text.contains("no address"), "\(unknown)")
            #expect(try gateway.exchange("GET /").text == "blue")
            // They are back, at other ports.
            let back = try StubUpstream.saying("back")
            dns.set("_green._tcp.test", [.service(priority: 1, weight: 1, port: back.place.port, target: "a.test")])
            try eventually("the pool is well") {
                try Self.put("/upstreams/shop/active", #""green""#, to: gateway).status == 200
            }
            try eventually("green serves") { try gateway.exchange("GET /").text == "back" }
        }

        @Test("A pool of which less than half answers gets no requests, unless somebody insists")
        func unwell() throws {
            let blue = try StubUpstream.saying("blue")
            let green = try (0..<3).map { _ in try StubUpstream.saying("green") }
            let gateway = try GatewayProcess(Self.setup(blue, green))
            green[0].stop()
            green[1].stop()
            let refused = try Self.put("/upstreams/shop/active", #""green""#, to: gateway)
            #expect(refused.status == 409, "\(refused)")
            let errors = refused.json["errors"] as? [String] ?? []
            #expect(
                errors.count == 2 && errors[0].hasPrefix(green[0].url) && errors[0].contains("refused"), "\(errors)")
            let process = try RunningProcess(
                Binaries.path("banyan"), ["switch", "shop", "green", "--admin", "\(gateway.adminPlace)"])
            #expect(try process.end() == 1)
            #expect(process.lines(.errors).contains { $0.contains(green[1].url) }, "\(process.transcript)")
            #expect(try gateway.exchange("GET /").text == "blue")
            let forced = try RunningProcess(
                Binaries.path("banyan"), ["switch", "shop", "green", "--force", "--admin", "\(gateway.adminPlace)"])
            #expect(try forced.end() == 0, "\(forced.transcript)")
            try eventually("green serves") { try gateway.exchange("GET /").text == "green" }
        }

        @Test("Half of a pool is enough, and a client that leaves during the check changes nothing")
        func halfWell() throws {
            let blue = try StubUpstream.saying("blue")
            let green = try (0..<2).map { _ in try StubUpstream.saying("green") }
            let gateway = try GatewayProcess(Self.setup(blue, green))
            green[0].stop()
            #expect(try Self.put("/upstreams/shop/active", #""green""#, to: gateway).status == 200)
            #expect(try Self.put("/upstreams/shop/active", #""blue""#, to: gateway).status == 200)
            for _ in 0..<20 {
                let client = try RawClient(gateway.adminPlace)
                try client.request("PUT /upstreams/shop/active", Self.json, body: #""green""#)
                client.reset()
            }
            #expect(try gateway.admin("/healthz").status == 200)
        }

        @Test("Servers are replaced under load, and no request fails")
        func replacing() throws {
            let stubs = try (0..<4).map { try StubUpstream.saying("\($0)") }
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("stub", Array(stubs[..<2])).gateway(#""state": "state.json""#)
                    .route(#"{"match": "/{rest...}", "to": "stub"}"#), workers: 2)
            let load = BusyClients(gateway)
            try load.goOn()
            for round in 0..<6 {
                let pair = round % 2 == 0 ? stubs[2...] : stubs[..<2]
                let list = pair.map { "\"\($0.url)\"" }.joined(separator: ", ")
                let answer = try Self.put("/upstreams/stub/servers", "[\(list)]", to: gateway)
                #expect(answer.status == 200, "\(answer)")
                try load.goOn(100)
            }
            #expect(stubs.allSatisfy { !$0.requests.isEmpty })
            let report = try gateway.admin("/upstreams/stub").json
            #expect(report["serversReplaced"] as? Bool == false, "the last round is what the file says")
            _ = try Self.put("/upstreams/stub/servers", #"["\#(stubs[3].url)"]"#, to: gateway)
            #expect(try gateway.admin("/upstreams/stub").json["serversReplaced"] as? Bool == true)
            try eventually("the new server alone serves") {
                try (0..<8).allSatisfy { _ in try gateway.exchange("GET /").text == "3" }
            }
            #expect(try Self.delete("/upstreams/stub/servers", of: gateway).status == 200)
            #expect(load.end() == [])
        }
    }
}
