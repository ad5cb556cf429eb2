import Foundation
import Glibc

/// A connected socket: the one place of the tests where bytes go in and out. It remembers what it saw, so that a failure
/// can show it.
final class Wire {
    private(set) var descriptor: CInt
    /// What was read and not taken yet.
    private(set) var pending: [UInt8] = []
    /// Whether the peer has ended its side.
    private(set) var isAtEnd = false
    /// Whether the peer reset the connection.
    private(set) var wasReset = false
    private var sent: [UInt8] = []
    private var received: [UInt8] = []
    private var tls: TLSSession?

    private static let remembered = 16_384

    /// Takes over a connected socket.
    init(adopting descriptor: CInt) { self.descriptor = descriptor }

    deinit { close() }

    /// Goes over to TLS: from here on what is sent and read is what is inside of it.
    func encrypt(offering protocols: [String]) throws {
        let session = try TLSSession(offering: protocols)
        while try !session.shakeHands() {
            try sendRaw(session.takeOutput(), .patient)
            guard try readMore() else { throw failure("the connection ended in the TLS handshake") }
            _ = session.open(pending[...])
            pending.removeAll()
        }
        try sendRaw(session.takeOutput(), .patient)
        guard protocols.contains(session.agreed) else { throw failure("ALPN agreed on \(session.agreed)") }
        sent.removeAll()
        received.removeAll()
        tls = session
        // What came with the last flight.
        pending = session.open([])
    }

    /// What went over the wire so far.
    var transcript: String {
        "--- sent\n\(String(decoding: sent, as: UTF8.self))\n--- received\n\(String(decoding: received, as: UTF8.self))"
            + (wasReset ? "\n--- reset" : isAtEnd ? "\n--- end" : "")
    }

    func failure(_ what: String) -> ExchangeFailure { ExchangeFailure(what, transcript: transcript) }

    // MARK: - Writing

    /// Writes all of `bytes`, waiting while the peer does not read.
    func send(_ bytes: some Collection<UInt8>, within deadline: Deadline = .patient) throws {
        if sent.count < Self.remembered { sent += bytes.prefix(Self.remembered) }
        try sendRaw(tls?.seal(Array(bytes)) ?? Array(bytes), deadline)
    }

    /// Asks the peer for new keys, as often as this.
    func sendKeyUpdates(_ count: Int) throws {
        guard let tls else { throw ExchangeFailure("not encrypted") }
        for _ in 0..<count { try sendRaw(tls.sealKeyUpdate(), .patient) }
    }

    private func sendRaw(_ bytes: [UInt8], _ deadline: Deadline) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let flags = CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT)
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, flags) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                try wait(for: POLLOUT, deadline, "the peer does not read")
            } else if errno != EINTR {
                wasReset = true
                throw failure("cannot send: \(String(cString: strerror(errno)))")
            }
        }
    }

    func send(_ text: String) throws { try send(text.utf8) }

    /// Ends the own side; the peer can still answer.
    func endSending() {
        if let tls { try? sendRaw(tls.sealGoodbye(), .patient) }
        shutdown(descriptor, CInt(SHUT_WR))
    }

    // MARK: - Reading

    /// Reads once; false at the end.
    @discardableResult
    func readMore(_ deadline: Deadline = .patient) throws -> Bool {
        while !isAtEnd {
            try wait(for: POLLIN, deadline, "nothing more was received")
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
            guard count > 0 else {
                isAtEnd = true
                wasReset = count < 0
                return false
            }
            let plain = tls?.open(buffer[..<count]) ?? Array(buffer[..<count])
            if received.count < Self.remembered { received += plain.prefix(Self.remembered) }
            pending += plain
            if tls?.hasEnded == true { isAtEnd = true }
            if !plain.isEmpty { return true }
        }
        return false
    }

    /// Whether there is something to read, or the end, at this moment.
    var isReadable: Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    /// Waits, without reading, until something has come and nothing more does: the peer cannot go on.
    func awaitStandstill() throws {
        var last: CInt = 0
        var same = 0
        try eventually("nothing more comes while nothing is read") {
            var waiting: CInt = 0
            _ = ioctl(descriptor, UInt(FIONREAD), &waiting)
            same = waiting > 0 && waiting == last ? same + 1 : 0
            last = waiting
            return same >= 20
        }
    }

    /// Reads exactly `count` bytes.
    func take(_ count: Int) throws -> [UInt8] {
        while pending.count < count {
            guard try readMore() else { throw failure("ended \(count - pending.count) bytes early") }
        }
        defer { pending.removeFirst(count) }
        return Array(pending[..<count])
    }

    /// Reads what is there, at least a byte; nil at the end.
    func some() throws -> [UInt8]? {
        if pending.isEmpty, try !readMore() { return nil }
        defer { pending.removeAll() }
        return pending
    }

    /// Reads at most `count` bytes and forgets them: for bodies that no test holds in memory.
    func skip(_ count: Int) throws -> Int {
        if pending.isEmpty, try !readMore() { throw failure("ended \(count) bytes early") }
        let taken = min(count, pending.count)
        pending.removeFirst(taken)
        return taken
    }

    /// Reads up to and with `end`, and gives what stands before it.
    func take(upTo end: String) throws -> [UInt8] {
        let end = Array(end.utf8)
        var from = 0
        while true {
            if let range = pending[from...].firstRange(of: end) {
                defer { pending.removeFirst(range.upperBound) }
                return Array(pending[..<range.lowerBound])
            }
            from = max(pending.count - end.count, 0)
            guard try readMore() else {
                throw failure("ended before \(String(decoding: end, as: UTF8.self).debugDescription)")
            }
        }
    }

    /// Reads until the peer ends the connection, and gives all of it.
    func takeAll() throws -> [UInt8] {
        while try readMore() {}
        defer { pending.removeAll() }
        return pending
    }

    /// Reads a head; nil when the peer ended the connection before its first byte.
    func head() throws -> HTTPText? {
        if pending.isEmpty, try !readMore() { return nil }
        return HTTPText(head: try take(upTo: "\r\n\r\n"))
    }

    /// Reads a body that is chunked, with its trailers.
    func chunkedBody(into message: inout HTTPText) throws {
        while true {
            let line = String(decoding: try take(upTo: "\r\n"), as: UTF8.self)
            guard let size = Int(line.prefix { $0 != ";" }, radix: 16) else { throw failure("no chunk size: \(line)") }
            if size == 0 { break }
            message.body += try take(size)
            guard try take(2) == [13, 10] else { throw failure("a chunk does not end where it said") }
        }
        while true {
            let line = String(decoding: try take(upTo: "\r\n"), as: UTF8.self)
            if line.isEmpty { return }
            message.trailers.append(HTTPText.field(line))
        }
    }

    // MARK: - Ending

    func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    /// Closes in the way that a process does that is killed with bytes unread: with a reset.
    func reset() {
        var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        close()
    }

    private func wait(for event: Int32, _ deadline: Deadline, _ otherwise: String) throws {
        while true {
            var entry = pollfd(fd: descriptor, events: Int16(event), revents: 0)
            let ready = poll(&entry, 1, deadline.milliseconds)
            if ready > 0 { return }
            if ready < 0, errno == EINTR { continue }
            throw failure(otherwise)
        }
    }
}
