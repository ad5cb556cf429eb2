import ArgumentParser
import GatewayConfig
import GatewayCore

/// `banyan explain`: what would happen to a request?
struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what would happen to a request: route, flag decisions with their reasons, upstream, parts.",
        discussion: """
            The request is read and decided as the running gateway would; no upstream is contacted.

            EXAMPLES
              banyan explain 'GET /tasks/42/details' --user 7
              banyan explain 'POST /notifications' --header 'x-api-version: 2'
              banyan explain 'GET api.example.com/v1/users?page=2' -c staging/routes.json
            """)

    @Argument(help: "Method and path, as one argument.")
    var request: String

    @Option(name: [.short, .customLong("config")], help: "The configuration file.")
    var config = "routes.json"

    @Option(name: .shortAndLong, help: "The user, as the first identity source would name them.")
    var user: String?

    @Option(name: [.customShort("H"), .customLong("header")], help: "A header, 'name: value'; may be given again.")
    var headers: [String] = []

    func run() throws {
        let loader = ConfigurationLoader(path: config, environment: ProcessEnvironment.variables)
        switch loader.load() {
        case .refused(let issues):
            throw CommandFailure(message: issues.map(\.description).joined(separator: "\n"), exitCode: 78)
        case .loaded(let loaded):
            do throws(ExplanationError) {
                let explanation = try Explanation(
                    Explanation.Request(line: request, user: user, headers: headers), under: loaded)
                let width = explanation.lines.map(\.label.count).max() ?? 0
                for (label, text) in explanation.lines {
                    Output.line(label + String(repeating: " ", count: width - label.count + 2) + text)
                }
            } catch {
                throw CommandFailure(message: error.description, exitCode: 64)
            }
        }
    }
}
