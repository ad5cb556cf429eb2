import ByteBuffers
import EventLoops
import HTTP2Framing
import HTTPMessage
import Testing

@testable import HTTPListener

/// Requests and answers on HTTP/2 streams, over real sockets.
@Suite struct HTTP2StreamTests {
    private typealias H2 = HTTP2Client

    @Test func aRequestIsAnswered() throws {
        let bench = try ListenerBench()
        let client = try H2(bench)
        client.send(H2.headers(1, H2.get))
        #expect(client.answer(1) == "200 /a")
        #expect(bench.server.records == [.init(path: "/a", finished: 1)])
        client.send(H2.headers(3, H2.get))
        #expect(client.end(of: 3)?.endsStream == true)
        #expect(bench.server.made == 1, "the exchange is used again")
    }

    /// The preface may come byte by byte, and together with everything else.
    @Test func theInputMayBeSplitAnywhere() throws {
        let bench = try ListenerBench()
        let client = try H2(bench, greets: false)
        let bytes =
            H2.preface + H2.settings([]).bytes + H2.headers(1, H2.post, ends: false).bytes
            + H2.data(1, "hello").bytes + H2.data(1, " you", ends: true).bytes
        for byte in bytes {
            client.send([byte])
            bench.settle(turns: 1)
        }
        #expect(client.answer(1) == "200 hello you")
    }

    @Test(arguments: ["P", "PRI", "PRI * HTTP/2.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r"])
    func halfAPrefaceEndsInTime(begun: String) throws {
        let bench = try ListenerBench { $0.headTimeout = 30 }
        let client = try H2(bench, greets: false)
        client.send(Array(begun.utf8))
        #expect(client.readToEnd() == .ended)
        #expect(bench.server.records.isEmpty)
        #expect(bench.server.connectionCount == 0)
    }

    /// What begins like the preface and goes on otherwise is HTTP/1.
    @Test(arguments: ["PUT /x HTTP/1.1\r\nHost: a\r\n\r\n", "PRIM /x HTTP/1.1\r\nHost: a\r\n\r\n"], [true, false])
    func whatOnlyBeginsLikeThePrefaceIsHTTP1(request: String, inPieces: Bool) throws {
        let bench = try ListenerBench()
        let client = try bench.client()
        for piece in inPieces ? request.map(String.init) : [request] {
            client.send(piece)
            bench.settle(turns: 1)
        }
        #expect(client.receives("\r\n\r\n/x"))
    }

    @Test func manyStreamsShareAConnection() throws {
        let bench = try ListenerBench()
        bench.server.answer = { _ in }
        let client = try H2(bench)
        for stream in stride(from: UInt32(1), to: 200, by: 2) { client.send(H2.headers(stream, H2.get)) }
        #expect(bench.drive { bench.server.running.count == 100 })
        // In another order than they were asked for.
        for exchange in bench.server.running.reversed() { exchange.reply("x") }
        for stream in stride(from: UInt32(1), to: 200, by: 2) { #expect(client.end(of: stream)?.endsStream == true) }
        #expect(bench.server.records.allSatisfy { $0.finished == 1 && $0.failures.isEmpty })
    }

    // MARK: - Bodies

    @Test(arguments: [0, 1, 65_535, 65_536, 65_537, 300_000])
    func anEchoedBodyComesBackWhole(size: Int) throws {
        let bench = try ListenerBench()
        let client = try H2(bench, settings: [(4, 1_000_000)])
        client.send(H2.window(0, 1_000_000))
        client.send(H2.headers(1, H2.post, ends: false))
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
        var sent = 0
        var credit = 65_535
        var seen = 0
        while sent < size {
            // The server's windows bound what is sent: its SETTINGS raise that of a stream to 65536.
            try #require(
                bench.drive {
                    client.settle()
                    let updates = client.frames.dropFirst(seen)
                    seen = client.frames.count
                    for frame in updates {
                        if frame.kind == .windowUpdate, frame.stream == 1 { credit += Int(frame.word(0)) }
                        if frame.kind == .settings, !frame.payload.isEmpty { credit += 1 }
                    }
                    return credit > 0
                }, "the window of the stream opens; \(sent) bytes were sent")
            let count = min(credit, size - sent, 16_384)
            let piece = WireFrame(type: 0, stream: 1, payload: Array(bytes[sent..<sent + count]))
            client.send(piece)
            credit -= count
            sent += count
        }
        client.send(H2.data(1, "", ends: true))
        #expect(client.end(of: 1)?.endsStream == true)
        #expect(client.body(1) == bytes)
    }

    /// While an exchange has paused its body, the client gets no window back, so that at most one window is held.
    @Test func aPausedBodyIsNotReadOn() throws {
        let bench = try ListenerBench()
        bench.server.answer = { exchange in
            exchange.onBody = { exchange, _ in exchange.pauseBody() }
            exchange.onBodyEnd = { $0.reply("\($0.body.count)") }
        }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.post, ends: false))
        for _ in 0..<4 { client.send(WireFrame(type: 0, stream: 1, payload: [UInt8](repeating: 7, count: 16_000))) }
        client.settle()
        let exchange = try #require(bench.server.running.first)
        #expect(exchange.body.count == 16_000)
        #expect(!client.frames.contains { $0.kind == .windowUpdate && $0.stream == 1 })
        exchange.onBody = nil
        exchange.resumeBody()
        #expect(exchange.body.count == 16_000, "nothing is delivered from inside the call")
        #expect(bench.drive { exchange.body.count == 64_000 })
        #expect(client.frame(.windowUpdate, 1) != nil)
        client.send(H2.data(1, "end", ends: true))
        #expect(client.answer(1) == "200 64003")
    }

    /// A client that sends more than its window holds has broken the protocol.
    @Test func theWindowIsABound() throws {
        let bench = try ListenerBench()
        bench.server.answer = { $0.pauseBody() }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.post, ends: false))
        for _ in 0..<5 { client.send(WireFrame(type: 0, stream: 1, payload: [UInt8](repeating: 7, count: 16_384))) }
        let last = client.frame { $0.code == ErrorCode.flowControl }
        #expect(last != nil, "\(client.frames)")
        #expect(bench.drive { bench.server.running.isEmpty })
    }

    @Test func anAnswerKeepsToTheClientsWindow() throws {
        let bench = try ListenerBench()
        bench.server.answer = { $0.reply(String(repeating: "x", count: 100)) }
        let client = try H2(bench, settings: [(4, 10)])
        client.send(H2.headers(1, H2.get))
        #expect(client.frame(.data, 1)?.payload.count == 10)
        client.settle()
        #expect(client.body(1).count == 10)
        #expect(bench.server.records.isEmpty)
        client.send(H2.window(1, 89))
        #expect(
            bench.drive {
                client.settle(); return client.body(1).count == 99
            })
        client.send(H2.window(1, 1))
        #expect(client.end(of: 1)?.endsStream == true)
        #expect(client.body(1).count == 100)
    }

    @Test func aWindowThatStaysShutEndsTheStreamInTime() throws {
        let bench = try ListenerBench { $0.writeTimeout = 30 }
        bench.server.answer = { $0.reply("x") }
        let client = try H2(bench, settings: [(4, 0)])
        client.send(H2.headers(1, H2.get))
        #expect(client.resetCode(1) == ErrorCode.cancel)
        #expect(bench.server.records.map(\.failures) == [[.clientClosed]])
        // The connection itself lives on.
        client.send(H2.settings([(4, 100)]), H2.headers(3, H2.get))
        #expect(client.end(of: 3)?.endsStream == true)
    }

    /// The source of an answer pauses while the client takes nothing, and is told when it may go on.
    @Test func aSourceIsToldWhenItMayGoOn() throws {
        let bench = try ListenerBench()
        bench.server.answer = { exchange in
            exchange.beginHead(status: 200)
            exchange.endHead(.stream)
            exchange.write([UInt8](repeating: 1, count: 65_536))
            exchange.flush()
            exchange.onWritable = { $0.endResponse() }
        }
        let client = try H2(bench, settings: [(4, 1_000)])
        client.send(H2.headers(1, H2.get))
        client.settle()
        let exchange = try #require(bench.server.running.first)
        #expect(exchange.outputIsFull == false && exchange.record.writable == 0)
        client.send(H2.window(1, 50_000))
        #expect(bench.drive { exchange.record.writable == 1 })
        client.send(H2.window(1, 50_000), H2.window(0, 50_000))
        #expect(client.end(of: 1)?.endsStream == true)
        #expect(client.body(1).count == 65_536)
    }

    /// The same where the socket holds the answer up and no window does: nothing comes from the client then.
    @Test func aSourceIsToldWhenTheSocketTakesMore() throws {
        let size = 32 << 20
        let bench = try ListenerBench { $0.idleTimeout = 60 }
        bench.server.answer = { exchange in
            exchange.beginHead(status: 200)
            exchange.endHead(.length(UInt64(size)))
            func fill(_ exchange: ScriptedExchange) {
                while !exchange.outputIsFull, exchange.bytesSent < size {
                    exchange.write([UInt8](repeating: 1, count: 65_536))
                }
                if exchange.bytesSent == size { exchange.endResponse() } else { exchange.flush() }
            }
            exchange.onWritable = fill
            fill(exchange)
        }
        let client = try H2(bench, settings: [(4, 0x7FFF_FFFF)])
        client.send(H2.window(0, 0x7FFF_0000), H2.headers(1, H2.get))
        // The answer fills the system's buffers before the client reads.
        bench.settle(turns: 100)
        #expect(bench.server.records.isEmpty)
        #expect(client.end(of: 1)?.endsStream == true)
        #expect(client.body(1).count == size)
        // And the connection is idle then.
        #expect(client.goAway() == ErrorCode.none)
    }

    /// One large answer does not hold up the others.
    @Test func streamsGetTheirShareInTurn() throws {
        let bench = try ListenerBench()
        bench.server.answer = { exchange in
            exchange.beginHead(status: 200)
            exchange.endHead(.length(60_000))
            exchange.write([UInt8](repeating: 1, count: 60_000))
            exchange.endResponse()
        }
        let client = try H2(bench, settings: [(4, 1_000_000)])
        client.send(
            H2.window(0, 1_000_000), H2.headers(1, H2.get), H2.headers(3, H2.get), H2.headers(5, H2.get))
        for stream: UInt32 in [1, 3, 5] { #expect(client.end(of: stream)?.endsStream == true) }
        let order = client.frames.filter { $0.kind == .data }.map(\.stream)
        let firsts = [UInt32(1), 3, 5].map { order.firstIndex(of: $0) ?? .max }
        let ends = [UInt32(1), 3, 5].map { order.lastIndex(of: $0) ?? 0 }
        #expect((firsts.max() ?? 0) < (ends.min() ?? 0), "\(order)")
    }

    /// A connection that falls idle keeps nothing of the streams that it had, and is served as before.
    @Test func anIdleConnectionGivesItsStreamsBack() throws {
        let bench = try ListenerBench()
        weak var stream: HTTP2Stream?
        bench.server.answer = { exchange in
            stream = exchange.channel as? HTTP2Stream
            exchange.reply("x")
        }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.get))
        #expect(client.answer(1) == "200 x")
        #expect(stream != nil)
        #expect(bench.drive { stream == nil })
        client.send(H2.headers(3, H2.get))
        #expect(client.end(of: 3)?.endsStream == true)
        #expect(!client.frames.contains { $0.kind == .goAway })
    }

    // MARK: - Heads and trailers

    @Test func anAnswerWithoutABodyIsOneFrame() throws {
        let bench = try ListenerBench()
        bench.server.answer = { exchange in
            exchange.beginHead(status: 204)
            exchange.endHead(.none(declared: nil))
            exchange.endResponse()
        }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.get))
        #expect(client.answer(1) == "204 ")
        #expect(client.frames.filter { $0.stream == 1 }.map(\.flags) == [5])
    }

    @Test func interimAnswersComeFirst() throws {
        let bench = try ListenerBench()
        bench.server.answer = { exchange in
            exchange.sendContinue()
            exchange.beginInterim(status: 103)
            exchange.output.append("Link: </a>\r\n")
            exchange.endInterim()
            exchange.onBodyEnd = { $0.reply("done") }
        }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.post + [("expect", "100-continue")], ends: false))
        #expect(
            bench.drive {
                client.settle()
                return client.frames.filter { $0.kind == .headers }.map { H2.status($0.payload) } == [100, 103]
            }, "\(client.frames.map(\.payload))")
        client.send(H2.data(1, "x", ends: true))
        #expect(client.end(of: 1)?.endsStream == true)
        #expect(String(decoding: client.body(1), as: UTF8.self) == "done")
    }

    @Test func trailersPassInBothDirections() throws {
        let bench = try ListenerBench()
        var trailers = ""
        bench.server.answer = { exchange in
            exchange.onBodyEnd = { exchange in
                var lines = ByteBuffer()
                exchange.channel?.appendRequestTrailers(policy: FieldPolicy(), to: &lines)
                trailers = lines.text
                exchange.beginHead(status: 200)
                exchange.endHead(.stream)
                exchange.write(Array("body".utf8))
                var answer = ByteBuffer()
                answer.append("X-Sum: 7\r\n")
                exchange.endResponse(trailers: answer)
            }
        }
        let client = try H2(bench)
        client.send(
            H2.headers(1, H2.post, ends: false), H2.data(1, "x"),
            H2.headers(1, [("x-check", "1"), ("host", "b"), ("content-length", "9")]))
        #expect(client.end(of: 1)?.kind == .headers)
        #expect(trailers == "x-check: 1\r\n")
        let frames = client.frames.filter { $0.stream == 1 && $0.kind != .windowUpdate }
        #expect(frames.map(\.kind) == [.headers, .data, .headers])
        #expect(frames.map(\.flags) == [4, 0, 5])
    }

    /// A head that is larger than a frame goes out in several.
    @Test func aLargeHeadIsSentWhole() throws {
        let bench = try ListenerBench()
        bench.server.answer = { exchange in
            exchange.beginHead(status: 200)
            for index in 0..<10 {
                exchange.output.append("X-\(index): ")
                exchange.output.append([UInt8](repeating: UInt8(ascii: "~"), count: 6_000))
                exchange.output.append("\r\n")
            }
            exchange.endHead(.length(1))
            exchange.write(Array("x".utf8))
            exchange.endResponse()
        }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.get))
        #expect(client.end(of: 1)?.kind == .data)
        #expect(client.frames.contains { $0.kind == .continuation })
    }
}
