import Foundation
import Synchronization

/// Sends requests one after the other until it is told to end, and notes each that was not answered with 200.
final class ClientLoad: Sendable {
    private let state = Mutex((ends: false, running: 0, answered: 0, failures: [String]()))

    init(_ place: SocketPlace, clients: Int) {
        state.withLock { $0.running = clients }
        for number in 0..<clients {
            Thread { [self] in
                do {
                    var client = try RawClient(place)
                    while !state.withLock({ $0.ends }) {
                        let answer = try client.exchange("POST /load/\(number)", body: "x")
                        state.withLock { state in
                            state.answered += 1
                            if answer.status != 200 { state.failures.append("\(answer)") }
                        }
                        // A connection carries so many requests and no more.
                        if answer["connection"] == "close" { client = try RawClient(place) }
                    }
                } catch {
                    state.withLock { $0.failures.append("\(error)") }
                }
                state.withLock { $0.running -= 1 }
            }.start()
        }
    }

    var answered: Int { state.withLock { $0.answered } }

    /// Ends it, and gives what failed.
    func end() throws -> [String] {
        state.withLock { $0.ends = true }
        try eventually("the clients end") { state.withLock { $0.running } == 0 }
        return state.withLock { $0.failures }
    }
}
