import EventLoops
import Telemetry

/// The thread of one worker, as the control plane sees it.
final class WorkerThread {
    let mailbox: WorkerMailbox
    var sockets: [ListeningSocketBox] = []
    private let index: Int
    private let budget: DescriptorBudget
    private var thread: OwnThread?

    init(index: Int, mailbox: WorkerMailbox, budget: DescriptorBudget) {
        self.index = index
        self.budget = budget
        self.mailbox = mailbox
    }

    /// What a new thread is given.
    private final class Start: Sendable {
        let index: Int
        let snapshot: SnapshotBox
        let mailbox: WorkerMailbox
        let sockets: [ListeningSocketBox]
        let log: LogSink?
        let spans: SpanSink?
        let budget: DescriptorBudget

        init(
            index: Int, snapshot: SnapshotBox, mailbox: WorkerMailbox, sockets: [ListeningSocketBox], log: LogSink?,
            spans: SpanSink?, budget: DescriptorBudget
        ) {
            self.index = index
            self.snapshot = snapshot
            self.mailbox = mailbox
            self.sockets = sockets
            self.log = log
            self.spans = spans
            self.budget = budget
        }

        func run() {
            guard let snapshot = snapshot.take() else { return }
            do throws(EventLoopError) {
                let worker = try Worker(
                    index: index, snapshot: snapshot, mailbox: mailbox, log: log, spans: spans, budget: budget)
                try worker.run(listening: sockets)
            } catch {
                mailbox.failed("worker \(index): \(error)")
            }
        }
    }

    /// Starts the thread; false when the system has no room for one.
    func start(_ snapshot: WorkerSnapshot, _ log: LogSink?, _ spans: SpanSink?) -> Bool {
        let start = Start(
            index: index, snapshot: SnapshotBox(snapshot), mailbox: mailbox, sockets: sockets, log: log, spans: spans,
            budget: budget)
        sockets = []
        thread = OwnThread.start(start.run)
        return thread != nil
    }

    /// Waits for the thread's end.
    func join() {
        guard let thread else { return }
        thread.join()
        self.thread = nil
    }
}
