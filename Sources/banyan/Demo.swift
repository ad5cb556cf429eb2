import ArgumentParser
import EventLoops
import GatewayConfig
import GatewayCore
import Glibc

/// `banyan demo`: a monolith, five services and the gateway in front of them, to try things out.
struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start the Task Management System and the gateway in front of it, and say what to try.",
        discussion: """
            Every upstream of the configuration that bears the name of a process of the Task Management System
            (monolith, users, tasks, comments, notifications, audit) is started on the port that its URL names.
            One whose URL is https gets a sidecar, which speaks TLS for it: a gateway of its own, configured by
            sidecars/NAME.json beside the configuration. Ctrl-C ends all of it.

            EXAMPLES
              banyan demo
              banyan demo -c mine/routes.json
            """)

    @Option(name: [.short, .customLong("config")], help: "The configuration file.")
    var config = "routes.json"

    func run() throws {
        let loader = ConfigurationLoader(path: config, environment: ProcessEnvironment.variables)
        switch loader.load() {
        case .refused(let issues):
            throw CommandFailure(message: issues.map(\.description).joined(separator: "\n"), exitCode: 78)
        case .loaded(let loaded):
            let show = try DemoShow(loaded.configuration, config: config)
            throw ExitCode(show.run())
        }
    }
}

/// The demo while it runs.
private final class DemoShow {
    private static let processes = ["monolith", "users", "tasks", "comments", "notifications", "audit"]

    private let loop: EventLoop
    private let configuration: GatewayConfiguration
    private let config: String
    private let folder: String
    /// The services and their sidecars.
    private var services: [ChildProcess] = []
    /// How each of them is started again by hand.
    private var commands: [String: String] = [:]
    private var gateway: ChildProcess?
    private var signals: [SignalSource] = []
    private var waitingFor: Set<String> = []
    /// Signals alone do not keep a loop running, and the last child's end must not be missed.
    private var keepAlive: ActionTimer?
    private var isEnding = false
    private var exitCode: Int32 = 0

    init(_ configuration: GatewayConfiguration, config: String) throws {
        self.configuration = configuration
        self.config = config
        folder = try Self.folderOfThisProgram()
        do throws(EventLoopError) {
            loop = try EventLoop()
        } catch {
            throw CommandFailure(message: error.description, exitCode: 70)
        }
    }

    private static func folderOfThisProgram() throws -> String {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        let text = String(decoding: path.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = text.lastIndex(of: "/") else {
            throw CommandFailure(message: "cannot tell where this program is", exitCode: 70)
        }
        return String(text[...slash])
    }

    func run() -> Int32 {
        keepAlive = ActionTimer(loop: loop) {}
        keepAlive?.schedule(after: 1 << 40)
        do {
            for number in [SIGINT, SIGTERM, SIGHUP] {
                signals.append(try SignalSource(loop: loop, signal: number) { [unowned self] in end() })
            }
            signals.append(try SignalSource(loop: loop, signal: SIGCHLD) { [unowned self] in childrenChanged() })
            try startServices()
        } catch {
            let failure = error as? CommandFailure
            Output.error(failure?.message ?? "\(error)")
            exitCode = failure?.exitCode ?? 70
            end()
        }
        loop.run()
        return exitCode
    }

    // MARK: - Starting

    private func startServices() throws {
        for upstream in configuration.upstreams where Self.processes.contains(upstream.name) {
            guard let server = upstream.servers.first else { continue }
            let port = server.url.isSecure ? try startSidecar(of: upstream.name) : server.url.port
            // The one name that the environment may have for spans is the gateway's: services of the same name could not
            // be told apart.
            try start(
                upstream.name, "tasksystem", [upstream.name, "--port", "\(port)"], quietly: ["--log"],
                environment: ["OTEL_SERVICE_NAME": "tasksystem-\(upstream.name)"])
        }
        if waitingFor.isEmpty { try startGateway() }
    }

    /// Starts the gateway that speaks TLS for a service, and returns the port on which it expects the service.
    private func startSidecar(of service: String) throws -> UInt16 {
        let folder = config.lastIndex(of: "/").map { String(config[...$0]) } ?? ""
        let file = "\(folder)sidecars/\(service).json"
        switch ConfigurationLoader(path: file, environment: ProcessEnvironment.variables).load() {
        case .refused(let issues):
            throw CommandFailure(message: issues.map(\.description).joined(separator: "\n"), exitCode: 78)
        case .loaded(let loaded):
            let behind = loaded.configuration.upstreams.first { $0.name == service }?.servers.first
            guard let behind else {
                let message = "\(file): no upstream \"\(service)\": name the service that this is the sidecar of"
                throw CommandFailure(message: message, exitCode: 78)
            }
            try start("\(service)+tls", "banyan", ["run", "-c", file])
            return behind.url.port
        }
    }

    /// - Parameter quietly: arguments that nobody needs who starts it again by hand.
    private func start(
        _ name: String, _ program: String, _ arguments: [String], quietly: [String] = [],
        environment: [String: String] = [:]
    ) throws {
        waitingFor.insert(name)
        commands[name] = ([folder + program] + arguments).joined(separator: " ")
        services.append(
            try ChildProcess(
                name: name, path: folder + program, arguments: arguments + quietly, environment: environment, loop: loop
            ) { [unowned self] line in tookLine(line, from: name) })
    }

    private func startGateway() throws {
        waitingFor = ["gateway"]
        gateway = try ChildProcess(
            name: "gateway", path: folder + "banyan", arguments: ["run", "-c", config], loop: loop
        ) { [unowned self] line in tookLine(line, from: "gateway") }
    }

    private func tookLine(_ line: String, from name: String) {
        Output.line("\(name.padded(to: 17)) \(line)")
        guard line.contains("listening on"), waitingFor.remove(name) != nil, waitingFor.isEmpty, !isEnding else {
            return
        }
        if name == "gateway" {
            printWhatToTry()
        } else {
            do {
                try startGateway()
            } catch {
                Output.error("\(error)")
                exitCode = 70
                end()
            }
        }
    }

    // MARK: - Ending

    private func end() {
        if isEnding {
            for child in services + [gateway].compactMap({ $0 }) { child.killNow() }
            return
        }
        isEnding = true
        if let gateway, gateway.pid > 0 { gateway.terminate() } else { endServices() }
        stopWhenAllHaveEnded()
    }

    private func endServices() { for service in services { service.terminate() } }

    private func childrenChanged() {
        for child in services {
            guard let how = child.reap() else { continue }
            if isEnding { continue }
            Output.line("\(child.name.padded(to: 17)) ended (\(how))")
            if waitingFor.contains(child.name) {
                Output.error("demo: \(child.name) could not be started; is its port in use?")
                exitCode = 69
                end()
            } else if let command = commands[child.name] {
                Output.line("              start it again with: \(command)")
            }
        }
        if let gateway, let how = gateway.reap() {
            if !isEnding {
                Output.error("demo: the gateway ended (\(how))")
                exitCode = 70
                isEnding = true
            }
            endServices()
        }
        stopWhenAllHaveEnded()
    }

    private func stopWhenAllHaveEnded() {
        let all = services + [gateway].compactMap { $0 }
        if isEnding, all.allSatisfy({ $0.pid == 0 }) { loop.stop() }
    }

    // MARK: - Words

    /// Where a browser sees what the requests consisted of; empty where the configuration has no such page.
    private var pageOfTraces: String {
        guard let admin = configuration.gateway.admin, configuration.gateway.tracing.recent > 0 else { return "" }
        return """

              http://\(admin.address)/traces
                  in a browser: where the time of each request went

            """
    }

    private func printWhatToTry() {
        guard let listener = configuration.gateway.listeners.first else { return }
        let base = "http://\(listener.address)"
        Output.line(
            """

            The gateway is on \(base), the monolith and the services are behind it. Try, in another terminal:

              curl -i \(base)/notifications
                  served by the monolith: look at Banyan-Served-By

              sed -i '/use_notification_service/,/}/s/"defaultVariant": "off"/"defaultVariant": "on"/' flags.json
              curl -i \(base)/notifications
                  the same request, served by the extracted service; no restart

              curl -i -H 'x-user-id: 1' \(base)/tasks/1/details
                  a view of three contexts, fetched in parallel; each part goes where its own flag says

              pkill -f 'tasksystem comments'; curl -i -H 'x-user-id: 1' \(base)/tasks/1/details
                  the view without its comments: still 200, and Banyan-Partial says what is missing

              curl -H 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' \(base)/tasks/1/details
                  one trace id in the log lines of every process that took part
            \(pageOfTraces)
            Ctrl-C ends everything.

            """)
    }
}

extension String {
    /// The text with blanks behind it up to `width` characters.
    fileprivate func padded(to width: Int) -> String {
        count >= width ? self : self + String(repeating: " ", count: width - count)
    }
}
