import EventLoops
import HTTPMessage
import Testing

@testable import Upstreams

/// Answers of requests that were given up while somebody else answered, and the connections that they come on.
@Suite struct LeftoverAnswerTests {
    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    /// A request that has been read by the peer, and given up.
    private static func abandoned(_ bench: UpstreamBench) throws -> (attempt: RecordingAttempt, peer: ServerEnd) {
        let attempt = bench.begin()
        let peer = try bench.accept()
        try #require(peer.receives("\r\n\r\n"))
        peer.forget()
        attempt.abandon()
        #expect(!attempt.isRunning)
        return (attempt, peer)
    }

    /// Nothing is left of it.
    private static func isForgotten(_ bench: UpstreamBench) -> Bool {
        bench.upstream.endpoints[0].active == 0 && bench.upstream.endpoints[0].board.active == 0
            && bench.bounds.live == 0
    }

    @Test func theConnectionIsKeptForTheNextRequest() throws {
        let bench = try UpstreamBench()
        let (attempt, peer) = try Self.abandoned(bench)
        let endpoint = bench.upstream.endpoints[0]
        #expect(endpoint.active == 1 && endpoint.board.active == 1 && bench.bounds.live == 1, "it is under way")
        peer.send(Self.ok)
        try #require(bench.drive { bench.pool.idleCount == 1 })
        #expect(Self.isForgotten(bench) && endpoint.total == 1)
        #expect(attempt.outcome == nil && attempt.status == 0 && attempt.received.isEmpty)
        let next = bench.begin()
        try #require(peer.receives("\r\n\r\n"))
        peer.send(Self.ok)
        #expect(bench.drive { next.isOver } && next.text == "ok")
        #expect(!bench.hasNewcomer && Self.isForgotten(bench))
    }

    /// The object is free at once: what comes for the old request does not reach the new one.
    @Test func theAttemptIsUsedAgainMeanwhile() throws {
        let bench = try UpstreamBench()
        let (attempt, peer) = try Self.abandoned(bench)
        bench.start(attempt)
        let second = try bench.accept()
        try #require(second.receives("\r\n\r\n"))
        #expect(bench.bounds.live == 2)
        peer.send("HTTP/1.1 404 Old\r\nContent-Length: 3\r\n\r\nold")
        try #require(bench.drive { bench.pool.idleCount == 1 })
        #expect(attempt.status == 0 && bench.bounds.live == 1)
        second.send(Self.ok)
        #expect(bench.drive { attempt.isOver } && attempt.text == "ok" && attempt.status == 200)
        #expect(Self.isForgotten(bench) && bench.pool.idleCount == 2)
    }

    @Test(
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n" + String(repeating: "x", count: 65_537),
            "HTTP/1.1 200 OK\r\n\r\nto the end", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more", "no HTTP at all\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        ])
    func whatIsNotWorthItIsClosed(answer: String) throws {
        let bench = try UpstreamBench()
        let (_, peer) = try Self.abandoned(bench)
        peer.send(answer)
        #expect(peer.readsToEnd())
        #expect(bench.pool.openCount == 0 && Self.isForgotten(bench))
    }

    /// However it trickles: one second is for all of it.
    @Test func theTimeIsForAllOfIt() throws {
        let bench = try UpstreamBench()
        let (_, peer) = try Self.abandoned(bench)
        let start = EventLoop.nanoseconds
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
        var next = start
        let end = bench.drive {
            if EventLoop.nanoseconds >= next {
                _ = peer.sendWhatFits([0x78])
                next += 10_000_000
            }
            peer.read()
            return peer.hasEnded
        }
        let time = (EventLoop.nanoseconds - start) / 1_000_000
        #expect(end && time >= 900 && time < 5_000, "\(time) ms")
        #expect(bench.pool.openCount == 0 && Self.isForgotten(bench))
    }

    /// A connection that was used before and is closed without an answer: other requests are sent again then.
    @Test func itIsNotAskedForAgain() throws {
        let bench = try UpstreamBench()
        let peer = try bench.warmUp()
        let attempt = bench.begin()
        try #require(peer.receives("\r\n\r\n"))
        attempt.abandon()
        peer.close()
        #expect(bench.drive { bench.pool.openCount == 0 })
        #expect(!bench.hasNewcomer && Self.isForgotten(bench))
    }

    @Test func whatHasBegunToBeAnsweredIsCutOff() throws {
        let bench = try UpstreamBench()
        let attempt = RecordingAttempt()
        attempt.onHead = { $0.abandon() }
        bench.start(attempt)
        let peer = try bench.accept()
        try #require(peer.receives("\r\n\r\n"))
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        #expect(peer.readsToEnd() && bench.pool.openCount == 0 && Self.isForgotten(bench))
    }

    @Test func whatIsNotWholeIsCutOff() throws {
        let bench = try UpstreamBench()
        let attempt = bench.begin(.put, framing: .length(4))
        let peer = try bench.accept()
        attempt.send("ab")
        try #require(peer.receives("ab"))
        attempt.abandon()
        #expect(peer.readsToEnd() && bench.pool.openCount == 0 && Self.isForgotten(bench))
    }

    /// An upstream that goes away takes them with it; and at one that answers nobody, only so many are waited for.
    @Test func thereAreNotManyOfThem() throws {
        let bench = try UpstreamBench()
        let attempts = (0..<40).map { _ in bench.begin() }
        let peers = try attempts.map { _ in try bench.accept() }
        for peer in peers { try #require(peer.receives("\r\n\r\n")) }
        for attempt in attempts { attempt.abandon() }
        #expect(bench.pool.openCount == 32 && bench.bounds.live == 32)
        bench.set.retire()
        #expect(bench.pool.openCount == 0 && Self.isForgotten(bench))
    }

    /// One that waits for its connection is simply forgotten, and so is one by another transport.
    @Test(arguments: UpstreamCarrier.http1)
    func othersAreCutOff(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let waiting = bench.begin()
        waiting.abandon()
        #expect(!waiting.isRunning && Self.isForgotten(bench))
        guard carrier == .transfers else { return }
        let attempt = bench.begin()
        var peer = try bench.accept()
        while !bench.drive({
            peer.read(); return peer.hasEnded || peer.text.hasSuffix("\r\n\r\n")
        }) || peer.hasEnded {
            peer = try bench.accept()
        }
        attempt.abandon()
        #expect(peer.readsToEnd() && Self.isForgotten(bench))
    }
}
