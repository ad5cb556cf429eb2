import EventLoops
import Glibc
import HTTPListener

/// The side of the process that takes over: it asks the one that serves for its listening sockets, and tells it when it
/// serves itself.
final class TakeOver: Poll {
    private let path: String
    private let socket: Descriptor
    private var onEnd: (() -> Void)?
    /// What it got, for listeners to take.
    private(set) var sockets: [InheritedSocket] = []
    /// Whether the old process holds the same sockets and may go on with them.
    private(set) var isShared = true

    /// How long the old process may take for an answer, in seconds.
    private static let patience = 5

    /// Asks the process that listens at `path`; nil when there is none.
    ///
    /// - Throws: `StartError` when there is one that does not give its sockets.
    static func begin(_ path: String, loop: EventLoop) throws(StartError) -> TakeOver? {
        let number = Glibc.socket(AF_UNIX, CInt(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw refusal(path, "the system gives no socket") }
        let socket = Descriptor(owning: number)
        var patience = timeval(tv_sec: Self.patience, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(number, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        guard let status = SocketAddress.unix(path).withSystemAddress({ connect(number, $0, $1) }) else {
            throw refusal(path, "the path is too long for a unix socket")
        }
        if status != 0 {
            let code = errno
            if code == ENOENT || code == ECONNREFUSED { return nil }
            // SAFETY: strerror returns a string for every number; this runs before workers do.
            throw refusal(path, String(cString: strerror(code)))
        }
        // Whoever put the socket there decides what this process listens on.
        guard let peer = PassedMessage.peer(of: number), peer.user == geteuid() || peer.user == 0 else {
            throw refusal(path, "the process there belongs to another user")
        }
        return try TakeOver(path, socket, loop: loop)
    }

    private static func refusal(_ path: String, _ reason: String) -> StartError {
        StartError(message: "cannot take over at \(path): \(reason)", exitCode: 69)
    }

    private init(_ path: String, _ socket: consuming Descriptor, loop: EventLoop) throws(StartError) {
        self.path = path
        self.socket = socket
        super.init(loop: loop)
        guard PassedMessage.send(HandoverMessage.greeting, to: self.socket.number) else {
            throw Self.refusal(path, "the process there has gone")
        }
        while true {
            switch PassedMessage.receive(from: self.socket.number) {
            case .wouldBlock: throw Self.refusal(path, "the process there gives no answer")
            case .ended: throw Self.refusal(path, "the process there did not give its sockets; its log says why")
            case .message(let message) where message.text == HandoverMessage.busy:
                throw Self.refusal(path, "another process is taking over")
            case .message(let message):
                guard let part = HandoverMessage.sockets(in: message) else {
                    throw Self.refusal(path, "the process there speaks another language")
                }
                sockets += part.sockets
                if part.isLast { return }
            }
        }
    }

    /// Tells the old process that this one serves; `onEnd` is called once it has stopped accepting, or is gone.
    func ready(_ onEnd: @escaping () -> Void) throws(EventLoopError) {
        self.onEnd = onEnd
        try open(socket.number)
        watch(.readable)
        // One that is gone cannot be told; the end of the connection says so.
        _ = PassedMessage.send(HandoverMessage.ready, to: socket.number)
    }

    public override func ready(_ events: Events) {
        if case .wouldBlock = PassedMessage.receive(from: socket.number) { return }
        release()
        isShared = false
        let action = onEnd
        onEnd = nil
        action?()
    }
}
