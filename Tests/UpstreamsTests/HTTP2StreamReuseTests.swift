import EventLoops
import HTTPMessage
import Testing

@testable import Upstreams

/// What carries a request over HTTP/2 is used again for others, by whoever the end of that request has made act.
@Suite struct HTTP2StreamReuseTests {
    /// The parts of a view share a connection: the first of them that fails cancels the others, and what comes next may be
    /// asked for at once.
    @Test(arguments: HTTP2TransferTests.carriers, [false, true])
    func whoeverIsToldOfALostConnectionCancelsTheOthers(_ carrier: UpstreamCarrier, asksAgain: Bool) throws {
        let bench = try UpstreamBench(carrier)
        var next: [RecordingAttempt] = []
        let attempts = (0..<4).map { _ in bench.begin(.post) }
        for attempt in attempts {
            attempt.onFailure = { failed in
                for other in attempts where other !== failed { other.cancel() }
                if asksAgain { next = (0..<8).map { _ in bench.begin() } }
            }
        }
        let first = try HTTP2Peer(bench)
        _ = try first.requests(4)
        first.end.close()
        #expect(bench.drive { attempts.contains(where: \.isOver) })
        bench.settle()
        #expect(attempts.compactMap(\.outcome) == [.failed(.closed)])
        if !asksAgain { next = (0..<8).map { _ in bench.begin() } }
        let second = try HTTP2Peer(bench)
        let streams = try second.requests(8)
        for stream in streams { second.answer(stream, "\(stream)") }
        #expect(bench.drive { next.allSatisfy(\.isOver) })
        #expect(next.allSatisfy { $0.outcome == .ended })
        #expect(Set(next.map(\.text)) == Set(streams.map { "\($0)" }))
        #expect(bench.upstream.endpoints[0].active == 0)
    }

    /// The last piece of an answer that breaks off may end the attempt, and begin another one.
    @Test func anotherRequestDoesNotBreakOffWithTheLastOne() throws {
        let bench = try UpstreamBench(.http2)
        let attempt = bench.begin()
        var next: RecordingAttempt?
        attempt.onPiece = {
            $0.cancel()
            next = bench.begin()
        }
        let peer = try HTTP2Peer(bench)
        let stream = try peer.requests(1)[0]
        peer.together {
            peer.headers(stream, [(":status", "200"), ("content-length", "9")])
            peer.data(stream, "half")
            peer.reset(stream, 2)
        }
        #expect(bench.drive { next != nil })
        peer.answer(try peer.requests(2)[1], "whole")
        #expect(bench.drive { next?.isOver == true })
        #expect(next?.outcome == .ended && next?.text == "whole")
        #expect(attempt.outcome == nil)
        #expect(bench.upstream.endpoints[0].active == 0)
    }
}
