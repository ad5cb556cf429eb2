package import DistributedTracing
package import EventLoops
package import GatewayConfig
import Glibc
package import HTTPListener
import HTTPMessage
package import Logging
import Telemetry
import Upstreams

/// Why the gateway could not start: what to print, and the exit code (http-behaviour §7).
package struct StartError: Error {
    package let message: String
    package let exitCode: Int32
}

/// The process as a whole: the workers, and the control plane that starts, reloads and ends them. It belongs to the main
/// thread, whose loop serves signals, file changes and the admin listener, never a request.
package final class Gateway {
    /// The control plane's loop.
    package let loop: EventLoop
    let loader: ConfigurationLoader
    let log: Logger
    /// What is in force: what the files say, and what was chosen at run time over it.
    var loaded: LoadedConfiguration
    /// What the files say.
    var filed: LoadedConfiguration
    /// What was chosen at run time.
    let choices: ChoiceKeeper
    /// What the sockets are for, by their numbers: they stay when the listeners of the file change.
    var listeners: [ListenerPlan]
    private(set) var workers: [WorkerThread] = []
    let boards: BoardRegistry
    private let changes: UpstreamChanges
    private let watch: UpstreamWatch
    let prober: HealthProber
    private let budget: DescriptorBudget
    let overload = OverloadState()
    private let overloadWatch: OverloadWatch
    private let discovery: Discovery
    private let changesWakeup: Wakeup
    /// What is counted.
    package let metrics = GatewayMetrics()
    private(set) var accessLog: LogSink?
    private var accessLogWatch: AccessLogWatch?
    private var accessLogWakeup: Wakeup?
    private var signals: [SignalSource] = []
    var watchers: [FileWatcher] = []
    private var wakeup: Wakeup?
    private var exitCode: Int32 = 0
    /// The addresses that are listened on, with their real ports.
    package private(set) var addresses: [SocketAddress] = []
    /// The same as URLs.
    package private(set) var urls: [String] = []
    /// Counts the configurations since the start, from 1.
    package internal(set) var generation = 1
    /// Whether the process is about to end.
    package private(set) var isDraining = false
    /// What was wrong with the last reload that was refused; empty after one that was not.
    package internal(set) var refusal: [ConfigurationIssue] = []
    /// Called when all workers have ended; the process ends when it calls back. Until then the admin listener answers.
    package var onEnd: (_ done: @escaping () -> Void) -> Void = { $0() }
    /// Called when another process serves the same addresses: the admin listener stops accepting, too.
    package var onHandover: () -> Void = {}
    private var isEnding = false
    private var wasHandedOver = false
    let manager: ServiceManager?
    var takeOver: TakeOver?
    var desk: HandoverDesk?
    var adminSocket: ListeningSocketBox?
    let floodReport: FloodReport
    private(set) var spans: SpanSink?
    private var spanExporter: SpanExporter?
    private var drainEnd: UInt64 = 0
    /// The last traces; nil where nobody wants to see them.
    package private(set) var recentTraces: RecentTraces?
    private var acceptReport: AcceptReport?

    /// Prepares everything that can fail: reads the configuration, binds every address.
    ///
    /// - Parameter workerCount: overrides `gateway.workers`.
    package init(
        loader: ConfigurationLoader, workerCount: Int?, log: Logger
    ) throws(StartError) {
        self.loader = loader
        self.log = log
        let activated = SocketActivation.take()
        switch loader.load() {
        case .loaded(let configuration):
            filed = configuration
            choices = ChoiceKeeper(path: configuration.configuration.gateway.state, log: log)
            loaded = choices.applied(to: configuration)
            listeners = configuration.listeners
        case .refused(let issues):
            throw StartError(message: issues.map(\.description).joined(separator: "\n"), exitCode: 78)
        }
        do throws(EventLoopError) {
            loop = try EventLoop()
        } catch {
            throw StartError(message: error.description, exitCode: 70)
        }
        do throws(EventLoopError) {
            // The wake-up is made before what it wakes.
            let told = ChangesTold()
            let wakeup = try Wakeup(loop: loop) { told.tell() }
            changesWakeup = wakeup
            changes = UpstreamChanges { wakeup.send() }
            boards = BoardRegistry(changes: changes)
            let watch = UpstreamWatch(loop: loop, boards: boards, changes: changes, log: log)
            told.tell = { [unowned watch] in watch.tell() }
            self.watch = watch
            discovery = try Discovery(loop: loop)
        } catch {
            throw StartError(message: error.description, exitCode: 70)
        }
        prober = HealthProber(loop: loop, boards: boards, log: log)
        overloadWatch = OverloadWatch(overload, loop: loop, log: log)
        floodReport = FloodReport(loop: loop, log: log)
        manager = ServiceManager(loop: loop)
        for issue in loaded.issues { log.warning("\(issue)") }
        signal(SIGPIPE, SIG_IGN)
        let count = max(workerCount ?? loaded.configuration.gateway.workers ?? Self.processorCount, 1)
        budget = DescriptorBudget(raisingLimitFor: count)
        discovery.tell = { [watch] in watch.tell($0) }
        discovery.changed = { [unowned self] in serversChanged() }
        let wanted = loaded.configuration.gateway.limits.connections
        if wanted > budget.connectionsPerWorker {
            log.warning(
                "fewer connections than configured: half of the descriptors that the system allows are for clients",
                metadata: ["limits.connections": "\(wanted)", "each_worker": "\(budget.connectionsPerWorker)"])
        }
        if let section = loaded.configuration.gateway.accessLog {
            try openAccessLog(LogOutput(section.output))
        }
        try openSpanExport(workers: count)
        do throws(EventLoopError) {
            let wakeup = try Wakeup(loop: loop) { [unowned self] in workersChanged() }
            self.wakeup = wakeup
            for index in 0..<count {
                let mailbox = WorkerMailbox(metrics: metrics.worker(index), overload: overload) { wakeup.send() }
                workers.append(WorkerThread(index: index, mailbox: mailbox, budget: budget))
            }
        } catch {
            throw StartError(message: error.description, exitCode: 70)
        }
        acceptReport = AcceptReport(loop: loop, log: log) { [unowned self] in
            workers.reduce(into: AcceptPauses()) { $0 += $1.mailbox.acceptPauses }
        }
        let passed = try Self.inheritedSockets(handoverPath, activated, loop)
        takeOver = passed.takeOver
        do throws(ListenError) {
            try listen(passed.sockets)
        } catch {
            throw StartError(message: error.description, exitCode: 69)
        }
    }

    private func openSpanExport(workers: Int) throws(StartError) {
        let plan = loaded.tracing
        guard plan.records else { return }
        recentTraces = plan.recent > 0 ? RecentTraces(traces: plan.recent) : nil
        let orders = ExportOrders()
        let queue = SpanQueue(
            capacity: plan.export.destination == .none ? 0 : plan.export.queue, batch: plan.export.batch,
            recent: recentTraces
        ) { orders.wake() }
        spans = SpanSink(queue: queue, batch: plan.export.batch, workers: workers)
        guard let exporter = SpanExporter(queue: queue, orders: orders, plan: plan, log: log) else { return }
        guard exporter.begin() else { throw StartError(message: "no thread could be started", exitCode: 70) }
        spanExporter = exporter
    }

    private func openAccessLog(_ output: LogOutput) throws(StartError) {
        do throws(EventLoopError) {
            accessLogWakeup = try Wakeup(loop: loop) { [unowned self] in accessLogWatch?.lossWasTold() }
        } catch {
            throw StartError(message: error.description, exitCode: 70)
        }
        do throws(LogFileError) {
            // The writer may outlive the gateway where its output blocks; the loop must not.
            let sink = try LogSink(output) { [weak accessLogWakeup] in accessLogWakeup?.send() }
            accessLog = sink
            accessLogWatch = AccessLogWatch(sink, loop: loop, log: log)
        } catch {
            throw StartError(message: error.description, exitCode: 78)
        }
    }

    private func listen(_ inherited: [InheritedSocket]) throws(ListenError) {
        let gateway = loaded.configuration.gateway
        let sockets = try ListenerSockets(gateway, workers: workers.count, inherited: inherited)
        for (worker, own) in zip(workers, sockets.ofWorkers) { worker.sockets = own }
        for (index, address) in sockets.addresses {
            addresses.append(address)
            metrics.noteListener(index, address.text)
            urls.append((gateway.listeners[index].tls == nil ? "http://" : "https://") + address.text)
        }
        adminSocket = sockets.admin
        try openDesk(sockets)
    }

    // MARK: - Running

    /// Starts the workers, and calls `ready` when all of them accept connections.
    package func run(_ ready: @escaping () -> Void) -> Int32 {
        onReady = ready
        do throws(EventLoopError) {
            for number in [SIGTERM, SIGINT] {
                signals.append(try SignalSource(loop: loop, signal: number) { [unowned self] in end() })
            }
            signals.append(try SignalSource(loop: loop, signal: SIGHUP) { [unowned self] in reload("SIGHUP") })
            signals.append(try SignalSource(loop: loop, signal: SIGUSR1) { [unowned self] in reopenLog() })
            try watchFiles()
        } catch {
            log.critical("\(error)")
            return 70
        }
        useUpstreams(of: loaded)
        for worker in workers {
            guard worker.start(snapshot(), accessLog, spans) else {
                log.critical("no thread could be started")
                return 70
            }
        }
        loop.run()
        for worker in workers { worker.join() }
        endSpanExport()
        if let accessLog, !accessLog.close(within: Self.logFlushTime) {
            log.warning("the access log's output took not all of its lines")
        }
        return exitCode
    }

    /// Makes what all workers share of upstreams fit a configuration, before they get it.
    func useUpstreams(of configuration: LoadedConfiguration) {
        let definitions = discovery.use(
            configuration.upstreamDefinitions, servers: NameServers(configuration.configuration.gateway))
        let gateway = configuration.configuration.gateway
        boards.descriptors.most = budget.upstreams(besides: gateway.limits.connections)
        overloadWatch.use(memory: gateway.overload?.memory?.bytes)
        tell(definitions)
    }

    /// Tells those that watch upstreams, in the order of the configuration in force.
    private func tell(_ definitions: [UpstreamDefinition]) {
        boards.use(definitions)
        watch.use(definitions, bounds: loaded.configuration.upstreams.map { boards.bounds(for: $0) })
        if !isDraining { prober.use(definitions) }
    }

    /// Names stand for other servers than before: all that knows of upstreams is told, and what routes there are stays.
    private func serversChanged() {
        let definitions = discovery.definitions
        tell(definitions)
        for worker in workers { worker.mailbox.send(.endpoints(definitions)) }
    }

    /// A snapshot of the configuration in force for one worker.
    func snapshot() -> WorkerSnapshot {
        let snapshot = loaded.snapshot(generation: generation, boards: boards, listeners: listeners)
        snapshot.use(discovery.definitions)
        metrics.number(snapshot)
        return snapshot
    }

    /// What was recorded last is exported within what is left of the drain time, for which at least a moment is allowed.
    private func endSpanExport() {
        let now = EventLoop.nanoseconds / 1_000_000
        spanExporter?.end(within: min(max(drainEnd > now ? drainEnd - now : 0, 1_000), Self.mostExportTime))
    }

    /// How long the end waits for a collector at most, in milliseconds.
    private static let mostExportTime: UInt64 = 5_000

    private var onReady: (() -> Void)?

    /// How long the end waits for the access log to be written, in nanoseconds.
    private static let logFlushTime: UInt64 = 2_000_000_000

    private func workersChanged() {
        var floods = FloodCounts()
        for worker in workers { floods += worker.mailbox.floods }
        floodReport.note(floods)
        for worker in workers {
            if let failure = worker.mailbox.failure {
                log.critical("\(failure)")
                exitCode = 70
                for other in workers { other.mailbox.send(.drain(0, lettingGo: sharesSockets)) }
            }
        }
        if let ready = onReady, workers.allSatisfy(\.mailbox.isReady) {
            onReady = nil
            do throws(EventLoopError) {
                try takeOverIsComplete()
            } catch {
                log.error("no other process can take over: \(error)")
            }
            ready()
            manager?.ready(status)
        }
        if workers.allSatisfy(\.mailbox.hasEnded), !isEnding {
            isEnding = true
            watchers.removeAll()
            prober.stop()
            onEnd { [unowned self] in loop.stop() }
        }
    }

    /// Whether requests are served: every worker has begun, and none is ending.
    package var isReady: Bool { !isDraining && workers.allSatisfy(\.mailbox.isReady) }

    /// The number of workers.
    package var workerCount: Int { workers.count }

    /// Ends the gateway without failing a request; a second call ends it at once.
    package func end() {
        if wasHandedOver {
            // Whoever has started the process after this one may not know that it ends by itself.
            wasHandedOver = false
            return log.info("draining already: another process serves")
        }
        if isDraining {
            log.warning("ending at once")
            exit(0)
        }
        drain(handingOver: false)
    }

    /// Ends what runs; the listening sockets are left to another process where one has them.
    func drain(handingOver: Bool) {
        guard !isDraining else { return }
        let lettingGo = handingOver || sharesSockets
        isDraining = true
        wasHandedOver = handingOver
        if !handingOver { desk?.close() }
        let limit = loaded.configuration.gateway.timeouts.drain.value
        drainEnd = EventLoop.nanoseconds / 1_000_000 &+ limit
        log.info("draining", metadata: ["limit_ms": "\(limit)"])
        manager?.stopping(handingOver ? "handed over, draining" : "draining")
        for worker in workers { worker.mailbox.send(.drain(limit, lettingGo: lettingGo)) }
    }

    /// What the service manager shows.
    var status: String {
        refusal.isEmpty
            ? "serving, configuration \(generation)"
            : "serving, configuration \(generation); a newer one was refused: \(refusal.count) errors"
    }

    /// Where another process takes over, as the configuration says at the start.
    var handoverPath: String? { loaded.configuration.gateway.handover }

    private func reopenLog() {
        accessLog?.reopen()
        log.info("reopening the access log")
    }

    // MARK: - The system

    /// Processors that this process may run on.
    private static var processorCount: Int { Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
}

/// What is called where upstreams have changed: it is known only after who calls it.
private final class ChangesTold {
    var tell: () -> Void = {}
}
