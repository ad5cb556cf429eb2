import ByteBuffers
import EventLoops
import Foundation
import Testing

@testable import HTTPListener

/// Bounds in bytes, time and numbers, and what happens at each of them (http-behaviour.md §6).
@Suite struct LimitTests {
    private static let post = "POST / HTTP/1.1\r\nHost: a\r\n"

    @Test(arguments: ["", "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\n"])
    func aHeadThatDoesNotComeEndsInTime(begun: String) throws {
        let bench = try ListenerBench { $0.headTimeout = 30 }
        let client = try bench.client()
        client.send(begun)
        #expect(client.readToEnd() == .ended)
        #expect(client.text.hasPrefix(begun.isEmpty ? "" : "HTTP/1.1 408 "))
        #expect(bench.server.records.map(\.failures) == (begun.isEmpty ? [] : [[.headTimeout]]))
    }

    /// The limit is for the whole head of a later request, too, and not for the time between requests.
    @Test func aLaterHeadHasItsOwnTime() throws {
        let bench = try ListenerBench { $0.headTimeout = 30 }
        let client = try bench.client()
        client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        try #require(client.receives("\r\n\r\n/a"))
        #expect(bench.isQuiet(for: 60))
        #expect(bench.server.connectionCount == 1)
        client.send("GET /b HT")
        #expect(client.readToEnd() == .ended)
        #expect(client.text.contains("HTTP/1.1 408 "))
    }

    @Test func aBodyThatFallsSilentEndsInTime() throws {
        let bench = try ListenerBench { $0.bodyTimeout = 30 }
        bench.server.answer = { _ in }
        let client = try bench.client()
        client.send(Self.post + "Content-Length: 9\r\n\r\nhalf")
        #expect(client.readToEnd() == .ended)
        #expect(client.text.hasPrefix("HTTP/1.1 408 "))
        #expect(bench.server.records == [.init(path: "/", body: 4, failures: [.bodyTimeout], finished: 1)])
    }

    @Test func anIdleConnectionEndsInTime() throws {
        let bench = try ListenerBench { $0.idleTimeout = 30 }
        let client = try bench.client()
        client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.readToEnd() == .ended)
        #expect(client.text.hasSuffix("/a"))
        #expect(bench.server.connectionCount == 0)
    }

    @Test func aClientThatTakesNothingEndsInTime() throws {
        let bench = try ListenerBench { $0.writeTimeout = 30 }
        bench.server.answer = { exchange in
            exchange.beginHead(status: 200)
            exchange.endHead(.stream)
            while !exchange.outputIsFull { exchange.write([UInt8](repeating: 1, count: 65_536)) }
        }
        let client = try bench.client()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(bench.drive { bench.server.records.count == 1 })
        #expect(bench.server.records[0].failures == [.clientClosed])
        #expect(bench.server.connectionCount == 0)
    }

    /// What the upstream sends meanwhile is no sign of life of the client.
    @Test func aSourceThatGoesOnGivesTheClientNoMoreTime() throws {
        let bench = try ListenerBench { $0.writeTimeout = 100 }
        bench.server.answer = { exchange in
            exchange.beginHead(status: 200)
            exchange.endHead(.stream)
            // As much as the system takes, so that what follows stays in the gateway.
            exchange.flush()
            while exchange.output.isEmpty { exchange.write([UInt8](repeating: 1, count: 65_536)) }
        }
        let client = try bench.client()
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        try #require(bench.drive { bench.server.running.count == 1 })
        let exchange = bench.server.running[0]
        var pieces = 0
        #expect(
            bench.drive {
                guard bench.server.connectionCount == 1 else { return true }
                // The system may have been about to take more than it had taken at first.
                let isTaken = exchange.output.isEmpty
                exchange.write([UInt8](repeating: 1, count: isTaken ? 65_536 : 10))
                exchange.flush()
                pieces += 1
                return pieces == 3_000
            })
        #expect(bench.server.connectionCount == 0, "it outlived \(pieces) pieces, one each millisecond")
    }

    @Test(arguments: ["Content-Length: 11\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n4\r\n"])
    func aBodyOverItsLimitIsRefused(framing: String) throws {
        let bench = try ListenerBench()
        bench.server.answer = { $0.bodyLimit = 10 }
        let client = try bench.client()
        client.send(Self.post + framing)
        client.send(framing.contains("chunked") ? "abcd\r\n7\r\nefghijk\r\n0\r\n\r\n" : "abcdefghijk")
        #expect(client.readToEnd() == .ended)
        #expect(client.text.hasPrefix("HTTP/1.1 413 "))
        #expect(bench.server.records.map(\.failures) == [[.bodyTooLarge]])
        #expect(bench.server.records[0].body <= 10)
    }

    /// At the bound accepting rests, without spinning; who waits is served when somebody leaves.
    @Test func connectionsOverTheBoundWait() throws {
        let bench = try ListenerBench { $0.connections = 2 }
        let first = try bench.client()
        let second = try bench.client()
        let third = try bench.client()
        third.send("GET /third HTTP/1.1\r\nHost: a\r\n\r\n")
        try #require(bench.drive { bench.server.connectionCount == 2 })
        #expect(bench.isQuiet())
        #expect(bench.server.connectionCount == 2)
        first.close()
        #expect(third.receives("/third"))
        second.close()
    }

    /// A reload may raise the bound while the listeners rest at the old one.
    @Test func aHigherBoundLetsThoseInWhoWait() throws {
        let bench = try ListenerBench { $0.connections = 1 }
        let first = try bench.client()
        let second = try bench.client()
        second.send("GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
        try #require(bench.drive { bench.server.connectionCount == 1 })
        #expect(bench.isQuiet())
        bench.server.limits.connections = 2
        #expect(second.receives("/second"))
        first.close()
    }

    @Test func oneAddressHasABoundOfItsOwn() throws {
        let bench = try ListenerBench { $0.connectionsPerAddress = 1 }
        let first = try bench.client()
        try #require(bench.drive { bench.server.connectionCount == 1 })
        let second = try bench.client()
        #expect(second.readToEnd() != nil)
        first.close()
        try #require(bench.drive { bench.server.connectionCount == 0 })
        let third = try bench.client()
        third.send("GET /third HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(third.receives("/third"))
    }

    /// Running requests end, then their connections; new ones do not come.
    @Test func aDrainLetsRequestsEnd() throws {
        let bench = try ListenerBench()
        bench.server.answer = { _ in }
        let idle = try bench.client()
        let busy = try bench.client()
        busy.send("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n")
        try #require(bench.drive { bench.server.running.count == 1 && bench.server.connectionCount == 2 })
        var drained = 0
        bench.server.drain(timeout: 60_000) { drained += 1 }
        #expect(idle.readToEnd() == .ended)
        #expect(drained == 0)
        bench.server.running[0].reply("late")
        #expect(busy.readToEnd() == .ended)
        #expect(busy.text.contains("Connection: close\r\n"))
        #expect(busy.text.hasSuffix("late"))
        #expect(bench.drive { drained == 1 })
        bench.settle()
        #expect(drained == 1 && bench.server.records.count == 1 && bench.server.connectionCount == 0)
    }

    @Test func whatDoesNotEndInTheDrainTimeIsAnswered() throws {
        let bench = try ListenerBench()
        bench.server.answer = { _ in }
        let client = try bench.client()
        client.send("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n")
        try #require(bench.drive { bench.server.running.count == 1 })
        var drained = false
        bench.server.drain(timeout: 30) { drained = true }
        #expect(bench.drive { drained })
        #expect(client.readToEnd() == .ended)
        #expect(client.text.hasPrefix("HTTP/1.1 503 "))
        #expect(bench.server.records == [.init(path: "/busy", failures: [.shuttingDown], finished: 1)])
    }
}
