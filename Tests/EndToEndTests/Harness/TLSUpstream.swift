import Foundation
import Glibc
import Synchronization

/// An upstream that is reached over TLS: openssl's server does the TLS, one connection after the other, and a script
/// reads and writes what is inside.
final class TLSUpstream: Sendable {
    let port: Int
    private let process: RunningProcess

    /// Listens, and runs `script` on a thread of its own.
    init(certificate: String, key: String, _ script: @escaping @Sendable (Wire) throws -> Void) throws {
        var ends: [CInt] = [-1, -1]
        let status = Inheritance.lock.withLock { _ in
            defer { for end in ends { Inheritance.forbid(end) } }
            return socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends)
        }
        guard status == 0 else { throw ExchangeFailure("no socket pair: \(String(cString: strerror(errno)))") }
        // Quiet, so that nothing but the connection's bytes comes out; but then it does not tell its port, either.
        let port = try SocketPlace.freePort()
        self.port = port
        let inside = ends[0]
        defer { close(ends[1]) }
        process = try RunningProcess(
            "/usr/bin/openssl",
            ["s_server", "-quiet", "-accept", "127.0.0.1:\(port)", "-cert", certificate, "-key", key],
            plainSide: ends[1])
        let thread = Thread {
            // A script that is cut off ends here; what the test asserts on shows it.
            try? script(Wire(adopting: inside))
        }
        thread.stackSize = 1 << 20
        thread.start()
        try eventually("openssl listens") {
            // The connection that shows it ends without a handshake, which openssl does not mind.
            guard let descriptor = try? SocketPlace.ipv4(port: port).connect() else { return false }
            close(descriptor)
            return true
        }
    }

    deinit { process.signal(SIGKILL) }

    var url: String { "https://localhost:\(port)" }
}
