import EventLoops
import GatewayConfig
import Logging

// How a configuration takes the place of another one.

extension Gateway {
    func watchFiles() throws(EventLoopError) {
        watchers = [try FileWatcher(loop: loop, path: loader.path) { [unowned self] in reload("changed file") }]
        for (path, reason) in watchedFiles {
            watchers.append(try FileWatcher(loop: loop, path: path) { [unowned self] in reload(reason) })
        }
    }

    /// The files that the configuration names and that take effect at once, with what a change of them is called.
    private var watchedFiles: [String: String] {
        var files: [String: String] = [:]
        for listener in loaded.configuration.gateway.listeners {
            for file in listener.tls?.files ?? [] { files[file.path] = "changed certificate" }
        }
        if let flags = loaded.configuration.flags { files[flags] = "changed flags" }
        return files
    }

    /// Reads the configuration again. A good one goes to all workers; a bad one is reported, and the old one stays.
    package func reload(_ reason: String) {
        guard !isDraining else { return }
        manager?.reloading()
        defer { manager?.ready(status) }
        switch loader.load(previous: loaded) {
        case .refused(let issues):
            refusal = issues
            metrics.noteReload(isRefused: true)
            log.error(
                "configuration refused, the old one stays in force",
                metadata: ["reason": "\(reason)", "errors": "\(issues.count)"])
            for issue in issues { log.error("\(issue)") }
        case .loaded(let configuration):
            refusal = []
            for issue in configuration.issues { log.warning("\(issue)") }
            reportFixedSettings(configuration.configuration)
            let watched = watchedFiles
            filed = configuration
            metrics.noteReload(isRefused: false)
            putInForce()
            log.info("configuration in force", metadata: ["generation": "\(generation)", "reason": "\(reason)"])
            if watched != watchedFiles { try? watchFiles() }
        }
    }

    /// Gives all workers what the files say, with what was chosen at run time over it.
    func putInForce() {
        loaded = choices.applied(to: filed)
        listeners = listeners.enumerated().map { loaded.plan(for: $1, at: $0) }
        generation += 1
        useUpstreams(of: loaded)
        for worker in workers {
            worker.mailbox.send(.apply(SnapshotBox(snapshot())))
        }
    }

    /// Says which changes need a new process: what was bound or opened at the start stays.
    private func reportFixedSettings(_ next: GatewayConfiguration) {
        let old = loaded.configuration.gateway
        let new = next.gateway
        var fixed: [String] = []
        if old.listeners.map(\.address) != new.listeners.map(\.address) { fixed.append("listeners") }
        if old.admin != new.admin { fixed.append("admin") }
        if old.workers != new.workers { fixed.append("workers") }
        if old.handover != new.handover { fixed.append("handover") }
        if old.accessLog?.output != new.accessLog?.output { fixed.append("accessLog.output") }
        if old.tracing.otlp != new.tracing.otlp { fixed.append("tracing.otlp") }
        if old.tracing.recent != new.tracing.recent { fixed.append("tracing.recent") }
        if !fixed.isEmpty {
            log.warning(
                "these changes take effect with the next start",
                metadata: ["settings": "\(fixed.joined(separator: ", "))"])
        }
    }
}
