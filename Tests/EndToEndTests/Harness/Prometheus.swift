import Foundation

/// A Prometheus that scrapes one gateway four times a second, with the alert rules of this repository.
final class Prometheus {
    private static let folders = ["", ClientTool.folder.map { "\($0)/prometheus" }].compactMap(\.self)

    /// The server; nil where scripts/test-tools.sh has not put it in place.
    static let server = tool("prometheus")
    /// What checks figures and rules without a server.
    static let checker = tool("promtool")

    private static func tool(_ name: String) -> String? {
        folders.map { "\($0)/usr/bin/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    private let folder: TemporaryFolder
    private let process: RunningProcess
    private let place: SocketPlace

    /// Starts it and waits until it answers.
    init(scraping gateway: GatewayProcess, rules: String) throws {
        guard let server = Self.server else { throw ExchangeFailure("there is no Prometheus") }
        let folder = try TemporaryFolder()
        self.folder = folder
        try folder.write(
            "prometheus.yml",
            """
            global: { scrape_interval: 250ms, evaluation_interval: 250ms }
            rule_files: ["\(rules)"]
            scrape_configs:
              - job_name: banyan
                static_configs: [{ targets: ["\(gateway.adminPlace)"] }]

            """)
        // It cannot listen on port 0, and whatever was free may have been taken meanwhile.
        var attempts = 0
        while true {
            attempts += 1
            let port = try SocketPlace.freePort()
            let process = try RunningProcess(
                server,
                [
                    "--config.file", folder.file("prometheus.yml"), "--storage.tsdb.path",
                    folder.file("data\(attempts)"),
                    "--web.listen-address", "127.0.0.1:\(port)", "--enable-feature=exemplar-storage",
                ])
            let place = SocketPlace.ipv4(port: port)
            try eventually("Prometheus answers or ends") {
                process.exitCode != nil || (try? RawClient(place).exchange("GET /-/ready").status) == 200
            }
            if process.exitCode == nil {
                self.process = process
                self.place = place
                return
            }
            if attempts == 5 { throw ExchangeFailure("Prometheus does not start", transcript: process.transcript) }
        }
    }

    deinit { process.signal(SIGKILL) }

    var transcript: String { process.transcript }

    /// What its API answers: the member `data`.
    func ask(_ path: String, _ query: [String: String] = [:]) throws -> Any? {
        var components = URLComponents()
        components.queryItems = query.map { URLQueryItem(name: $0.key, value: $0.value) }
        let text = (components.percentEncodedQuery ?? "").replacingOccurrences(of: "+", with: "%2B")
        let answer = try RawClient(place).exchange("GET /api/v1/\(path)?\(text)")
        guard answer.status == 200, answer.json["status"] as? String == "success" else {
            throw ExchangeFailure("\(path) \(query)", transcript: "\(answer)")
        }
        return answer.json["data"]
    }

    /// The results of an expression, now.
    func value(of expression: String) throws -> [[String: Any]] {
        (try ask("query", ["query": expression]) as? [String: Any])?["result"] as? [[String: Any]] ?? []
    }
}
