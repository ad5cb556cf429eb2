import ByteBuffers
package import EventLoops
package import GatewayConfig
import Glibc
import HTTPListener
import HTTPMessage

/// Tries to connect to a server, one of its addresses after the other, and closes the connection again.
package final class ConnectProbe: Poll {
    private let server: ServerSection
    private let limit: UInt64
    private var done: ((String?) -> Void)?
    private var addresses: ArraySlice<HTTPMessage.IPAddress> = []
    private var lookup: AddressLookup?
    private var timer: ActionTimer?
    private var descriptor: CInt = -1
    private var failure = "the name has no address"

    /// The longest that one server is waited for, in milliseconds.
    private static let longest: UInt64 = 2_000

    /// What a ``PoolCheck`` asks with.
    package static func begin(
        _ server: ServerSection, _ upstream: UpstreamSection, _ loop: EventLoop, _ done: @escaping (String?) -> Void
    ) -> AnyObject {
        let probe = ConnectProbe(server, limit: min(upstream.connectTimeout.limit, longest), loop: loop, done)
        probe.begin()
        return probe
    }

    private init(_ server: ServerSection, limit: UInt64, loop: EventLoop, _ done: @escaping (String?) -> Void) {
        self.server = server
        self.limit = limit
        self.done = done
        super.init(loop: loop)
    }

    deinit { close() }

    private func begin() {
        let timer = ActionTimer(loop: loop) { [unowned self] in end("no connection within \(limit) ms") }
        timer.schedule(after: limit)
        self.timer = timer
        switch server.url.host {
        case .address(let address):
            addresses = [HTTPMessage.IPAddress(high: address.high, low: address.low)]
            tryNext()
        case .name(let name):
            lookup = AddressLookup(loop: loop, host: name) { [unowned self] found in
                addresses =
                    (found ?? []).compactMap { text in
                        let bytes = Array(text.utf8)
                        return HTTPMessage.IPAddress(bytes.span)
                    }[...]
                tryNext()
            }
        }
    }

    private func tryNext() {
        while done != nil, let address = addresses.popFirst() {
            if connect(to: .ip(address, port: server.url.port)) { return }
        }
        end(failure)
    }

    /// Whether a connection is being opened.
    private func connect(to address: SocketAddress) -> Bool {
        descriptor = socket(
            address.family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return note(errno) }
        let status = address.withSystemAddress { Glibc.connect(descriptor, $0, $1) } ?? -1
        if status < 0, errno != EINPROGRESS { return note(errno) }
        do throws(EventLoopError) {
            try open(descriptor)
        } catch {
            return note(ENOMEM)
        }
        watch(.writable)
        return true
    }

    private func note(_ code: CInt) -> Bool {
        failure = String(cString: strerror(code))
        close()
        return false
    }

    package override func ready(_ events: Events) {
        var code: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
        guard code != 0 else { return end(nil) }
        _ = note(code)
        tryNext()
    }

    private func end(_ failure: String?) {
        guard let done else { return }
        self.done = nil
        timer?.cancel()
        close()
        done(failure)
    }

    private func close() {
        release()
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }
}
