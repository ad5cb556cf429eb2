import EventLoops
import GatewayConfig
import HTTPListener

/// Opens everything that a process listens on, at its start: what other processes have passed on is used in place of
/// binding.
struct ListenerSockets {
    /// The sockets of each worker.
    private(set) var ofWorkers: [[ListeningSocketBox]]
    /// The socket of the admin listener.
    private(set) var admin: ListeningSocketBox?
    /// The addresses of the listeners, with their real ports, and which listener each belongs to.
    private(set) var addresses: [(index: Int, address: SocketAddress)] = []
    /// All sockets once more, where another process may want them.
    private(set) var held: [HeldSocket] = []
    private var inherited: InheritedSockets
    private let holds: Bool

    /// Opens the sockets that `gateway` asks for.
    ///
    /// - Parameters:
    ///   - workers: how many workers there are; each has at least one socket for each address.
    ///   - inherited: what other processes have passed on.
    init(_ gateway: GatewaySection, workers: Int, inherited: [InheritedSocket]) throws(ListenError) {
        ofWorkers = Array(repeating: [], count: workers)
        self.inherited = InheritedSockets(inherited)
        holds = gateway.handover != nil
        for (index, listener) in gateway.listeners.enumerated() {
            for address in try Self.resolving(listener.address) { try open(address, index) }
        }
        if let section = gateway.admin, let address = try Self.resolving(section.address).first {
            try openAdmin(address)
        }
        try check(admin: gateway.admin)
    }

    /// What was passed on by whoever started this process must be used: that it is not is a mistake in one of the two. What
    /// the process before has listened on may be more than what is wanted now.
    private func check(admin: AdminSection?) throws(ListenError) {
        let strange = inherited.rest.filter { $0.role == nil }.map(\.text)
        guard !strange.isEmpty else { return }
        let listeners = addresses.map(\.address.text) + (admin.map { ["\($0.address) (admin)"] } ?? [])
        throw ListenError(
            text: strange.joined(separator: ", "),
            reason: "it was passed on, but is the address of no listener: \(listeners.joined(separator: ", "))")
    }

    private static func resolving(_ address: ListenAddress) throws(ListenError) -> [SocketAddress] {
        let found = SocketAddress.resolving(address)
        if found.isEmpty { throw ListenError(text: address.description, reason: "the name has no address") }
        return found
    }

    private mutating func open(_ wanted: SocketAddress, _ index: Int) throws(ListenError) {
        let found = inherited.take(.listener, for: wanted, named: "listeners/\(index)")
        if found.isEmpty { return try bind(wanted, index) }
        for (number, passed) in found.enumerated() {
            guard let descriptor = passed.descriptor.take() else { continue }
            let socket = try ListeningSocket(inheriting: descriptor, isLent: passed.isLent)
            if number == 0 { addresses.append((index, socket.address)) }
            try hold(socket, .listener, asked: wanted)
            // Workers beyond the number of sockets share one: what waits in its queue belongs to all of them.
            for worker in stride(from: number + found.count, to: ofWorkers.count, by: found.count) {
                ofWorkers[worker].append(ListeningSocketBox(try ListeningSocket(sharing: socket), index: index))
            }
            ofWorkers[number % ofWorkers.count].append(ListeningSocketBox(socket, index: index))
        }
    }

    /// Every worker has a socket of its own on an IP address: the system spreads connections over them.
    private mutating func bind(_ wanted: SocketAddress, _ index: Int) throws(ListenError) {
        let first = try ListeningSocket(wanted)
        let bound = first.address
        addresses.append((index, bound))
        try hold(first, .listener, asked: wanted)
        for worker in ofWorkers.indices.dropFirst() {
            if case .unix = bound {
                ofWorkers[worker].append(ListeningSocketBox(try ListeningSocket(sharing: first), index: index))
            } else {
                let own = try ListeningSocket(bound)
                try hold(own, .listener, asked: wanted)
                ofWorkers[worker].append(ListeningSocketBox(own, index: index))
            }
        }
        ofWorkers[0].append(ListeningSocketBox(first, index: index))
    }

    private mutating func openAdmin(_ wanted: SocketAddress) throws(ListenError) {
        for passed in inherited.take(.admin, for: wanted, named: "admin") where admin == nil {
            guard let descriptor = passed.descriptor.take() else { continue }
            let socket = try ListeningSocket(inheriting: descriptor, isLent: passed.isLent)
            try hold(socket, .admin, asked: wanted)
            admin = ListeningSocketBox(socket, index: 0)
        }
        if admin != nil { return }
        let socket = try ListeningSocket(wanted)
        try hold(socket, .admin, asked: wanted)
        admin = ListeningSocketBox(socket, index: 0)
    }

    private mutating func hold(
        _ socket: borrowing ListeningSocket, _ role: SocketRole, asked: SocketAddress
    ) throws(ListenError) {
        if holds { held.append(try HeldSocket(role, asked: asked.text, sharing: socket)) }
    }
}
