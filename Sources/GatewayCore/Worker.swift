import ByteBuffers
import DistributedTracing
import EventLoops
import FeatureFlags
import Glibc
import HTTP2Framing
import HTTPListener
import HTTPMessage
import Synchronization
import Telemetry
import Upstreams

/// One thread with everything that it needs to serve requests: loop, connections, upstreams, evaluator, log buffer.
/// Nothing of it is shared; other threads send it commands.
final class Worker {
    let index: Int
    let loop: EventLoop
    private(set) var snapshot: WorkerSnapshot
    var ids: IDGenerator {
        _read { yield idsCell.value }
        _modify { yield &idsCell.value }
    }
    private let idsCell: LoopCell<IDGenerator>
    private let clock = LoopCell(MomentClock())
    /// Memory for texts that are made before their length is written; empty between two uses.
    private var drafts = Drafts()

    private struct Drafts: ~Copyable {
        var first = ByteBuffer()
        var second = ByteBuffer()
    }
    private let budget: DescriptorBudget
    private let mailbox: WorkerMailbox
    private let upstreams: UpstreamSet
    private let server: GatewayServer
    private let decider = LoopCell(FlagDecider())
    private let accessLog: WorkerLog
    /// What is counted.
    let metrics: WorkerMetrics
    private var pulse: WorkerPulse?
    /// What records the spans of requests.
    let spans: SpanRecorder
    /// What lines and spans tell again and again.
    private let texts = LoopCell(RepeatedTexts())
    /// How long answers take to begin.
    var headTimes = HeadTimes()
    private let overload: OverloadState
    private let lag: LoopCell<WorkerLag>

    /// A worker that serves nothing before ``run(listening:)``. To be called on the thread that it will run on.
    ///
    /// - Throws: `EventLoopError` when the system has no descriptor or memory left.
    init(
        index: Int, snapshot: WorkerSnapshot, mailbox: WorkerMailbox, log: LogSink?, spans: SpanSink?,
        budget: DescriptorBudget
    ) throws(EventLoopError) {
        self.index = index
        self.budget = budget
        self.snapshot = snapshot
        self.mailbox = mailbox
        metrics = mailbox.metrics
        overload = mailbox.overload
        lag = LoopCell(WorkerLag(mailbox.overload))
        let loop = try EventLoop()
        self.loop = loop
        guard let upstreams = UpstreamSet(loop: loop) else {
            throw EventLoopError(outOfMemoryDoing: "set up libcurl")
        }
        self.upstreams = upstreams
        var system = SystemRandomNumberGenerator()
        idsCell = LoopCell(IDGenerator(seed: system.next(), system.next(), system.next(), system.next()))
        server = GatewayServer(loop: loop, limits: budget.bounding(snapshot.limits))
        server.protocols = snapshot.protocols
        server.balancers = snapshot.balancers
        accessLog = WorkerLog(loop: loop, sink: log, settings: snapshot.accessLog)
        self.spans = SpanRecorder(loop: loop, sink: spans)
        snapshot.install(on: upstreams)
        server.contexts = snapshot.secureContexts
        server.worker = self
        headTimes.use(snapshot.hedgePercents)
        mailbox.attach(try Wakeup(loop: loop) { [unowned self] in takeCommands() })
    }

    /// Serves until told to drain, and returns when all is done.
    ///
    /// - Throws: `EventLoopError` when a socket cannot be watched.
    func run(listening sockets: [ListeningSocketBox]) throws(EventLoopError) {
        for box in sockets {
            if let socket = box.take() { try server.listen(socket, index: box.index) }
        }
        let pulse = WorkerPulse(self)
        self.pulse = pulse
        pulse.fire()
        mailbox.ready()
        loop.run()
        server.dropSpare()
        accessLog.flush()
        spans.flush()
        mailbox.ended()
    }

    /// Decides the flag in `slot` for a request, unless that has been done, and notes it where services will see it.
    func decide(_ slot: Int, for exchange: Exchange, _ snapshot: WorkerSnapshot) {
        guard exchange.decisions[slot] == nil, snapshot.slots.indices.contains(slot) else { return }
        let result = decider.value.decide(
            snapshot.slots[slot].flag, snapshot.flags, exchange.flagContext, &exchange.trace)
        exchange.keep(result, in: slot)
        metrics.decided(slot, result, snapshot)
    }

    /// Lends memory for two texts.
    func draft(_ write: (_ first: inout ByteBuffer, _ second: inout ByteBuffer) -> Void) {
        // Whoever asks again from inside gets fresh memory.
        var lent = Drafts()
        swap(&lent, &drafts)
        write(&lent.first, &lent.second)
        lent.first.removeAll(keeping: 4_096)
        lent.second.removeAll(keeping: 4_096)
        swap(&lent, &drafts)
    }

    /// Now, on both clocks.
    func moment() -> Moment { clock.value.now() }

    /// Writes the line and the spans of an exchange that has ended at `end`, and whose head and trace these are: one access
    /// to each for all that is told of it.
    func tell(
        of exchange: Exchange, _ head: borrowing RequestHead, _ trace: borrowing TraceContext, at end: Moment
    ) {
        texts.use { texts in
            texts.next()
            accessLog.write(exchange, head, trace, &texts, at: end, isDraining: server.isDraining)
            spans.record(exchange, head, trace, &texts, at: end)
        }
    }

    /// Why new requests are refused at this time; nil: they are served.
    var overloadReason: OverloadReason? { overload.isOverMemory ? .memory : lag.value.isOver ? .lag : nil }

    /// Counts a request that is refused.
    func noteRefusal(_ reason: OverloadReason) { overload.noteRefusal(reason) }

    /// The loop came to what was due so many nanoseconds too late.
    func noteLag(_ nanoseconds: UInt64) {
        metrics.noteLag(nanoseconds)
        lag.value.note(nanoseconds, snapshot.mostLag)
    }

    /// Counts a client that was cut off.
    fileprivate func note(_ flood: HTTP2Flood) { mailbox.note(flood) }

    /// Counts that no more clients are accepted for a while.
    fileprivate func noteAcceptingPaused(_ code: CInt?) { mailbox.noteAcceptingPaused(code) }

    /// Counts connections that were closed to let newcomers in.
    fileprivate func noteGaveWay(_ count: Int) { mailbox.noteGaveWay(count) }

    /// Counts a client that did not get through its handshake.
    fileprivate func note(_ failure: HandshakeFailure) { mailbox.note(failure) }

    // MARK: - Commands

    private func takeCommands() {
        for command in mailbox.take() {
            switch command {
            case .apply(let box):
                if let next = box.take() { apply(next) }
            case .endpoints(let definitions):
                snapshot.use(definitions)
                snapshot.install(on: upstreams)
            case .drain(let milliseconds, let lettingGo):
                server.drain(timeout: milliseconds, lettingGo: lettingGo) { [unowned self] in
                    upstreams.retire()
                    mailbox.close()
                    loop.stop()
                }
            }
        }
    }

    private func apply(_ next: WorkerSnapshot) {
        next.install(on: upstreams)
        snapshot = next
        headTimes.use(next.hedgePercents)
        server.limits = budget.bounding(next.limits)
        server.protocols = next.protocols
        server.balancers = next.balancers
        server.contexts = next.secureContexts
        accessLog.apply(next.accessLog)
        metrics.forgetUpstreams(without: next)
        metrics.publish(next)
        mailbox.applied(next.generation)
    }
}

/// Evaluates flags and notes what came of it.
private struct FlagDecider: ~Copyable {
    private var evaluator = FlagEvaluator()
    private var key = ByteBuffer()
    private var variant = ByteBuffer()

    init() {}

    mutating func decide(
        _ flag: Int, _ flags: FlagSnapshot, _ context: EvaluationContext, _ trace: inout TraceContext
    ) -> FlagResult {
        let result = evaluator.evaluate(flag, in: flags, for: context, now: Int64(time(nil)))
        key.removeAll()
        variant.removeAll()
        flags.appendKey(of: flag, to: &key)
        if flags.appendVariantName(of: result, flag: flag, to: &variant) {
            trace.noteDecision(flag: key.span, variant: variant.span)
        }
        return result
    }
}

/// The connections of a worker; its exchanges go through the gateway.
private final class GatewayServer: HTTPServer {
    unowned var worker: Worker?

    override func makeExchange() -> ServerExchange {
        guard let worker else { return ServerExchange() }
        return Exchange(worker: worker)
    }

    override func clientWasCutOff(_ flood: HTTP2Flood) { worker?.note(flood) }

    override func acceptingPaused(_ code: CInt?) { worker?.noteAcceptingPaused(code) }

    override func connectionsGaveWay(_ count: Int) { worker?.noteGaveWay(count) }

    override func handshakeFailed(_ cause: HandshakeFailure) { worker?.note(cause) }

    override func handshakeCompleted(_ listener: Int) { worker?.metrics.count(1, .handshakes, listener: listener) }

    override func connectionOpened(_ listener: Int) {
        worker?.metrics.count(1, .open, listener: listener)
        worker?.metrics.count(1, .accepted, listener: listener)
    }

    override func connectionClosed(_ listener: Int) { worker?.metrics.count(0 &- 1, .open, listener: listener) }
}

/// How the control plane talks to a worker, and hears of it. The only thing that both threads touch.
final class WorkerMailbox: Sendable {
    /// What a worker can be told.
    enum Command: Sendable {
        /// To use another configuration from the next request on.
        case apply(SnapshotBox)
        /// To use other servers of the same upstreams from the next request on.
        case endpoints([UpstreamDefinition])
        /// To end within so many milliseconds, and whether another process goes on with the listening sockets.
        case drain(UInt64, lettingGo: Bool)
    }

    private struct State {
        var commands: [Command] = []
        var wakeup: Wakeup?
        var isReady = false
        var hasEnded = false
        var failure: String?
        var generation = 0
        var floods = FloodCounts()
        var handshakeFailures = KindCounts<HandshakeFailure>()
        var acceptPauses = AcceptPauses()
    }

    private let state = Mutex(State())
    private let changed: @Sendable () -> Void
    /// What the worker counts.
    let metrics: WorkerMetrics
    /// What all workers know of the overload of the process.
    let overload: OverloadState

    /// `changed` is called on the worker's thread when it is ready, has applied a configuration, or has ended.
    init(metrics: WorkerMetrics, overload: OverloadState, changed: @escaping @Sendable () -> Void) {
        self.metrics = metrics
        self.overload = overload
        self.changed = changed
    }

    /// Sends a command. Callable from any thread.
    func send(_ command: Command) {
        let wakeup = state.withLock { state in
            state.commands.append(command)
            return state.wakeup
        }
        wakeup?.send()
    }

    /// Whether the worker accepts connections.
    var isReady: Bool { state.withLock { $0.isReady } }
    /// Whether its thread is at its end.
    var hasEnded: Bool { state.withLock { $0.hasEnded } }
    /// Why it could not begin.
    var failure: String? { state.withLock { $0.failure } }
    /// The configuration that it uses.
    var generation: Int { state.withLock { $0.generation } }

    /// The clients that it has cut off.
    var floods: FloodCounts { state.withLock { $0.floods } }
    /// How often it has stopped accepting.
    var acceptPauses: AcceptPauses { state.withLock { $0.acceptPauses } }
    /// The clients that did not get through their handshakes.
    var handshakeFailures: KindCounts<HandshakeFailure> { state.withLock { $0.handshakeFailures } }

    func attach(_ wakeup: Wakeup) {
        let hasCommands = state.withLock { state in
            state.wakeup = wakeup
            return !state.commands.isEmpty
        }
        if hasCommands { wakeup.send() }
    }

    func take() -> [Command] {
        state.withLock { state in
            defer { state.commands = [] }
            return state.commands
        }
    }

    func ready() { note { $0.isReady = true } }

    func applied(_ generation: Int) { note { $0.generation = generation } }

    func note(_ flood: HTTP2Flood) { note { $0.floods[flood] += 1 } }

    /// Nobody is told: whoever scans ports would keep the control plane busy.
    func note(_ failure: HandshakeFailure) { state.withLock { $0.handshakeFailures[failure] += 1 } }

    /// Nobody is told: at the bound this comes with every client.
    func noteAcceptingPaused(_ code: CInt?) {
        state.withLock { state in
            guard let code else { return state.acceptPauses.full += 1 }
            state.acceptPauses.refused += 1
            state.acceptPauses.code = code
        }
    }

    /// Nobody is told: at the bound this comes with every client.
    func noteGaveWay(_ count: Int) { state.withLock { $0.acceptPauses.gaveWay += UInt64(count) } }

    func failed(_ reason: String) {
        note { state in
            state.failure = reason
            state.hasEnded = true
        }
    }

    func ended() { note { $0.hasEnded = true } }

    func close() {
        let wakeup = state.withLock { state in
            defer { state.wakeup = nil }
            return state.wakeup
        }
        wakeup?.close()
    }

    private func note(_ change: (inout sending State) -> Void) {
        state.withLock { change(&$0) }
        changed()
    }
}

/// A snapshot on its way to its worker.
final class SnapshotBox: @unchecked Sendable {
    // SAFETY: the control plane makes the snapshot, puts it in, and lets go; one worker takes it out, once. The lock
    // orders the two.
    private var content: WorkerSnapshot?
    private let lock = Mutex(())

    init(_ snapshot: WorkerSnapshot) { content = snapshot }

    func take() -> WorkerSnapshot? {
        lock.withLock { _ in
            defer { content = nil }
            return content
        }
    }
}

/// A listening socket on its way to its worker.
final class ListeningSocketBox: Sendable {
    /// Which of the configured listeners it is.
    let index: Int
    private let content: Mutex<ListeningSocket?>

    init(_ socket: consuming sending ListeningSocket, index: Int) {
        self.index = index
        content = Mutex(consume socket)
    }

    func take() -> ListeningSocket? {
        content.withLock { $0.take() }
    }
}
