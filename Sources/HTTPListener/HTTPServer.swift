package import ByteBuffers
package import EventLoops
import Glibc
public import HTTP2Framing
package import HTTPMessage

/// The connections of one loop: what accepts them, bounds them, and ends them together.
///
/// Subclasses say what answers a request (``makeExchange()``). It belongs to its loop's thread.
open class HTTPServer {
    package final let loop: EventLoop
    /// A higher bound on connections lets those in that wait.
    package final var limits: ConnectionLimits {
        get { bounds }
        set {
            bounds = newValue
            if hasRoom { for listener in listeners { listener.resume() } }
        }
    }
    private final var bounds: ConnectionLimits
    /// What each listener speaks, by its index; ``SpokenProtocols/all`` for those that are not listed.
    package final var protocols: [SpokenProtocols] = []
    /// What HTTP/2 connections gather for one call to the system: one turn's frames of one connection at a time.
    final var gathered: ByteBuffer {
        _read { yield gatheredCell.value }
        _modify { yield &gatheredCell.value }
    }
    final var fieldList: HTTP2FieldList {
        _read { yield fieldListCell.value }
        _modify { yield &fieldListCell.value }
    }
    private final let gatheredCell = LoopCell(ByteBuffer())
    private final let fieldListCell = LoopCell(HTTP2FieldList())
    private(set) final lazy var http2Callbacks = HTTP2Callbacks(.server)
    /// The TLS of each configured listener, nil for those that speak HTTP in clear; new connections use it.
    package final var contexts: [TLSContext?] = []
    /// For each listener the balancers that announce their clients by the PROXY protocol, nil where none may. Who comes by
    /// a unix socket is one where there are any.
    package final var balancers: [CIDRSet?] = []
    private var handshakes = HandshakeQueue()
    private let staging = UnsafeMutableRawBufferPointer.allocate(byteCount: TLSStream.recordSize, alignment: 64)
    private var listeners: [Listener] = []
    private var connections: [Connection] = []
    private let spare = LoopCell<[ServerExchange]>([])
    private lazy var surplus = Surplus(self)
    private var perAddress: [IPAddress: Int] = [:]
    private let dateText = LoopCell(DateText())
    private var dateReadAt: UInt64 = 0
    private var dateSecond: Int64 = 0
    private var onDrained: (() -> Void)?
    private var drainTimer: ActionTimer?
    private var sweepTimer: ActionTimer?
    /// Whether the server is about to end: answers say `Connection: close`.
    package final var isDraining: Bool { isEnding }
    private final var isEnding = false

    /// How many exchanges are kept for reuse.
    private static let mostSpare = 1024

    /// A server without a listener.
    package init(loop: EventLoop, limits: ConnectionLimits) {
        self.loop = loop
        bounds = limits
    }

    deinit { staging.deallocate() }

    /// A new exchange, for when none can be reused.
    open func makeExchange() -> ServerExchange { ServerExchange() }

    /// Told when no more connections are accepted for a while: at the bound of connections, or because the system refuses
    /// them, with the errno.
    open func acceptingPaused(_ code: CInt?) {}

    /// Told when so many connections that waited for a request were closed, at the bound, to let newcomers in.
    open func connectionsGaveWay(_ count: Int) {}

    /// Told when a client was cut off because it passed a bound of HTTP/2.
    open func clientWasCutOff(_ flood: HTTP2Flood) {}

    /// Told when a TLS handshake did not come to its end.
    open func handshakeFailed(_ cause: HandshakeFailure) {}

    /// Told when a TLS handshake has come to its end at the listener with this index.
    open func handshakeCompleted(_ listener: Int) {}

    /// Told when a client has connected to the listener with this index.
    open func connectionOpened(_ listener: Int) {}

    /// Told when a connection that was told of as opened is closed.
    open func connectionClosed(_ listener: Int) {}

    /// What the listener with this index speaks.
    final func protocols(of listener: Int) -> SpokenProtocols {
        protocols.indices.contains(listener) ? protocols[listener] : .all
    }

    // MARK: - Listening

    /// Begins to accept from `socket`.
    ///
    /// - Parameter index: which of the configured listeners it is; exchanges find it at their connection.
    package final func listen(_ socket: consuming ListeningSocket, index: Int) throws(EventLoopError) {
        listeners.append(try Listener(server: self, socket: socket, index: index))
    }

    /// The addresses that are listened on.
    package final var addresses: [SocketAddress] { listeners.map(\.address) }

    /// The number of open connections.
    package final var connectionCount: Int { connections.count }

    final var hasRoom: Bool { connections.count < limits.connections }

    /// Closes, at the bound, the connections that have waited longest for a request; false when all are at work or have
    /// just come.
    final func makeRoom() -> Bool {
        var longest = LongestWaiting<Connection>(most: min(connections.count / 8, 16))
        for connection in connections {
            guard let since = connection.waitsSince, loop.now &- since >= limits.givesWayAfter else { continue }
            longest.offer(connection, since: since)
        }
        let found = longest.elements
        if !found.isEmpty { connectionsGaveWay(found.count) }
        for connection in found { connection.giveWay() }
        return hasRoom
    }

    final func accepted(_ descriptor: consuming Descriptor, from peer: PeerAddress, on listener: Listener) {
        let isBalancer = announces(peer, listener.index)
        // Dropping the descriptor closes the connection. A balancer's connections are counted as its clients'.
        guard isBalancer || admit(peer) else { return }
        var secure: TLSStream?
        if listener.index < contexts.count, let context = contexts[listener.index] {
            secure = TLSStream(context, socket: descriptor.number)
            if secure == nil {
                if !isBalancer { forget(peer) }
                return
            }
        }
        let connection = Connection(
            server: self, descriptor: descriptor, peer: peer, listener: listener.index, secure: secure,
            isAnnounced: isBalancer)
        connection.slot = connections.count
        connections.append(connection)
        connectionOpened(listener.index)
        connection.start()
    }

    final func closed(_ connection: Connection) {
        let slot = connection.slot
        guard slot >= 0, slot < connections.count, connections[slot] === connection else { return }
        let wasFull = !hasRoom
        connections[slot] = connections[connections.count - 1]
        connections[slot].slot = slot
        connections.removeLast()
        connection.slot = -1
        connectionClosed(connection.listenerIndex)
        if connection.isCounted { forget(connection.peer) }
        if wasFull, !isDraining { for listener in listeners { listener.resume() } }
        if isDraining { drainStep() }
    }

    private func announces(_ peer: PeerAddress, _ listener: Int) -> Bool {
        guard balancers.indices.contains(listener), let trusted = balancers[listener] else { return false }
        return peer.isUnix || trusted.contains(peer.address)
    }

    /// Counts one more connection of `peer`; false when it has as many as it may have.
    final func admit(_ peer: PeerAddress) -> Bool {
        guard let most = limits.connectionsPerAddress, !peer.isUnix else { return true }
        let count = perAddress[peer.address, default: 0]
        if count >= most { return false }
        perAddress[peer.address] = count + 1
        return true
    }

    private func forget(_ peer: PeerAddress) {
        guard limits.connectionsPerAddress != nil, !peer.isUnix else { return }
        let count = perAddress[peer.address, default: 1]
        perAddress[peer.address] = count > 1 ? count - 1 : nil
    }

    // MARK: - TLS

    /// Memory in which a connection may put a record together, for the length of one call.
    final var recordStaging: UnsafeMutableRawBufferPointer { staging }

    /// A handshake begins. At the bound the oldest one is given up: an honest client needs a moment only, so that whoever
    /// holds handshakes open loses them to those who go on.
    final func handshakeBegan(_ connection: Connection) -> Int {
        if handshakes.count >= limits.handshakes, let oldest = handshakes.oldest {
            oldest.giveUpHandshake(.givenUp)
            oldest.close()
        }
        return handshakes.add(connection)
    }

    final func handshakeEnded(_ number: Int) { handshakes.remove(number) }

    // MARK: - Exchanges

    final func takeExchange() -> ServerExchange { spare.value.popLast() ?? makeExchange() }

    final func giveBack(_ exchange: ServerExchange) {
        spare.value.append(exchange)
        // It may be in the middle of what has ended it, as when writing finds its client gone: it is let go no sooner than
        // that is over.
        if spare.value.count > Self.mostSpare { loop.atEndOfTurn(surplus) }
    }

    private func dropSurplus() {
        while spare.value.count > Self.mostSpare { spare.value.popLast()?.retired() }
    }

    /// Lets go of the exchanges that are kept for reuse; to be called when there are no more connections.
    package final func dropSpare() {
        while let exchange = spare.value.popLast() { exchange.retired() }
    }

    private final class Surplus: DeferredWork {
        private weak var server: HTTPServer?
        init(_ server: HTTPServer) { self.server = server }
        override func run() { server?.dropSurplus() }
    }

    /// Appends `Date: ...` and the line's end; the text is made once a second.
    package final func appendDate(to buffer: inout ByteBuffer) {
        let now = loop.now
        if dateSecond == 0 || now &- dateReadAt >= 500 {
            dateReadAt = now
            dateSecond = Int64(time(nil))
        }
        buffer.append("Date: ")
        dateText.value.appendHTTPDate(second: dateSecond, to: &buffer)
        buffer.append("\r\n")
    }

    // MARK: - The end

    /// Ends the server without failing a request: no new connections, answers say `Connection: close`, what runs may
    /// end within `timeout` milliseconds, and what is left then is cut off. `done` is called once, when all is closed.
    ///
    /// - Parameter lettingGo: whether another process holds the same sockets, which go on with it.
    package final func drain(timeout: UInt64, lettingGo: Bool = false, _ done: @escaping () -> Void) {
        guard !isDraining else { return }
        isEnding = true
        onDrained = done
        if lettingGo { letGo() }
        for listener in listeners { listener.close() }
        drainTimer = ActionTimer(loop: loop) { [unowned self] in cutOff() }
        drainTimer?.schedule(after: timeout)
        sweepTimer = ActionTimer(loop: loop) { [unowned self] in sweep() }
        sweep()
    }

    /// Accepts no more, and leaves the sockets to another process that holds them, too; connections go on.
    package final func letGo() { for listener in listeners { listener.letGo() } }

    private func sweep() {
        for connection in connections { connection.closeIfIdle(since: loop.now) }
        drainStep()
        if !connections.isEmpty { sweepTimer?.schedule(after: 100) }
    }

    private func cutOff() {
        for connection in connections { connection.drainTimeIsOver() }
        for connection in connections { connection.close() }
        drainStep()
    }

    private func drainStep() {
        guard connections.isEmpty, let done = onDrained else { return }
        onDrained = nil
        drainTimer = nil
        sweepTimer = nil
        listeners.removeAll()
        done()
    }
}
