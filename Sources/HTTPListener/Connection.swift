package import EventLoops
import Glibc

/// One accepted connection of a client: its socket, its deadlines, and the protocol that is spoken on it.
///
/// It knows when bytes can be read and written, never what they mean. What speaks the protocol keeps it alive, and is let
/// go when the connection closes.
package final class Connection: Poll {
    package unowned let server: HTTPServer
    /// The client's end.
    package let peer: PeerAddress
    /// Which of the configured listeners accepted it.
    package let listenerIndex: Int
    var slot = -1
    /// Whether it has been closed; nothing can be sent or received any more.
    private(set) var isClosed = false

    private var descriptor: Descriptor
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

    init(server: HTTPServer, descriptor: consuming Descriptor, peer: PeerAddress, listener: Int) {
        self.server = server
        self.descriptor = descriptor
        self.peer = peer
        listenerIndex = listener
        super.init(loop: server.loop)
    }

    /// Begins to read.
    func start() {
        session = .undecided(ProtocolDetection(server.protocols(of: listenerIndex), at: loop.now))
        do {
            try open(descriptor.number)
        } catch {
            close()
            return
        }
        limitReading(to: server.limits.headTimeout)
        watch(.readable)
    }

    // MARK: - Events

    public override func ready(_ events: Events) {
        if events.contains(.writable) {
            switch session {
            case .none, .undecided: break
            case .http1(let session): session.flush()
            case .http2(let session): session.flush()
            }
        }
        if isClosed { return }
        if events.contains(.readable), watched.contains(.readable) {
            read()
        } else if events.contains(.disconnect) {
            close()
        }
    }

    private func read() {
        let number = descriptor.number
        let result = loop.receive({ Descriptor.receive(number, into: $0) }) { input in
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
        case .http1: session = .http1(HTTP1Connection(on: self))
        case .http2: session = HTTP2Connection(on: self).map { .http2($0) } ?? .none
        }
        if case .none = session {
            close()
            return
        }
        if detection.earlier > 0 { received(ProtocolDetection.preface(detection.earlier)) }
        received(input)
    }

    // MARK: - Sending

    /// Writes as much of `bytes` as the system takes.
    func send(_ bytes: UnsafeRawBufferPointer) -> TransferResult { Descriptor.send(descriptor.number, bytes) }

    /// Writes three pieces as if they were one; the result counts over all of them.
    func send(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, _ third: UnsafeRawBufferPointer
    ) -> TransferResult { Descriptor.send(descriptor.number, first, second, third) }

    // MARK: - Ends

    /// Says to the client that nothing more comes.
    func endWriting() { shutdown(descriptor.number, CInt(SHUT_WR)) }

    /// Whether the client has sent what the system still holds.
    var hasUnreadBytes: Bool {
        var byte: UInt8 = 0
        return recv(descriptor.number, &byte, 1, CInt(MSG_PEEK | MSG_DONTWAIT)) > 0
    }

    /// Closes it with a reset: a plain close would look like the regular end of a body that has no length.
    func reset() {
        guard !isClosed else { return }
        var hard = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor.number, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// Closes it, whatever it is doing.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        release()
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
            case .none: break
            case .undecided: close()
            case .http1(let session): session.readTimeIsOver()
            case .http2(let session): session.readTimeIsOver()
            }
        }
    }

    /// Closes a connection that waits for a request and has been silent for a while; told during a drain.
    func closeIfIdle(since now: UInt64) {
        switch session {
        case .none: break
        case .undecided(let detection): if detection.isIdle(since: now) { close() }
        case .http1(let session): session.closeIfIdle(since: now)
        case .http2(let session): session.closeIfIdle(since: now)
        }
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
