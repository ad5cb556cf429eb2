import EventLoops

/// Looks at a worker four times a second, on its own thread: whether its loop is late, and every second what the pools of
/// its upstreams know. So whoever asks for figures never waits for a worker.
final class WorkerPulse: EventLoops.Timer {
    private unowned let worker: Worker
    /// When the loop should come to this, in nanoseconds; 0 before the first time.
    private var due: UInt64 = 0
    private var beats = 0

    /// The time between two looks, in milliseconds.
    private static let period: UInt64 = 250
    /// How many looks there are between two of those that go through the pools.
    private static let beatsPerPublication = 4

    /// A pulse of `worker`, on its loop.
    init(_ worker: Worker) {
        self.worker = worker
        super.init(loop: worker.loop)
    }

    override func fire() {
        let now = EventLoop.nanoseconds
        if due > 0 { worker.noteLag(now > due ? now - due : 0) }
        if beats % Self.beatsPerPublication == 0 { worker.metrics.publish(worker.snapshot) }
        beats += 1
        due = now + Self.period * 1_000_000
        schedule(after: Self.period)
    }
}
