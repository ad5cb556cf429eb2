import EventLoops
import HTTPMessage

/// The connections of one worker to one endpoint: idle ones for the next request, and requests that wait for one.
///
/// The last one used is the first one used again, so that a pool that was large once shrinks by itself.
final class ConnectionPool {
    private let address: EndpointAddress
    private let resolver: EndpointResolver
    private let loop: EventLoop
    private let curl: CurlMulti
    private let bounds: UpstreamBounds
    private var idle: [UpstreamConnection] = []
    private var waiting: [UpstreamAttempt] = []
    private var opening: [PendingConnection] = []
    private var open = 0
    private var retry: ActionTimer?
    private var expiry: ActionTimer?
    private var isRetired = false

    /// How long an unused connection is kept, in milliseconds.
    static let idleTime: UInt64 = 60_000
    /// How often a waiting request looks for a place that another worker has given back.
    private static let retryTime: UInt64 = 20

    init(
        address: EndpointAddress, resolver: EndpointResolver, loop: EventLoop, curl: CurlMulti, bounds: UpstreamBounds
    ) {
        self.address = address
        self.resolver = resolver
        self.loop = loop
        self.curl = curl
        self.bounds = bounds
    }

    deinit {
        for pending in opening {
            pending.cancel()
            bounds.giveConnection()
        }
    }

    /// Connections that no request uses.
    var idleCount: Int { idle.count }
    /// Connections that are open or being opened.
    var openCount: Int { open }

    // MARK: - Attempts

    /// Gives the attempt a connection now, or when one is there.
    ///
    /// - Parameter fresh: whether only a connection that was never used will do.
    func start(_ attempt: UpstreamAttempt, fresh: Bool = false) {
        if !fresh {
            while let connection = idle.popLast() {
                // A request that cannot be repeated is worth a look at the connection first.
                if !attempt.method.isIdempotent, connection.looksDead() {
                    connection.close()
                    continue
                }
                connection.begin(attempt)
                return
            }
        }
        let (deadline, overflow) = loop.now.addingReportingOverflow(attempt.timeouts.connect)
        attempt.waitDeadline = overflow ? .max : deadline
        attempt.isCountedAsPending = false
        waiting.append(attempt)
        openForWaiting()
        countAsPending(attempt)
        scheduleExpiry()
    }

    /// A request that must wait for somebody else's connection, because no more may be opened, counts as pending; one
    /// for which a connection is being opened, or a name looked up, does not.
    private func countAsPending(_ attempt: UpstreamAttempt) {
        guard case .known = resolver.state, waiting.count > opening.count,
            let index = waiting.lastIndex(where: { $0 === attempt })
        else { return }
        if bounds.takePending() {
            attempt.isCountedAsPending = true
        } else {
            waiting.remove(at: index)
            attempt.fail(.overloaded)
        }
    }

    /// Nobody waits longer than its time to connect, whatever it waits for.
    private func scheduleExpiry() {
        guard let next = waiting.map(\.waitDeadline).min(), next != .max else {
            expiry?.cancel()
            return
        }
        let timer = expiry ?? ActionTimer(loop: loop) { [unowned self] in expireWaiting() }
        expiry = timer
        timer.schedule(at: next)
    }

    private func expireWaiting() {
        let now = loop.now
        let late = waiting.filter { $0.waitDeadline <= now }
        for attempt in late {
            forget(attempt)
            attempt.fail(.connectTimeout)
        }
        scheduleExpiry()
    }

    /// Takes out an attempt that was cancelled while it waited.
    func forget(_ attempt: UpstreamAttempt) {
        guard let index = waiting.firstIndex(where: { $0 === attempt }) else { return }
        waiting.remove(at: index)
        giveBackPending(attempt)
    }

    private func nextWaiting() -> UpstreamAttempt? {
        guard !waiting.isEmpty else { return nil }
        let attempt = waiting.removeFirst()
        giveBackPending(attempt)
        return attempt
    }

    private func giveBackPending(_ attempt: UpstreamAttempt) {
        if attempt.isCountedAsPending { bounds.givePending() }
        attempt.isCountedAsPending = false
    }

    private func failWaiting(_ failure: UpstreamFailure) {
        while let attempt = nextWaiting() { attempt.fail(failure) }
    }

    // MARK: - Connections

    /// Opens as many connections as there are requests waiting, as far as the bounds allow.
    func openForWaiting() {
        guard waiting.count > opening.count else { return }
        let candidates: [String]
        switch resolver.state {
        case .pending: return
        case .failed:
            failWaiting(.dnsFailed)
            return
        case .known(let addresses): candidates = addresses
        }
        while waiting.count > opening.count {
            guard bounds.takeConnection() else {
                waitForPlace()
                return
            }
            open += 1
            let pending = PendingConnection(pool: self)
            opening.append(pending)
            let timeout = waiting[min(opening.count, waiting.count) - 1].timeouts.connect
            guard pending.begin(address, candidates, timeout, curl, loop) else {
                connectionFailed(pending, .connectFailed)
                return
            }
        }
    }

    private func waitForPlace() {
        let timer = retry ?? ActionTimer(loop: loop) { [unowned self] in openForWaiting() }
        retry = timer
        timer.schedule(after: Self.retryTime)
    }

    fileprivate func connected(_ pending: PendingConnection, _ stream: consuming ConnectionStream) {
        guard let connection = UpstreamConnection(stream, pool: self, loop: loop) else {
            connectionFailed(pending, .connectFailed)
            return
        }
        opening.removeAll { $0 === pending }
        if let attempt = nextWaiting() { connection.begin(attempt) } else { release(connection) }
    }

    fileprivate func connectionFailed(_ pending: PendingConnection, _ failure: UpstreamFailure) {
        opening.removeAll { $0 === pending }
        // Whoever it was opened for may have left: the others have connections of their own on the way.
        let attempt = waiting.count > opening.count ? nextWaiting() : nil
        gone()
        attempt?.fail(failure)
    }

    /// Takes a connection back that can carry another request.
    func release(_ connection: UpstreamConnection) {
        guard resolver.includes(connection.peer), !isRetired else {
            connection.close()
            return
        }
        if let attempt = nextWaiting() {
            connection.begin(attempt)
        } else {
            connection.rest(for: Self.idleTime)
            idle.append(connection)
        }
    }

    /// An idle connection has come to its end.
    func idleEnded(_ connection: UpstreamConnection) {
        if let index = idle.lastIndex(where: { $0 === connection }) { idle.remove(at: index) }
    }

    /// A connection is closed: its place is free.
    func gone() {
        open -= 1
        bounds.giveConnection()
        if !waiting.isEmpty { openForWaiting() }
    }

    /// Closes what is idle; what is in use is closed when its request has ended.
    func retire() {
        isRetired = true
        while let connection = idle.popLast() { connection.close() }
    }

    /// Closes idle connections to addresses that the host no longer has, and serves those who waited for an address.
    func addressesChanged() {
        let strangers = idle.filter { !resolver.includes($0.peer) }
        idle.removeAll { !resolver.includes($0.peer) }
        for connection in strangers { connection.close() }
        openForWaiting()
    }
}

/// A connection that is being opened for a pool.
private final class PendingConnection: ConnectWaiter {
    private unowned let pool: ConnectionPool
    private var connector: CurlConnector?

    init(pool: ConnectionPool) { self.pool = pool }

    func begin(
        _ address: EndpointAddress, _ candidates: [String], _ timeout: UInt64, _ curl: CurlMulti, _ loop: EventLoop
    ) -> Bool {
        connector = CurlConnector(
            address, candidates: candidates, timeout: timeout, shared: curl, loop: loop, waiter: self)
        return connector != nil
    }

    /// Gives up: the pool is not told.
    func cancel() { connector?.cancel() }

    override func connected(_ stream: consuming ConnectionStream) { pool.connected(self, stream) }

    override func connectFailed(_ failure: UpstreamFailure) { pool.connectionFailed(self, failure) }
}
