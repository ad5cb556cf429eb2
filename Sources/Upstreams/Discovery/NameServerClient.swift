import EventLoops
import Glibc

/// Asks name servers, over UDP, and over TCP for answers that do not fit. It blocks: it is for threads that may.
///
/// A client of our own, and not the C library's: that one knows servers on port 53 only, keeps their answers' times to itself,
/// and gives up its thread only when it likes to.
struct NameServerClient: Sendable {
    /// What came of a question.
    enum Outcome<Answer> {
        case answer(Answer)
        /// There is no such name: that is certain.
        case noSuchName
        /// Nobody could say.
        case failed
    }

    private let servers: NameServers

    init(_ servers: NameServers) { self.servers = servers }

    /// Asks one server after the other until one knows.
    func ask<Answer>(
        _ question: DNSQuestion, _ read: (Span<UInt8>) throws(DNSError) -> Answer
    ) -> Outcome<Answer> {
        for _ in 0..<servers.rounds {
            for server in servers.addresses {
                guard let address = NumericAddress(server) else { continue }
                let end = EventLoop.nanoseconds / 1_000_000 + servers.patience
                var outcome = datagram(question, to: address, until: end, read)
                if case .truncated = outcome { outcome = stream(question, to: address, until: end, read) }
                switch outcome {
                case .answer(let answer): return .answer(answer)
                case .noSuchName: return .noSuchName
                case .truncated, .failed: continue
                }
            }
        }
        return .failed
    }

    /// What came of asking one server.
    private enum Reply<Answer> {
        case answer(Answer)
        case noSuchName
        case truncated
        case failed
    }

    // MARK: - UDP

    private func datagram<Answer>(
        _ question: DNSQuestion, to address: NumericAddress, until end: UInt64,
        _ read: (Span<UInt8>) throws(DNSError) -> Answer
    ) -> Reply<Answer> {
        // A socket for each question has a port that nobody can guess, and takes nothing but what comes from this server.
        guard let socket = address.connect(isStream: false),
            Glibc.send(
                socket.number, question.message, question.message.count, CInt(MSG_NOSIGNAL)) > 0
        else { return .failed }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while socket.waits(for: POLLIN, until: end) {
            let count = recv(socket.number, &buffer, buffer.count, 0)
            if count < 0, errno == EAGAIN || errno == EINTR { continue }
            // Nobody listens there.
            guard count > 0 else { return .failed }
            do throws(DNSError) {
                return .answer(try read(buffer.span.extracting(0..<count)))
            } catch {
                switch error {
                case .truncated: return .truncated
                case .noSuchName: return .noSuchName
                case .refused: return .failed
                // Whoever it is from: the true answer may follow.
                case .malformed, .mismatched: continue
                }
            }
        }
        return .failed
    }

    // MARK: - TCP

    private func stream<Answer>(
        _ question: DNSQuestion, to address: NumericAddress, until end: UInt64,
        _ read: (Span<UInt8>) throws(DNSError) -> Answer
    ) -> Reply<Answer> {
        guard let socket = address.connect(isStream: true), socket.waits(for: POLLOUT, until: end) else {
            return .failed
        }
        let length = question.message.count
        let message = [UInt8(length >> 8), UInt8(length & 255)] + question.message
        guard Glibc.send(socket.number, message, message.count, CInt(MSG_NOSIGNAL)) == message.count,
            let head = socket.receive(2, until: end),
            let answer = socket.receive(Int(head[0]) << 8 | Int(head[1]), until: end)
        else { return .failed }
        do throws(DNSError) {
            return .answer(try read(answer.span))
        } catch {
            return error == .noSuchName ? .noSuchName : .failed
        }
    }
}

/// The address of a name server as the system wants it.
private struct NumericAddress {
    private let storage: [UInt8]
    private let family: CInt

    /// nil where it is not in numbers.
    init?(_ address: NameServers.Address) {
        var hints = addrinfo()
        hints.ai_flags = CInt(AI_NUMERICHOST | AI_NUMERICSERV)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address.host, "\(address.port)", &hints, &list) == 0, let list else { return nil }
        defer { freeaddrinfo(list) }
        guard let bytes = list.pointee.ai_addr else { return nil }
        // SAFETY: the system says how long its address is, and keeps it until the list is freed.
        storage = Array(UnsafeRawBufferPointer(start: bytes, count: Int(list.pointee.ai_addrlen)))
        family = list.pointee.ai_family
    }

    /// A socket that is connected to it, or begins to be.
    func connect(isStream: Bool) -> NameSocket? {
        guard let descriptor = Descriptor.socket(family, isStream: isStream) else { return nil }
        let connection = NameSocket(descriptor)
        let status = storage.withUnsafeBytes { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) {
                Glibc.connect(connection.number, $0.baseAddress, socklen_t(bytes.count))
            }
        }
        return status == 0 || errno == EINPROGRESS ? connection : nil
    }
}

/// A socket that is waited for.
private final class NameSocket {
    private let descriptor: Descriptor
    var number: CInt { descriptor.number }

    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

    /// Waits for an event until a time, in milliseconds; false when it does not come.
    func waits(for event: CInt, until end: UInt64) -> Bool {
        while true {
            let now = EventLoop.nanoseconds / 1_000_000
            guard now < end else { return false }
            var entry = pollfd(fd: number, events: Int16(event), revents: 0)
            let count = poll(&entry, 1, CInt(clamping: end - now))
            if count > 0 { return true }
            guard count < 0, errno == EINTR else { return false }
        }
    }

    /// Exactly so many bytes; nil where they do not come in time.
    func receive(_ count: Int, until end: UInt64) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var received = 0
        while received < count {
            guard waits(for: POLLIN, until: end) else { return nil }
            let more = bytes.withUnsafeMutableBytes { buffer in
                recv(number, buffer.baseAddress.map { $0 + received }, count - received, 0)
            }
            if more < 0, errno == EAGAIN || errno == EINTR { continue }
            guard more > 0 else { return nil }
            received += more
        }
        return bytes
    }
}
