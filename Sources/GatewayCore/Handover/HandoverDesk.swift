import EventLoops
import Glibc
import HTTPListener
import Logging

/// The side of the process that serves: it waits for one that takes over, gives it the listening sockets, and hands over
/// when that one serves. Until then nothing changes, whatever becomes of the other process.
final class HandoverDesk: Poll {
    private let path: String
    private var desk: HeldSocket?
    private var held: [HeldSocket]
    fileprivate let log: Logger
    private let handOver: (pid_t) -> Void
    private var visitors: [HandoverVisitor] = []
    private var taker: HandoverVisitor?

    /// How many processes are listened to at a time.
    private static let mostVisitors = 8

    /// Listens at `path`.
    ///
    /// - Parameters:
    ///   - inherited: the socket that listened there for the process before; nil to open one.
    ///   - held: the sockets that are given away.
    ///   - handOver: called with the process that serves now in place of this one.
    init(
        _ path: String, inherited: InheritedSocket?, held: [HeldSocket], loop: EventLoop, log: Logger,
        handOver: @escaping (pid_t) -> Void
    ) throws(ListenError) {
        self.path = path
        self.log = log
        self.held = held
        self.handOver = handOver
        if let descriptor = inherited?.descriptor.take() {
            desk = HeldSocket(handover: path, descriptor)
        } else {
            desk = HeldSocket(handover: path, try Self.listen(path))
        }
        super.init(loop: loop)
    }

    private static func listen(_ path: String) throws(ListenError) -> Descriptor {
        let address = SocketAddress.unix(path)
        let number = Glibc.socket(
            AF_UNIX, CInt(SOCK_SEQPACKET.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw ListenError(text: address.text, reason: Self.errorText) }
        let descriptor = Descriptor(owning: number)
        var status = stat()
        if lstat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFSOCK else {
                throw ListenError(text: address.text, reason: "a file that is not a socket is in the way")
            }
            // Nobody answers there: that has been tried.
            unlink(path)
        }
        // The file is made with the mode of the socket: at no time can others connect.
        guard fchmod(number, 0o600) == 0, address.withSystemAddress({ bind(number, $0, $1) }) == 0,
            Glibc.listen(number, 16) == 0
        else { throw ListenError(text: address.text, reason: Self.errorText) }
        return descriptor
    }

    private static var errorText: String {
        // SAFETY: strerror returns a string for every number, and the control plane alone calls it here.
        String(cString: strerror(errno))
    }

    /// Begins to wait for whoever takes over.
    func begin() throws(EventLoopError) {
        guard let desk else { return }
        try open(desk.number)
        watch(.readable)
    }

    /// Whether another process has the sockets, and does not serve yet.
    var hasTaker: Bool { taker != nil }

    /// Ends it. The file stays where another process has its socket.
    func close() {
        guard desk != nil else { return }
        release()
        if taker == nil { unlink(path) }
        forgetSockets()
    }

    private func forgetSockets() {
        release()
        desk = nil
        held = []
        taker = nil
        visitors = []
    }

    public override func ready(_ events: Events) {
        guard let desk else { return }
        var storage = sockaddr_storage()
        let number = withUnsafeMutableBytes(of: &storage) { Descriptor.accept(desk.number, peer: $0) }
        guard number >= 0 else { return }
        let descriptor = Descriptor(owning: number)
        guard let peer = PassedMessage.peer(of: number), peer.user == geteuid() || peer.user == 0 else {
            return log.warning("refused a process of another user that wanted to take over")
        }
        guard visitors.count < Self.mostVisitors,
            let visitor = try? HandoverVisitor(descriptor, process: peer.process, desk: self)
        else {
            // Its own log says that ours says why.
            return log.warning(
                "refused a process that wanted to take over: others have connected and say nothing",
                metadata: ["process": "\(peer.process)"])
        }
        visitors.append(visitor)
    }

    // MARK: - What visitors say

    /// True when the sockets are on their way to the visitor.
    fileprivate func asks(_ visitor: HandoverVisitor) -> Bool {
        guard taker == nil else {
            _ = PassedMessage.send(HandoverMessage.busy, to: visitor.number)
            return false
        }
        guard let desk, HandoverMessage.send(held + [desk], to: visitor.number) else {
            log.error("the listening sockets could not be given away", metadata: ["process": "\(visitor.process)"])
            return false
        }
        taker = visitor
        log.info("listening sockets given to another process", metadata: ["process": "\(visitor.process)"])
        return true
    }

    fileprivate func serves(_ visitor: HandoverVisitor) {
        _ = PassedMessage.send(HandoverMessage.yours, to: visitor.number)
        let process = visitor.process
        handOver(process)
        forgetSockets()
    }

    fileprivate func left(_ visitor: HandoverVisitor) {
        visitors.removeAll { $0 === visitor }
        guard taker === visitor else { return }
        taker = nil
        log.warning(
            "the process that was taking over has gone before it served; this one goes on",
            metadata: ["process": "\(visitor.process)"])
    }
}

/// A process that has connected to the desk.
private final class HandoverVisitor: Poll {
    let process: pid_t
    private let descriptor: Descriptor
    private unowned let desk: HandoverDesk
    private var hasSockets = false
    private var patience: ActionTimer?

    /// How long it may take to say what it wants, in milliseconds.
    private static let timeToAsk: UInt64 = 5_000

    init(_ descriptor: consuming Descriptor, process: pid_t, desk: HandoverDesk) throws(EventLoopError) {
        self.process = process
        self.descriptor = descriptor
        self.desk = desk
        super.init(loop: desk.loop)
        try open(self.descriptor.number)
        watch(.readable)
        patience = ActionTimer(loop: desk.loop) { [unowned self] in leave() }
        patience?.schedule(after: Self.timeToAsk)
    }

    var number: CInt { descriptor.number }

    public override func ready(_ events: Events) {
        switch PassedMessage.receive(from: number) {
        case .wouldBlock: return
        case .ended: leave()
        case .message(let message):
            if !hasSockets, message.text == HandoverMessage.greeting {
                hasSockets = desk.asks(self)
                if !hasSockets { return leave() }
                patience = nil
            } else if hasSockets, message.text == HandoverMessage.ready {
                release()
                desk.serves(self)
            } else {
                desk.log.warning(
                    "refused a process that does not say what one says that takes over",
                    metadata: ["process": "\(process)"])
                leave()
            }
        }
    }

    private func leave() {
        release()
        desk.left(self)
    }
}
