import EventLoops
import HTTPMessage
import Testing

@testable import Upstreams

/// What becomes of requests over HTTP/2 when the peer gives them up, or the connection, whatever carries them.
@Suite struct HTTP2TransferFaultTests {
    /// What carries HTTP/2.
    static let carriers = HTTP2TransferTests.carriers

    private let refusedStream: UInt32 = 7
    private let internalError: UInt32 = 2

    struct Fault: CustomTestStringConvertible {
        var name: String
        var outcome: RecordingAttempt.Outcome
        /// The outcome in our own framing, where it tells more than libcurl does.
        var ownOutcome: RecordingAttempt.Outcome?
        /// The head that is sent, and read, before the fault.
        var head: [(String, String)]?
        var act: @Sendable (HTTP2Peer, UInt32) -> Void
        var testDescription: String { name }
    }

    static let ok = [(":status", "200")]

    static let faults = [
        Fault(name: "reset before the head", outcome: .failed(.closed)) { $0.reset($1, 2) },
        Fault(name: "reset in the body", outcome: .failed(.truncated), head: ok) {
            $0.data($1, "part")
            $0.reset($1, 2)
        },
        Fault(
            name: "reset without error, short of the length", outcome: .failed(.truncated),
            head: ok + [("content-length", "10")]
        ) {
            $0.data($1, "part")
            $0.reset($1, 0)
        },
        Fault(name: "connection lost before the head", outcome: .failed(.closed)) { peer, _ in peer.end.close() },
        Fault(name: "connection lost in the body", outcome: .failed(.truncated), head: ok) {
            $0.data($1, "part")
            $0.end.close()
        },
        Fault(name: "connection ended in the body", outcome: .failed(.truncated), head: ok) {
            $0.data($1, "part")
            $0.goAway(last: $1, 2)
            $0.end.close()
        },
        Fault(name: "short of its length", outcome: .failed(.truncated), head: ok + [("content-length", "10")]) {
            $0.data($1, "part", ends: true)
        },
        Fault(name: "longer than its length", outcome: .failed(.truncated), head: ok + [("content-length", "2")]) {
            $0.data($1, "part", ends: true)
        },
        Fault(name: "too many fields", outcome: .failed(.protocolError(""))) {
            $0.headers($1, ok + (0..<200).map { ("x-\($0)", "1") })
            $0.data($1, "ok", ends: true)
        },
        Fault(name: "interims for ever", outcome: .failed(.protocolError(""))) {
            for _ in 0..<12 { $0.headers($1, [(":status", "102")]) }
        },
        // What nghttp2 refuses inside of libcurl ends the stream, and libcurl does not say why.
        Fault(name: "two lengths", outcome: .failed(.closed), ownOutcome: .failed(.protocolError(""))) {
            $0.headers($1, ok + [("content-length", "2"), ("content-length", "3")])
            $0.data($1, "ok", ends: true)
        },
        Fault(name: "a field of the connection", outcome: .failed(.closed), ownOutcome: .failed(.protocolError(""))) {
            $0.headers($1, ok + [("connection", "close")])
            $0.data($1, "ok", ends: true)
        },
        Fault(name: "an upgrade", outcome: .failed(.closed), ownOutcome: .failed(.protocolError(""))) {
            $0.headers($1, [(":status", "101")])
        },
        Fault(name: "a name in upper case", outcome: .failed(.closed), ownOutcome: .failed(.protocolError(""))) {
            $0.headers($1, ok + [("X-Upper", "1")], ends: true)
        },
        Fault(name: "a line break in a value", outcome: .failed(.closed), ownOutcome: .failed(.protocolError(""))) {
            $0.headers($1, ok + [("x-a", "b\r\nset-cookie: c")], ends: true)
        },
        Fault(name: "no status", outcome: .failed(.closed), ownOutcome: .failed(.protocolError(""))) {
            $0.headers($1, [("x-a", "b")], ends: true)
        },
        Fault(name: "no HTTP/2", outcome: .failed(.closed), ownOutcome: .failed(.protocolError(""))) { peer, _ in
            peer.end.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        },
    ]

    /// A POST is sent once whatever happens to it, and fails in the way that fits.
    @Test(arguments: faults, carriers)
    func aFaultEndsTheAttempt(_ fault: Fault, carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempt = bench.begin(.post, framing: .length(2), body: "hi")
        let peer = try HTTP2Peer(bench)
        let stream = try peer.requests(1)[0]
        try #require(peer.receives { $0.type == HTTP2Peer.Frame.data && $0.endsStream })
        if let head = fault.head {
            peer.headers(stream, head)
            #expect(bench.drive { attempt.status == 200 })
        }
        fault.act(peer, stream)
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == (carrier == .http2 ? fault.ownOutcome : nil) ?? fault.outcome)
        #expect(attempt.outcomes == 1)
        bench.settle()
        peer.read()
        #expect(peer.streams == [stream])
        #expect(!bench.hasNewcomer)
        #expect(bench.upstream.endpoints[0].active == 0)
    }

    /// A stream that was refused has not been looked at: any method may be sent again, once. libcurl would do so by
    /// itself, but does not tell this from other ends, so that its transfers are repeated by their method.
    @Test(arguments: [Method.get, .post], carriers)
    func aRefusedStreamIsRepeatedOnceIfItMayBe(method: Method, carrier: UpstreamCarrier) throws {
        let isRepeated = carrier == .http2 || method == .get
        let bench = try UpstreamBench(carrier)
        let attempt = bench.begin(method)
        let first = try HTTP2Peer(bench)
        first.reset(try first.requests(1)[0], refusedStream)
        if isRepeated {
            let second = try HTTP2Peer(bench)
            second.answer(try second.requests(1)[0], "again")
            #expect(bench.drive { attempt.isOver })
            #expect(attempt.outcome == .ended && attempt.text == "again")
        } else {
            #expect(bench.drive { attempt.isOver })
            #expect(attempt.outcome == .failed(.closed))
            #expect(!bench.hasNewcomer)
        }
        #expect(first.streams.count == 1)
    }

    /// What is to be sent once is sent again where it was refused unread, and not where its connection is lost.
    @Test(arguments: [true, false], carriers)
    func aRequestForOnceIsRepeatedOnlyUnread(isRefused: Bool, carrier: UpstreamCarrier) throws {
        let isRepeated = carrier == .http2 && isRefused
        let bench = try UpstreamBench(carrier)
        let attempt = RecordingAttempt()
        attempt.method = .put
        attempt.isOnceOnly = true
        bench.start(attempt)
        let first = try HTTP2Peer(bench)
        let stream = try first.requests(1)[0]
        if isRefused { first.reset(stream, refusedStream) } else { first.end.close() }
        if isRepeated {
            let second = try HTTP2Peer(bench)
            second.answer(try second.requests(1)[0], "again")
        }
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == (isRepeated ? .ended : .failed(.closed)))
        #expect(!bench.hasNewcomer)
    }

    /// One stream that is reset leaves the others alone.
    @Test(arguments: carriers)
    func aResetEndsOneStreamOnly(_ carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempts = (0..<3).map { _ in bench.begin(.post) }
        let peer = try HTTP2Peer(bench)
        let streams = try peer.requests(3)
        peer.reset(streams[1], internalError)
        #expect(bench.drive { attempts.contains(where: \.isOver) })
        peer.answer(streams[0], "one")
        peer.answer(streams[2], "three")
        #expect(bench.drive { attempts.allSatisfy(\.isOver) })
        #expect(attempts.count { $0.outcome == .ended } == 2)
        let next = bench.begin()
        peer.answer(try peer.requests(4)[3], "four")
        #expect(bench.drive { next.outcome == .ended })
        #expect(bench.pool.openCount == 1)
    }

    /// GOAWAY: what its number includes goes on, what it leaves out is repeated elsewhere, new requests go elsewhere.
    @Test(arguments: carriers)
    func requestsSurviveGoAway(_ carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempts = (0..<4).map { _ in bench.begin() }
        let first = try HTTP2Peer(bench)
        let streams = try first.requests(4)
        first.goAway(last: streams[1])
        let second = try HTTP2Peer(bench)
        let moved = try second.requests(2)
        for stream in moved { second.answer(stream, "second") }
        for stream in streams[...1] { first.answer(stream, "first") }
        #expect(bench.drive { attempts.allSatisfy(\.isOver) })
        #expect(attempts.allSatisfy { $0.outcome == .ended })
        #expect(attempts.map(\.text).sorted() == ["first", "first", "second", "second"])
        let next = bench.begin()
        second.answer(try second.requests(3)[2], "next")
        #expect(bench.drive { next.outcome == .ended })
        #expect(bench.drive { bench.pool.openCount == 1 })
    }

    /// The connection is lost under many streams: each fails once, or is repeated once.
    @Test(arguments: carriers)
    func aLostConnectionFailsItsStreams(_ carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let gets = (0..<20).map { _ in bench.begin() }
        let posts = (0..<20).map { _ in bench.begin(.post) }
        let first = try HTTP2Peer(bench)
        _ = try first.requests(40)
        first.end.close()
        let second = try HTTP2Peer(bench)
        for stream in try second.requests(20) { second.answer(stream, "ok") }
        #expect(bench.drive { gets.allSatisfy(\.isOver) && posts.allSatisfy(\.isOver) })
        #expect(gets.allSatisfy { $0.outcome == .ended })
        #expect(posts.allSatisfy { $0.outcome == .failed(.closed) })
        #expect((gets + posts).allSatisfy { $0.outcomes == 1 })
        #expect(second.streams.count == 20)
    }
}
