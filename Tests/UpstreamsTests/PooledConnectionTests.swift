import EventLoops
import Glibc
import HTTPMessage
import Testing

@testable import Upstreams

/// Connections that turn out dead, cannot be had, or are given up (RFC 9110 §9.2.2, RFC 9112 §9.3.1).
@Suite struct PooledConnectionTests {
    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    /// The peer reads the request and closes without a word: a request that may be repeated gets one new connection.
    @Test(arguments: [Method.get, .put, .post], UpstreamCarrier.http1)
    func aRequestOnADeadConnectionIsRepeatedOnceIfItMayBe(method: Method, over carrier: UpstreamCarrier) throws {
        let isRepeated = method != .post
        let bench = try UpstreamBench(carrier)
        let peer = try bench.warmUp()
        let body = method == .get ? nil : "kept body"
        let attempt = bench.begin(method, framing: body == nil ? .none : .length(9), body: body)
        try #require(peer.receives(body ?? "\r\n\r\n"))
        peer.close()
        if isRepeated {
            let second = try bench.accept()
            try #require(second.receives(body ?? "\r\n\r\n"))
            #expect(second.text == peer.text)
            second.close()
        }
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .failed(.closed))
        #expect(attempt.heads == (isRepeated ? 2 : 1))
        #expect(!bench.hasNewcomer)
        #expect(bench.pool.openCount == 0)
        #expect(bench.upstream.endpoints[0].active == 0)
    }

    /// Whoever has to know what was done has a request sent once, whatever its method.
    @Test(arguments: [Method.get, .put], UpstreamCarrier.http1)
    func aRequestForOnceIsNotRepeated(method: Method, over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let peer = try bench.warmUp()
        let attempt = RecordingAttempt()
        attempt.method = method
        attempt.isOnceOnly = true
        if method == .put { (attempt.framing, attempt.body) = (.length(9), "kept body") }
        bench.start(attempt)
        try #require(peer.receives(attempt.body ?? "\r\n\r\n"))
        peer.close()
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .failed(.closed) && attempt.heads == 1)
        #expect(!bench.hasNewcomer)
    }

    /// A busy loop finds the beginning of an answer and the reset behind it in one turn.
    @Test(
        arguments: ["HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"],
        UpstreamCarrier.http1)
    func aResetRightBehindAPieceOfTheAnswerIsSeen(piece: String, over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let peer = try bench.warmUp()
        let attempt = bench.begin(.post)
        try #require(peer.receives("\r\n\r\n"))
        #expect(peer.sendWhatFits(Array(piece.utf8)[...]) == piece.utf8.count)
        peer.reset()
        #expect(bench.drive { attempt.isOver }, "it is told of the reset")
        #expect(attempt.outcome == .failed(piece.hasSuffix("half") ? .truncated : .closed))
        #expect(bench.pool.openCount == 0 && bench.isQuiet())
    }

    /// A body that goes on while there is no connection is not lost, and its paused source hears when it may go on.
    @Test(arguments: UpstreamCarrier.http1)
    func aBodyGoesOnAfterItsConnectionWasReplaced(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let peer = try bench.warmUp()
        let attempt = bench.begin(.put, framing: .chunked)
        try #require(bench.drive { attempt.isStarted })
        attempt.send("one")
        try #require(peer.receives("one"))
        peer.close()
        try #require(bench.drive { !attempt.isStarted })
        attempt.send("two")
        #expect(attempt.isFull)
        let before = attempt.writables
        let second = try bench.accept()
        try #require(second.receives("two"))
        #expect(attempt.writables > before)
        attempt.send("three")
        attempt.endBody()
        #expect(second.receives("\r\n0\r\n\r\n"))
        #expect(second.unchunkedBody == "onetwothree")
        second.send(Self.ok)
        #expect(bench.drive { attempt.outcome == .ended })
    }

    /// A request that cannot be repeated does not go to a connection whose end can be seen.
    @Test(arguments: UpstreamCarrier.http1)
    func aPostLooksBeforeItIsSent(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let peer = try bench.warmUp()
        peer.close()
        let attempt = bench.begin(.post, framing: .length(2), body: "hi")
        let second = try bench.accept()
        try #require(second.receives("\r\n\r\nhi"))
        second.send(Self.ok)
        #expect(bench.drive { attempt.outcome == .ended })
        #expect(attempt.heads == 1)
    }

    /// An attempt that pauses at its last piece leaves a connection that still works.
    @Test(arguments: UpstreamCarrier.http1)
    func aPauseAtTheEndDoesNotStayWithTheConnection(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let first = RecordingAttempt()
        first.onPiece = { $0.pause() }
        bench.start(first)
        let peer = try bench.accept()
        try #require(peer.receives("\r\n\r\n"))
        peer.forget()
        peer.send(Self.ok)
        try #require(bench.drive { first.isOver })
        let second = bench.begin()
        try #require(peer.receives("\r\n\r\n"))
        peer.send(Self.ok)
        #expect(bench.drive { second.isOver })
        #expect(second.text == "ok")
    }

    /// While an attempt is paused nothing is lost and nothing piles up; the rest comes after it resumes.
    @Test(arguments: UpstreamCarrier.http1)
    func aPausedAnswerWaitsInTheSystem(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let body = Array(String(repeating: "seventeen letters", count: 1_500_000).utf8)
        let size = body.count
        let attempt = RecordingAttempt()
        attempt.onHead = { $0.pause() }
        bench.start(attempt)
        let peer = try bench.accept()
        try #require(peer.receives("\r\n\r\n"))
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
        var sent = 0
        var rests = 0
        while rests < 30, sent < size {
            let count = peer.sendWhatFits(body[sent...])
            sent += count
            rests = count == 0 ? rests + 1 : 0
            bench.settle(turns: 1)
        }
        #expect(sent < size)
        #expect(attempt.received.isEmpty)
        #expect(bench.isQuiet())
        var pauses = 0
        attempt.onPiece = { _ in
            pauses += 1
            if pauses % 7 == 0 { attempt.pause() }
        }
        attempt.resume()
        #expect(attempt.received.isEmpty)
        _ = bench.drive {
            if pauses % 7 == 0 { attempt.resume() }
            sent += peer.sendWhatFits(body[sent...])
            return attempt.isOver
        }
        #expect(attempt.outcome == .ended)
        #expect(attempt.received.count == size && memcmp(attempt.received, body, size) == 0)
        #expect(attempt.largestPiece <= EventLoop.scratchSize)
    }

    enum Stage: CaseIterable { case connecting, sending, waiting, reading, paused }

    @Test(arguments: Stage.allCases, UpstreamCarrier.http1)
    func anAttemptCanBeCancelled(at stage: Stage, over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempt = bench.begin(.post, framing: .length(8))
        if stage != .connecting {
            let peer = try bench.accept()
            try #require(bench.drive { attempt.isStarted })
            attempt.send("half")
            if stage != .sending {
                attempt.send("half")
                attempt.endBody()
                try #require(peer.receives("halfhalf"))
            }
            if stage == .reading || stage == .paused {
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")
                try #require(bench.drive { attempt.text == "part" })
                if stage == .paused { attempt.pause() }
            }
            attempt.cancel()
            #expect(peer.readsToEnd())
            #expect(bench.pool.openCount == 0)
        } else {
            attempt.cancel()
        }
        attempt.cancel()
        bench.settle()
        #expect(attempt.outcome == nil)
        #expect(!attempt.isRunning)
        #expect(bench.upstream.endpoints[0].active == 0)
        let next = bench.begin()
        let peer = try bench.accept()
        try #require(peer.receives("GET / HTTP/1.1"))
        peer.send(Self.ok)
        #expect(bench.drive { next.outcome == .ended })
    }

    @Test(arguments: UpstreamCarrier.http1)
    func aRefusedConnectionIsTriedOnce(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        bench.stopListening()
        let attempt = bench.begin()
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .failed(.connectFailed))
        // libcurl takes the head before it connects.
        #expect(attempt.heads == (carrier == .connection ? 0 : 1))
        #expect(bench.pool.openCount == 0)
    }

    /// The system takes the connection, but nobody answers the handshake.
    @Test(arguments: UpstreamCarrier.http1)
    func aHandshakeWithoutAnAnswerEndsInTime(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier, isSecure: true)
        let attempt = RecordingAttempt()
        attempt.timeouts.connect = 40
        bench.start(attempt)
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .failed(.connectTimeout))
        #expect(bench.drive { bench.pool.openCount == 0 })
    }

    @Test(arguments: UpstreamCarrier.http1)
    func aHeadThatDoesNotComeEndsInTime(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempt = RecordingAttempt()
        attempt.timeouts.head = 40
        bench.start(attempt)
        let peer = try bench.accept()
        try #require(peer.receives("\r\n\r\n"))
        peer.send("HTTP/1.1 200 OK\r\nX-Drip: ")
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .failed(.timeout))
        #expect(peer.readsToEnd())
    }

    @Test(arguments: UpstreamCarrier.http1)
    func aBodyThatFallsSilentEndsInTime(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempt = RecordingAttempt()
        attempt.timeouts.idle = 40
        bench.start(attempt)
        let peer = try bench.accept()
        try #require(peer.receives("\r\n\r\n"))
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart")
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .failed(.truncated))
        #expect(attempt.text == "part")
    }

    @Test(arguments: UpstreamCarrier.http1)
    func boundsHoldAndWaitingIsBoundedInTime(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier, bounds: UpstreamBounds(connections: 1, requests: 3, pending: 1))
        let first = bench.begin()
        let peer = try bench.accept()
        try #require(peer.receives("\r\n\r\n"))
        let second = RecordingAttempt()
        second.timeouts.connect = 40
        bench.start(second)
        let third = bench.begin()
        #expect(third.outcome == .failed(.overloaded))
        let extra = RecordingAttempt()
        #expect(bench.drive { second.isOver })
        #expect(second.outcome == .failed(.connectTimeout))
        let fourth = bench.begin()
        peer.forget()
        peer.send(Self.ok)
        try #require(peer.receives("\r\n\r\n"))
        #expect(first.outcome == .ended)
        peer.send(Self.ok)
        #expect(bench.drive { fourth.outcome == .ended })
        #expect(extra.outcome == nil && bench.pool.openCount == 1)
    }

    @Test(arguments: UpstreamCarrier.http1)
    func moreRequestsThanBoundsAreRefusedAtOnce(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier, bounds: UpstreamBounds(connections: 9, requests: 1, pending: 9))
        let first = bench.begin()
        #expect(!bench.start(RecordingAttempt()))
        first.cancel()
        #expect(bench.start(RecordingAttempt()))
    }

    @Test(arguments: UpstreamCarrier.http1)
    func aNameIsLookedUpWithoutWaiting(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier, host: "localhost")
        let attempt = bench.begin()
        #expect(!attempt.isStarted)
        let peer = try bench.accept()
        try #require(peer.receives("\r\n\r\n"))
        peer.send(Self.ok)
        #expect(bench.drive { attempt.outcome == .ended })
    }

    /// A server that a reload takes away: what runs on it ends well, idle connections go.
    @Test(arguments: UpstreamCarrier.http1)
    func whatRunsOnARetiredServerRunsToItsEnd(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let idle = try bench.warmUp()
        let running = bench.begin()
        try #require(idle.receives("\r\n\r\n"))
        let second = bench.begin()
        let peer = try bench.accept()
        try #require(peer.receives("\r\n\r\n"))
        idle.send(Self.ok)
        try #require(bench.drive { running.isOver })
        let pool = bench.pool
        #expect(pool.idleCount == 1)
        _ = bench.set.apply([], bounds: [])
        #expect(idle.readsToEnd())
        #expect(pool.openCount == 1)
        peer.send(Self.ok)
        #expect(bench.drive { second.outcome == .ended })
        #expect(peer.readsToEnd())
        #expect(pool.openCount == 0)
    }

    /// A reload keeps the servers that stay, with their connections.
    @Test(arguments: UpstreamCarrier.http1)
    func whatStaysKeepsItsConnections(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let peer = try bench.warmUp()
        let again = bench.set.apply([bench.upstream.definition], bounds: [bench.bounds])
        #expect(again[0].endpoints[0] === bench.upstream.endpoints[0])
        let attempt = RecordingAttempt()
        #expect(again[0].start(attempt, UpstreamOrder(random: 0)) == nil)
        try #require(peer.receives("\r\n\r\n"))
        peer.send(Self.ok)
        #expect(bench.drive { attempt.outcome == .ended })
    }

    /// A pool may go while a connection for it is being opened: nobody is told, and its place is free again.
    @Test(arguments: UpstreamCarrier.http1)
    func aPoolMayGoWhileItConnects(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let bounds = UpstreamBounds(connections: 1, requests: 1, pending: 1)
        let server = EndpointAddress(isSecure: true, host: "127.0.0.1", port: bench.port, carrier: carrier)
        weak var pool: EndpointPool?
        do {
            let set = try #require(UpstreamSet(loop: bench.loop))
            let upstream = set.apply([UpstreamBench.definition(server)], bounds: [bounds])[0]
            let attempt = RecordingAttempt()
            attempt.timeouts.connect = 40
            #expect(upstream.start(attempt, UpstreamOrder(random: 0)) == nil)
            pool = upstream.endpoints[0].pool
            bench.settle()
            attempt.cancel()
            set.retire()
        }
        #expect(pool == nil)
        #expect(bounds.takeConnection() && bounds.takeRequest(.live, ClassShares()) && bounds.takePending())
        #expect(bench.isQuiet(for: 80))
    }
}
