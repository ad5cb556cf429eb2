package import FeatureFlags
package import GatewayConfig
import HTTPListener
import JSON
import Upstreams

/// routes.json and the flag file, read and checked together.
package struct LoadedConfiguration {
    package let configuration: GatewayConfiguration
    /// Which traces are sampled, and where spans go.
    package let tracing: TracingPlan
    package let flags: FlagSnapshot
    let source: ConfigurationSource
    let flagText: [UInt8]?
    /// The listeners, in the order of the configuration.
    let listeners: [ListenerPlan]
    /// Warnings.
    package let issues: [ConfigurationIssue]
}

/// Reads the configuration files. Nothing is kept: each load begins from the files.
package struct ConfigurationLoader: Sendable {
    /// The path of routes.json.
    package let path: String
    private let environment: [String: String]
    private let files: FileAccess
    private let tickets = TLSTicketKeys()

    /// A loader for the file at `path`.
    package init(path: String, environment: [String: String], files: FileAccess = .system) {
        self.path = path
        self.environment = environment
        self.files = files
    }

    /// What a load comes to: a configuration, or everything that is wrong with it.
    package enum Outcome {
        case loaded(LoadedConfiguration)
        /// At least one of the issues is an error.
        case refused([ConfigurationIssue])
    }

    /// Reads and checks all files.
    ///
    /// - Parameters:
    ///   - previous: the configuration in force, whose certificates and flags are kept where the new files are of no use.
    ///   - isStrict: whether certificates that clients will refuse are errors.
    package func load(previous: LoadedConfiguration? = nil, isStrict: Bool = false) -> Outcome {
        guard let text = files.contents(path) else {
            let reason = files.obstacle(path)?.message(path) ?? "the file cannot be read"
            return .refused([issue(file: path, reason)])
        }
        let reading = ConfigurationReader.read(text: text, file: path, environment: environment, files: files)
        guard let draft = reading.draft else { return .refused(reading.issues) }
        var issues = reading.issues
        var flags = FlagSnapshot()
        var flagText: [UInt8]?
        if let file = draft.flags {
            if let text = files.contents(file) {
                flagText = text
                let compilation = FlagSnapshot.compile(text)
                issues += compilation.issues.map { Self.issue($0, file: file) }
                if let snapshot = compilation.snapshot { flags = snapshot }
            } else {
                let reason = files.obstacle(file)?.message(file) ?? "the flag file \"\(file)\" cannot be read"
                var consequence = "every context is served by its \"off\" side"
                // A file that has gone away says nothing about flags: what was decided goes on.
                if let previous, previous.configuration.flags == file, previous.flagText != nil {
                    flags = previous.flags
                    flagText = previous.flagText
                    consequence = "its flags stay in force as they were"
                }
                issues.append(
                    reading.source.issue(.warning, at: JSONPointer(["flags"]), "\(reason): \(consequence)"))
            }
        }
        // Rooms that compile patterns, templates and flags report what they find in the same run.
        var compiler = SnapshotCompiler(draft, source: reading.source, flags: flags)
        _ = compiler.compile(generation: 0, boards: BoardRegistry())
        issues += compiler.issues
        var secrets = ListenerTLSLoader(source: reading.source, files: files, tickets: tickets, isStrict: isStrict)
        let listeners = draft.gateway.listeners.map { listener in
            ListenerPlan(
                listener, secure: secrets.context(for: listener, previous: previous?.secured(at: listener.address)))
        }
        issues += secrets.issues
        guard let configuration = reading.configuration, !issues.contains(where: { $0.severity == .error }) else {
            return .refused(issues)
        }
        let tracing = TracingPlan(configuration.gateway.tracing, environment: environment)
        issues += tracing.warnings.map {
            reading.source.issue(.warning, at: JSONPointer(["gateway"]), $0)
        }
        return .loaded(
            LoadedConfiguration(
                configuration: configuration, tracing: tracing, flags: flags, source: reading.source,
                flagText: flagText,
                listeners: listeners, issues: issues))
    }

    private func issue(file: String, _ message: String) -> ConfigurationIssue {
        ConfigurationIssue(
            .error, file: file, position: SourcePosition(line: 1, column: 1, offset: 0), pointer: JSONPointer(),
            message: message)
    }

    private static func issue(_ issue: FlagIssue, file: String) -> ConfigurationIssue {
        ConfigurationIssue(
            issue.severity == .error ? .error : .warning, file: file, position: issue.position, pointer: issue.pointer,
            message: issue.message)
    }
}

extension LoadedConfiguration {
    /// The upstreams.
    var upstreamDefinitions: [UpstreamDefinition] {
        configuration.upstreams.map { UpstreamDefinition($0, zone: configuration.gateway.zone) }
    }

    /// A snapshot for one worker, with a flag evaluator's data of its own.
    ///
    /// - Parameter listeners: what the sockets are for, by their numbers; those of this configuration where nil.
    func snapshot(generation: Int, boards: BoardRegistry, listeners: [ListenerPlan]? = nil) -> WorkerSnapshot {
        let ownFlags = flagText.flatMap { FlagSnapshot.compile($0).snapshot } ?? flags
        var compiler = SnapshotCompiler(
            configuration, source: source, flags: ownFlags, listeners: listeners ?? self.listeners, tracing: tracing)
        return compiler.compile(generation: generation, boards: boards)
    }

    /// The plan for the socket that was bound as listener `index` for `old`: a socket is known by its address, whatever its
    /// place in the file has become. One that the file has no more goes on as it was.
    func plan(for old: ListenerPlan, at index: Int) -> ListenerPlan {
        if listeners.indices.contains(index), listeners[index].address == old.address { return listeners[index] }
        return listeners.first { $0.address == old.address } ?? old
    }

    /// The listener at `address` with its TLS, where it has it.
    fileprivate func secured(at address: ListenAddress) -> (ListenerSection, TLSContext)? {
        for (section, plan) in zip(configuration.gateway.listeners, listeners) where section.address == address {
            if let context = plan.secure { return (section, context) }
        }
        return nil
    }
}
