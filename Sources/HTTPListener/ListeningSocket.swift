package import EventLoops
import Glibc
import HTTPMessage

/// Why an address could not be listened on.
package struct ListenError: Error, CustomStringConvertible {
    /// The address as it was asked for.
    package let address: String
    /// What the system says.
    package let reason: String

    package var description: String { "cannot listen on \(address): \(reason)" }

    init(_ address: SocketAddress, errno code: CInt) {
        self.address = address.text
        // SAFETY: strerror returns a string for every number; this runs before workers do.
        reason = String(cString: strerror(code))
    }

    init(_ address: SocketAddress, reason: String) { self.init(text: address.text, reason: reason) }

    /// `text` is the address as it was asked for.
    package init(text: String, reason: String) {
        address = text
        self.reason = reason
    }
}

/// A socket that listens, made before any worker runs, so that a port that is taken is an error at the start.
package struct ListeningSocket: ~Copyable {
    package let descriptor: Descriptor
    /// The address that it is bound to, with the port that the system chose where 0 was asked for.
    package let address: SocketAddress
    /// Whether somebody else keeps it open and lends it to this process: it goes on when this process ends.
    package let isLent: Bool

    /// Binds and listens. Several sockets may share one IP address and port, among workers and among processes
    /// (`SO_REUSEPORT`): the system spreads new connections over them.
    package init(_ address: SocketAddress) throws(ListenError) {
        let number = socket(
            address.family, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw ListenError(address, errno: errno) }
        let descriptor = Descriptor(owning: number)
        switch address {
        case .ip(let ip, _):
            Self.set(number, SOL_SOCKET, SO_REUSEADDR)
            Self.set(number, SOL_SOCKET, SO_REUSEPORT)
            // What is accepted inherits it, which saves a call for each connection.
            Self.set(number, CInt(IPPROTO_TCP), TCP_NODELAY)
            if !ip.isIPv4 { Self.set(number, CInt(IPPROTO_IPV6), IPV6_V6ONLY) }
        case .unix(let path):
            try Self.removeStaleSocket(path, address)
        }
        guard let bound = address.withSystemAddress({ bind(number, $0, $1) }) else {
            throw ListenError(address, reason: "the path is too long for a unix socket")
        }
        guard bound == 0, listen(number, 4096) == 0 else { throw ListenError(address, errno: errno) }
        self.address = Self.boundAddress(number, asked: address)
        self.descriptor = descriptor
        isLent = false
    }

    /// Takes over a socket that another process has opened, which must listen for streams.
    package init(inheriting descriptor: consuming Descriptor, isLent: Bool) throws(ListenError) {
        let number = descriptor.number
        guard let address = Self.systemAddress(of: number) else {
            throw ListenError(text: "descriptor \(number)", reason: "it is no socket of TCP, and none with a path")
        }
        guard Self.option(number, SO_TYPE) == CInt(SOCK_STREAM.rawValue), Self.option(number, SO_ACCEPTCONN) == 1 else {
            throw ListenError(address, reason: "the socket that was passed on does not listen for streams")
        }
        _ = fcntl(number, F_SETFD, FD_CLOEXEC)
        _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK)
        if case .ip = address { Self.set(number, CInt(IPPROTO_TCP), TCP_NODELAY) }
        self.address = address
        self.isLent = isLent
        self.descriptor = descriptor
    }

    /// The same socket under a second number, for another worker: unix sockets cannot be bound twice, and a
    /// socket that was passed on stays one. Connections wait in one queue, and whoever comes first accepts them.
    package init(sharing other: borrowing ListeningSocket) throws(ListenError) {
        let number = fcntl(other.descriptor.number, F_DUPFD_CLOEXEC, 0)
        guard number >= 0 else { throw ListenError(other.address, errno: errno) }
        descriptor = Descriptor(owning: number)
        address = other.address
        isLent = other.isLent
    }

    private static func set(_ number: CInt, _ level: CInt, _ option: CInt) {
        var on: CInt = 1
        setsockopt(number, level, option, &on, socklen_t(MemoryLayout<CInt>.size))
    }

    /// A socket file that nobody answers on is left over from a process that was killed: it may go. Anything else stays.
    private static func removeStaleSocket(_ path: String, _ address: SocketAddress) throws(ListenError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ListenError(address, reason: "a file that is not a socket is in the way")
        }
        let probe = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { throw ListenError(address, errno: errno) }
        defer { close(probe) }
        let connected = address.withSystemAddress { connect(probe, $0, $1) } ?? -1
        guard connected != 0, errno == ECONNREFUSED else {
            throw ListenError(address, reason: "another process listens there")
        }
        unlink(path)
    }

    private static func option(_ number: CInt, _ option: CInt) -> CInt? {
        var value: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        return getsockopt(number, SOL_SOCKET, option, &value, &length) == 0 ? value : nil
    }

    private static func boundAddress(_ number: CInt, asked: SocketAddress) -> SocketAddress {
        guard case .ip(let ip, _) = asked, case .ip(_, let port) = systemAddress(of: number) else { return asked }
        return .ip(ip, port: port)
    }

    /// Where a socket is bound, as the system says; nil for what is neither TCP nor a unix socket with a path.
    package static func systemAddress(of number: CInt) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutablePointer(to: &storage) { pointer in
            // SAFETY: sockaddr_storage is made to hold any address that the system writes.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(number, $0, &length) }
        }
        guard status == 0 else { return nil }
        let start = MemoryLayout<sa_family_t>.size
        switch CInt(storage.ss_family) {
        case AF_INET, AF_INET6:
            let bound = PeerAddress(storage)
            return .ip(bound.address, port: bound.port)
        case AF_UNIX:
            let path = withUnsafeBytes(of: storage) { bytes in
                String(decoding: bytes[min(start, Int(length))..<Int(length)].prefix { $0 != 0 }, as: UTF8.self)
            }
            return path.isEmpty ? nil : .unix(path)
        default: return nil
        }
    }
}
