import ByteBuffers
import EventLoops
import HTTP2Framing
import HTTPMessage
import Testing

@testable import HTTPListener

/// How requests on HTTP/2 streams end before they are answered whole, over real sockets.
@Suite struct HTTP2StreamEndTests {
    private typealias H2 = HTTP2Client

    @Test func anAnswerThatBreaksOffIsAReset() throws {
        let bench = try ListenerBench()
        bench.server.answer = { exchange in
            exchange.beginHead(status: 200)
            exchange.endHead(.length(9))
            exchange.write(Array("half".utf8))
            exchange.abortResponse()
        }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.get))
        #expect(client.resetCode(1) == ErrorCode.internalError)
        #expect(bench.server.records == [.init(path: "/a", finished: 1)])
        client.send(H2.headers(3, H2.get))
        #expect(client.resetCode(3) == ErrorCode.internalError)
    }

    @Test func aResetOfTheClientEndsTheExchangeAtOnce() throws {
        let bench = try ListenerBench()
        bench.server.answer = { _ in }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.get))
        #expect(bench.drive { bench.server.running.count == 1 })
        client.send(H2.reset(1))
        #expect(bench.drive { bench.server.records.count == 1 })
        #expect(bench.server.records == [.init(path: "/a", failures: [.clientClosed], finished: 1)])
    }

    @Test(arguments: [true, false])
    func aLostConnectionEndsEveryExchange(isReset: Bool) throws {
        let bench = try ListenerBench()
        bench.server.answer = { _ in }
        let client = try H2(bench)
        for stream: UInt32 in [1, 3, 5] { client.send(H2.headers(stream, H2.post, ends: false)) }
        #expect(bench.drive { bench.server.running.count == 3 })
        if isReset { client.client.reset() } else { client.client.close() }
        #expect(bench.drive { bench.server.records.count == 3 })
        #expect(bench.server.records.allSatisfy { $0.failures == [.clientClosed] && $0.finished == 1 })
        #expect(bench.server.connectionCount == 0)
    }

    /// An answer before the end of the request: the rest is not wanted, and the connection is good for more.
    @Test func anEarlyAnswerEndsTheRequest() throws {
        let bench = try ListenerBench()
        bench.server.answer = { $0.reply("no") }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.post, ends: false), H2.data(1, "some"))
        #expect(client.answer(1) == "200 no")
        #expect(client.frame(.reset, 1)?.code == ErrorCode.none)
        client.send(H2.data(1, "more"), H2.headers(3, H2.get))
        #expect(client.end(of: 3)?.endsStream == true)
    }

    @Test func aBodyAboveItsBoundIsRefused() throws {
        let bench = try ListenerBench()
        bench.server.answer = { $0.bodyLimit = 5 }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.post, ends: false), H2.data(1, "12345"), H2.data(1, "6"))
        #expect(client.answer(1) == "413 ")
        #expect(bench.server.records.map(\.failures) == [[.bodyTooLarge]])
    }

    @Test func aBodyThatFallsSilentEndsInTime() throws {
        let bench = try ListenerBench { $0.bodyTimeout = 30 }
        bench.server.answer = { _ in }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.post, ends: false), H2.data(1, "half"))
        #expect(client.answer(1) == "408 ")
        #expect(bench.server.records.map(\.failures) == [[.bodyTimeout]])
    }
}
