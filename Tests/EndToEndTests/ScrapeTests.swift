import Foundation
import Testing

extension EndToEnd {
    /// What Prometheus and its friends make of our figures, and whether the documents say what is true of them.
    @Suite
    struct Scrapes {
        private static let documents = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "docs")

        /// A gateway with something of everything: routes, a flag, a view, TLS beside HTTP in clear.
        private static func gateway() throws -> GatewayProcess {
            let stub = try StubUpstream.saying(#"{"id":1}"#)
            let silent = try StubUpstream { connection in
                while try connection.request() != nil { try connection.awaitEnd() }
            }
            let flags = """
                {"flags": {"ramp": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off"}}}
                """
            let view = #"""
                {"match": "GET /view", "name": "a \"view\" \\ of", "aggregate": {"one": {"from": "stub", "get": "/"},
                  "two": {"from": "silent", "get": "/", "optional": true, "timeout": "50ms"}}}
                """#
            let setup = GatewaySetup().gateway(#""tracing": {"sampleRatio": 1}"#).upstream("stub", stub)
                .upstream("silent", silent, #""timeout": "50ms""#)
                .context(#""tasks": {"off": "stub", "on": "silent", "flag": "ramp"}"#)
                .route(#"{"match": "/silent", "to": "silent"}"#).route(#"{"match": "/tasks", "to": "tasks"}"#).route(
                    view)
            guard CertificateFolder.isPossible else { return try GatewayProcess(setup, flags: flags, workers: 2) }
            let certificates = try CertificateFolder()
            try certificates.make("site")
            var both = setup.secured(by: certificates, #""certificate": "@/site.crt", "key": "@/site.key""#)
            both.listeners += setup.listeners
            return try GatewayProcess(both, flags: flags, workers: 2)
        }

        private static func ask(_ gateway: GatewayProcess) throws {
            let place = try #require(gateway.places.last)
            for path in ["/tasks", "/view", "/silent", "/nowhere"] { _ = try RawClient(place).exchange("GET \(path)") }
            try gateway.figures("http_server_request_duration_seconds_count", reach: 4)
            try eventually("the loops were looked at") {
                try gateway.figures().sum("banyan_event_loop_lag_seconds_count") > 2
            }
        }

        @Test(
            "promtool finds nothing wrong",
            .enabled(if: Prometheus.checker != nil, "needs promtool: scripts/test-tools.sh"))
        func promtool() throws {
            let gateway = try Self.gateway()
            try Self.ask(gateway)
            try gateway.folder.write("figures", try gateway.figures().description)
            let checker = try #require(Prometheus.checker)
            let figures = try RunningProcess(
                "/bin/sh", ["-c", "exec \"$0\" check metrics < \"$1\"", checker, gateway.folder.file("figures")])
            #expect(try figures.end() == 0, "\(figures.transcript)")
            #expect(figures.lines(.errors).isEmpty && figures.lines().isEmpty, "\(figures.transcript)")
            let rules = try RunningProcess(
                checker, ["check", "rules", Self.documents.appending(path: "observability/alerts.yml").path])
            #expect(try rules.end() == 0, "\(rules.transcript)")
        }

        @Test(
            "A strict parser of OpenMetrics reads every line, and the exemplars",
            .enabled(if: ClientTool.python != nil, "needs the Python clients: scripts/test-tools.sh"))
        func openMetrics() throws {
            let gateway = try Self.gateway()
            try Self.ask(gateway)
            let figures = try gateway.figures(accept: "application/openmetrics-text; version=1.0.0")
            try gateway.folder.write("figures", figures.description)
            let seen = try ClientTool.run("openmetrics_reader.py", gateway.folder.file("figures"))
            #expect(seen["types"] as? [String: String] == figures.types, "\(seen)")
            #expect(seen["samples"] as? Int == figures.samples.count, "\(seen)")
            let exemplars = try #require(seen["exemplars"] as? [[String: String]])
            #expect(exemplars.count >= 4, "\(seen)")
            for labels in exemplars {
                #expect(labels["trace_id"]?.count == 32 && labels["span_id"]?.count == 16, "\(labels)")
            }
        }

        @Test("A trace that is not sampled leaves no exemplar")
        func unsampled() throws {
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: try StubUpstream.saying("x")).gateway(#""tracing": {"sampleRatio": 0}"#)
                    .gateway(#""trustedProxies": ["127.0.0.0/8"]"#))
            let accept = "application/openmetrics-text"
            func exemplars() throws -> [String] { try gateway.figures(accept: accept).samples.compactMap(\.exemplar) }
            _ = try gateway.exchange("GET /")
            try gateway.figures("http_server_request_duration_seconds_count", reach: 1)
            #expect(try exemplars() == [])
            let trace = "0af7651916cd43dd8448eb211c80319c"
            _ = try gateway.exchange("GET /", ["traceparent: 00-\(trace)-b7ad6b7169203331-01"])
            try gateway.figures("http_server_request_duration_seconds_count", reach: 2)
            let found = try exemplars()
            #expect(found.count == 2 && found.allSatisfy { $0.contains("trace_id=\"\(trace)\"") }, "\(found)")
        }

        @Test(
            "Prometheus scrapes OpenMetrics, gives exemplars back, and understands dashboard and alerts",
            .enabled(if: Prometheus.server != nil, "needs Prometheus: scripts/test-tools.sh"))
        func prometheus() throws {
            let gateway = try Self.gateway()
            try Self.ask(gateway)
            let rules = Self.documents.appending(path: "observability/alerts.yml").path
            let prometheus = try Prometheus(scraping: gateway, rules: rules)
            try eventually("a scrape has succeeded") { try !prometheus.value(of: "up == 1").isEmpty }
            let count = try prometheus.value(of: "sum(http_server_request_duration_seconds_count)")
            #expect((count.first?["value"] as? [Any])?.last as? String == "4", "\(count)")
            // Bounds with a point are how OpenMetrics, and only that, writes whole numbers.
            let bounds = try prometheus.value(of: #"http_server_request_duration_seconds_bucket{le="1.0"}"#)
            #expect(!bounds.isEmpty)
            let now = Date().timeIntervalSince1970
            let times = ["start": "\(now - 600)", "end": "\(now + 600)"]
            let family = "http_server_request_duration_seconds_bucket"
            var exemplars: [[String: Any]] = []
            try eventually("exemplars: \(exemplars)") {
                let data = try prometheus.ask("query_exemplars", times.merging(["query": family]) { $1 })
                let series = data as? [[String: Any]] ?? []
                exemplars = series.flatMap { $0["exemplars"] as? [[String: Any]] ?? [] }
                return exemplars.count >= 4
            }
            for exemplar in exemplars {
                let labels = exemplar["labels"] as? [String: String] ?? [:]
                let line = try gateway.logLine("the trace") { $0["trace_id"] as? String == labels["trace_id"] }
                #expect(line["span_id"] as? String == labels["span_id"], "\(exemplar) \(line)")
            }
            for query in try Self.dashboardQueries() { _ = try prometheus.value(of: query) }
            let groups = (try prometheus.ask("rules") as? [String: Any])?["groups"] as? [[String: Any]] ?? []
            let alerts = groups.flatMap { $0["rules"] as? [[String: Any]] ?? [] }
            #expect(alerts.count > 10, "\(groups)")
            try eventually("all rules are evaluated") {
                let all = (try prometheus.ask("rules") as? [String: Any])?["groups"] as? [[String: Any]] ?? []
                return all.flatMap { $0["rules"] as? [[String: Any]] ?? [] }.allSatisfy {
                    $0["health"] as? String == "ok"
                }
            }
        }

        /// The queries of the dashboard with what Grafana would put in for its variables.
        private static func dashboardQueries() throws -> [String] {
            let data = try Data(contentsOf: documents.appending(path: "observability/dashboard.json"))
            let dashboard = try JSONSerialization.jsonObject(with: data) as? [String: Any]
            let panels = dashboard?["panels"] as? [[String: Any]] ?? []
            let queries = panels.flatMap { $0["targets"] as? [[String: Any]] ?? [] }.compactMap {
                $0["expr"] as? String
            }
            #expect(queries.count > 20)
            return queries.map {
                $0.replacingOccurrences(of: "$__rate_interval", with: "1m").replacingOccurrences(
                    of: "$instance", with: ".*")
            }
        }

        @Test("docs/observability.md has a section for each metric, with its kind and its labels")
        func documented() throws {
            let gateway = try Self.gateway()
            try Self.ask(gateway)
            let figures = try gateway.figures()
            let text = try String(contentsOf: Self.documents.appending(path: "observability.md"), encoding: .utf8)
            var sections: [String: String] = [:]
            for section in text.components(separatedBy: "\n#### `").dropFirst() {
                let name = String(section.prefix { $0 != "`" })
                sections[name] = String(section.dropFirst(name.count + 1)).components(separatedBy: "\n#")[0]
            }
            #expect(Set(sections.keys) == Set(figures.types.keys))
            for (name, type) in figures.types {
                let section = try #require(sections[name])
                let kind = name.hasSuffix("_info") ? "information" : type
                #expect(section.trimmingCharacters(in: .whitespacesAndNewlines).lowercased().hasPrefix(kind), "\(name)")
                let samples = figures.samples.filter { sample in
                    sample.name == name
                        || ["_bucket", "_sum", "_count"].contains { sample.name == name + $0 && type == "histogram" }
                }
                let labels = Set(samples.flatMap { $0.labels.keys }).subtracting(["le", "otel_metric_overflow"])
                for label in labels { #expect(section.contains("`\(label)`"), "\(name) has \(label)") }
            }
        }
    }
}
