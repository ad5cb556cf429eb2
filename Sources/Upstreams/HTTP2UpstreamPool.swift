import ByteBuffers
import EventLoops
import HTTP2Framing
import HTTPMessage

/// The HTTP/2 connections of one worker to one endpoint, many requests on each, and requests that wait for one.
///
/// The connection that was used last is used first, and filled before the next one. A connection that is being opened
/// counts for as many requests as the last one took; it takes none before the server has said by its SETTINGS that it
/// speaks HTTP/2.
final class HTTP2UpstreamPool: EndpointPool {
    private let curl: ConnectMulti
    let callbacks = HTTP2Callbacks(.client)
    /// Memory in which a request's head is put together; empty between two uses.
    var head = ByteBuffer()
    var fieldList = HTTP2FieldList()
    private var connections: [HTTP2UpstreamConnection] = []
    /// Connections that can take a request, the next one last.
    private var roomy: [HTTP2UpstreamConnection] = []
    private var opening: [HTTP2Opening] = []
    private var spare: [HTTP2UpstreamStream] = []
    /// How many requests a connection is expected to take at a time.
    private var expected = HTTP2UpstreamConnection.mostStreams

    /// Streams that are kept for the next requests.
    private static let mostSpare = 128

    init(address: EndpointAddress, loop: EventLoop, curl: ConnectMulti, bounds: UpstreamBounds) {
        self.curl = curl
        super.init(address: address, loop: loop, bounds: bounds)
    }

    deinit {
        for one in opening {
            one.cancel()
            bounds.giveConnection(descriptors: descriptorsEach)
        }
    }

    override var idleCount: Int { connections.count { $0.isIdle } }
    override var openCount: Int { connections.count + opening.count }

    // MARK: - Attempts

    override func start(_ attempt: UpstreamAttempt, fresh: Bool = false) {
        if let connection = nextConnection(for: attempt, idleToo: !fresh) {
            connection.begin(attempt)
        } else {
            limitWait(of: attempt)
            wait(attempt)
        }
    }

    override var promised: Int { opening.count * expected }

    /// The connection for the next request. One that others are using, or nobody has used yet, is not stale.
    private func nextConnection(for attempt: UpstreamAttempt, idleToo: Bool) -> HTTP2UpstreamConnection? {
        while let connection = roomy.last {
            if !connection.hasRoom {
                connection.isListed = false
                roomy.removeLast()
                continue
            }
            guard connection.mayBeStale else { return connection }
            guard idleToo else { return roomy.last { $0.hasRoom && !$0.mayBeStale } }
            // A request that cannot be repeated is worth a look at the connection first.
            if attempt.mayBeRepeated || !connection.looksDead() { return connection }
            connection.close()
        }
        return nil
    }

    /// Serves those who wait, and opens connections for the others, as far as the bounds allow.
    override func openForWaiting() {
        while let attempt = waiting.first,
            let connection = nextConnection(for: attempt, idleToo: !attempt.wasReplaced)
        {
            forget(attempt)
            connection.begin(attempt)
        }
        while waiting.count > promised {
            guard bounds.takeConnection(descriptors: descriptorsEach) else {
                guard let attempt = waiting.first, let connection = nextConnection(for: attempt, idleToo: true) else {
                    waitForPlace()
                    return
                }
                forget(attempt)
                connection.begin(attempt)
                continue
            }
            let timeout = waiting[min(promised, waiting.count - 1)].timeouts.connect
            let one = HTTP2Opening(pool: self)
            opening.append(one)
            guard one.begin(address, candidates, timeout, curl, loop) else {
                failed(one, .connectFailed)
                return
            }
        }
    }

    // MARK: - Connections that are being opened

    fileprivate func connected(_ one: HTTP2Opening, _ stream: consuming ConnectionStream) {
        guard let connection = HTTP2UpstreamConnection(stream, pool: self, opening: one) else {
            failed(one, .connectFailed)
            return
        }
        one.connection = connection
        connection.greet(until: one.deadline)
    }

    /// The server speaks HTTP/2 and takes requests.
    func greeted(_ one: HTTP2Opening, _ connection: HTTP2UpstreamConnection) {
        opening.removeAll { $0 === one }
        one.connection = nil
        connections.append(connection)
        expected = connection.capacity
        hasRoom(connection)
    }

    /// A connection has not come about. Those for whom it was opened fail with it; whoever has waited too long for it is
    /// told so by the time of its own.
    func failed(_ one: HTTP2Opening, _ failure: UpstreamFailure) {
        opening.removeAll { $0 === one }
        one.connection = nil
        bounds.giveConnection(descriptors: descriptorsEach)
        var left = failure == .connectTimeout ? 0 : min(waiting.count - promised, expected)
        var failing: [UpstreamAttempt] = []
        while left > 0, let attempt = nextWaiting() {
            failing.append(attempt)
            left -= 1
        }
        if !waiting.isEmpty { openForWaiting() }
        for attempt in failing { attempt.fail(failure) }
    }

    // MARK: - Connections

    /// A connection can take another request.
    func hasRoom(_ connection: HTTP2UpstreamConnection) {
        if !connection.isListed {
            connection.isListed = true
            roomy.append(connection)
        }
        if !waiting.isEmpty { openForWaiting() }
    }

    /// A connection is closed: its place is free.
    func gone(_ connection: HTTP2UpstreamConnection) {
        connections.removeAll { $0 === connection }
        roomy.removeAll { $0 === connection }
        bounds.giveConnection(descriptors: descriptorsEach)
        if !waiting.isEmpty { openForWaiting() }
    }

    override func retire() {
        isRetired = true
        for connection in connections where connection.isIdle { connection.close() }
        spare.removeAll()
    }

    // MARK: - Streams

    /// A stream for a request.
    func takeStream() -> HTTP2UpstreamStream { spare.popLast() ?? HTTP2UpstreamStream(pool: self) }

    /// Keeps a stream for the next request.
    func keep(_ stream: HTTP2UpstreamStream) {
        if spare.count < Self.mostSpare, !isRetired { spare.append(stream) }
    }
}

/// A connection that is being opened for a pool, up to the server's SETTINGS.
final class HTTP2Opening: ConnectWaiter {
    private unowned let pool: HTTP2UpstreamPool
    private var connector: CurlConnector?
    /// The connection, once there is one that HTTP/2 is to be spoken on.
    fileprivate var connection: HTTP2UpstreamConnection?
    fileprivate private(set) var deadline: UInt64 = .max
    /// When it began, in nanoseconds.
    fileprivate(set) var begunAt: UInt64 = 0

    fileprivate init(pool: HTTP2UpstreamPool) { self.pool = pool }

    fileprivate func begin(
        _ address: EndpointAddress, _ candidates: [String], _ timeout: UInt64, _ curl: ConnectMulti, _ loop: EventLoop
    ) -> Bool {
        begunAt = EventLoop.nanoseconds
        let (end, overflow) = loop.now.addingReportingOverflow(timeout)
        deadline = overflow ? .max : end
        connector = CurlConnector(
            address, candidates: candidates, timeout: timeout, shared: curl, loop: loop, waiter: self)
        return connector != nil
    }

    /// Gives up: the pool is not told.
    fileprivate func cancel() { connector?.cancel() }

    override func connected(_ stream: consuming ConnectionStream) { pool.connected(self, stream) }

    override func connectFailed(_ failure: UpstreamFailure) { pool.failed(self, failure) }
}
