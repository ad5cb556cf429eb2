package import EventLoops
import Glibc

/// Accepts connections for one server from one listening socket.
package final class Listener: Poll {
    private unowned let server: HTTPServer
    private var socket: ListeningSocket?
    private let number: CInt
    /// The address with its real port.
    package let address: SocketAddress
    private let isLent: Bool
    /// Which of the configured listeners this is.
    package let index: Int
    private var isClosed = false
    private var retry: ActionTimer?

    /// How many connections one event may bring, so that established ones get their turn.
    private static let acceptsPerEvent = 64
    /// How long accepting rests at a bound or when the system has no descriptor or memory left, in milliseconds.
    private static let restTime: UInt64 = 100

    init(server: HTTPServer, socket: consuming ListeningSocket, index: Int) throws(EventLoopError) {
        self.server = server
        number = socket.descriptor.number
        address = socket.address
        isLent = socket.isLent
        self.socket = consume socket
        self.index = index
        super.init(loop: server.loop)
        try open(number)
        retry = ActionTimer(loop: server.loop) { [unowned self] in resume() }
        watch(.readable)
    }

    public override func ready(_ events: Events) {
        for _ in 0..<Self.acceptsPerEvent {
            guard server.hasRoom || server.makeRoom() else { return rest(nil) }
            guard acceptOne() else { return }
        }
    }

    /// Accepts again after a pause.
    func resume() {
        if !isClosed { watch(.readable) }
    }

    /// Takes what the system has already accepted, then closes the socket: a client whose connection was established
    /// is served. One that is lent is let go.
    func close() {
        guard !isClosed else { return }
        if isLent { return letGo() }
        isClosed = true
        // A queue of no length makes the system ignore newcomers, who will try again and reach another process.
        _ = listen(number, 0)
        while server.hasRoom, acceptOne() {}
        release()
        shutdown(number, CInt(SHUT_RDWR))
        if case .unix(let path) = address { unlink(path) }
        socket = nil
    }

    /// Accepts no more, and leaves the socket with whoever waits in its queue to the others that hold it: it is neither
    /// shut down nor are its file and its queue touched.
    func letGo() {
        guard !isClosed else { return }
        isClosed = true
        release()
        socket = nil
    }

    private func acceptOne() -> Bool {
        var storage = sockaddr_storage()
        let accepted = withUnsafeMutableBytes(of: &storage) { peer in
            Descriptor.accept(number, peer: peer)
        }
        if accepted >= 0 {
            server.accepted(Descriptor(owning: accepted), from: PeerAddress(storage), on: self)
            return true
        }
        let code = errno
        switch code {
        case EINTR, ECONNABORTED, EPROTO: return true
        case EAGAIN: return false
        default:
            rest(code)
            return false
        }
    }

    /// Stops accepting for a moment: at the bound (the server resumes its listeners when a connection ends, and some may
    /// give way soon), or because the system refuses, where asking again at once would spin.
    private func rest(_ code: CInt?) {
        watch([])
        if !isClosed { retry?.schedule(after: Self.restTime) }
        server.acceptingPaused(code)
    }
}
