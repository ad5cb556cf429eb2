import Foundation
import Synchronization

/// A service that works for a while on each request, and counts how many of them are inside at a time.
final class BusyUpstream: Sendable {
    let stub: StubUpstream
    private let inside: Inside

    private final class Inside: Sendable {
        let load = Mutex((now: 0, peak: 0))
        /// Where only so many are worked on at a time.
        let places: DispatchSemaphore?

        init(_ places: DispatchSemaphore?) { self.places = places }

        func work(for time: TimeInterval) {
            load.withLock { load in
                load.now += 1
                load.peak = max(load.peak, load.now)
            }
            places?.wait()
            // The work of this server, and not a wait for something to happen.
            Thread.sleep(forTimeInterval: time)
            places?.signal()
            load.withLock { $0.now -= 1 }
        }
    }

    /// Answers every request with 200 and `text`.
    ///
    /// - Parameters:
    ///   - time: how long the work takes, in seconds.
    ///   - places: how many requests are worked on at a time, the others wait inside; nil for all.
    init(_ text: String = "", working time: TimeInterval, places: Int? = nil) throws {
        // Given one by one: a semaphore that has fewer when it goes than when it came ends the process.
        let semaphore = places.map { _ in DispatchSemaphore(value: 0) }
        for _ in 0..<(places ?? 0) { semaphore?.signal() }
        let inside = Inside(semaphore)
        self.inside = inside
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)"
        stub = try StubUpstream { connection in
            while try connection.request() != nil {
                inside.work(for: time)
                try connection.send(answer)
            }
        }
    }

    /// The most requests that were inside at a time since it began, or since ``forgetPeak()``.
    var peak: Int { inside.load.withLock { $0.peak } }

    /// How many are inside now.
    var now: Int { inside.load.withLock { $0.now } }

    func forgetPeak() { inside.load.withLock { $0.peak = $0.now } }

    /// Works on so many more at a time.
    func give(places: Int) { for _ in 0..<places { inside.places?.signal() } }
}
