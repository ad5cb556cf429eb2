import Foundation
import Testing

extension EndToEnd {
    /// What the admin listener refuses to change, and what it shows.
    @Suite
    struct AdminOrders {
        private static let json = ["Content-Type: application/json"]

        private static func setup(_ stub: StubUpstream) -> GatewaySetup {
            var setup = GatewaySetup().upstream("users", stub).route(#"{"match": "/{rest...}", "to": "shop"}"#)
            setup.upstreams.append(
                ("shop", #"{"pools": {"blue": ["\#(stub.url)"], "green": ["\#(stub.url)"]}, "active": "blue"}"#))
            return setup
        }

        private static func ask(
            _ gateway: GatewayProcess, _ line: String, _ fields: [String] = [], _ body: String? = nil
        ) throws -> HTTPText { try RawClient(gateway.adminPlace).exchange(line, fields, body: body) }

        @Test("Each refusal with its status, and what was meant")
        func refusals() throws {
            let gateway = try GatewayProcess(Self.setup(try StubUpstream.saying("ok")))
            let cases: [(line: String, fields: [String], body: String?, status: Int, words: String)] = [
                ("PUT /upstreams/shpo/active", Self.json, #""green""#, 404, #"did you mean \"shop\"?"#),
                ("GET /upstreams/shpo", [], nil, 404, #"did you mean \"shop\"?"#),
                ("PUT /upstreams/shop/active", Self.json, #""gren""#, 400, #"did you mean \"green\"?"#),
                ("PUT /upstreams/shop/active", Self.json, nil, 400, "body:1:1"),
                ("PUT /upstreams/shop/active", Self.json, "{", 400, "body:1:"),
                ("PUT /upstreams/users/active", Self.json, #""green""#, 409, "has no pools"),
                ("PUT /upstreams/shop/servers", Self.json, #"["http://127.0.0.1:1"]"#, 409, "has pools"),
                ("PUT /upstreams/users/servers", Self.json, #"["127.0.0.1:1"]"#, 400, "/0: expected a server"),
                ("PUT /upstreams/users/servers", Self.json, "[]", 400, "at least one server"),
                ("PUT /upstreams/shop/active", [], #""green""#, 415, "application/json"),
                ("PUT /upstreams/shop/active", ["Content-Type: text/plain"], #""green""#, 415, "application/json"),
                ("PUT /upstreams/shop/active", ["Content-Type: application/jsonx"], #""green""#, 415, "JSON"),
                ("PUT /upstreams/shop/active", Self.json + Self.json, #""green""#, 415, "JSON"),
                ("PUT /upstreams/shop/active", Self.json + ["Origin: http://evil.test"], #""green""#, 403, "browsers"),
                ("DELETE /upstreams/shop/active", ["Origin: http://\(gateway.adminPlace)"], nil, 403, "browsers"),
                ("DELETE /upstreams/none/servers", [], nil, 404, "no upstream"),
                ("GET /upstreams/shop/active", [], nil, 405, "PUT, DELETE"),
                ("PUT /upstreams/shop", Self.json, "{}", 405, "GET, HEAD"),
                ("PUT /upstreams", Self.json, "{}", 405, "GET, HEAD"), ("POST /status", [], "{}", 405, "GET, HEAD"),
                ("GET /upstreams/shop/other", [], nil, 404, "/upstreams/NAME"),
                ("GET /upstreams//active", [], nil, 404, "/upstreams"),
            ]
            for test in cases {
                let answer = try Self.ask(gateway, test.line, test.fields, test.body)
                #expect(answer.status == test.status && answer.text.contains(test.words), "\(test.line)\n\(answer)")
                #expect(answer["Access-Control-Allow-Origin"] == nil)
            }
            let long = "[\"http://127.0.0.1:1\"" + String(repeating: " ", count: 65_536) + "]"
            #expect(try Self.ask(gateway, "PUT /upstreams/users/servers", Self.json, long).status == 413)
            let options = try Self.ask(gateway, "OPTIONS /upstreams/shop/active", ["Origin: http://evil.test"])
            #expect(options.status == 405 && options["Access-Control-Allow-Methods"] == nil)
            #expect(try gateway.generation() == 1, "nothing was changed")
            let answer = try Self.ask(
                gateway, "PUT /upstreams/shop/active", ["content-type: Application/JSON; charset=utf-8"], #""green""#)
            #expect(answer.status == 200, "\(answer)")
            #expect(try gateway.generation() == 2)
        }

        @Test("A body that is said to be too long is refused by its head: nobody waits for it")
        func announcedBody() throws {
            let gateway = try GatewayProcess(Self.setup(try StubUpstream.saying("ok")))
            for target in ["shop/active", "users/servers"] {
                let client = try RawClient(gateway.adminPlace)
                try client.request("PUT /upstreams/\(target)", Self.json + ["Content-Length: 65537"])
                // Nothing of the body is sent; what waited for it would end with 408.
                let answer = try client.response()
                #expect(answer.status == 413 && answer.text.contains("65536"), "\(client.transcript)")
            }
            let client = try RawClient(gateway.adminPlace)
            try client.request("PUT /upstreams/users/servers", Self.json + ["Content-Length: 65536"])
            try client.send(String(repeating: " ", count: 65_536))
            #expect(try client.response().status == 400, "\(client.transcript)")
            #expect(try gateway.generation() == 1, "nothing was changed")
        }

        @Test("Orders and what they show ask for the token")
        func token() throws {
            var setup = Self.setup(try StubUpstream.saying("ok"))
            setup.admin = #"{"address": "127.0.0.1:0", "token": {"env": "BANYAN_TEST_TOKEN"}}"#
            let gateway = try GatewayProcess(setup, environment: ["BANYAN_TEST_TOKEN": "secret"])
            for line in ["GET /upstreams", "GET /upstreams/shop", "DELETE /upstreams/shop/active"] {
                #expect(try Self.ask(gateway, line).status == 401, "\(line)")
                #expect(try Self.ask(gateway, line, ["Authorization: Bearer wrong!"]).status == 401, "\(line)")
                #expect(try Self.ask(gateway, line, ["Authorization: Bearer secret"]).status == 200, "\(line)")
            }
            let order = "PUT /upstreams/shop/active"
            #expect(try Self.ask(gateway, order, Self.json, #""green""#).status == 401)
            #expect(try gateway.generation(token: "secret") == 1)
            for (variable, code) in [("OWN_TOKEN", Int32(0)), ("WRONG_TOKEN", 1), ("NO_TOKEN", 64)] {
                let process = try RunningProcess(
                    Binaries.path("banyan"),
                    ["switch", "shop", "green", "--admin", "\(gateway.adminPlace)", "--token-env", variable],
                    environment: ["OWN_TOKEN": "secret", "WRONG_TOKEN": "guess"])
                #expect(try process.end() == code, "\(variable): \(process.transcript)")
            }
            #expect(try gateway.generation(token: "secret") == 2)
        }

        @Test("Where others can reach the listener nobody changes anything without a token")
        func open() throws {
            var setup = Self.setup(try StubUpstream.saying("ok"))
            setup.admin = #"{"address": "0.0.0.0:0"}"#
            let gateway = try GatewayProcess(setup)
            let place = gateway.adminPlace
            #expect(try RawClient(place).exchange("GET /upstreams").status == 200)
            let order = "PUT /upstreams/shop/active"
            let refused = try RawClient(place).exchange(order, Self.json, body: #""green""#)
            #expect(refused.status == 403 && refused.text.contains("token"), "\(refused)")
            #expect(try RawClient(place).exchange("DELETE /upstreams/shop/active").status == 403)
        }

        @Test("status tells of an ejected endpoint, as text and as JSON, and in metrics; exit codes 0, 1 and 69")
        func status() throws {
            let sick = try StubUpstream.answering { _ in "HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nbad" }
            let well = try (0..<2).map { _ in try StubUpstream.saying("ok") }
            let gateway = try GatewayProcess(
                GatewaySetup().upstream(
                    "stub", [sick] + well,
                    #""balance": "round-robin", "breaker": {"minRequests": 1000, "scope": "both"}, "#
                        + #""outlier": {"baseEjection": "60s"}"#
                ).route(#"{"match": "/{rest...}", "to": "stub"}"#))
            let arguments = ["status", "--admin", "\(gateway.adminPlace)"]
            let before = try RunningProcess(Binaries.path("banyan"), arguments)
            #expect(try before.end() == 0, "\(before.transcript)")
            let client = try gateway.client()
            for _ in 0..<30 { _ = try client.exchange("GET /") }
            let text = try RunningProcess(Binaries.path("banyan"), arguments)
            #expect(try text.end() == 1, "\(text.transcript)")
            let lines = text.lines()
            let host = sick.url.replacing("http://", with: "")
            let row = try #require(lines.first { $0.contains(host) }, "\(text.transcript)")
            #expect(row.contains("ejected for ") && !row.contains("\u{1B}"), "\(row)")
            let title = try #require(lines.first { $0.hasPrefix("UPSTREAM") })
            let upstream = try #require(lines.first { $0.hasPrefix("stub") })
            let column = try #require(title.range(of: "BREAKER")).lowerBound.utf16Offset(in: title)
            #expect(upstream.dropFirst(column).hasPrefix("closed"), "\(title)\n\(upstream)")
            #expect(upstream.contains("degraded"))
            let json = try RunningProcess(Binaries.path("banyan"), arguments + ["--json"])
            #expect(try json.end() == 1)
            let data = Data(json.lines().joined(separator: "\n").utf8)
            let object = try JSONSerialization.jsonObject(with: data) as? [String: Any]
            let report = try #require((object?["upstreams"] as? [[String: Any]])?.first, "\(json.transcript)")
            let endpoints = try #require(report["endpoints"] as? [[String: Any]])
            #expect(report["state"] as? String == "degraded" && object?["ok"] as? Bool == false)
            #expect(endpoints.map { $0["state"] as? String } == ["ejected", "available", "available"])
            #expect((endpoints[0]["ejectedForMs"] as? Int ?? 0) > 30_000)
            #expect(report["attempts"] as? Int == 30)
            let metrics = try gateway.admin("/metrics").text
            for line in [
                #"banyan_upstream_endpoints{upstream="stub",state="ejected"} 1"#,
                #"banyan_upstream_endpoints{upstream="stub",state="available"} 2"#,
                #"banyan_circuit_breakers{upstream="stub",state="closed"} 4"#,
                #"banyan_circuit_breakers{upstream="stub",state="half_open"} 0"#,
                #"banyan_upstream_panic{upstream="stub"} 0"#,
            ] { #expect(metrics.contains(line + "\n"), "no \(line)") }
            let place = gateway.adminPlace
            #expect(try gateway.terminate() == 0)
            let gone = try RunningProcess(Binaries.path("banyan"), ["status", "--admin", "\(place)"])
            #expect(try gone.end() == 69, "\(gone.transcript)")
        }

        @Test("Panic is shown, and which pool is active is a figure")
        func panic() throws {
            let state = try (0..<2).map { _ in
                try StubUpstream.answering { _ in "HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nbad" }
            }
            let servers = state.map { "\"\($0.url)\"" }.joined(separator: ", ")
            var setup = GatewaySetup().route(#"{"match": "/{rest...}", "to": "shop"}"#)
            setup.upstreams.append(
                (
                    "shop",
                    #"{"pools": {"blue": [\#(servers)], "green": [\#(servers)]}, "active": "blue", "#
                        + #""panicThreshold": 0.9, "balance": "round-robin", "outlier": {"baseEjection": "60s"}}"#
                ))
            let gateway = try GatewayProcess(setup)
            let client = try gateway.client()
            for _ in 0..<20 { _ = try client.exchange("GET /") }
            let report = try gateway.admin("/upstreams/shop").json
            #expect(report["panic"] as? Bool == true && report["state"] as? String == "panic", "\(report)")
            let metrics = try gateway.admin("/metrics").text
            for line in [
                #"banyan_upstream_pool_active{upstream="shop",pool="blue"} 1"#,
                #"banyan_upstream_pool_active{upstream="shop",pool="green"} 0"#,
                #"banyan_upstream_panic{upstream="shop"} 1"#,
            ] { #expect(metrics.contains(line + "\n"), "no \(line)") }
        }
    }
}
