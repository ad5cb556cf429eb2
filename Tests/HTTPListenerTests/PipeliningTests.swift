import EventLoops
import Foundation
import Testing

@testable import HTTPListener

/// Requests that are sent ahead are answered in order, one at a time (RFC 9112 §9.3.2).
@Suite struct PipeliningTests {
    private static func get(_ path: String, _ fields: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n"
    }

    @Test func answersComeInTheOrderOfTheirRequests() throws {
        let bench = try ListenerBench()
        let client = try bench.client()
        client.send(Self.get("/a") + Self.get("/b") + Self.get("/c"))
        #expect(client.receives("\r\n\r\n/c"))
        let bodies = client.text.components(separatedBy: "\r\n\r\n").dropFirst().map { $0.prefix(2) }
        #expect(bodies == ["/a", "/b", "/c"])
    }

    @Test(arguments: [1, 7, 4096])
    func aThousandRequestsNeitherRecurseNorGrow(piece: Int) throws {
        let bench = try ListenerBench()
        let client = try bench.client()
        let text = Array((0..<1000).map { Self.get("/\($0)/end") }.joined().utf8)
        var position = 0
        while position < text.count {
            let size = min(position == 0 ? 30_000 : piece * 64, text.count - position)
            try #require(client.send(Array(text[position..<(position + size)])))
            position += size
        }
        #expect(client.receives("/end", times: 1000))
        #expect(bench.server.made == 1)
        #expect(bench.server.records.map(\.path) == (0..<1000).map { "/\($0)/end" })
        #expect(bench.server.records.allSatisfy { $0.finished == 1 && $0.failures.isEmpty })
    }

    /// Answers that are made later, from the loop, must not recurse either.
    @Test func lateAnswersAreTakenOneByOne() throws {
        let bench = try ListenerBench()
        bench.server.answer = { _ in }
        let client = try bench.client()
        client.send((0..<200).map { Self.get("/\($0)") }.joined())
        for index in 0..<200 {
            try #require(bench.drive { bench.server.running.count == 1 })
            let exchange = bench.server.running[0]
            #expect(exchange.record.path == "/\(index)")
            exchange.reply("\(index);")
        }
        #expect(client.receives("199;"))
    }

    /// What waits behind a request in work is bounded: beyond it, the client is not read any more.
    @Test func whatIsSentAheadIsBounded() throws {
        let bench = try ListenerBench { $0.requestsPerConnection = .max }
        bench.server.answer = { _ in }
        let client = try bench.client()
        let burst = Array((0..<400).map { Self.get("/\($0)") }.joined().utf8)
        var taken = 0
        var rests = 0
        while rests < 50, taken < 64 << 20 {
            let sent = client.sendWhatFits(burst[(taken % burst.count)...])
            taken += sent
            rests = sent == 0 ? rests + 1 : 0
            bench.settle(turns: 1)
        }
        #expect(taken < 64 << 20)
        #expect(bench.isQuiet())
        #expect(bench.server.running.count == 1)
        bench.server.answer = { $0.echo() }
        bench.server.running[0].reply("first")
        #expect(client.receives(bytes: 100_000))
        #expect(client.ending == nil)
    }

    /// Bytes that come in the turn in which an answer ends must not overtake those that waited before them: both halves
    /// of a request would be read in the wrong order.
    @Test func laterBytesDoNotOvertakeEarlierOnes() throws {
        final class Trigger: Poll {
            var action: () -> Void = {}
            override func ready(_ events: Events) {
                watch([])
                action()
            }
        }
        let bench = try ListenerBench()
        bench.server.answer = { _ in }
        let client = try bench.client()
        let second = Self.get("/second", "X-Long: abcdef\r\n")
        client.send(Self.get("/first") + second.prefix(20))
        try #require(bench.drive { bench.server.running.count == 1 })
        bench.settle()
        var ends: [CInt] = [-1, -1]
        try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { for end in ends { close(end) } }
        let trigger = Trigger(loop: bench.loop)
        try trigger.open(ends[0])
        trigger.action = { bench.server.running[0].reply("one") }
        trigger.watch(.readable)
        bench.settle()
        // Both become ready before the next turn, the trigger first: the kernel reports them in that order.
        bench.server.answer = { $0.echo() }
        _ = [UInt8](repeating: 1, count: 1).withUnsafeBytes { Descriptor.send(ends[1], $0) }
        _ = client.sendWhatFits(Array(second.utf8.dropFirst(20))[...])
        #expect(client.receives("/second"))
        #expect(bench.server.records.map(\.path) == ["/first", "/second"])
    }

    /// A connection may end in the same turn in which it has put off its next request.
    @Test func aConnectionMayEndWithARequestPutOff() throws {
        let bench = try ListenerBench()
        bench.server.answer = { _ in }
        let client = try bench.client()
        client.send(Self.get("/first") + Self.get("/second"))
        try #require(bench.drive { bench.server.running.count == 1 })
        bench.settle()
        var connection = bench.server.running[0].channel?.connection
        bench.server.running[0].reply("one")
        connection?.close()
        connection = nil
        bench.settle()
        #expect(bench.server.connectionCount == 0)
        #expect(bench.server.records.map(\.path) == ["/first"])
    }
}
