import Foundation

/// Several clients that ask the same again and again on connections that they keep, and count what is not 200.
final class BusyClients: @unchecked Sendable {
    // SAFETY: every access to what changes holds the lock.
    private let lock = NSLock()
    private var isOver = false
    private var count = 0
    private var found: [String] = []
    private let finished = DispatchGroup()

    init(_ gateway: GatewayProcess, clients: Int = 6, _ line: @escaping @Sendable (Int) -> String = { _ in "GET /" }) {
        let place = gateway.place
        for number in 0..<clients {
            finished.enter()
            let thread = Thread { [self] in
                run(place, line(number))
                finished.leave()
            }
            thread.start()
        }
    }

    private func run(_ place: SocketPlace, _ line: String) {
        do {
            let client = try RawClient(place)
            while lock.withLock({ !isOver }) {
                let answer = try client.exchange(line, [], body: line.hasPrefix("POST") ? "{}" : nil)
                lock.withLock {
                    count += 1
                    if answer.status != 200 { found.append("\(answer)") }
                }
            }
        } catch {
            lock.withLock { found.append("\(error)") }
        }
    }

    /// How many have been answered so far.
    var answered: Int { lock.withLock { count } }

    /// Waits until so many more have been answered, or something went wrong.
    func goOn(_ more: Int = 200) throws {
        let goal = answered + more
        try eventually("\(more) more answers") { answered >= goal || lock.withLock { !found.isEmpty } }
    }

    /// Ends it and tells of every answer that was not 200.
    func end() -> [String] {
        lock.withLock { isOver = true }
        finished.wait()
        return lock.withLock { found }
    }
}
