package import FeatureFlags
package import GatewayConfig
import JSON

/// routes.json and the flag file, read and checked together.
package struct LoadedConfiguration {
    package let configuration: GatewayConfiguration
    package let flags: FlagSnapshot
    let source: ConfigurationSource
    let flagText: [UInt8]?
    /// Warnings.
    package let issues: [ConfigurationIssue]
}

/// Reads the configuration files. Nothing is kept: each load begins from the files.
package struct ConfigurationLoader: Sendable {
    /// The path of routes.json.
    package let path: String
    private let environment: [String: String]
    private let files: FileAccess

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

    /// Reads and checks both files.
    package func load() -> Outcome {
        guard let text = files.contents(path) else {
            return .refused([issue(file: path, "the file cannot be read")])
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
                // A flag file that is not there switches everything off, which is the safe side, and says so.
                issues.append(
                    reading.source.issue(
                        .warning, at: JSONPointer(["flags"]),
                        "the flag file \"\(file)\" cannot be read: every context is served by its \"off\" side"))
            }
        }
        // Rooms that compile patterns, templates and flags report what they find in the same run.
        var compiler = SnapshotCompiler(draft, source: reading.source, flags: flags)
        _ = compiler.compile(generation: 0, bounds: BoundsRegistry())
        issues += compiler.issues
        guard let configuration = reading.configuration, !issues.contains(where: { $0.severity == .error }) else {
            return .refused(issues)
        }
        return .loaded(
            LoadedConfiguration(
                configuration: configuration, flags: flags, source: reading.source, flagText: flagText, issues: issues))
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
    /// A snapshot for one worker, with a flag evaluator's data of its own.
    func snapshot(generation: Int, bounds: BoundsRegistry) -> WorkerSnapshot {
        let ownFlags = flagText.flatMap { FlagSnapshot.compile($0).snapshot } ?? flags
        var compiler = SnapshotCompiler(configuration, source: source, flags: ownFlags)
        return compiler.compile(generation: generation, bounds: bounds)
    }
}
