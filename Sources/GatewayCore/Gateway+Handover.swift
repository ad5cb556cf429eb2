import EventLoops
import Glibc
package import HTTPListener
import Logging

extension Gateway {
    /// The socket of the admin listener, once; nil where the configuration has none.
    package func takeAdminSocket() -> ListeningSocket? {
        defer { adminSocket = nil }
        return adminSocket?.take()
    }

    /// Whether another process may hold the sockets of this one, which then are let go and not closed.
    var sharesSockets: Bool { takeOver?.isShared ?? false || desk?.hasTaker ?? false }

    /// Asks the process that serves, if there is one, for its sockets.
    static func inheritedSockets(
        _ path: String?, _ activated: [InheritedSocket], _ loop: EventLoop
    ) throws(StartError) -> (sockets: [InheritedSocket], takeOver: TakeOver?) {
        guard let path, let takeOver = try TakeOver.begin(path, loop: loop) else { return (activated, nil) }
        return (activated + takeOver.sockets, takeOver)
    }

    /// Makes the desk at which the next process asks for the sockets.
    func openDesk(_ sockets: ListenerSockets) throws(ListenError) {
        guard let path = handoverPath else { return }
        desk = try HandoverDesk(
            path, inherited: takeOver?.sockets.first { $0.role == .handover }, held: sockets.held, loop: loop, log: log
        ) { [unowned self] process in handedOver(to: process) }
    }

    /// All workers accept: the process before this one may stop, and the next one may come.
    func takeOverIsComplete() throws(EventLoopError) {
        guard let takeOver else { return try desk?.begin() ?? () }
        try takeOver.ready { [unowned self] in
            log.info("took over from the process before")
            guard !isDraining else { return }
            do throws(EventLoopError) {
                try desk?.begin()
            } catch {
                log.error("no other process can take over: \(error)")
            }
        }
    }

    private func handedOver(to process: pid_t) {
        log.info("another process serves in place of this one", metadata: ["process": "\(process)"])
        onHandover()
        drain(handingOver: true)
    }
}
