import ByteBuffers
package import Glibc
package import HTTPMessage

/// Where a socket listens: an IP address with a port, or a path of the file system.
package enum SocketAddress: Equatable, Sendable {
    /// An address and a port; port 0 lets the system choose.
    case ip(IPAddress, port: UInt16)
    /// A unix socket. A stale one is replaced.
    case unix(String)

    /// As it is written in a configuration: `127.0.0.1:8080`, `[::1]:8080`, `unix:/run/banyan.sock`.
    package var text: String {
        switch self {
        case .unix(let path): return "unix:" + path
        case .ip(let address, let port):
            var buffer = ByteBuffer()
            if !address.isIPv4 { buffer.append("[") }
            buffer.append(address)
            if !address.isIPv4 { buffer.append("]") }
            buffer.append(":")
            buffer.appendDecimal(port)
            return buffer.text
        }
    }

    /// Calls `body` with the address as the system wants it; nil when a path is too long for the system (107 bytes).
    package func withSystemAddress<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R? {
        switch self {
        case .ip(let ip, let port) where ip.isIPv4:
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(truncatingIfNeeded: ip.low).bigEndian
            return Self.rebound(&address, body)
        case .ip(let ip, let port):
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &address.sin6_addr) { bytes in
                bytes.storeBytes(of: ip.high.bigEndian, as: UInt64.self)
                bytes.storeBytes(of: ip.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            return Self.rebound(&address, body)
        case .unix(let path):
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let bytes = Array(path.utf8)
            let fits = withUnsafeMutableBytes(of: &address.sun_path) { target in
                guard bytes.count < target.count else { return false }
                target.copyBytes(from: bytes)
                return true
            }
            return fits ? Self.rebound(&address, body) : nil
        }
    }

    private static func rebound<Address, R>(
        _ address: inout Address, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R
    ) -> R {
        withUnsafePointer(to: &address) { pointer in
            // SAFETY: the system's address types all begin with the family, which is how it tells them apart.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }

    /// The family for `socket(2)`.
    package var family: CInt {
        switch self {
        case .unix: AF_UNIX
        case .ip(let address, _): address.isIPv4 ? AF_INET : AF_INET6
        }
    }
}

/// The other end of a connection.
package struct PeerAddress: Equatable, Hashable, Sendable {
    /// Its address; `::` for a unix socket.
    package var address: IPAddress
    /// Its port; 0 for a unix socket.
    package var port: UInt16
    /// Whether it came by a unix socket.
    package var isUnix: Bool

    /// Reads what `accept` or `getsockname` filled in.
    init(_ storage: sockaddr_storage) {
        self.init(address: IPAddress(high: 0, low: 0), port: 0, isUnix: true)
        let family = CInt(storage.ss_family)
        withUnsafeBytes(of: storage) { bytes in
            // SAFETY: sockaddr_storage is large enough for every family; its first field says which one it holds.
            switch family {
            case AF_INET:
                let inet = bytes.loadUnaligned(as: sockaddr_in.self)
                self = PeerAddress(
                    address: IPAddress(ipv4: UInt32(bigEndian: inet.sin_addr.s_addr)),
                    port: UInt16(bigEndian: inet.sin_port), isUnix: false)
            case AF_INET6:
                let inet = bytes.loadUnaligned(as: sockaddr_in6.self)
                let halves = withUnsafeBytes(of: inet.sin6_addr) { words in
                    (
                        UInt64(bigEndian: words.loadUnaligned(as: UInt64.self)),
                        UInt64(bigEndian: words.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                    )
                }
                self = PeerAddress(
                    address: IPAddress(high: halves.0, low: halves.1), port: UInt16(bigEndian: inet.sin6_port),
                    isUnix: false)
            default: break
            }
        }
    }

    /// A peer with this address.
    package init(address: IPAddress, port: UInt16, isUnix: Bool) {
        self.address = address
        self.port = port
        self.isUnix = isUnix
    }
}
