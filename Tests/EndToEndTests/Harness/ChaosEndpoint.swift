import Foundation
import Synchronization

/// What goes wrong with an endpoint, and for how long.
struct ChaosEvent: Equatable, CustomStringConvertible {
    enum Fault: String, CaseIterable, Sendable {
        /// Connections are refused, and those that there are end.
        case kill
        /// Requests are taken, and never answered.
        case hang
        /// Answers come late.
        case slow
        /// The connection ends in the middle of an answer's head.
        case truncate
        /// The connection is reset in place of an answer.
        case reset
        /// 503.
        case refuse
    }

    /// Milliseconds after the beginning.
    var at: Int
    var endpoint: Int
    var fault: Fault
    /// How long it lasts, in milliseconds.
    var duration: Int

    var description: String { "\(at) ms: \(fault) of \(endpoint) for \(duration) ms" }

    /// The events of so many milliseconds, which the seed alone decides.
    static func script(seed: UInt64, endpoints: Int, milliseconds: Int) -> [ChaosEvent] {
        var random = SeededGenerator(state: seed)
        var events: [ChaosEvent] = []
        var at = 500
        var busyUntil = Array(repeating: 0, count: endpoints)
        while true {
            at += 100 + random.below(900)
            let duration = 200 + random.below(2_500)
            let (endpoint, fault) = (random.below(endpoints), random.pick(Fault.allCases))
            if at + duration > milliseconds - 500 { return events }
            if busyUntil[endpoint] > at { continue }
            busyUntil[endpoint] = at + duration + 100
            events.append(ChaosEvent(at: at, endpoint: endpoint, fault: fault, duration: duration))
        }
    }
}

/// A server that can be told what is wrong with it. It notes which requests it has worked on.
final class ChaosEndpoint: Sendable {
    let place: SocketPlace
    private let name: String
    private let work: @Sendable (String) -> Void
    private let state: Mutex<State>

    private struct State {
        var fault: ChaosEvent.Fault?
        var stub: StubUpstream?
    }

    /// - Parameter work: called with the `X-Id` of each request that is worked on.
    init(_ name: String, work: @escaping @Sendable (String) -> Void) throws {
        self.name = name
        self.work = work
        let (descriptor, bound) = try SocketPlace.ipv4(port: 0).listen()
        place = bound
        Glibc.close(descriptor)
        state = Mutex(State())
        try restart()
    }

    var url: String { "http://\(place)" }

    /// Begins a fault.
    func begin(_ fault: ChaosEvent.Fault) {
        state.withLock { $0.fault = fault }
        if fault == .kill { state.withLock { $0.stub }?.kill() }
    }

    /// All is well again.
    func end() throws {
        let wasKilled = state.withLock { state in
            defer { state.fault = nil }
            return state.fault == .kill
        }
        if wasKilled { try restart() }
    }

    private func restart() throws {
        let stub = try StubUpstream(at: place) { [weak self] connection in
            while let self, let request = try connection.request() {
                // What hangs or ends has worked on the request, as far as anybody can tell.
                self.work(request["x-id"] ?? "")
                switch self.state.withLock({ $0.fault }) {
                case nil: try connection.send(self.answer)
                case .kill: return
                case .hang: return try connection.awaitEnd()
                case .slow:
                    Thread.sleep(forTimeInterval: 0.1)
                    try connection.send(self.answer)
                case .truncate: return try connection.send("HTTP/1.1 200 OK\r\nContent-Le")
                case .reset: return connection.wire.reset()
                case .refuse: try connection.send("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")
                }
            }
        }
        state.withLock { $0.stub = stub }
    }

    private var answer: String { "HTTP/1.1 200 OK\r\nContent-Length: \(name.utf8.count)\r\n\r\n\(name)" }
}
