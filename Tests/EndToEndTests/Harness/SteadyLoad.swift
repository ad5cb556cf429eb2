import Foundation
import Synchronization

/// Clients that send one request after the other at an even pace until they are told to end, and note what came of each. One
/// of five requests is a POST; each has an `X-Id` of its own.
final class SteadyLoad: Sendable {
    /// What clients have seen.
    struct Tally: Sendable {
        var safe = 0
        /// Safe requests that were not answered with 200.
        var failures: [String] = []
        var unsafe = 0
        var unsafeFailures = 0
        /// The time of the request that took longest.
        var longest = Duration.zero
        fileprivate var ends = false
        fileprivate var running = 0
    }

    private let place: SocketPlace
    private let pause: TimeInterval
    private let state = Mutex(Tally())

    /// Begins.
    ///
    /// - Parameter pause: between an answer and the next request, in seconds.
    init(_ place: SocketPlace, clients: Int, pause: TimeInterval) {
        self.place = place
        self.pause = pause
        state.withLock { $0.running = clients }
        for number in 0..<clients {
            Thread { [self] in
                run(number)
                state.withLock { $0.running -= 1 }
            }.start()
        }
    }

    /// What they have seen by now.
    var tally: Tally { state.withLock { $0 } }

    /// Ends it, and tells what they have seen.
    func end() throws -> Tally {
        state.withLock { $0.ends = true }
        try eventually("the clients end") { state.withLock { $0.running } == 0 }
        return tally
    }

    private func run(_ number: Int) {
        var client: RawClient?
        var count = 0
        while !state.withLock({ $0.ends }) {
            count += 1
            let isUnsafe = count % 5 == 0
            let id = "\(isUnsafe ? "unsafe" : "safe")-\(number)-\(count)"
            let start = ContinuousClock.now
            var trouble: String?
            do {
                let open = try client ?? RawClient(place)
                client = open
                let answer = try open.exchange(
                    isUnsafe ? "POST /\(id)" : "GET /\(id)", ["X-Id: \(id)"], body: isUnsafe ? "x" : nil)
                if answer.status != 200 { trouble = "\(answer)" }
                if answer["connection"] == "close" { client = nil }
            } catch {
                trouble = "\(error)"
                client = nil
            }
            note(isUnsafe, trouble, ContinuousClock.now - start)
            // The pace of the clients, and not a wait for something to happen.
            Thread.sleep(forTimeInterval: pause)
        }
    }

    private func note(_ isUnsafe: Bool, _ trouble: String?, _ time: Duration) {
        state.withLock { tally in
            tally.longest = max(tally.longest, time)
            if isUnsafe {
                tally.unsafe += 1
                if trouble != nil { tally.unsafeFailures += 1 }
            } else {
                tally.safe += 1
                if let trouble { tally.failures.append(trouble) }
            }
        }
    }
}
