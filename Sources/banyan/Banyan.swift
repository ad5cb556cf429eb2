import ArgumentParser
import CMimalloc
import GatewayCore

/// The command line.
@main
struct Banyan: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "banyan",
        abstract: "The API gateway for leaving a monolith: by feature flag, per user, to the old or the new.",
        discussion: """
            EXAMPLES
              banyan check                                 is routes.json right, and what does it do?
              banyan run                                   serve
              banyan explain 'GET /tasks/1/details' -u 7   what would happen to this request?
              banyan status                                how do the upstreams do?
              banyan switch shop green                     blue-green: the other pool gets the requests
              banyan demo                                  see all of it, with a monolith and five services
            """,
        version: GatewayVersion.text,
        subcommands: [Run.self, Check.self, Explain.self, Status.self, Switch.self, Demo.self])

    static func main() {
        // Naming one symbol of it keeps the allocator linked, which then serves every allocation of the process.
        _ = mi_version()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let failure as CommandFailure {
            failure.end()
        } catch {
            exit(withError: error)
        }
    }
}
