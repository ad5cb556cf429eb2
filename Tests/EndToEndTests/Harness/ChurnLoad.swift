import Foundation
import Synchronization

/// Clients that do the same thing again and again, each time from the beginning (a connection of its own, a process of its
/// own), until they are told to end.
final class ChurnLoad: Sendable {
    /// What came of it.
    struct Tally: Sendable {
        var done = 0
        var failures: [String] = []
        fileprivate var ends = false
        fileprivate var running = 0
    }

    private let state = Mutex(Tally())

    /// Begins.
    ///
    /// - Parameter request: one request on a connection of its own; throws, or returns what is wrong with the answer.
    init(clients: Int, _ request: @escaping @Sendable () throws -> String?) {
        state.withLock { $0.running = clients }
        for _ in 0..<clients {
            Thread { [self] in
                while !state.withLock({ $0.ends }) {
                    let trouble = Result { try request() }
                    state.withLock { tally in
                        tally.done += 1
                        switch trouble {
                        case .success(nil): break
                        case .success(let wrong?): tally.failures.append(wrong)
                        case .failure(let error): tally.failures.append("\(error)")
                        }
                    }
                    // The pace of the clients, and not a wait for something to happen.
                    Thread.sleep(forTimeInterval: 0.002)
                }
                state.withLock { $0.running -= 1 }
            }.start()
        }
    }

    /// What has come of it by now.
    var tally: Tally { state.withLock { $0 } }

    /// Ends it, and tells what has come of it.
    func end() throws -> Tally {
        state.withLock { $0.ends = true }
        try eventually("the clients end") { state.withLock { $0.running } == 0 }
        return tally
    }

    /// One request with a connection of its own.
    static func fresh(_ place: SocketPlace) -> @Sendable () throws -> String? {
        {
            let answer = try RawClient(place).exchange("GET /fresh")
            return answer.status == 200 ? nil : "\(answer)"
        }
    }
}
