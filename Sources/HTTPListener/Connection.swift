import ByteBuffers
package import EventLoops
import Glibc

/// One accepted connection of a client: its socket, its TLS where the listener has it, its deadlines, and the protocol
/// that is spoken on it.
///
/// It knows when bytes can be read and written, never what they mean. What speaks the protocol keeps it alive, and is let
/// go when the connection closes.
package final class Connection: Poll {
    package unowned let server: HTTPServer
    /// The client's end; behind a balancer that announces its clients, what that has announced.
    package internal(set) var peer: PeerAddress {
        get { origin }
        set { origin = newValue }
    }
    private var origin: PeerAddress
    /// What whoever answers requests keeps with the connection; nothing here looks at it.
    package var note: [UInt8] {
        get { kept }
        set { kept = newValue }
    }
    private var kept: [UInt8] = []
    /// Which of the configured listeners accepted it.
    package let listenerIndex: Int
    var slot = -1
    /// Whether it has been closed; nothing can be sent or received any more.
    private(set) var isClosed = false
    /// Whether it counts among its peer's connections.
    var isCounted: Bool

    private var descriptor: Descriptor
    /// The number of its socket.
    var socket: CInt { descriptor.number }
    /// What has come of a balancer's announcement; nil when none is awaited.
    var announcement: ByteBuffer?
    private(set) var isUnannounced: Bool
    /// What encrypts it; nil where HTTP is spoken in clear.
    let secure: TLSStream?
    /// What the session waits for, where TLS may have to wait for something else.
    private var wanted: Events = []
    /// The place among the handshakes in progress.
    var handshake = -1
    private var acceptedAt: UInt64 = 0
    /// Whether what the client still sends is thrown away as it is.
    private var isDiscarding = false
    private var session = Session.none
    private var readTimer: ConnectionTimer?
    private var writeTimer: ConnectionTimer?
    private var writeLimit: UInt64 = 0
    /// Bytes that the system held for the client when writing was last seen to go on or to stop.
    private var untaken = 0

    /// What speaks on the connection.
    private enum Session {
        case none
        /// Not known yet: the first bytes tell.
        case undecided(ProtocolDetection)
        case http1(HTTP1Connection)
        case http2(HTTP2Connection)
    }

    init(
        server: HTTPServer, descriptor: consuming Descriptor, peer: PeerAddress, listener: Int, secure: TLSStream?,
        isAnnounced: Bool
    ) {
        self.server = server
        self.descriptor = descriptor
        self.secure = secure
        origin = peer
        isCounted = !isAnnounced
        announcement = isAnnounced ? ByteBuffer() : nil
        isUnannounced = isAnnounced
        listenerIndex = listener
        super.init(loop: server.loop)
    }

    /// Begins to read.
    func start() {
        do {
            try open(descriptor.number)
        } catch {
            close()
            return
        }
        acceptedAt = loop.now
        guard isUnannounced else { return greet() }
        limitReading(to: server.limits.headTimeout)
        super.watch(.readable)
    }

    /// Begins with TLS where there is TLS.
    func greet() {
        isUnannounced = false
        guard secure != nil else { return begin() }
        handshake = server.handshakeBegan(self)
        limitReading(to: server.limits.handshakeTimeout)
        super.watch(.readable)
    }

    /// Begins to speak the protocol that was agreed on; in clear the first bytes tell which one it is.
    func begin() {
        limitReading(to: server.limits.headTimeout)
        watch(.readable)
        let spoken = server.protocols(of: listenerIndex)
        if let secure {
            speak(secure.agreed == .http2 || !spoken.contains(.http1) ? .http2 : .http1)
        } else {
            session = .undecided(ProtocolDetection(spoken, at: loop.now))
        }
    }

    // MARK: - Events

    public override func ready(_ events: Events) {
        if isUnannounced { return readAnnouncement() }
        if let secure { return ready(events, secure) }
        if events.contains(.writable) { flushSession() }
        if isClosed { return }
        if events.contains(.readable), watched.contains(.readable) {
            read()
        } else if events.contains(.disconnect) {
            close()
        }
    }

    private func read(fromSocket: Bool = true) {
        let number = descriptor.number
        let secure = isDiscarding ? nil : secure
        let result = loop.receive({ buffer in
            secure?.receive(into: buffer, fromSocket: fromSocket) ?? Descriptor.receive(number, into: buffer)
        }) { input in
            received(input)
        }
        switch result {
        case .bytes, .wouldBlock: break
        case .ended, .failed: close()
        }
    }

    private func received(_ input: Span<UInt8>) {
        switch session {
        case .none: break
        case .undecided(let detection): decide(detection, input)
        case .http1(let session): session.received(input)
        case .http2(let session): session.received(input)
        }
    }

    /// Looks at the first bytes of a connection, and begins to speak what they are.
    private func decide(_ detection: ProtocolDetection, _ input: Span<UInt8>) {
        var detection = detection
        let verdict = detection.next(input)
        switch verdict {
        case .undecided:
            session = .undecided(detection)
            return
        case .http1, .http2: speak(verdict)
        }
        if isClosed { return }
        if detection.earlier > 0 { received(ProtocolDetection.preface(detection.earlier)) }
        received(input)
    }

    private func speak(_ protocol: ProtocolDetection.Verdict) {
        switch `protocol` {
        case .undecided: break
        case .http1: session = .http1(HTTP1Connection(on: self))
        case .http2:
            guard let connection = HTTP2Connection(on: self) else { return close() }
            session = .http2(connection)
        }
    }

    private func flushSession() {
        switch session {
        case .none, .undecided: break
        case .http1(let session): session.flush()
        case .http2(let session): session.flush()
        }
    }

    // MARK: - TLS

    /// Events of a connection with TLS, which may have to write in order to read, and the other way round.
    private func ready(_ events: Events, _ secure: TLSStream) {
        if handshake >= 0 { return shakeHands(secure) }
        let turn = secure.writingNeedsReading ? events.contains(.readable) : events.contains(.writable)
        if turn { flushSession() }
        if isClosed { return }
        let canRead = secure.readingNeedsWriting ? events.contains(.writable) : events.contains(.readable)
        if canRead, wanted.contains(.readable) {
            read()
        } else if events.contains(.disconnect) {
            close()
        }
        // What TLS waits for may be another thing now.
        if !isClosed { watch(wanted) }
    }

    /// Watches for what the session can do something with.
    public override func watch(_ events: Events) {
        guard let secure else { return super.watch(events) }
        wanted = events
        var needed = events
        if events.contains(.readable), secure.readingNeedsWriting {
            needed.remove(.readable)
            needed.formUnion([.writable, .disconnect])
        }
        if events.contains(.writable), secure.writingNeedsReading {
            if !secure.readingNeedsWriting { needed.remove(.writable) }
            needed.insert(.readable)
        }
        if events.contains(.readable), secure.holdsInput { loop.atEndOfTurn(heldInput) }
        super.watch(needed)
    }

    private lazy var heldInput = HeldInput(self)

    private final class HeldInput: DeferredWork {
        // The connection may end in the turn in which it puts this off.
        private weak var connection: Connection?
        init(_ connection: Connection) { self.connection = connection }
        override func run() { connection?.readHeldInput() }
    }

    private func readHeldInput() {
        guard !isClosed, let secure, secure.holdsInput, wanted.contains(.readable) else { return }
        read(fromSocket: false)
        if !isClosed { watch(wanted) }
    }

    /// Whether it is encrypted.
    package var isSecure: Bool { secure != nil }

    /// What the client has proved of itself by a certificate; nil where it has shown none.
    package var clientCertificate: ClientCertificate? { secure?.clientCertificate }

    /// Whether a request for `host` may be answered here: not where the host is shown other certificates than this
    /// connection was (RFC 9110 §7.4).
    package func serves(_ host: Span<UInt8>) -> Bool { secure?.serves(host) ?? true }

    // MARK: - Sending

    /// Writes as much of `bytes` as the system takes. What it does not take must come again, and nothing else.
    func send(_ bytes: UnsafeRawBufferPointer) -> TransferResult {
        guard let secure else { return Descriptor.send(descriptor.number, bytes) }
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        return secure.send(bytes, nothing, nothing, staging: server.recordStaging)
    }

    /// Writes three pieces as if they were one; the result counts over all of them.
    func send(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, _ third: UnsafeRawBufferPointer
    ) -> TransferResult {
        guard let secure else { return Descriptor.send(descriptor.number, first, second, third) }
        return secure.send(first, second, third, staging: server.recordStaging)
    }

    // MARK: - Ends

    /// Says to the client that nothing more comes. What it still sends is of no meaning from now on.
    func endWriting() {
        secure?.sayGoodbye()
        isDiscarding = true
        shutdown(descriptor.number, CInt(SHUT_WR))
    }

    /// Whether the client has sent what the system still holds.
    var hasUnreadBytes: Bool {
        if let secure, secure.holdsInput { return true }
        var byte: UInt8 = 0
        return recv(descriptor.number, &byte, 1, CInt(MSG_PEEK | MSG_DONTWAIT)) > 0
    }

    /// Closes it with a reset: a plain close would look like the regular end of a body that has no length.
    func reset() {
        guard !isClosed else { return }
        var hard = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor.number, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
        end()
    }

    /// Closes it, whatever it is doing.
    package func close() {
        guard !isClosed else { return }
        secure?.sayGoodbye()
        end()
    }

    private func end() {
        isClosed = true
        release()
        endHandshake()
        readTimer?.cancel()
        writeTimer?.cancel()
        let session = session
        self.session = .none
        switch session {
        case .none, .undecided: break
        case .http1(let session): session.connectionClosed()
        case .http2(let session): session.connectionClosed()
        }
        descriptor = Descriptor(owning: -1)
        server.closed(self)
    }

    // MARK: - Times

    /// Bounds what is read next, in milliseconds from now; the session is told when they are over.
    func limitReading(to milliseconds: UInt64) {
        let timer = readTimer ?? ConnectionTimer(self, .read)
        readTimer = timer
        timer.schedule(after: milliseconds)
    }

    /// Takes the bound of reading away.
    func readWithoutLimit() { readTimer?.cancel() }

    /// Bounds how long the client may take nothing of what is written, in milliseconds from now; then it is closed.
    func limitWriting(to milliseconds: UInt64) {
        let timer = writeTimer ?? ConnectionTimer(self, .write)
        writeTimer = timer
        timer.schedule(after: milliseconds)
        writeLimit = milliseconds
        untaken = Descriptor.untaken(descriptor.number)
    }

    /// Takes the bound of writing away.
    func writeWithoutLimit() { writeTimer?.cancel() }

    fileprivate func timeIsOver(_ kind: ConnectionTimer.Kind) {
        switch kind {
        case .write:
            // The system asks for more only when a good part of its buffer is free, which may be megabytes: a client that
            // has taken anything since is slow, not silent.
            if Descriptor.untaken(descriptor.number) < untaken { limitWriting(to: writeLimit) } else { close() }
        case .read:
            switch session {
            case .none, .undecided:
                giveUpHandshake(.timeout)
                close()
            case .http1(let session): session.readTimeIsOver()
            case .http2(let session): session.readTimeIsOver()
            }
        }
    }

    /// Closes a connection that waits for a request and has been silent for a while; told during a drain.
    func closeIfIdle(since now: UInt64) {
        switch session {
        case .none: if now &- acceptedAt >= ConnectionLimits.drainIdleTime { close() }
        case .undecided(let detection): if detection.isIdle(since: now) { close() }
        case .http1(let session): session.closeIfIdle(since: now)
        case .http2(let session): session.closeIfIdle(since: now)
        }
    }

    /// Since when it waits for a request, or for the rest of one's head; nil while there is one in work.
    var waitsSince: UInt64? {
        switch session {
        case .none: acceptedAt
        case .undecided(let detection): detection.since
        case .http1(let session): session.waitsSince
        case .http2(let session): session.waitsSince
        }
    }

    /// Closes a connection that waits for a request, so that another client has its place.
    func giveWay() {
        if case .http2(let session) = session { session.sayFarewell() }
        giveUpHandshake(.givenUp)
        close()
    }

    /// The drain time is over: an answer that has not begun becomes 503, everything else is cut off.
    func drainTimeIsOver() {
        switch session {
        case .none, .undecided: break
        case .http1(let session): session.drainTimeIsOver()
        case .http2(let session): session.drainTimeIsOver()
        }
    }
}

/// A deadline of a connection.
private final class ConnectionTimer: EventLoops.Timer {
    enum Kind { case read, write }

    private unowned let connection: Connection
    private let kind: Kind

    init(_ connection: Connection, _ kind: Kind) {
        self.connection = connection
        self.kind = kind
        super.init(loop: connection.loop)
    }

    override func fire() { connection.timeIsOver(kind) }
}
