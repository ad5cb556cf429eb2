import EventLoops
import HTTPMessage
import Testing

@testable import Upstreams

/// Requests over HTTP/2, many on one connection, against a peer that is driven frame by frame (RFC 9113): what holds for
/// our own framing and for whole transfers of libcurl.
@Suite struct HTTP2TransferTests {
    /// What carries HTTP/2.
    static let carriers = [UpstreamCarrier.http2, .http2Transfers]

    private let settingMostStreams: UInt16 = 3
    private let settingWindow: UInt16 = 4

    @Test(arguments: carriers)
    func aRequestIsAnswered(_ carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempt = bench.begin()
        let peer = try HTTP2Peer(bench)
        let stream = try peer.requests(1)[0]
        #expect(peer.frames.first { $0.type == HTTP2Peer.Frame.headers }?.endsStream == true)
        peer.headers(stream, [(":status", "200"), ("content-length", "5"), ("x-a", "b")])
        peer.data(stream, "hello", ends: true)
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .ended)
        #expect(attempt.status == 200)
        #expect(attempt.text == "hello")
        #expect(bench.pool.idleCount == 1)
        #expect(bench.isQuiet())
    }

    /// The requests of one worker share a connection.
    @Test(arguments: carriers)
    func requestsShareAConnection(_ carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempts = (0..<20).map { _ in bench.begin() }
        let peer = try HTTP2Peer(bench)
        let streams = try peer.requests(20)
        for (index, stream) in streams.enumerated().reversed() { peer.answer(stream, "answer \(index)") }
        #expect(bench.drive { attempts.allSatisfy(\.isOver) })
        #expect(Set(attempts.map(\.text)) == Set((0..<20).map { "answer \($0)" }))
        #expect(!bench.hasNewcomer)
        #expect(bench.pool.openCount == 1)
    }

    @Test(arguments: [BodyFraming.length(11), .chunked], carriers)
    func aBodyIsSent(framing: BodyFraming, carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempt = bench.begin(.post, framing: framing)
        let peer = try HTTP2Peer(bench)
        try #require(bench.drive { attempt.isStarted })
        let stream = try peer.requests(1)[0]
        attempt.send("hello ")
        #expect(peer.receives { $0.type == HTTP2Peer.Frame.data })
        attempt.send("world")
        attempt.endBody()
        #expect(peer.receives { $0.type == HTTP2Peer.Frame.data && $0.endsStream })
        #expect(peer.content(stream) == Array("hello world".utf8))
        peer.answer(stream, "ok")
        #expect(bench.drive { attempt.outcome == .ended })
    }

    @Test(arguments: carriers)
    func anEmptyBodyIsSent(_ carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempt = bench.begin(.post, framing: .length(0))
        let peer = try HTTP2Peer(bench)
        let stream = try peer.requests(1)[0]
        #expect(peer.receives { $0.endsStream })
        peer.answer(stream, "ok")
        #expect(bench.drive { attempt.outcome == .ended })
    }

    @Test(arguments: carriers)
    func interimAnswersAndTrailersCome(_ carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempt = bench.begin()
        let peer = try HTTP2Peer(bench)
        let stream = try peer.requests(1)[0]
        peer.headers(stream, [(":status", "103"), ("link", "x")])
        peer.headers(stream, [(":status", "200")])
        peer.data(stream, "body")
        peer.headers(stream, [("grpc-status", "0"), ("x-sum", "1")], ends: true)
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.interims == [103])
        #expect(attempt.text == "body")
        #expect(attempt.trailers.text == "grpc-status: 0\r\nx-sum: 1\r\n")
    }

    /// Both sides may talk at the same time: the answer begins while the request goes on.
    @Test(arguments: carriers)
    func anAnswerMayBeginWhileTheRequestGoesOn(_ carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempt = bench.begin(.post, framing: .chunked)
        let peer = try HTTP2Peer(bench)
        try #require(bench.drive { attempt.isStarted })
        let stream = try peer.requests(1)[0]
        peer.headers(stream, [(":status", "200")])
        for round in 0..<5 {
            attempt.send("ping \(round)")
            #expect(peer.receives { String(decoding: $0.payload, as: UTF8.self) == "ping \(round)" })
            peer.data(stream, "pong \(round)")
            #expect(bench.drive { attempt.text.hasSuffix("pong \(round)") })
        }
        attempt.endBody()
        #expect(peer.receives { $0.type == HTTP2Peer.Frame.data && $0.endsStream })
        peer.headers(stream, [("grpc-status", "0")], ends: true)
        #expect(bench.drive { attempt.outcome == .ended })
    }

    /// A head that is the whole answer is passed on as such, so that an HTTP/2 client gets one, too: gRPC insists on it.
    @Test(arguments: [false, true], carriers)
    func aHeadMayBeTheWholeAnswer(requestGoesOn: Bool, carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempt = bench.begin(.post, framing: .chunked, body: requestGoesOn ? nil : "all")
        let peer = try HTTP2Peer(bench)
        try #require(bench.drive { attempt.isStarted })
        let stream = try peer.requests(1)[0]
        if !requestGoesOn { #expect(peer.receives { $0.type == HTTP2Peer.Frame.data && $0.endsStream }) }
        var framing: BodyFraming?
        attempt.onHead = { framing = $0.head.framing }
        peer.headers(stream, [(":status", "200"), ("grpc-status", "12")], ends: true)
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .ended)
        #expect(framing == .length(0))
    }

    /// A peer that wants fewer streams gets fewer; the others get connections of their own.
    @Test(arguments: carriers)
    func thePeersNumberOfStreamsHolds(_ carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let warm = bench.begin()
        let first = try HTTP2Peer(bench, settings: [(settingMostStreams, 2)])
        first.answer(try first.requests(1)[0], "warm")
        #expect(bench.drive { warm.isOver })
        let attempts = (0..<4).map { _ in bench.begin() }
        let second = try HTTP2Peer(bench, settings: [(settingMostStreams, 2)])
        _ = try first.requests(3)
        _ = try second.requests(2)
        #expect(first.streams.count == 3 && second.streams.count == 2)
        for stream in first.streams[1...] { first.answer(stream, "ok") }
        for stream in second.streams { second.answer(stream, "ok") }
        #expect(bench.drive { attempts.allSatisfy { $0.outcome == .ended } })
        #expect(!bench.hasNewcomer)
    }

    @Test(arguments: carriers)
    func connectionsAreBounded(_ carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier, bounds: UpstreamBounds(connections: 1, requests: 300, pending: 100))
        let attempts = (0..<150).map { _ in bench.begin() }
        let peer = try HTTP2Peer(bench)
        for stream in try peer.requests(100) { peer.answer(stream, "ok") }
        for stream in try peer.requests(150)[100...] { peer.answer(stream, "ok") }
        #expect(bench.drive { attempts.allSatisfy { $0.outcome == .ended } })
        #expect(!bench.hasNewcomer)
    }

    /// The peer opens no window: the body waits, bounded, and the attempt ends in time.
    @Test(arguments: carriers)
    func aWindowThatNeverOpensEndsTheAttempt(_ carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempt = RecordingAttempt()
        attempt.method = .post
        attempt.framing = .chunked
        attempt.timeouts.idle = 60
        attempt.timeouts.head = 60
        bench.start(attempt)
        let peer = try HTTP2Peer(bench, settings: [(settingWindow, 0)])
        try #require(bench.drive { attempt.isStarted })
        let piece = String(repeating: "x", count: 8_192)
        while !attempt.isFull { attempt.send(piece) }
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .failed(.timeout))
        #expect(peer.end.readsToEnd())
    }

    /// What is cancelled is reset; the connection goes on.
    @Test(arguments: carriers)
    func aCancelledAttemptIsReset(_ carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempt = bench.begin()
        let other = bench.begin()
        let peer = try HTTP2Peer(bench)
        let streams = try peer.requests(2)
        attempt.cancel()
        #expect(peer.receives { $0.type == HTTP2Peer.Frame.reset && streams.contains($0.stream) })
        let left = streams.first { stream in
            !peer.frames.contains { $0.type == HTTP2Peer.Frame.reset && $0.stream == stream }
        }
        peer.answer(try #require(left), "ok")
        #expect(bench.drive { other.outcome == .ended })
        #expect(attempt.outcome == nil)
        #expect(bench.pool.openCount == 1)
    }

    /// libcurl resets no stream whose request goes on: its connection ends with the last of the others.
    @Test func aCancelledUploadEndsItsConnection() throws {
        let bench = try UpstreamBench(.http2Transfers)
        let attempt = bench.begin(.post, framing: .length(100))
        let peer = try HTTP2Peer(bench)
        try #require(bench.drive { attempt.isStarted })
        _ = try peer.requests(1)
        let other = bench.begin()
        let stream = try peer.requests(2)[1]
        attempt.send("half")
        #expect(peer.receives { $0.type == HTTP2Peer.Frame.data })
        attempt.cancel()
        peer.answer(stream, "ok")
        #expect(bench.drive { other.outcome == .ended })
        #expect(peer.end.readsToEnd())
    }

    /// An idle connection that its peer ends is dropped, also after GOAWAY; a ping or settings leave it alone.
    @Test(arguments: carriers)
    func anIdleConnectionThatEndsIsDropped(_ carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let warm = bench.begin()
        let peer = try HTTP2Peer(bench)
        peer.answer(try peer.requests(1)[0], "warm")
        #expect(bench.drive { warm.isOver })
        peer.send(HTTP2Peer.Frame(type: 6, flags: 0, stream: 0, payload: [0, 1, 2, 3, 4, 5, 6, 7]))
        #expect(bench.isQuiet())
        #expect(bench.pool.openCount == 1)
        let again = bench.begin()
        peer.answer(try peer.requests(2)[1], "again")
        #expect(bench.drive { again.outcome == .ended })
        peer.goAway(last: 3)
        peer.end.close()
        #expect(bench.drive { bench.pool.openCount == 0 })
        #expect(bench.isQuiet())
    }
}
