import Foundation
import Glibc
import Synchronization

/// A service that does exactly what a script says, once for each connection, and remembers what it was sent.
///
/// A script runs on a thread of its own and may block. When it returns or throws, the connection is closed.
final class StubUpstream: Sendable {
    typealias Script = @Sendable (StubConnection) throws -> Void

    let place: SocketPlace
    private let listener: CInt
    private let script: Script
    private let state = Mutex(State())

    private struct State {
        var connections = 0
        var closed = 0
        var requests: [HTTPText] = []
        var open: Set<CInt> = []
        var isListening = true
    }

    /// Listens on a free port, or on the port of one that was stopped before.
    init(at place: SocketPlace = .ipv4(port: 0), _ script: @escaping Script) throws {
        (listener, self.place) = try place.listen()
        self.script = script
        Self.onThread { [weak self, listener] in
            while true {
                var entry = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
                if poll(&entry, 1, -1) < 0 { continue }
                let descriptor = Inheritance.lock.withLock { _ in
                    let descriptor = accept(listener, nil, nil)
                    if descriptor >= 0 { Inheritance.forbid(descriptor) }
                    return descriptor
                }
                guard descriptor >= 0 else { break }
                guard let self else {
                    Glibc.close(descriptor)
                    break
                }
                self.serve(descriptor)
            }
            Glibc.close(listener)
        }
    }

    /// Reads each request to its end and answers it with `answer`, on as many connections as are opened.
    static func answering(_ answer: @escaping @Sendable (HTTPText) -> String) throws -> StubUpstream {
        try StubUpstream { connection in
            while let request = try connection.request() { try connection.send(answer(request)) }
        }
    }

    /// Answers every request with 200 and this text.
    static func saying(_ text: String, _ fields: String...) throws -> StubUpstream {
        let head = (["HTTP/1.1 200 OK", "Content-Length: \(text.utf8.count)"] + fields).joined(separator: "\r\n")
        return try answering { $0.method == "HEAD" ? "\(head)\r\n\r\n" : "\(head)\r\n\r\n\(text)" }
    }

    /// Answers every request with 200, one for `/held` when the gate is open.
    static func holding(_ gate: Gate) throws -> StubUpstream {
        try StubUpstream { connection in
            while let request = try connection.request() {
                if request.target == "/held" { try gate.wait() }
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        }
    }

    deinit { stop() }

    var url: String { "http://\(place)" }

    /// Every request so far whose head has been read, in the order in which the heads came.
    var requests: [HTTPText] { state.withLock { $0.requests } }

    /// How many connections have been opened so far.
    var connections: Int { state.withLock { $0.connections } }

    /// How many of them have ended.
    var closedConnections: Int { state.withLock { $0.closed } }

    /// Waits until so many requests have come, and gives them.
    func requests(_ count: Int) throws -> [HTTPText] {
        try eventually("request \(count) at the upstream (there are \(requests.count))") { requests.count >= count }
        return requests
    }

    /// The last request, once there is one.
    func lastRequest() throws -> HTTPText {
        guard let last = try requests(1).last else { throw ExchangeFailure("no request came") }
        return last
    }

    /// Refuses connections from now on.
    func stop() {
        state.withLock { state in
            // Once only: the thread that accepts closes the socket then, and its number may be another's right after.
            guard state.isListening else { return }
            state.isListening = false
            shutdown(listener, CInt(SHUT_RDWR))
        }
    }

    /// Refuses connections from now on, and ends those that there are, as the death of a process does.
    func kill() {
        stop()
        state.withLock { for descriptor in $0.open { shutdown(descriptor, CInt(SHUT_RDWR)) } }
    }

    private func serve(_ descriptor: CInt) {
        let number = state.withLock { state in
            state.connections += 1
            state.open.insert(descriptor)
            return state.connections - 1
        }
        Self.onThread { [self] in
            let connection = StubConnection(number: number, wire: Wire(adopting: descriptor)) { request in
                self.state.withLock { $0.requests.append(request) }
            }
            do {
                try script(connection)
            } catch {
                // A script that is cut off by the gateway ends here; what the test asserts on shows it.
            }
            // Forgotten before it is closed: the number may be another connection's right after.
            state.withLock { _ = $0.open.remove(descriptor) }
            connection.wire.close()
            state.withLock { $0.closed += 1 }
        }
    }

    private static func onThread(_ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.stackSize = 1 << 20
        thread.start()
    }
}

/// One connection of a `StubUpstream`, as its script sees it.
final class StubConnection {
    /// The place in the order of connections, from 0.
    let number: Int
    let wire: Wire
    private let record: (HTTPText) -> Void

    fileprivate init(number: Int, wire: Wire, record: @escaping (HTTPText) -> Void) {
        self.number = number
        self.wire = wire
        self.record = record
    }

    /// Reads the head of the next request; nil when the gateway closed the connection.
    func head() throws -> HTTPText? {
        let head = try wire.head()
        if let head { record(head) }
        return head
    }

    /// Reads the next request with its body; nil when the gateway closed the connection.
    func request() throws -> HTTPText? {
        guard var request = try wire.head() else { return nil }
        if request.isChunked {
            try wire.chunkedBody(into: &request)
        } else if let length = request.contentLength {
            request.body = try wire.take(length)
        }
        record(request)
        return request
    }

    func send(_ text: String) throws { try wire.send(text) }

    /// Waits until the gateway has closed the connection.
    func awaitEnd() throws { _ = try wire.takeAll() }
}

/// Holds threads back until a test lets them go.
final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    /// Lets all that wait, and all that come later, pass.
    func open() { semaphore.signal() }

    /// Waits to be let go.
    func wait() throws {
        guard semaphore.wait(timeout: .now() + 60) == .success else { throw ExchangeFailure("a gate was never opened") }
        semaphore.signal()
    }
}
