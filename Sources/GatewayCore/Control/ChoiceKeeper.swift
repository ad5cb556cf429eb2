import GatewayConfig
import Glibc
import Logging

/// Keeps what operators choose at run time: over reloads in memory, over restarts in the file that `gateway.state` names.
///
/// It belongs to the control plane. Nothing that is wrong with the file keeps the gateway from serving.
final class ChoiceKeeper {
    /// What is chosen.
    private(set) var choices = RuntimeChoices()
    private let log: Logger
    private var path: String?

    /// Reads the choices of the last process from the file at `path`; nil where they are not kept.
    init(path: String?, log: Logger, files: FileAccess = .system) {
        self.path = path
        self.log = log
        guard let path, files.obstacle(path) != .missing else { return }
        guard let text = files.contents(path) else {
            log.warning("choices made at run time cannot be read", metadata: ["file": "\(path)"])
            return
        }
        let (found, problems) = RuntimeChoices.reading(text, file: path)
        for problem in problems {
            log.warning("choice made at run time dropped", metadata: ["reason": "\(problem)"])
        }
        choices = found
    }

    /// The configuration as it is to be in force: that of the files with what was chosen over it. Choices that do not
    /// fit it are dropped.
    func applied(to filed: LoadedConfiguration) -> LoadedConfiguration {
        path = filed.configuration.gateway.state
        let dropped = choices.fit(filed.configuration)
        for reason in dropped {
            log.warning("choice made at run time dropped", metadata: ["reason": "\(reason)"])
        }
        if !dropped.isEmpty { save() }
        return filed.replacing(choices.applied(to: filed.configuration))
    }

    /// Changes what is chosen, and keeps it.
    ///
    /// - Returns: why it would not survive a restart; nil where it does.
    @discardableResult
    func change(_ step: (inout RuntimeChoices) -> Void) -> String? {
        step(&choices)
        guard path != nil else { return "the configuration has no \"state\" to keep it in: a restart forgets it" }
        return save()
    }

    /// - Returns: why not, if not.
    @discardableResult
    private func save() -> String? {
        guard let path else { return nil }
        guard let failure = Self.write(choices.text, to: path) else { return nil }
        log.error(
            "choices made at run time cannot be written", metadata: ["file": "\(path)", "reason": "\(failure)"])
        return "\(path) cannot be written: \(failure)"
    }

    /// Puts a file in place whole: whoever reads it, also after a crash, sees the old one or the new one.
    private static func write(_ bytes: [UInt8], to path: String) -> String? {
        let fresh = path + ".new"
        let descriptor = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return String(cString: strerror(errno)) }
        var rest = bytes[...]
        while !rest.isEmpty {
            // SAFETY: the pointer is used during the call only, and write(2) reads at most the count that it is given.
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        let isWhole = rest.isEmpty && fsync(descriptor) == 0
        let failure = errno
        close(descriptor)
        guard isWhole else {
            unlink(fresh)
            return String(cString: strerror(failure))
        }
        return rename(fresh, path) == 0 ? nil : String(cString: strerror(errno))
    }
}

extension LoadedConfiguration {
    /// The same with other contents of routes.json.
    func replacing(_ configuration: GatewayConfiguration) -> LoadedConfiguration {
        LoadedConfiguration(
            configuration: configuration, tracing: tracing, flags: flags, source: source, flagText: flagText,
            listeners: listeners, issues: issues)
    }
}
