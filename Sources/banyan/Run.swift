import Admin
import ArgumentParser
import EventLoops
import GatewayConfig
import GatewayCore
import HTTPListener
import Logging

/// `banyan run`: serves.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve what routes.json says.",
        discussion: """
            Changes of routes.json and of the flag file take effect at once, without a dropped request; SIGHUP rereads
            them, too. SIGTERM and SIGINT end the gateway when what runs has been answered; a second one ends it at
            once. SIGUSR1 reopens the access log.

            EXAMPLES
              banyan run
              banyan run -c /etc/banyan/routes.json --workers 4
            """)

    @Option(name: [.short, .customLong("config")], help: "The configuration file.")
    var config = "routes.json"

    @Option(help: "Threads that serve requests (default: gateway.workers, else one for each processor).")
    var workers: Int?

    func validate() throws {
        if let workers, workers < 1 { throw ValidationError("--workers takes a number from 1 up, such as --workers 2") }
    }

    func run() throws {
        let code = try serve { addresses in
            for address in addresses { Output.line("banyan: listening on \(address)") }
        }
        throw ExitCode(code)
    }

    /// Runs the gateway until it is told to end; `ready` gets the addresses once all workers accept connections.
    func serve(_ ready: @escaping ([String]) -> Void) throws -> Int32 {
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        let log = Logger(label: "banyan")
        let loader = ConfigurationLoader(path: config, environment: ProcessEnvironment.variables)
        let gateway: Gateway
        do throws(StartError) {
            gateway = try Gateway(loader: loader, workerCount: workers, log: log)
        } catch {
            throw CommandFailure(message: error.message, exitCode: error.exitCode)
        }
        let admin = try admin(for: gateway)
        gateway.onHandover = { admin?.letGo() }
        gateway.onEnd = { done in
            guard let admin else { return done() }
            admin.drain(timeout: 0, done)
        }
        return gateway.run {
            var urls = gateway.urls
            if let admin { urls += admin.addresses.map { "http://\($0.text) (admin)" } }
            ready(urls)
        }
    }

    private func admin(for gateway: Gateway) throws -> AdminServer? {
        guard let section = gateway.admin else { return nil }
        do {
            let token = try section.token.map { try $0.value(files: .system) }
            guard let socket = gateway.takeAdminSocket() else { return nil }
            return try AdminServer(gateway: gateway, socket: socket, token: token)
        } catch let error as ValueProblem {
            throw CommandFailure(message: "\(config): /gateway/admin/token: \(error)", exitCode: 78)
        } catch let error as EventLoopError {
            throw CommandFailure(message: error.description, exitCode: 70)
        }
    }
}
