import Testing

@testable import HTTPListener

/// Who gives way at the bound of connections (http-behaviour.md §6): whoever only waits, never whoever is at work.
@Suite struct MakingRoomTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"

    @Test(arguments: [
        (most: 1, times: [7, 3, 5], expected: [3]),
        (2, [7, 3, 5], [3, 5]),
        (3, [7, 3, 5], [3, 5, 7]),
        (4, [7, 3, 5], [3, 5, 7]),
        (2, [1, 2, 3, 4], [1, 2]),
        (2, [4, 3, 2, 1], [1, 2]),
        (2, [5, 5, 5], [5, 5]),
        (3, [], []),
        (0, [9, 8], [8]),
        (-1, [8, 9], [8]),
    ])
    func theLongestWaitingAreFound(most: Int, times: [UInt64], expected: [UInt64]) {
        var longest = LongestWaiting<UInt64>(most: most)
        for time in times { longest.offer(time, since: time) }
        #expect(longest.elements == expected)
    }

    /// Of those who wait equally long, those that were seen first.
    @Test func equalsKeepTheirOrder() {
        var longest = LongestWaiting<String>(most: 2)
        for name in ["a", "b", "c"] { longest.offer(name, since: 1) }
        #expect(longest.elements == ["a", "b"])
    }

    /// What a connection can do without giving the gateway work.
    enum Waiting: String, CaseIterable {
        case silent, halfHead, keptAlive, halfHeadLater, halfPreface, http2, http2HalfHead, refused
    }

    private func bench(_ connections: Int) throws -> ListenerBench {
        try ListenerBench { limits in
            limits.connections = connections
            limits.givesWayAfter = 50
            // None of them ends by itself while the test runs.
            limits.headTimeout = 600_000
            limits.idleTimeout = 600_000
        }
    }

    @Test(arguments: Waiting.allCases)
    func whoeverOnlyWaitsGivesWay(_ waiting: Waiting) throws {
        let bench = try bench(1)
        let holder = try bench.client()
        switch waiting {
        case .silent: break
        case .halfHead: holder.send("GET / HT")
        case .keptAlive, .halfHeadLater:
            holder.send(Self.get)
            try #require(holder.receives("\r\n\r\n/a"))
            if waiting == .halfHeadLater { holder.send("GET / HT") }
        case .halfPreface: holder.send("PRI * HTTP/2.0\r\n")
        case .http2, .http2HalfHead:
            holder.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            holder.send([0, 0, 0, 4, 0, 0, 0, 0, 0])
            if waiting == .http2HalfHead { holder.send([0, 0, 9, 1, 4, 0, 0, 0, 1, 0x82]) }
        case .refused:
            // The refusal is out, and whoever sends on is read for a moment.
            holder.send("GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
            try #require(holder.receives("HTTP/1.1 400"))
            holder.send("x")
        }
        try #require(bench.drive { bench.server.connectionCount == 1 })
        let newcomer = try bench.client()
        newcomer.send(Self.get)
        #expect(newcomer.receives("\r\n\r\n/a"), "\(waiting)")
        #expect(holder.readToEnd() != nil)
        #expect(bench.server.gaveWay == 1 && bench.server.connectionCount == 1)
        if waiting == .http2 {
            #expect(holder.received.suffix(17).dropFirst(3).first == 7, "a GOAWAY is its last frame")
        }
    }

    /// A handshake that does not come to its end is one of them, and is counted as given up.
    @Test(.enabled(if: TestCertificate.isPossible, "the openssl command is not there"))
    func aSilentHandshakeGivesWay() throws {
        let bench = try bench(1)
        try bench.encrypt()
        let holder = try bench.client()
        try #require(bench.drive { bench.server.connectionCount == 1 })
        let newcomer = try TLSClient(bench)
        try #require(newcomer.shakeHands())
        newcomer.raw.send(newcomer.seal(Self.get))
        #expect(newcomer.receives("\r\n\r\n/a"))
        #expect(holder.readToEnd() != nil)
        #expect(bench.server.failedHandshakes == [.givenUp])
    }

    @Test func whoeverIsAtWorkStays() throws {
        let bench = try bench(3)
        bench.server.answer = { exchange in
            if exchange.record.path == "/a" { exchange.reply("/a") }
        }
        let asking = try bench.client()
        asking.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
        let sending = try bench.client()
        sending.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
        let multiplexed = try HTTP2Client(bench)
        multiplexed.send(
            HTTP2Client.headers(
                1, [(":method", "GET"), (":scheme", "http"), (":path", "/long"), (":authority", "a")]))
        try #require(bench.drive { bench.server.running.count == 3 })
        let newcomer = try bench.client()
        newcomer.send(Self.get)
        #expect(bench.isQuiet(for: 200), "looking for room from time to time is all that is done")
        #expect(bench.server.connectionCount == 3 && bench.server.gaveWay == 0)
        newcomer.read()
        #expect(newcomer.received.isEmpty && newcomer.ending == nil)

        // As soon as one of them is done and waits, its place is free.
        bench.server.running[0].reply("done")
        #expect(newcomer.receives("\r\n\r\n/a"))
        #expect(asking.readToEnd() != nil && bench.server.gaveWay == 1)
    }

    /// A client that has just come may send its request in the next packet.
    @Test func whoeverHasJustComeStays() throws {
        let bench = try ListenerBench { limits in
            limits.connections = 1
            limits.givesWayAfter = 600_000
        }
        let first = try bench.client()
        try #require(bench.drive { bench.server.connectionCount == 1 })
        let second = try bench.client()
        second.send(Self.get)
        #expect(bench.isQuiet(for: 200))
        first.send(Self.get)
        #expect(first.receives("\r\n\r\n/a"))
        first.close()
        #expect(second.receives("\r\n\r\n/a"))
    }
}
