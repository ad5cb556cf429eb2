import ByteBuffers
import EventLoops
import Foundation
import HTTPMessage
import Testing

@testable import HTTPListener

/// A server on a loop of its own with clients on real sockets, all driven by the test's thread: the order of events is
/// the test's, and nothing sleeps.
final class ListenerBench {
    let loop: EventLoop
    let server: ScriptedServer
    private let tick: Tick

    /// How long a test waits for what it expects, in nanoseconds.
    private static let patience: UInt64 = 20_000_000_000

    init(_ address: SocketAddress = loopback, _ change: (inout ConnectionLimits) -> Void = { _ in }) throws {
        loop = try EventLoop()
        var limits = ConnectionLimits()
        change(&limits)
        server = ScriptedServer(loop: loop, limits: limits)
        tick = Tick(loop: loop)
        try server.listen(ListeningSocket(address), index: 7)
    }

    static let loopback = SocketAddress.ip(IPAddress(ipv4: 0x7F00_0001), port: 0)

    var address: SocketAddress { server.addresses[0] }

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

    func client() throws -> Client { try Client(self) }
}

/// A client's end of a connection to the bench's server.
final class Client {
    enum Ending: Equatable { case ended, reset }

    private let bench: ListenerBench
    private let number: CInt
    private(set) var received: [UInt8] = []
    /// How the server ended the connection, once it has.
    private(set) var ending: Ending?

    init(_ bench: ListenerBench) throws {
        self.bench = bench
        number = socket(bench.address.family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let status = bench.address.withSystemAddress { connect(number, $0, $1) }
        try #require(status == 0, "the server accepts connections")
        _ = fcntl(number, F_SETFL, O_NONBLOCK)
    }

    deinit { close() }

    private var isClosed = false

    func close() {
        if !isClosed { _ = Glibc.close(number) }
        isClosed = true
    }

    /// Closes with a reset, as a process does that dies with unread input.
    func reset() {
        var hard = linger(l_onoff: 1, l_linger: 0)
        setsockopt(number, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    func limitReceiveBuffer(to bytes: CInt) {
        var size = bytes
        setsockopt(number, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<CInt>.size))
    }

    func endWriting() { shutdown(number, CInt(SHUT_WR)) }

    /// Sends all of `text`; the loop runs whenever the system takes no more. False when the server is gone.
    @discardableResult func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        var isBroken = false
        return bench.drive {
            while sent < bytes.count {
                switch bytes[sent...].withUnsafeBytes({ Descriptor.send(number, $0) }) {
                case .bytes(let count): sent += count
                case .wouldBlock: return false
                case .ended, .failed:
                    isBroken = true
                    return true
                }
            }
            return true
        } && !isBroken
    }

    /// Sends what the system takes at once, and says how much that was.
    func sendWhatFits(_ bytes: ArraySlice<UInt8>) -> Int {
        if case .bytes(let count) = bytes.withUnsafeBytes({ Descriptor.send(number, $0) }) { return count }
        return 0
    }

    /// Takes what has arrived, at most `most` bytes.
    func read(atMost most: Int = .max) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var left = most
        while ending == nil, left > 0 {
            let result = buffer.withUnsafeMutableBytes {
                Descriptor.receive(number, into: UnsafeMutableRawBufferPointer(rebasing: $0.prefix(left)))
            }
            switch result {
            case .bytes(let count):
                received += buffer[..<count]
                left -= count
            case .wouldBlock: return
            case .ended: ending = .ended
            case .failed: ending = .reset
            }
        }
    }

    var text: String { String(decoding: received, as: UTF8.self) }

    /// Reads until the text has `part` (so many times); false when it does not come.
    func receives(_ part: String, times: Int = 1) -> Bool {
        bench.drive {
            read()
            return text.components(separatedBy: part).count > times || ending != nil
        } && text.components(separatedBy: part).count > times
    }

    /// Reads until so many bytes are there.
    func receives(bytes: Int) -> Bool {
        bench.drive {
            read()
            return received.count >= bytes || ending != nil
        } && received.count >= bytes
    }

    /// Reads until the server has ended the connection.
    func readToEnd() -> Ending? {
        _ = bench.drive {
            read()
            return ending != nil
        }
        return ending
    }

    func forget() { received.removeAll() }
}

/// Keeps a loop from waiting for long: it goes on by itself, because a turn may find it due before it waits.
private final class Tick: EventLoops.Timer {
    override func fire() { schedule(after: 1) }
}
