import EventLoops
import HTTPMessage
import Testing

@testable import Upstreams

/// What our own HTTP/2 towards upstreams does beyond what whole transfers of libcurl do, too (``HTTP2TransferTests``).
@Suite struct HTTP2UpstreamTests {
    private let settingMostStreams: UInt16 = 3
    private let refusedStream: UInt32 = 7
    private static let window = 131_072

    // MARK: - Beginning

    /// Nothing of a request leaves before the server has said that it speaks HTTP/2.
    @Test func theServersSettingsComeFirst() throws {
        let bench = try UpstreamBench(.http2)
        let attempt = bench.begin()
        let end = try bench.accept()
        #expect(end.receives("SM\r\n\r\n"))
        bench.settle(turns: 20)
        end.read()
        // The preface, SETTINGS and the connection's window.
        let first = end.received.count
        #expect(!attempt.isStarted && attempt.heads == 0)
        end.send([0, 0, 0, 4, 0, 0, 0, 0, 0])
        #expect(bench.drive { attempt.isStarted })
        #expect(end.receives(bytes: first + 9))
        attempt.cancel()
    }

    struct Stranger: CustomTestStringConvertible {
        var name: String
        var failure: UpstreamFailure
        var act: @Sendable (ServerEnd) -> Void
        var testDescription: String { name }
    }

    static let strangers = [
        Stranger(name: "answers in HTTP/1.1", failure: .protocolError("")) {
            $0.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        },
        Stranger(name: "begins with another frame", failure: .protocolError("")) {
            $0.send([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8])
        },
        Stranger(name: "begins with broken SETTINGS", failure: .protocolError("")) {
            $0.send([0, 0, 5, 4, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5])
        },
        Stranger(name: "hangs up", failure: .connectFailed) { $0.close() },
        Stranger(name: "says nothing", failure: .connectTimeout) { _ in },
        Stranger(name: "takes no requests", failure: .overloaded) {
            $0.send([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0])
        },
    ]

    /// Whoever does not speak HTTP/2 is found out before anything was sent, whatever the method.
    @Test(arguments: strangers)
    func aStrangerGetsNoRequest(_ stranger: Stranger) throws {
        let bench = try UpstreamBench(.http2)
        let attempt = RecordingAttempt()
        attempt.method = .post
        attempt.timeouts.connect = 300
        bench.start(attempt)
        let end = try bench.accept()
        #expect(end.receives("SM\r\n\r\n"))
        stranger.act(end)
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .failed(stranger.failure))
        #expect(attempt.heads == 0)
        if stranger.failure != .connectFailed { #expect(end.readsToEnd()) }
        #expect(bench.drive { bench.pool.openCount == 0 })
        #expect(bench.upstream.endpoints[0].active == 0)
    }

    /// Bytes may come one by one.
    @Test func framesMayComeInPieces() throws {
        let bench = try UpstreamBench(.http2)
        let attempt = bench.begin()
        let peer = try HTTP2Peer(bench)
        let stream = try peer.requests(1)[0]
        let bytes = peer.gather {
            peer.headers(stream, [(":status", "200"), ("x-a", "b")])
            peer.data(stream, "hello")
            peer.headers(stream, [("x-sum", "1")], ends: true)
        }
        for byte in bytes {
            peer.end.send([byte])
            bench.settle(turns: 2)
        }
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .ended && attempt.text == "hello" && attempt.trailers.text == "x-sum: 1\r\n")
    }

    // MARK: - The request

    /// What has come by the end of the turn goes out together, and the last bytes end the stream.
    @Test func theLastBytesEndTheStream() throws {
        let bench = try UpstreamBench(.http2)
        let attempt = bench.begin(.post, framing: .length(5), body: "hello")
        let peer = try HTTP2Peer(bench)
        let stream = try peer.requests(1)[0]
        #expect(peer.receives { $0.type == HTTP2Peer.Frame.data })
        let data = peer.frames.filter { $0.type == HTTP2Peer.Frame.data }
        #expect(data.count == 1 && data[0].endsStream && data[0].payload == Array("hello".utf8))
        peer.answer(stream, "ok")
        #expect(bench.drive { attempt.outcome == .ended })
    }

    /// A body waits for the peer's window, its source is told to stop, and to go on.
    @Test func aBodyWaitsForTheWindow() throws {
        let bench = try UpstreamBench(.http2)
        let attempt = bench.begin(.post, framing: .chunked)
        let peer = try HTTP2Peer(bench)
        try #require(bench.drive { attempt.isStarted })
        let stream = try peer.requests(1)[0]
        let piece = (0..<8_192).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var sent = 0
        while !attempt.isFull {
            attempt.send(piece.span)
            sent += piece.count
            bench.settle(turns: 1)
        }
        // The window of 65 535 bytes, and what is kept behind it.
        #expect(sent >= 131_072 && sent <= 150_000)
        #expect(attempt.writables == 0)
        peer.windowUpdate(0, 1_000_000)
        peer.windowUpdate(stream, 1_000_000)
        #expect(
            bench.drive {
                peer.read()
                return attempt.writables == 1 && peer.content(stream).count == sent
            })
        attempt.endBody()
        #expect(peer.receives { $0.type == HTTP2Peer.Frame.data && $0.endsStream })
        let intact = peer.content(stream).enumerated().allSatisfy { $1 == piece[$0 % piece.count] }
        #expect(intact)
        peer.answer(stream, "ok")
        #expect(bench.drive { attempt.outcome == .ended })
    }

    // MARK: - Repeating

    /// A request that was refused is repeated once, not for ever.
    @Test func aRefusalIsFinalTheSecondTime() throws {
        let bench = try UpstreamBench(.http2)
        let attempt = bench.begin(.post, framing: .length(2), body: "hi")
        for round in 0..<2 {
            let peer = try HTTP2Peer(bench)
            let stream = try peer.requests(1)[0]
            #expect(peer.receives { $0.endsStream }, "round \(round)")
            #expect(peer.content(stream) == Array("hi".utf8))
            peer.reset(stream, refusedStream)
        }
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .failed(.closed) && attempt.outcomes == 1 && attempt.heads == 2)
        #expect(!bench.hasNewcomer)
    }

    /// What is larger than what is kept cannot be repeated.
    @Test func alargeRefusedBodyIsNotRepeated() throws {
        let bench = try UpstreamBench(.http2)
        let attempt = bench.begin(.put, framing: .chunked, body: String(repeating: "x", count: 70_000))
        let peer = try HTTP2Peer(bench)
        peer.reset(try peer.requests(1)[0], refusedStream)
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .failed(.closed) && attempt.heads == 1)
    }

    /// GOAWAY says which requests nobody has looked at: also those that must not be sent twice go elsewhere.
    @Test func postsBehindGoAwayGoElsewhere() throws {
        let bench = try UpstreamBench(.http2)
        let attempts = (0..<3).map { bench.begin(.post, framing: .length(1), body: "\($0)") }
        let first = try HTTP2Peer(bench)
        let streams = try first.requests(3)
        first.goAway(last: streams[0])
        let second = try HTTP2Peer(bench)
        let moved = try second.requests(2)
        #expect(second.receives { $0.stream == moved[1] && $0.endsStream })
        #expect(moved.map { second.content($0) } == [Array("1".utf8), Array("2".utf8)])
        for stream in moved { second.answer(stream, "second") }
        first.answer(streams[0], "first")
        #expect(bench.drive { attempts.allSatisfy(\.isOver) })
        #expect(attempts.map(\.text) == ["first", "second", "second"])
        #expect(bench.drive { bench.pool.openCount == 1 })
    }

    /// A request of which nothing was sent, because the peer reads nothing, survives its connection whatever its method.
    @Test func anUnsentRequestGoesElsewhere() throws {
        let bench = try UpstreamBench(.http2)
        let upload = bench.begin(.post, framing: .chunked)
        let first = try HTTP2Peer(bench, settings: [(4, 0x7FFF_FFFF)])
        try #require(bench.drive { upload.isStarted })
        _ = try first.requests(1)
        first.windowUpdate(0, 0x7000_0000)
        bench.settle()
        // Until the system takes no more.
        let piece = [UInt8](repeating: 7, count: 65_536)
        var rounds = 0
        while !upload.isFull, rounds < 1_000 {
            upload.send(piece.span)
            bench.settle(turns: 2)
            rounds += 1
        }
        #expect(upload.isFull)
        let unsent = bench.begin(.post, framing: .length(2), body: "hi")
        bench.settle()
        #expect(unsent.isStarted)
        first.end.close()
        let second = try HTTP2Peer(bench)
        let stream = try second.requests(1)[0]
        #expect(second.receives { $0.endsStream } && second.content(stream) == Array("hi".utf8))
        second.answer(stream, "second")
        #expect(bench.drive { upload.isOver && unsent.isOver })
        #expect(upload.outcome == .failed(.closed) && unsent.outcome == .ended && unsent.text == "second")
    }

    /// A peer may allow fewer streams later on.
    @Test func theNumberOfStreamsMayFall() throws {
        let bench = try UpstreamBench(.http2, bounds: UpstreamBounds(connections: 1))
        let warm = bench.begin()
        let peer = try HTTP2Peer(bench)
        peer.answer(try peer.requests(1)[0], "warm")
        #expect(bench.drive { warm.isOver })
        peer.settings([(settingMostStreams, 1)])
        bench.settle()
        let attempts = (0..<3).map { _ in bench.begin() }
        for count in 2...4 {
            let streams = try peer.requests(count)
            bench.settle()
            peer.read()
            #expect(peer.streams.count == count)
            peer.answer(streams[count - 1], "ok")
        }
        #expect(bench.drive { attempts.allSatisfy { $0.outcome == .ended } })
    }

    // MARK: - Slow readers

    /// A reader that stands still takes up the window of its own stream, and nothing of the others'.
    @Test func aStalledReaderHoldsUpNobody() throws {
        let bench = try UpstreamBench(.http2)
        let stalled = bench.begin()
        stalled.onHead = { $0.pause() }
        let peer = try HTTP2Peer(bench)
        let stream = try peer.requests(1)[0]
        peer.headers(stream, [(":status", "200")])
        let piece = (0..<16_384).map { UInt8(truncatingIfNeeded: $0) }
        for _ in 0..<(Self.window / piece.count) { peer.data(stream, piece) }
        // Eight times the connection's window, one answer after the other.
        for round in 0..<64 {
            let attempt = bench.begin()
            let busy = try peer.requests(round + 2)[round + 1]
            peer.headers(busy, [(":status", "200")])
            for _ in 0..<(Self.window / piece.count) { peer.data(busy, piece) }
            peer.data(busy, [], ends: true)
            #expect(bench.drive { attempt.isOver }, "round \(round)")
            #expect(attempt.received.count == Self.window)
        }
        #expect(stalled.received.isEmpty && !stalled.isOver)
        #expect(bench.isQuiet())
        let opened = { peer.frames.filter { $0.type == HTTP2Peer.Frame.windowUpdate && $0.stream == stream } }
        peer.read()
        #expect(opened().isEmpty)
        // It goes on, stops again in the middle, and gets all of it in the end.
        stalled.onPiece = { $0.pause() }
        var last = -1
        #expect(
            bench.drive {
                if stalled.received.count != last {
                    last = stalled.received.count
                    stalled.resume()
                }
                return stalled.received.count == Self.window
            })
        stalled.resume()
        #expect(peer.receives { $0.type == HTTP2Peer.Frame.windowUpdate && $0.stream == stream })
        stalled.onPiece = { _ in }
        peer.data(stream, "end", ends: true)
        #expect(bench.drive { stalled.outcome == .ended })
        #expect(stalled.received.count == Self.window + 3)
        let intact = stalled.received.prefix(Self.window).enumerated().allSatisfy { $1 == piece[$0 % piece.count] }
        #expect(intact)
    }

    /// An answer that is whole waits for its reader, whatever becomes of the connection.
    @Test(arguments: ["nothing", "reset", "end"])
    func aWholeAnswerWaitsForItsReader(then: String) throws {
        let bench = try UpstreamBench(.http2)
        let attempt = bench.begin(.post, framing: .chunked, body: then == "nothing" ? "all" : nil)
        attempt.onHead = { $0.pause() }
        let peer = try HTTP2Peer(bench)
        try #require(bench.drive { attempt.isStarted })
        let stream = try peer.requests(1)[0]
        peer.headers(stream, [(":status", "200")])
        peer.data(stream, [UInt8](repeating: 7, count: 1_696))
        for _ in 0..<6 { peer.data(stream, [UInt8](repeating: 7, count: 16_384)) }
        peer.headers(stream, [("x-sum", "1")], ends: true)
        if then == "reset" { peer.reset(stream, 0) }
        if then == "end" { peer.end.close() }
        bench.settle()
        #expect(!attempt.isOver && attempt.received.isEmpty)
        attempt.resume()
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .ended)
        #expect(attempt.received.count == 100_000 && attempt.trailers.text == "x-sum: 1\r\n")
        #expect(bench.upstream.endpoints[0].active == 0)
    }
}
