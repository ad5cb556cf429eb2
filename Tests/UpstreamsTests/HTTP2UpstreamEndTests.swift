import EventLoops
import HTTPMessage
import Testing

@testable import Upstreams

/// How requests on our own HTTP/2 connections end early, and what becomes of the others there.
@Suite struct HTTP2UpstreamEndTests {
    /// An answer that is whole ends the exchange while the request goes on: the rest is not wanted. gRPC servers refuse a
    /// call like this.
    @Test(arguments: [false, true])
    func anEarlyAnswerEndsTheRequest(peerResets: Bool) throws {
        let bench = try UpstreamBench(.http2)
        let warm = bench.begin()
        let peer = try HTTP2Peer(bench)
        peer.answer(try peer.requests(1)[0], "warm")
        #expect(bench.drive { warm.isOver })
        for round in 1...50 {
            let attempt = bench.begin(.post, framing: .chunked)
            try #require(bench.drive { attempt.isStarted })
            attempt.send("part")
            let stream = try peer.requests(round + 1)[round]
            peer.together {
                peer.headers(stream, [(":status", "200"), ("grpc-status", "12")], ends: true)
                if peerResets { peer.reset(stream, 0) }
            }
            #expect(bench.drive { attempt.isOver })
            #expect(attempt.outcome == .ended && attempt.status == 200, "round \(round)")
            attempt.send("rest")
            if !peerResets {
                #expect(peer.receives { $0.type == HTTP2Peer.Frame.reset && $0.stream == stream && $0.payload[3] == 0 })
            }
        }
        #expect(bench.pool.openCount == 1)
    }

    /// A cancelled upload is reset; the others on its connection do not notice.
    @Test func aCancelledUploadIsReset() throws {
        let bench = try UpstreamBench(.http2)
        let attempt = bench.begin(.post, framing: .length(100))
        let other = bench.begin()
        let peer = try HTTP2Peer(bench)
        try #require(bench.drive { attempt.isStarted })
        let streams = try peer.requests(2)
        attempt.send("half")
        #expect(peer.receives { $0.type == HTTP2Peer.Frame.data })
        attempt.cancel()
        #expect(peer.receives { $0.type == HTTP2Peer.Frame.reset && $0.stream == streams[0] && $0.payload[3] == 8 })
        peer.answer(streams[1], "ok")
        #expect(bench.drive { other.outcome == .ended })
        #expect(attempt.outcome == nil)
        #expect(bench.pool.openCount == 1)
    }

    /// An attempt may be cancelled in any of its events, and before anything of it was sent.
    @Test(arguments: ["at once", "head", "piece"])
    func anAttemptMayBeCancelledAnywhere(place: String) throws {
        let bench = try UpstreamBench(.http2)
        let warm = bench.begin()
        let peer = try HTTP2Peer(bench)
        peer.answer(try peer.requests(1)[0], "warm")
        #expect(bench.drive { warm.isOver })
        let attempt = bench.begin(.post, framing: .length(2), body: "hi")
        if place == "head" { attempt.onHead = { $0.cancel() } }
        if place == "piece" { attempt.onPiece = { $0.cancel() } }
        if place == "at once" {
            attempt.cancel()
            bench.settle()
            peer.read()
            #expect(peer.streams.count == 1)
        } else {
            peer.answer(try peer.requests(2)[1], "ok")
            #expect(bench.drive { !attempt.isRunning })
        }
        #expect(attempt.outcome == nil)
        let next = bench.begin()
        let stream = try #require(try peer.requests(place == "at once" ? 2 : 3).last)
        peer.answer(stream, "next")
        #expect(bench.drive { next.outcome == .ended } && next.text == "next")
        #expect(bench.pool.openCount == 1)
    }

    /// A request whose time is over is reset. Where nothing at all was heard meanwhile, its connection takes no others.
    @Test(arguments: [false, true])
    func aLateAnswerEndsOneRequest(connectionLives: Bool) throws {
        let bench = try UpstreamBench(.http2)
        let attempt = RecordingAttempt()
        attempt.timeouts.head = 80
        bench.start(attempt)
        let peer = try HTTP2Peer(bench)
        let stream = try peer.requests(1)[0]
        let other = connectionLives ? bench.begin() : nil
        if connectionLives { peer.headers(try peer.requests(2)[1], [(":status", "200")]) }
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .failed(.timeout))
        #expect(peer.receives { $0.type == HTTP2Peer.Frame.reset && $0.stream == stream })
        if let other {
            peer.data(try peer.requests(2)[1], "ok", ends: true)
            #expect(bench.drive { other.outcome == .ended })
            #expect(bench.pool.openCount == 1)
        } else {
            #expect(peer.end.readsToEnd())
        }
    }
}
