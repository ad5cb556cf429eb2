import DistributedTracing
import EventLoops
import Logging
import Synchronization
import Telemetry

/// The thread that exports spans, as the control plane sees it.
final class SpanExporter {
    private let start: Start
    private var thread: OwnThread?

    /// What the thread is given, and what it can be told.
    private final class Start: Sendable {
        let queue: SpanQueue
        let settings: ExportSettings
        let target: ExportTarget?
        let log: Logger
        let random: IDGenerator
        let orders: ExportOrders

        init(
            queue: SpanQueue, settings: ExportSettings, target: ExportTarget?, log: Logger, random: IDGenerator,
            orders: ExportOrders
        ) {
            self.queue = queue
            self.settings = settings
            self.target = target
            self.log = log
            self.random = random
            self.orders = orders
        }

        func run() {
            do throws(EventLoopError) {
                let loop = try ExportLoop(
                    queue: queue, settings: settings, target: target, log: log, random: random)
                let wakeup = try loop.makeWakeup { [orders] in orders.take() }
                orders.attach(wakeup)
                loop.run()
                orders.detach()
            } catch {
                log.error("spans are not exported: \(error)")
            }
        }
    }

    /// An exporter of what is put into `queue`, which wakes it by `orders`; nil where the plan names no place to export to.
    init?(queue: SpanQueue, orders: ExportOrders, plan: TracingPlan, log: Logger) {
        if plan.export.destination == .none { return nil }
        var system = SystemRandomNumberGenerator()
        start = Start(
            queue: queue, settings: plan.export, target: plan.target, log: log,
            random: IDGenerator(seed: system.next(), system.next(), system.next(), system.next()), orders: orders)
    }

    /// Starts the thread; false when the system has no room for one.
    func begin() -> Bool {
        thread = OwnThread.start(start.run)
        return thread != nil
    }

    /// Exports what waits, and waits for the thread's end, which comes within so many milliseconds.
    func end(within milliseconds: UInt64) {
        guard let thread else { return }
        start.orders.end(within: milliseconds)
        thread.join()
        self.thread = nil
    }
}

/// What other threads tell the exporter's.
final class ExportOrders: Sendable {
    private struct State {
        var wakeup: Wakeup?
        var end: UInt64?
    }

    private let state = Mutex(State())

    /// Wakes it. Nothing happens before the thread runs, which begins by looking at what waits.
    func wake() { state.withLock { $0.wakeup }?.send() }

    /// Tells it to end within so many milliseconds.
    func end(within milliseconds: UInt64) {
        let wakeup = state.withLock { state in
            state.end = milliseconds
            return state.wakeup
        }
        wakeup?.send()
    }

    /// What it is told: within how many milliseconds it has to end, nil where it has not to.
    func take() -> UInt64? { state.withLock { $0.end } }

    fileprivate func attach(_ wakeup: Wakeup) {
        state.withLock { $0.wakeup = wakeup }
        // What was said before was heard by nobody.
        wakeup.send()
    }

    fileprivate func detach() {
        let wakeup = state.withLock { state in
            defer { state.wakeup = nil }
            return state.wakeup
        }
        wakeup?.close()
    }
}
