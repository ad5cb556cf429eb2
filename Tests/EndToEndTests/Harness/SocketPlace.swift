import Foundation
import Glibc

/// Where a socket listens or connects to; only this machine.
enum SocketPlace: Hashable, Sendable, CustomStringConvertible {
    case ipv4(port: Int)
    /// 127.0.0.2, which is this machine, too: a server that has moved.
    case secondIPv4(port: Int)
    case ipv6(port: Int)
    case unix(path: String)

    /// The place that a line such as `listening on http://[::1]:8080 (admin)` names.
    init?(parsing text: some StringProtocol) {
        let address =
            text.replacingOccurrences(of: "https?://", with: "", options: .regularExpression).split(separator: " ")
            .first.map(String.init) ?? ""
        if address.hasPrefix("unix:") {
            self = .unix(path: String(address.dropFirst(5)))
            return
        }
        guard let colon = address.lastIndex(of: ":"), let port = Int(address[address.index(after: colon)...]) else {
            return nil
        }
        self = address.hasPrefix("[") ? .ipv6(port: port) : .ipv4(port: port)
    }

    var description: String {
        switch self {
        case .ipv4(let port): "127.0.0.1:\(port)"
        case .secondIPv4(let port): "127.0.0.2:\(port)"
        case .ipv6(let port): "[::1]:\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// The port; 0 where there is none.
    var port: Int {
        switch self {
        case .ipv4(let port), .secondIPv4(let port), .ipv6(let port): port
        case .unix: 0
        }
    }

    /// Opens a connection.
    func connect(receiveBuffer: CInt? = nil) throws -> CInt {
        let descriptor = try open()
        // Before the connection is made: the window is agreed on then.
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<CInt>.size))
        }
        let status = withAddress { Glibc.connect(descriptor, $0, $1) }
        guard status == 0 else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw ExchangeFailure("cannot connect to \(self): \(reason)")
        }
        return descriptor
    }

    /// Listens; port 0 takes a free one, which `bound` tells.
    func listen(backlog: CInt = 1_024) throws -> (descriptor: CInt, bound: SocketPlace) {
        let descriptor = try open()
        var one: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<CInt>.size))
        guard withAddress({ bind(descriptor, $0, $1) }) == 0, Glibc.listen(descriptor, backlog) == 0 else {
            let reason = String(cString: strerror(errno))
            close(descriptor)
            throw ExchangeFailure("cannot listen on \(self): \(reason)")
        }
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        let port = Int(UInt16(bigEndian: address.sin_port))
        if case .secondIPv4 = self { return (descriptor, .secondIPv4(port: port)) }
        return (descriptor, .ipv4(port: port))
    }

    /// A port that was free a moment ago, for what cannot take port 0. It is chosen by the system, never fixed.
    static func freePort() throws -> Int {
        let (descriptor, bound) = try SocketPlace.ipv4(port: 0).listen()
        close(descriptor)
        return bound.port
    }

    /// So many ports that are free and differ.
    static func freePorts(_ count: Int) throws -> [Int] {
        var held: [CInt] = []
        defer { held.forEach { close($0) } }
        return try (0..<count).map { _ in
            let (descriptor, bound) = try SocketPlace.ipv4(port: 0).listen()
            held.append(descriptor)
            return bound.port
        }
    }

    private func open() throws -> CInt {
        let family: CInt
        switch self {
        case .ipv4, .secondIPv4: family = AF_INET
        case .ipv6: family = AF_INET6
        case .unix: family = AF_UNIX
        }
        // Not inherited: a child that held the other end would keep a connection open that a test has closed.
        let descriptor = socket(family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ExchangeFailure("no socket: \(String(cString: strerror(errno)))") }
        var one: CInt = 1
        if family != AF_UNIX {
            setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<CInt>.size))
        }
        return descriptor
    }

    private func withAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        func use<Address>(_ address: Address) -> Result {
            withUnsafePointer(to: address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<Address>.size)) }
            }
        }
        switch self {
        case .ipv4(let port), .secondIPv4(let port):
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(port).bigEndian
            var host: UInt32 = 0x7F00_0001
            if case .secondIPv4 = self { host += 1 }
            address.sin_addr.s_addr = host.bigEndian
            return use(address)
        case .ipv6(let port):
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = UInt16(port).bigEndian
            address.sin6_addr = in6addr_loopback
            return use(address)
        case .unix(let path):
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
            return use(address)
        }
    }
}
