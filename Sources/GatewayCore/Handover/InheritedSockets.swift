import EventLoops
import HTTPListener

/// What a listening socket is for.
enum SocketRole: String {
    /// Clients.
    case listener
    /// Operators.
    case admin
    /// The next process, which takes over.
    case handover
}

/// A listening socket that another process has opened.
struct InheritedSocket {
    /// What it is for; nil where only its address and its name tell.
    let role: SocketRole?
    /// The name that it was given beside it (`LISTEN_FDNAMES`); empty for none.
    let name: String
    /// The address that was asked for when it was opened, where that is known: it may have the port 0.
    let asked: String?
    /// Where it is bound.
    let address: SocketAddress?
    /// Whether somebody else keeps it open, so that it goes on when this process ends.
    let isLent: Bool
    let descriptor: PassedDescriptor

    /// As an error names it.
    var text: String {
        let place = address?.text ?? "a socket without an address"
        return name.isEmpty ? place : "\(place) (\(name))"
    }
}

/// The listening sockets that a process has got from another one, until listeners take them.
struct InheritedSockets {
    /// What nobody has taken yet.
    private(set) var rest: [InheritedSocket]

    init(_ sockets: [InheritedSocket]) { rest = sockets }

    /// Takes the sockets for an address: those that are bound there, else those that were asked for in the same words
    /// (which finds a port that the system chose), else those with the name.
    ///
    /// - Parameter name: what a socket for this address is called, such as `listeners/0`; nil for none.
    mutating func take(_ role: SocketRole, for wanted: SocketAddress, named name: String?) -> [InheritedSocket] {
        let fitting = rest.filter { $0.role == nil || $0.role == role }
        guard
            let first = fitting.first(where: { $0.address == wanted })
                ?? fitting.first(where: { $0.asked == wanted.text })
                ?? fitting.first(where: { $0.role == nil && $0.name == name })
        else { return [] }
        func belongs(_ socket: InheritedSocket) -> Bool {
            (socket.role == nil || socket.role == role) && socket.address == first.address
        }
        defer { rest.removeAll(where: belongs) }
        return rest.filter(belongs)
    }
}
