import EventLoops
import Glibc
import HTTPListener

/// A listening socket that the control plane holds beside whoever uses it, so that another process can have it.
final class HeldSocket {
    let role: SocketRole
    /// The address that was asked for.
    let asked: String
    /// Whether somebody else keeps it open.
    let isLent: Bool
    private let descriptor: Descriptor

    /// Holds the socket of a listener under a second number.
    init(_ role: SocketRole, asked: String, sharing socket: borrowing ListeningSocket) throws(ListenError) {
        let number = fcntl(socket.descriptor.number, F_DUPFD_CLOEXEC, 0)
        guard number >= 0 else { throw ListenError(text: asked, reason: "no descriptor is left") }
        self.role = role
        self.asked = asked
        isLent = socket.isLent
        descriptor = Descriptor(owning: number)
    }

    /// Holds the socket at which the next process asks.
    init(handover path: String, _ descriptor: consuming Descriptor) {
        role = .handover
        asked = path
        isLent = false
        self.descriptor = descriptor
    }

    /// Its number, for as long as this object lives.
    var number: CInt { descriptor.number }
}
