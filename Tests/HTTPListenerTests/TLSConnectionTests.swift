import ByteBuffers
import EventLoops
import Foundation
import Testing

@testable import HTTPListener

/// HTTP/1 over TLS on a real loop: bytes in any pieces, bodies that wait, ends that are seen, and no turn for nothing.
@Suite(.enabled(if: TestCertificate.isPossible, "the openssl command is not there"))
struct TLSConnectionTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"
    private static let post = "POST / HTTP/1.1\r\nHost: localhost\r\n"

    private func connected(_ bench: ListenerBench) throws -> TLSClient {
        let client = try TLSClient(bench)
        try #require(client.shakeHands())
        return client
    }

    private func bench(_ change: (inout ConnectionLimits) -> Void = { _ in }) throws -> ListenerBench {
        let bench = try ListenerBench(ListenerBench.loopback, change)
        try bench.encrypt()
        return bench
    }

    @Test func everythingMayComeByteByByte() throws {
        let bench = try bench()
        let client = try TLSClient(bench)
        func drip(_ raw: Client, _ bytes: [UInt8]) {
            for (index, byte) in bytes.enumerated() {
                raw.send([byte])
                bench.settle(turns: 2)
                if index == bytes.count / 2 { #expect(bench.isQuiet()) }
            }
        }
        try #require(client.shakeHands(drip))
        drip(client.raw, client.seal(Self.get))
        #expect(client.receives("\r\n\r\n/a"))
        #expect(bench.isQuiet())
    }

    @Test func manyRecordsMayComeAtOnce() throws {
        let bench = try bench()
        let client = try connected(bench)
        client.raw.send((0..<300).flatMap { _ in client.seal(Self.get) })
        #expect(client.receives("\r\n\r\n/a", times: 300))
        #expect(bench.isQuiet())
    }

    @Test func theFirstRequestMayComeWithTheEndOfTheHandshake() throws {
        let bench = try bench()
        let client = try TLSClient(bench)
        var held: [UInt8] = []
        var flights = 0
        try #require(
            client.shakeHands { raw, bytes in
                if bytes.isEmpty { return }
                flights += 1
                if flights == 1 { raw.send(bytes) } else { held += bytes }
            })
        client.raw.send(held + client.seal(Self.get))
        #expect(client.receives("\r\n\r\n/a"))
    }

    /// What OpenSSL has read ahead is told by no event of the socket.
    @Test func aBodyThatWaitsIsTakenUpWhole() throws {
        let bench = try bench()
        var exchange: ScriptedExchange?
        bench.server.answer = { fresh in
            exchange = fresh
            fresh.onBody = { fresh, _ in fresh.pauseBody() }
            fresh.onBodyEnd = { $0.reply("\($0.body.count)") }
        }
        let client = try connected(bench)
        let head = client.seal(Self.post + "Content-Length: 60000\r\n\r\n")
        client.raw.send(head + (0..<60).flatMap { _ in client.seal([UInt8](repeating: 0x61, count: 1_000)) })
        try #require(bench.drive { (exchange?.body.count ?? 0) > 0 })
        while let waiting = exchange, waiting.body.count < 60_000 {
            #expect(bench.isQuiet(for: 3), "nothing happens while it waits")
            let before = waiting.body.count
            waiting.resumeBody()
            try #require(bench.drive { (exchange?.body.count ?? 60_000) > before || bench.server.running.isEmpty })
            if bench.server.running.isEmpty { break }
        }
        #expect(client.receives("60000"))
    }

    @Test(arguments: [false, true]) func aClientThatGoesDuringABodyIsGone(saysGoodbye: Bool) throws {
        let bench = try bench()
        bench.server.answer = { _ in }
        let client = try connected(bench)
        client.send(Self.post + "Content-Length: 9\r\n\r\nhalf")
        try #require(bench.drive { bench.server.running.first?.body.count == 4 })
        if saysGoodbye { client.raw.send(client.sealGoodbye()) }
        client.raw.close()
        try #require(bench.drive { !bench.server.records.isEmpty })
        #expect(bench.server.records == [.init(path: "/", body: 4, failures: [.clientClosed], finished: 1)])
        #expect(bench.server.connectionCount == 0)
    }

    @Test func theEndIsSaid() throws {
        let bench = try bench()
        let client = try connected(bench)
        client.send("GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        #expect(client.readToGoodbye())
        #expect(client.text.hasSuffix("/a"))
        #expect(client.raw.ending == .ended)
    }

    /// A body without a length must not look whole when it is not.
    @Test func theEndOfACutAnswerIsNotSaid() throws {
        let bench = try bench()
        bench.server.answer = { exchange in
            exchange.beginHead(status: 200)
            exchange.endHead(.stream)
            exchange.write(Array("part".utf8))
            exchange.flush()
        }
        let client = try connected(bench)
        client.send("GET / HTTP/1.0\r\n\r\n")
        try #require(client.receives("part"))
        bench.server.running.first?.abortResponse()
        #expect(!client.readToGoodbye())
    }

    @Test func smallPiecesShareARecord() throws {
        let bench = try bench()
        bench.server.answer = { exchange in
            exchange.beginHead(status: 200)
            exchange.endHead(.stream)
            exchange.write([UInt8](repeating: 0x61, count: 10_000))
            exchange.endResponse()
        }
        let client = try connected(bench)
        client.send(Self.get)
        try #require(client.receives("\r\n0\r\n\r\n"))
        // Tickets come in records of their own, smaller ones.
        let large = client.records.filter { $0 > 9_000 }
        #expect(large.count == 1 && (large.first ?? 0) > 10_100, "\(client.records)")
    }

    @Test func aSlowReaderGetsEverything() throws {
        let bench = try bench()
        // More than the system holds for a client that does not read.
        let pattern = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 5) }
        let body = Array(repeatElement(pattern, count: 100).joined())
        bench.server.answer = { exchange in
            exchange.beginHead(status: 200)
            exchange.endHead(.length(UInt64(body.count)))
            var sent = 0
            func more(_ exchange: ScriptedExchange) {
                while !exchange.outputIsFull, sent < body.count {
                    let end = min(sent + [1, 700, 9_000, 20_000, 64_000][sent % 5], body.count)
                    exchange.write(body.span.extracting(sent..<end))
                    sent = end
                }
                if sent == body.count { exchange.endResponse() } else { exchange.flush() }
            }
            exchange.onWritable = more
            more(exchange)
        }
        let client = try connected(bench)
        client.raw.limitReceiveBuffer(to: 262_144)
        client.send(Self.get)
        try #require(bench.drive { bench.server.running.first.map { $0.output.count > 16_384 } ?? false })
        #expect(bench.isQuiet(), "nothing happens while nobody reads")
        #expect(bench.server.running.first?.hasEnded == false)
        try #require(client.receives(bytes: 200))
        let head = try #require(String(decoding: client.plain.prefix(200), as: UTF8.self).range(of: "\r\n\r\n"))
        let start = String(decoding: client.plain.prefix(200), as: UTF8.self)[..<head.upperBound].utf8.count
        try #require(client.receives(bytes: start + body.count))
        #expect(client.plain[start...] == body[...])
    }

    @Test func newKeysCostOthersNothing() throws {
        let bench = try bench()
        let client = try connected(bench)
        let other = try connected(bench)
        let updates = (0..<3_000).flatMap { _ in client.sealKeyUpdate() }
        _ = client.raw.sendWhatFits(updates[...])
        other.send(Self.get)
        #expect(other.receives("\r\n\r\n/a"))
    }

    @Test func aHandshakeHasItsTime() throws {
        let bench = try bench { $0.handshakeTimeout = 30 }
        let client = try TLSClient(bench)
        let silent = try bench.client()
        client.raw.send([0x16, 3, 1, 2, 0])
        #expect(client.raw.readToEnd() == .ended)
        #expect(silent.readToEnd() == .ended)
        let honest = try connected(bench)
        #expect(bench.isQuiet(for: 60))
        honest.send(Self.get)
        #expect(honest.receives("\r\n\r\n/a"))
    }

    @Test func aDrainWaitsForNoSilentHandshake() throws {
        let bench = try bench()
        let client = try bench.client()
        try #require(bench.drive { bench.server.connectionCount == 1 })
        var isOver = false
        bench.server.drain(timeout: 60_000) { isOver = true }
        #expect(bench.drive { isOver })
        #expect(client.readToEnd() == .ended)
    }

    @Test func theOldestHandshakeGivesWay() throws {
        let bench = try bench { $0.handshakes = 2 }
        let first = try bench.client()
        let second = try bench.client()
        try #require(bench.drive { bench.server.connectionCount == 2 })
        let third = try connected(bench)
        #expect(first.readToEnd() == .ended)
        third.send(Self.get)
        #expect(third.receives("\r\n\r\n/a"))
        #expect(second.ending == nil)
    }
}
