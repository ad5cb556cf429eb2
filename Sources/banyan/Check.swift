import ArgumentParser
import GatewayConfig
import GatewayCore

/// `banyan check`: is the configuration right, and what does it do?
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check routes.json and the flag file, and show what they do.",
        discussion: """
            Every error is printed with its place, and the exit code is 78. When there is none: the routes in the order
            in which they are tried, and what each context's flag does at the moment. Certificates that clients would
            refuse are errors; one that expires within 30 days is a warning.

            EXAMPLES
              banyan check
              banyan check -c /etc/banyan/routes.json && systemctl reload banyan
            """)

    @Option(name: [.short, .customLong("config")], help: "The configuration file.")
    var config = "routes.json"

    func run() throws {
        let loader = ConfigurationLoader(path: config, environment: ProcessEnvironment.variables)
        switch loader.load(isStrict: true) {
        case .refused(let issues):
            let errors = issues.count { $0.severity == .error }
            for issue in issues { Output.error("\(issue)") }
            throw CommandFailure(
                message: "\(config): \(errors) error\(errors == 1 ? "" : "s"); nothing would be served", exitCode: 78)
        case .loaded(let loaded):
            for issue in loaded.issues { Output.error("\(issue)") }
            let table = ConfigurationTable(loaded)
            Self.print("ROUTES, most specific first", table.routes)
            Self.print("CONTEXTS", table.contexts)
            Output.line("\(config) is good.")
        }
    }

    private static func print(_ title: String, _ rows: [ConfigurationTable.Row]) {
        if rows.isEmpty { return }
        Output.line(title)
        let width = min(rows.map(\.match.count).max() ?? 0, 48)
        for row in rows {
            let padding = String(repeating: " ", count: max(width - row.match.count, 0))
            Output.line("  \(row.match)\(padding)  \(row.action)")
        }
        Output.line()
    }
}
