import EventLoops
import HTTPMessage

/// The connections of one worker to one endpoint: idle ones for the next request, and requests that wait for one.
///
/// The last one used is the first one used again, so that a pool that was large once shrinks by itself.
final class ConnectionPool: EndpointPool {
    private let curl: ConnectMulti
    private let idle = LoopCell<[UpstreamConnection]>([])
    private var opening: [PendingConnection] = []
    /// Answers that nobody waits for, after which their connections are idle.
    private var leftovers: [LeftoverAnswer] = []
    private static let mostLeftovers = 32
    private var open = 0

    init(address: EndpointAddress, loop: EventLoop, curl: ConnectMulti, bounds: UpstreamBounds) {
        self.curl = curl
        super.init(address: address, loop: loop, bounds: bounds)
    }

    deinit {
        for pending in opening {
            pending.cancel()
            bounds.giveConnection(descriptors: descriptorsEach)
        }
    }

    override var idleCount: Int { idle.value.count }
    override var openCount: Int { open }

    // MARK: - Attempts

    override func start(_ attempt: UpstreamAttempt, fresh: Bool = false) {
        if !fresh {
            while let connection = idle.value.popLast() {
                // A request that cannot be repeated is worth a look at the connection first.
                if !attempt.mayBeRepeated, connection.looksDead() {
                    connection.close()
                    continue
                }
                connection.begin(attempt)
                return
            }
        }
        limitWait(of: attempt)
        wait(attempt)
    }

    override var promised: Int { opening.count }

    // MARK: - Connections

    /// Opens as many connections as there are requests waiting, as far as the bounds allow.
    override func openForWaiting() {
        while waiting.count > opening.count {
            guard bounds.takeConnection(descriptors: descriptorsEach) else {
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

    fileprivate func connected(_ pending: PendingConnection, _ stream: consuming ConnectionStream) {
        guard let connection = UpstreamConnection(stream, pool: self, loop: loop, openedSince: pending.begunAt) else {
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
        guard !isRetired else {
            connection.close()
            return
        }
        if let attempt = nextWaiting() {
            connection.begin(attempt)
        } else {
            connection.rest(for: Self.idleTime)
            idle.value.append(connection)
        }
    }

    /// An idle connection has come to its end.
    func idleEnded(_ connection: UpstreamConnection) {
        idle.use { idle in
            if let index = idle.lastIndex(where: { $0 === connection }) { idle.remove(at: index) }
        }
    }

    /// A connection is closed: its place is free.
    func gone() {
        open -= 1
        bounds.giveConnection(descriptors: descriptorsEach)
        if !waiting.isEmpty { openForWaiting() }
    }

    override func retire() {
        isRetired = true
        while let connection = idle.value.popLast() { connection.close() }
        for leftover in leftovers { leftover.giveUp() }
    }

    /// Keeps an answer that nobody waits for until it is over; false where it is not worth it, as there are many of them at a
    /// server that answers nobody.
    func keep(leftover: LeftoverAnswer) -> Bool {
        guard !isRetired, leftovers.count < Self.mostLeftovers else { return false }
        leftovers.append(leftover)
        return true
    }

    override func forget(leftover: LeftoverAnswer) { leftovers.removeAll { $0 === leftover } }
}

/// A connection that is being opened for a pool.
private final class PendingConnection: ConnectWaiter {
    private unowned let pool: ConnectionPool
    private var connector: CurlConnector?
    /// When it began to be opened, in nanoseconds.
    private(set) var begunAt: UInt64 = 0

    init(pool: ConnectionPool) { self.pool = pool }

    func begin(
        _ address: EndpointAddress, _ candidates: [String], _ timeout: UInt64, _ curl: ConnectMulti, _ loop: EventLoop
    ) -> Bool {
        begunAt = EventLoop.nanoseconds
        connector = CurlConnector(
            address, candidates: candidates, timeout: timeout, shared: curl, loop: loop, waiter: self)
        return connector != nil
    }

    /// Gives up: the pool is not told.
    func cancel() { connector?.cancel() }

    override func connected(_ stream: consuming ConnectionStream) { pool.connected(self, stream) }

    override func connectFailed(_ failure: UpstreamFailure) { pool.connectionFailed(self, failure) }
}
