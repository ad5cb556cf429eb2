import Foundation
import Synchronization
import Testing

extension EndToEnd {
    /// What `/metrics` says of what has happened.
    @Suite
    struct Metrics {
        private static let request = "http_server_request_duration_seconds"
        private static let attempt = "http_client_request_duration_seconds"

        @Test("Requests over HTTP/1.1, HTTP/1.0 and HTTP/2 are counted by what they were and what became of them")
        func requests() throws {
            let stub = try StubUpstream.saying("twelve bytes")
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub).route(#"{"match": "GET /fixed", "name": "fixed", "respond": {}}"#)
                    .gateway(#""tracing": {"sampleRatio": 1}"#))
            for _ in 0..<3 { _ = try gateway.exchange("POST /things", body: "body!") }
            #expect(try Curl("--http2-prior-knowledge", "\(gateway.url)/things").status == 200)
            #expect(try Curl("--http1.0", "\(gateway.url)/fixed").status == 200)
            #expect(try gateway.exchange("BREW /things").status == 200)
            let figures = try gateway.figures("\(Self.request)_count", reach: 6)
            func count(_ labels: [String: String]) -> Double { figures.sum("\(Self.request)_count", labels) }
            let post = [
                "http_request_method": "POST", "http_route": "/{rest...}", "http_response_status_code": "200",
                "url_scheme": "http", "network_protocol_version": "1.1", "error_type": "",
            ]
            #expect(count(post) == 3, "\(figures)")
            #expect(count(["network_protocol_version": "2", "http_request_method": "GET"]) == 1, "\(figures)")
            #expect(count(["network_protocol_version": "1.0", "http_route": "fixed"]) == 1, "\(figures)")
            #expect(count(["http_request_method": "_OTHER"]) == 1, "\(figures)")
            #expect(figures.sum("\(Self.request)_bucket", post.merging(["le": "+Inf"]) { $1 }) == 3)
            let route = ["http_request_method": "POST", "http_route": "/{rest...}"]
            #expect(figures.sum("http_server_request_body_size_bytes_sum", route) == 15, "\(figures)")
            #expect(figures.sum("http_server_response_body_size_bytes_sum", route) == 36, "\(figures)")
            #expect(figures.sum("\(Self.attempt)_count", ["upstream": "stub", "error_type": ""]) == 5, "\(figures)")
            #expect(figures.sum("banyan_upstream_attempts_total", ["upstream": "stub"]) == 5)
            #expect(figures.sum("http_server_active_requests") == 0, "\(figures)")
            #expect(figures.sum("banyan_downstream_connections_accepted_total") == 6, "\(figures)")
            #expect(figures.sum("banyan_access_log_lines_total", ["result": "dropped"]) == 0)
        }

        @Test("Buckets rise, end with the count, and hold the sum")
        func buckets() throws {
            let gateway = try GatewayProcess(
                GatewaySetup().route(#"{"match": "GET /fixed", "name": "fixed", "respond": {}}"#))
            let client = try gateway.client()
            for _ in 0..<20 { _ = try client.exchange("GET /fixed") }
            let figures = try gateway.figures("\(Self.request)_count", reach: 20)
            let buckets = figures.all("\(Self.request)_bucket", ["http_route": "fixed"])
            let bounds = ["0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75", "1", "2.5", "5"]
            #expect(buckets.map { $0.labels["le"] ?? "" } == bounds + ["7.5", "10", "+Inf"])
            #expect(zip(buckets, buckets.dropFirst()).allSatisfy { $0.value <= $1.value }, "\(figures)")
            #expect(buckets.last?.value == 20)
            #expect(figures.sum("\(Self.request)_sum") > 0)
        }

        @Test("What is in work, open and waiting is to be seen while it is")
        func gauges() throws {
            let gate = Gate()
            let stub = try StubUpstream { connection in
                while try connection.request() != nil {
                    try gate.wait()
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                }
            }
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub, #""maxConnections": 1, "connectTimeout": "30s", "timeout": "30s""#))
            let clients = try (0..<2).map { _ in try gateway.client().request("GET /slow") }
            try gateway.figures("http_server_active_requests", ["http_request_method": "GET"], reach: 2)
            try gateway.figures("banyan_upstream_pending_requests", ["upstream": "stub"], reach: 1)
            try gateway.figures("http_client_active_requests", ["upstream": "stub"], reach: 2)
            let state = "http_connection_state"
            let busy = try gateway.figures("http_client_open_connections", [state: "active"], reach: 1)
            #expect(busy.sum("banyan_downstream_connections", ["listener": "\(gateway.place)"]) == 2, "\(busy)")
            gate.open()
            for client in clients { #expect(try client.response().status == 200) }
            let calm = try gateway.figures("http_client_open_connections", [state: "idle"], reach: 1)
            #expect(calm.sum("http_server_active_requests") == 0, "\(calm)")
            try gateway.figures("banyan_upstream_pending_requests", reach: 0)
            for client in clients { client.close() }
            try gateway.figures("banyan_downstream_connections", reach: 0)
        }

        @Test("Failures have the word that the log has, attempts their own, and times that were over are told apart")
        func failures() throws {
            let silent = try StubUpstream { connection in
                while try connection.request() != nil { try connection.awaitEnd() }
            }
            let falling = try StubUpstream { connection in
                _ = try connection.request()
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
            }
            let halting = try StubUpstream { connection in
                _ = try connection.request()
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
                try connection.awaitEnd()
            }
            let gone = try StubUpstream.saying("x")
            gone.stop()
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("silent", silent, #""timeout": "100ms""#).upstream("falling", falling)
                    .upstream("halting", halting, #""idleTimeout": "100ms""#).upstream("gone", gone)
                    .upstream("whole", halting, #""idleTimeout": "100ms", "transport": "libcurl""#)
                    .upstream("slow", silent).route(#"{"match": "/silent", "to": "silent"}"#)
                    .route(#"{"match": "/falling", "to": "falling"}"#).route(#"{"match": "/halting", "to": "halting"}"#)
                    .route(#"{"match": "/whole", "to": "whole"}"#)
                    .route(#"{"match": "/gone", "to": "gone"}"#)
                    .route(#"{"match": "/total", "to": "slow", "totalTimeout": "100ms"}"#)
                    .route(#"{"match": "/left", "to": "slow"}"#))
            #expect(try gateway.exchange("GET /silent").status == 504)
            #expect(try gateway.exchange("GET /total").status == 504)
            #expect(try gateway.exchange("GET /gone").status == 502)
            #expect(try gateway.exchange("GET /nowhere").status == 404)
            for path in ["/falling", "/halting", "/whole"] {
                let client = try gateway.client().request("GET \(path)")
                #expect(try client.rest().hasPrefix("HTTP/1.1 200"))
            }
            #expect(try gateway.client().send("nonsense\r\n\r\n").response().status == 400)
            let leaving = try gateway.client().request("GET /left")
            try eventually("the request is at the upstream") { silent.requests.contains { $0.target == "/left" } }
            leaving.close()
            let figures = try gateway.figures("\(Self.request)_count", reach: 9)
            func count(_ labels: [String: String]) -> Double { figures.sum("\(Self.request)_count", labels) }
            #expect(count(["http_route": "/silent", "error_type": "upstream_timeout"]) == 1, "\(figures)")
            #expect(count(["http_route": "/total", "error_type": "upstream_timeout"]) == 1, "\(figures)")
            #expect(count(["http_route": "/gone", "error_type": "connect_failed"]) == 1, "\(figures)")
            #expect(count(["http_route": "", "error_type": "no_route", "http_response_status_code": "404"]) == 1)
            #expect(count(["http_route": "", "error_type": "bad_request"]) == 1, "\(figures)")
            #expect(count(["http_route": "/falling", "error_type": "upstream_truncated"]) == 1, "\(figures)")
            #expect(count(["http_route": "/left", "error_type": "client_closed"]) == 1, "\(figures)")
            func attempts(_ upstream: String, _ error: String, _ status: String) -> Double {
                let labels = ["upstream": upstream, "error_type": error, "http_response_status_code": status]
                return figures.sum("\(Self.attempt)_count", labels)
            }
            #expect(attempts("silent", "upstream_timeout", "") == 1, "\(figures)")
            #expect(attempts("slow", "upstream_timeout", "") == 1, "\(figures)")
            #expect(attempts("slow", "cancelled", "") == 1, "\(figures)")
            // A request that reached nobody is sent once more.
            #expect(attempts("gone", "connect_failed", "") == 2, "\(figures)")
            #expect(figures.sum("banyan_upstream_retries_total", ["upstream": "gone", "result": "begun"]) == 1)
            #expect(attempts("falling", "upstream_truncated", "200") == 1, "\(figures)")
            #expect(attempts("halting", "upstream_timeout", "200") == 1, "\(figures)")
            let timeouts = figures.all("banyan_upstream_timeouts_total").map {
                "\($0.labels["upstream"] ?? "") \($0.labels["kind"] ?? "") \($0.value)"
            }
            #expect(
                Set(timeouts) == ["silent head 1.0", "slow total 1.0", "halting idle 1.0", "whole idle 1.0"],
                "\(figures)")
            #expect(figures.sum("http_server_active_requests") == 0, "\(figures)")
        }

        @Test("Parts of views and decisions of flags are counted under their names")
        func partsAndFlags() throws {
            let good = try StubUpstream.saying(#"{"id":1}"#)
            let silent = try StubUpstream { connection in
                while try connection.request() != nil { try connection.awaitEnd() }
            }
            let flags = """
                {"flags": {"ramp": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
                  "targeting": {"if": [{"==": [{"var": "targetingKey"}, "ann"]}, "on", null]}}}}
                """
            let gateway = try GatewayProcess(
                GatewaySetup().gateway(#""identity": [{"header": "x-user-id"}]"#)
                    .gateway(#""trustedProxies": ["127.0.0.0/8"]"#).upstream("good", good).upstream("new", good)
                    .upstream("silent", silent)
                    .context(#""tasks": {"off": "good", "on": "new", "flag": "ramp"}"#)
                    .route(#"{"match": "/tasks", "to": "tasks"}"#)
                    .route(
                        #"""
                        {"match": "GET /view", "name": "view", "aggregate": {"one": {"from": "good", "get": "/"},
                          "two": {"from": "silent", "get": "/", "optional": true, "timeout": "100ms"}}}
                        """#
                    )
                    .route(
                        #"""
                        {"match": "GET /brief", "name": "brief", "timeout": "100ms",
                         "aggregate": {"three": {"from": "silent", "get": "/", "optional": true, "timeout": "20s"}}}
                        """#), flags: flags)
            for user in ["ann", "bob", "eve"] {
                #expect(try gateway.exchange("GET /tasks", ["X-User-Id: \(user)"]).status == 200)
            }
            #expect(try gateway.exchange("GET /view").status == 200)
            #expect(try gateway.exchange("GET /brief").status == 200)
            let figures = try gateway.figures("\(Self.request)_count", reach: 5)
            let decisions = figures.all("banyan_flag_decisions_total").map { sample in
                "\(["flag", "variant", "reason"].map { sample.labels[$0] ?? "" }) \(sample.value)"
            }
            let expected = [#"["ramp", "on", "targeting_match"] 1.0"#, #"["ramp", "off", "default"] 2.0"#]
            #expect(Set(decisions) == Set(expected), "\(figures)")
            let parts = figures.all("banyan_aggregate_parts_total").map { sample in
                "\(["route", "part", "outcome"].map { sample.labels[$0] ?? "" }) \(sample.value)"
            }
            #expect(
                Set(parts) == [
                    #"["view", "one", "ok"] 1.0"#, #"["view", "two", "timeout"] 1.0"#,
                    #"["brief", "three", "timeout"] 1.0"#,
                ], "\(figures)")
            #expect(figures.sum("banyan_upstream_timeouts_total", ["kind": "part"]) == 1, "\(figures)")
            #expect(figures.sum("banyan_upstream_timeouts_total", ["kind": "view"]) == 1, "\(figures)")
            #expect(figures.sum("\(Self.attempt)_count", ["upstream": "good", "http_request_method": "GET"]) == 3)
        }

        @Test("A reload keeps the figures, and counts itself")
        func reload() throws {
            let stub = try StubUpstream.saying("x")
            let setup = GatewaySetup(forwardingTo: stub)
            let gateway = try GatewayProcess(setup, workers: 2)
            for _ in 0..<4 { _ = try gateway.exchange("GET /one") }
            let before = try gateway.figures("\(Self.request)_count", reach: 4)
            #expect(before.sum("banyan_config_generation") == 1)
            // Other numbers for what stays: a route and an upstream before the ones that there were.
            let next = GatewaySetup().upstream("first", stub).upstream("stub", stub)
                .route(#"{"match": "GET /new", "to": "first"}"#).route(#"{"match": "/{rest...}", "to": "stub"}"#)
            try gateway.reload("routes.json", next.text)
            for _ in 0..<3 { _ = try gateway.exchange("GET /one") }
            _ = try gateway.exchange("GET /new")
            let after = try gateway.figures("\(Self.request)_count", reach: 8)
            #expect(after.sum("\(Self.request)_count", ["http_route": "/{rest...}"]) == 7, "\(after)")
            #expect(after.sum("\(Self.request)_count", ["http_route": "GET /new"]) == 1, "\(after)")
            #expect(after.sum("banyan_upstream_attempts_total", ["upstream": "stub"]) == 7, "\(after)")
            #expect(after.sum("banyan_config_reloads_total", ["result": "success"]) == 1)
            #expect(after.sum("banyan_config_generation") == 2)
            let time = "banyan_config_last_reload_success_timestamp_seconds"
            #expect(after.sum(time) > before.sum(time))
            try gateway.folder.write("routes.json", "{")
            let refused = try gateway.figures("banyan_config_reloads_total", ["result": "refused"], reach: 1)
            #expect(refused.sum(time) == after.sum(time) && refused.sum("banyan_config_generation") == 2)
        }

        @Test("Nothing that a client sends adds a set of labels")
        func hostileClient() throws {
            let gateway = try GatewayProcess(
                GatewaySetup().route(#"{"match": "/a/{rest...}", "respond": {"status": 200, "body": "x"}}"#))
            let client = try gateway.client()
            var generator = SeededGenerator(state: 4)
            func send(_ count: Int) throws {
                for _ in 0..<count {
                    let number = UInt32.random(in: 0 ... .max, using: &generator)
                    let path = ["/a/\(number)?x=\(number)", "/\(number)"][Int(number % 2)]
                    try client.send(
                        "M\(number) \(path) HTTP/1.1\r\nHost: h\(number).test\r\nUser-Agent: \(number)\r\n"
                            + "X-\(number): \(number)\r\ntraceparent: 00-\(number)\r\n\r\n")
                }
                for _ in 0..<count { _ = try client.response() }
            }
            try send(50)
            // Until the first look at the loop there is no figure of its lag.
            try eventually("the loop was looked at") {
                try gateway.figures().sum("banyan_event_loop_lag_seconds_count") > 0
            }
            let few = try gateway.figures("\(Self.request)_count", reach: 50).series
            for _ in 0..<199 { try send(50) }
            let many = try gateway.figures("\(Self.request)_count", reach: 10_000)
            #expect(many.series == few, "\(many.series.subtracting(few))")
        }

        @Test("More routes than a metric has sets of labels are counted together, and no request is lost")
        func overflow() throws {
            let routes = 2_100
            var setup = GatewaySetup()
            for number in 0..<routes { setup.routes.append(#"{"match": "/r\#(number)", "respond": {"status": 204}}"#) }
            let gateway = try GatewayProcess(setup)
            let client = try gateway.client()
            for start in stride(from: 0, to: routes, by: 50) {
                for number in start..<start + 50 { try client.request("GET /r\(number)") }
                for _ in 0..<50 { #expect(try client.response().status == 204) }
            }
            // Far too many lines to be taken apart one by one.
            var counts: [String: Int] = [:]
            try eventually("all are counted") {
                let answer = try RawClient(gateway.adminPlace).exchange("GET /metrics")
                counts = [:]
                for line in answer.text.split(separator: "\n") where line.hasPrefix("\(Self.request)_count{") {
                    let parts = line.split(separator: " ")
                    counts[parts.dropLast().joined(separator: " ")] = Int(parts[parts.count - 1])
                }
                return counts.values.reduce(0, +) == routes
            }
            #expect(counts.count == 2_001)
            #expect(counts[#"\#(Self.request)_count{otel_metric_overflow="true"}"#] == routes - 2_000)
        }

        @Test("TLS: handshakes by result, and until when the certificates are good")
        func encrypted() throws {
            try #require(CertificateFolder.isPossible)
            let certificates = try CertificateFolder()
            try certificates.make("site", days: 10)
            let setup = GatewaySetup(forwardingTo: try StubUpstream.saying("x"))
                .secured(by: certificates, #""certificate": "@/site.crt", "key": "@/site.key""#)
            let gateway = try GatewayProcess(setup)
            let good = try Curl(
                "--cacert", certificates.file("ca.crt"), "--connect-to", "localhost:443:\(gateway.place)",
                "https://localhost/")
            #expect(good.status == 200, "\(good)")
            _ = try gateway.exchange("GET /clear")
            let figures = try gateway.figures("banyan_tls_handshakes_total", ["result": "clear_http"], reach: 1)
            #expect(figures.sum("banyan_tls_handshakes_total", ["result": "ok"]) == 1, "\(figures)")
            #expect(figures.sum("\(Self.request)_count", ["url_scheme": "https"]) == 1, "\(figures)")
            let expiry = "banyan_certificate_expiry_timestamp_seconds"
            let labels = ["listener": "\(gateway.place)", "certificate": "0", "name": "localhost"]
            let days = (figures.sum(expiry, labels) - Date().timeIntervalSince1970) / 86_400
            #expect((9...10).contains(days), "\(days)\n\(figures)")
        }

        @Test("Only who has the token sees the figures, and the format is what was asked for")
        func access() throws {
            var setup = GatewaySetup().route(#"{"match": "/", "respond": {}}"#)
            let open = try GatewayProcess(setup)
            for (accept, type) in [
                ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
                ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
            ] {
                let answer = try RawClient(open.adminPlace).exchange("GET /metrics", ["Accept: \(accept)"])
                #expect(answer.status == 200 && answer["content-type"] == type, "\(answer)")
                #expect(answer.text.hasSuffix("# EOF\n") == type.hasPrefix("application"))
            }
            #expect(try RawClient(open.adminPlace).exchange("HEAD /metrics").status == 200)
            setup.admin = #"{"address": "127.0.0.1:0", "token": {"env": "METRICS_TOKEN"}}"#
            let guarded = try GatewayProcess(setup, environment: ["METRICS_TOKEN": "secret"])
            #expect(try RawClient(guarded.adminPlace).exchange("GET /metrics").status == 401)
            let answer = try RawClient(guarded.adminPlace).exchange("GET /metrics", ["Authorization: Bearer secret"])
            #expect(answer.status == 200 && answer.text.contains("banyan_config_generation 1\n"), "\(answer)")
        }

        @Test("Scraping without a pause costs no request, and every request is counted")
        func scrapedUnderLoad() throws {
            let stub = try StubUpstream.saying("x")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub), workers: 2)
            let isOver = Mutex(false)
            let scrapes = Mutex(0)
            let failure = Mutex<String?>(nil)
            let place = gateway.adminPlace
            let scraper = Thread {
                do {
                    let client = try RawClient(place)
                    var before = 0.0
                    while !isOver.withLock({ $0 }) {
                        let answer = try client.exchange("GET /metrics", ["Accept: application/openmetrics-text"])
                        let count = try Figures(answer.text).sum("\(Self.request)_count")
                        if answer.status != 200 || count < before {
                            throw ExchangeFailure("\(answer.status), \(count)")
                        }
                        before = count
                        scrapes.withLock { $0 += 1 }
                    }
                } catch {
                    failure.withLock { $0 = "\(error)" }
                }
            }
            scraper.start()
            let clients = try (0..<4).map { _ in try gateway.client() }
            for _ in 0..<500 {
                for client in clients { try client.request("GET /load") }
                for client in clients { #expect(try client.response().status == 200) }
            }
            isOver.withLock { $0 = true }
            try eventually("the scraper has ended") { scraper.isFinished }
            #expect(failure.withLock { $0 } == nil)
            #expect(scrapes.withLock { $0 } > 0)
            try gateway.figures("\(Self.request)_count", reach: 2_000)
        }
    }
}
