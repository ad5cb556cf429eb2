import EventLoops
import HTTPMessage

/// What carries the requests of one worker to one endpoint: connections, and requests that wait for one. Subclasses
/// say what a connection is.
class EndpointPool {
    final let address: EndpointAddress
    /// Where connections are opened to, in numbers.
    final let candidates: [String]
    final let loop: EventLoop
    final let bounds: UpstreamBounds
    /// Those who wait, the next one first.
    final var waiting: [UpstreamAttempt] { _read { yield line.value } }
    private final let line = LoopCell<[UpstreamAttempt]>([])
    private final var retry: ActionTimer?
    private final var expiry: ActionTimer?
    final var isRetired = false
    /// Descriptors that a connection needs: under TLS libcurl's handle has a multi of its own, with two for waking it up.
    final var descriptorsEach: Int { address.isSecure ? 3 : 1 }

    /// How long an unused connection is kept, in milliseconds.
    static let idleTime: UInt64 = 60_000
    /// How often a waiting request looks for a place that another worker has given back.
    private static let retryTime: UInt64 = 20

    init(address: EndpointAddress, loop: EventLoop, bounds: UpstreamBounds) {
        self.address = address
        candidates = address.candidates
        self.loop = loop
        self.bounds = bounds
    }

    // MARK: - What subclasses say

    /// Connections that no request uses.
    var idleCount: Int { 0 }

    /// Connections that are open or being opened.
    var openCount: Int { 0 }

    /// Gives the attempt a connection now, or when one is there.
    ///
    /// - Parameter fresh: whether only a connection that was never used will do.
    func start(_ attempt: UpstreamAttempt, fresh: Bool = false) {}

    /// How many of the waiting requests will get a connection that is being opened.
    var promised: Int { 0 }

    /// Opens connections for those who wait, as far as the bounds allow.
    func openForWaiting() {}

    /// Closes what is idle; what is in use is closed when its request has ended.
    func retire() {}

    /// An answer that nobody waited for is over.
    func forget(leftover: LeftoverAnswer) {}

    /// `endpoints` take its place.
    func handOver(to endpoints: [Endpoint]) {}

    // MARK: - Waiting

    /// Sets until when the attempt may wait for a connection.
    final func limitWait(of attempt: UpstreamAttempt) {
        let (deadline, overflow) = loop.now.addingReportingOverflow(attempt.timeouts.connect)
        attempt.waitDeadline = overflow ? .max : deadline
    }

    /// Has an attempt that has waited elsewhere wait no longer than it would have there.
    final func shortenWait(of attempt: UpstreamAttempt, to deadline: UInt64) {
        guard deadline < attempt.waitDeadline, waiting.contains(where: { $0 === attempt }) else { return }
        attempt.waitDeadline = deadline
        scheduleExpiry()
    }

    /// Has the attempt wait for a connection, its turn last.
    final func wait(_ attempt: UpstreamAttempt) {
        attempt.isCountedAsPending = false
        attempt.noteWaiting()
        line.value.append(attempt)
        openForWaiting()
        countAsPending(attempt)
        scheduleExpiry()
    }

    /// A request that must wait for somebody else's connection, because no more may be opened, counts as pending; one
    /// for which a connection is being opened, or a name looked up, does not.
    private final func countAsPending(_ attempt: UpstreamAttempt) {
        guard waiting.count > promised,
            let index = waiting.lastIndex(where: { $0 === attempt })
        else { return }
        if bounds.takePending() {
            attempt.isCountedAsPending = true
        } else {
            line.value.remove(at: index)
            attempt.fail(.overloaded)
        }
    }

    /// Nobody waits longer than its time to connect, whatever it waits for.
    private final func scheduleExpiry() {
        guard let next = waiting.map(\.waitDeadline).min(), next != .max else {
            expiry?.cancel()
            return
        }
        let timer = expiry ?? ActionTimer(loop: loop) { [unowned self] in expireWaiting() }
        expiry = timer
        timer.schedule(at: next)
    }

    private final func expireWaiting() {
        let now = loop.now
        let late = waiting.filter { $0.waitDeadline <= now }
        for attempt in late {
            let waitedInTurn = attempt.isCountedAsPending
            forget(attempt)
            attempt.isCountedAsPending = waitedInTurn
            attempt.fail(.connectTimeout)
            attempt.isCountedAsPending = false
        }
        scheduleExpiry()
    }

    /// Takes out an attempt that waits no longer.
    final func forget(_ attempt: UpstreamAttempt) {
        guard let index = waiting.firstIndex(where: { $0 === attempt }) else { return }
        line.value.remove(at: index)
        giveBackPending(attempt)
    }

    /// The attempt whose turn it is, which waits no longer.
    final func nextWaiting() -> UpstreamAttempt? {
        guard !waiting.isEmpty else { return nil }
        let attempt = line.value.removeFirst()
        giveBackPending(attempt)
        return attempt
    }

    private final func giveBackPending(_ attempt: UpstreamAttempt) {
        if attempt.isCountedAsPending {
            attempt.noteTurn()
            bounds.givePending()
        }
        attempt.isCountedAsPending = false
    }

    /// Looks again after a while whether a connection may be opened.
    final func waitForPlace() {
        let timer = retry ?? ActionTimer(loop: loop) { [unowned self] in openForWaiting() }
        retry = timer
        timer.schedule(after: Self.retryTime)
    }
}
