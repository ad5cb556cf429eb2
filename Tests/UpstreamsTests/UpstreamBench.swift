import EventLoops
import Foundation
import HTTPMessage
import Testing

@testable import Upstreams

/// One upstream on a loop of its own, and the server behind it: both ends are driven by the test's thread, so that the
/// order of events is the test's, and nothing sleeps.
final class UpstreamBench {
    let loop: EventLoop
    let set: UpstreamSet
    let bounds: UpstreamBounds
    private(set) var upstream: Upstream
    private let discovery: Discovery
    private let tick: Tick
    private let listener: Descriptor
    let port: UInt16

    /// How long a test waits for what it expects, in nanoseconds.
    private static let patience: UInt64 = 15_000_000_000

    init(
        _ carrier: UpstreamCarrier = .connection, host: String = "127.0.0.1", isSecure: Bool = false,
        bounds: UpstreamBounds = UpstreamBounds()
    ) throws {
        loop = try EventLoop()
        tick = Tick(loop: loop)
        self.bounds = bounds
        set = try #require(UpstreamSet(loop: loop))
        let number = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        listener = Descriptor(owning: number)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            // SAFETY: a sockaddr_in begins with what a sockaddr has, and the length says how long it is.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(number, $0, length)
                _ = listen(number, 64)
                _ = getsockname(number, $0, &length)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        let server = EndpointAddress(isSecure: isSecure, host: host, port: port, carrier: carrier)
        discovery = try Discovery(loop: loop)
        upstream = set.apply(discovery.use([Self.definition(server)]), bounds: [bounds])[0]
        discovery.changed = { [unowned self] in upstream = set.apply(discovery.definitions, bounds: [bounds])[0] }
    }

    deinit { set.retire() }

    static func definition(_ addresses: EndpointAddress...) -> UpstreamDefinition {
        UpstreamDefinition(name: "test", servers: addresses.map { UpstreamDefinition.Server(address: $0) })
    }

    var pool: EndpointPool { upstream.endpoints[0].pool }

    /// Begins an attempt; false when the bounds are reached.
    @discardableResult func start(_ attempt: RecordingAttempt) -> Bool {
        upstream.start(attempt, UpstreamOrder(random: 1)) == nil
    }

    /// Begins an attempt with this method and body.
    func begin(
        _ method: HTTPMessage.Method = .get, framing: BodyFraming = .none, body: String? = nil
    ) -> RecordingAttempt {
        let attempt = RecordingAttempt()
        attempt.method = method
        attempt.framing = framing
        attempt.body = body
        start(attempt)
        return attempt
    }

    /// Runs turns of the loop until `condition` holds; false when it does not come to hold in time.
    func drive(_ condition: () -> Bool) -> Bool {
        let end = EventLoop.nanoseconds + Self.patience
        defer { tick.cancel() }
        while !condition() {
            if EventLoop.nanoseconds > end { return false }
            loop.refreshNow()
            tick.schedule(after: 1)
            loop.runOnce()
        }
        return true
    }

    /// Takes what is there, without waiting.
    func settle(turns: Int = 8) {
        for _ in 0..<turns { loop.runOnce(waiting: false) }
    }

    /// Whether the loop waits for nearly all of so many milliseconds: a few timers that have moved may still wake it, but
    /// a descriptor that nobody reads would do so thousands of times.
    func isQuiet(for milliseconds: UInt64 = 30) -> Bool {
        settle()
        var isOver = false
        let end = ActionTimer(loop: loop) { isOver = true }
        loop.refreshNow()
        end.schedule(after: milliseconds)
        var turns = 0
        return withExtendedLifetime(end) {
            while !isOver {
                loop.runOnce()
                turns += 1
            }
            return turns < 10
        }
    }

    /// The server's end of the next connection.
    func accept() throws -> ServerEnd {
        var number: CInt = -1
        let came = drive {
            number = Glibc.accept(listener.number, nil, nil)
            return number >= 0
        }
        try #require(came, "a connection comes")
        _ = fcntl(number, F_SETFL, O_NONBLOCK)
        return ServerEnd(self, number)
    }

    /// Whether another connection is there.
    var hasNewcomer: Bool {
        settle()
        let number = Glibc.accept(listener.number, nil, nil)
        if number >= 0 { close(number) }
        return number >= 0
    }

    /// Nobody listens any more.
    func stopListening() { shutdown(listener.number, CInt(SHUT_RDWR)) }

    /// Has one request answered, and returns the server's end of the connection, which is idle then.
    func warmUp() throws -> ServerEnd {
        let attempt = begin()
        let peer = try accept()
        try #require(peer.receives("\r\n\r\n"))
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwarm")
        try #require(drive { attempt.isOver })
        try #require(attempt.outcome == .ended && pool.idleCount == 1)
        peer.forget()
        return peer
    }
}

extension UpstreamCarrier {
    /// Those that speak HTTP/1.1: what a request gets must not depend on which of them carries it.
    static let http1: [UpstreamCarrier] = [.connection, .transfers]
}

/// The server's end of a connection.
final class ServerEnd {
    private let bench: UpstreamBench
    private let number: CInt
    private(set) var received: [UInt8] = []
    /// Whether the gateway has closed the connection.
    private(set) var hasEnded = false
    private var isClosed = false

    init(_ bench: UpstreamBench, _ number: CInt) {
        self.bench = bench
        self.number = number
    }

    deinit { close() }

    func close() {
        if !isClosed { _ = Glibc.close(number) }
        isClosed = true
    }

    /// Closes with a reset.
    func reset() {
        var hard = linger(l_onoff: 1, l_linger: 0)
        setsockopt(number, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// Sends all of `text`; the loop runs whenever the system takes no more.
    @discardableResult func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        return bench.drive {
            sent += sendWhatFits(bytes[sent...])
            return sent == bytes.count
        }
    }

    /// Sends what the system takes at once, and says how much that was.
    func sendWhatFits(_ bytes: ArraySlice<UInt8>) -> Int {
        if case .bytes(let count) = bytes.withUnsafeBytes({ Descriptor.send(number, $0) }) { return count }
        return 0
    }

    func read() {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while !hasEnded {
            switch buffer.withUnsafeMutableBytes({ Descriptor.receive(number, into: $0) }) {
            case .bytes(let count): received += buffer[..<count]
            case .wouldBlock: return
            case .ended, .failed: hasEnded = true
            }
        }
    }

    var text: String { String(decoding: received, as: UTF8.self) }

    /// The content of the chunked body behind the last head, wherever its chunks begin.
    var unchunkedBody: String? {
        guard let head = text.range(of: "\r\n\r\n") else { return nil }
        var rest = text[head.upperBound...]
        var body = ""
        while let end = rest.range(of: "\r\n"), let size = Int(rest[..<end.lowerBound], radix: 16) {
            if size == 0 { return body }
            let content = rest[end.upperBound...].prefix(size)
            body += content
            rest = rest[content.endIndex...].dropFirst()
        }
        return nil
    }

    func receives(_ part: String) -> Bool {
        bench.drive {
            read()
            return text.contains(part) || hasEnded
        } && text.contains(part)
    }

    func receives(bytes: Int) -> Bool {
        bench.drive {
            read()
            return received.count >= bytes
        }
    }

    /// Whether the gateway closes the connection.
    func readsToEnd() -> Bool {
        bench.drive {
            read()
            return hasEnded
        }
    }

    func forget() { received.removeAll() }
}

/// Keeps a loop from waiting for long: it goes on by itself, because a turn may find it due before it waits.
private final class Tick: EventLoops.Timer {
    override func fire() { schedule(after: 1) }
}
