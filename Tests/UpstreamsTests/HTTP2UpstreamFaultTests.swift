import EventLoops
import HTTPMessage
import Testing

@testable import Upstreams

/// Servers that break the rules of HTTP/2, or keep them and ask for too much: each costs its own request, or its own
/// connection, and never more memory than is bounded.
@Suite struct HTTP2UpstreamFaultTests {
    typealias Frame = HTTP2Peer.Frame

    struct Fault: CustomTestStringConvertible {
        var name: String
        var outcome: RecordingAttempt.Outcome = .failed(.protocolError(""))
        var method = Method.get
        /// Whether the connection goes on.
        var isOfOneStream = false
        var act: @Sendable (HTTP2Peer, UInt32) -> Void
        var testDescription: String { name }
    }

    private static let ok = [(":status", "200")]

    // MARK: - One stream

    static let broken = [
        Fault(name: "trailers without an end", outcome: .failed(.truncated), isOfOneStream: true) {
            $0.headers($1, ok)
            $0.headers($1, [("x-sum", "1")])
        },
        Fault(name: "a pseudo-field in the trailers", outcome: .failed(.truncated), isOfOneStream: true) {
            $0.headers($1, ok)
            $0.headers($1, ok, ends: true)
        },
        Fault(name: "an interim answer that ends the stream", isOfOneStream: true) {
            $0.headers($1, [(":status", "103")], ends: true)
        },
        Fault(name: "two statuses", isOfOneStream: true) { $0.headers($1, ok + ok, ends: true) },
        Fault(name: "a status behind a field", isOfOneStream: true) { $0.headers($1, [("x-a", "b")] + ok, ends: true) },
        Fault(name: "an unknown pseudo-field", isOfOneStream: true) {
            $0.headers($1, ok + [(":path", "/")], ends: true)
        },
        Fault(name: "a status of two digits", isOfOneStream: true) { $0.headers($1, [(":status", "20")], ends: true) },
        Fault(name: "a status of six hundred", isOfOneStream: true) {
            $0.headers($1, [(":status", "600")], ends: true)
        },
        Fault(name: "a length that is no number", isOfOneStream: true) {
            $0.headers($1, ok + [("content-length", "+5")])
        },
        Fault(name: "a length and an end", isOfOneStream: true) {
            $0.headers($1, ok + [("content-length", "5")], ends: true)
        },
        Fault(name: "a chunked answer", isOfOneStream: true) {
            $0.headers($1, ok + [("transfer-encoding", "chunked")])
        },
        Fault(name: "a head of 70 KiB", isOfOneStream: true) {
            $0.longHead($1, fields: 5, of: 14_000)
        },
        Fault(name: "a body of an answer to HEAD", outcome: .ended, method: .head, isOfOneStream: true) {
            $0.headers($1, ok + [("content-length", "4")])
            $0.data($1, "body", ends: true)
        },
        Fault(name: "a body of 204", outcome: .ended, isOfOneStream: true) {
            $0.headers($1, [(":status", "204")])
            $0.data($1, "body", ends: true)
        },
        Fault(name: "a reset without error in place of an end", outcome: .ended, isOfOneStream: true) {
            $0.headers($1, ok + [("content-length", "4")])
            $0.data($1, "body")
            $0.reset($1, 0)
        },
        Fault(name: "a reset without error, before the head", outcome: .failed(.closed), isOfOneStream: true) {
            $0.reset($1, 0)
        },
    ]

    // MARK: - The connection

    static let hostile = [
        Fault(name: "pings") { peer, _ in peer.repeating(300, Frame(type: 6, flags: 0, stream: 0, payload: .zeros(8)))
        },
        Fault(name: "settings") { peer, _ in peer.repeating(300, Frame(type: 4, flags: 0, stream: 0, payload: [])) },
        Fault(name: "resets of other streams") { peer, stream in
            peer.repeating(300, Frame(type: 3, flags: 0, stream: stream, payload: .zeros(4)))
        },
        Fault(name: "empty data", outcome: .failed(.truncated)) { peer, stream in
            peer.headers(stream, ok)
            peer.repeating(300, Frame(type: 0, flags: 0, stream: stream, payload: []))
        },
        Fault(name: "windows") { peer, stream in
            peer.repeating(300, Frame(type: 8, flags: 0, stream: 0, payload: [0, 0, 0, 1]))
        },
        Fault(name: "a window that overflows") { peer, _ in peer.windowUpdate(0, 0x7FFF_FFFF) },
        Fault(name: "unknown frames") { peer, _ in
            peer.repeating(300, Frame(type: 77, flags: 0, stream: 0, payload: [1]))
        },
        Fault(name: "GOAWAY without end") { peer, stream in
            peer.repeating(300, Frame(type: 7, flags: 0, stream: 0, payload: [0, 0, 0, UInt8(stream)] + .zeros(4)))
        },
        Fault(name: "priorities") { peer, stream in
            peer.repeating(500, Frame(type: 2, flags: 0, stream: stream, payload: .zeros(5)))
        },
        Fault(name: "continuations") { peer, stream in
            peer.send(Frame(type: 1, flags: 0, stream: stream, payload: [0x88]))
            peer.repeating(100, Frame(type: 9, flags: 0, stream: stream, payload: [0, 1, 97, 1, 98]))
        },
        Fault(name: "a promise") { peer, stream in
            peer.send(Frame(type: 5, flags: 4, stream: stream, payload: [0, 0, 0, 2, 0x82, 0x84, 0x86]))
        },
        Fault(name: "a bomb of references") { peer, stream in
            // A field of 4 000 bytes is put into the table once, and called for by a byte each.
            let name: [UInt8] = [0x40, 1, 97, 0x7F, 0xA1, 0x1E]
            let block = name + [UInt8](repeating: 98, count: 4_000) + [UInt8](repeating: 0xBE, count: 10_000)
            peer.send(Frame(type: 1, flags: 4, stream: stream, payload: [0x88] + block))
        },
        Fault(name: "a block that cannot be decoded") { peer, stream in
            peer.send(Frame(type: 1, flags: 4, stream: stream, payload: [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]))
        },
        Fault(name: "a frame that is too large") { peer, stream in
            peer.write([0, 0x80, 0, 0, 0, 0, 0, 0, UInt8(stream)] + .zeros(0x8000))
        },
        Fault(name: "a head on a stream that nobody opened") { peer, _ in peer.headers(99, ok, ends: true) },
        Fault(name: "a head on a stream of the server's") { peer, _ in peer.headers(2, ok, ends: true) },
        Fault(name: "content before the head") { $0.data($1, "body", ends: true) },
        Fault(name: "content on the connection") { peer, _ in peer.data(0, "body") },
        Fault(name: "content on a stream that nobody opened") { peer, _ in peer.data(99, "body") },
        Fault(name: "another frame in a header block") { peer, stream in
            peer.send(Frame(type: 1, flags: 0, stream: stream, payload: [0x88]))
            peer.data(stream, "body")
        },
        Fault(name: "SETTINGS that push") { peer, _ in peer.settings([(2, 1)]) },
        Fault(name: "a broken window") { peer, _ in peer.settings([(4, 0xFFFF_FFFF)]) },
    ]

    @Test(arguments: broken + hostile)
    func aFaultCostsWhatItHasTo(_ fault: Fault) throws {
        let bench = try UpstreamBench(.http2)
        let warm = bench.begin()
        let peer = try HTTP2Peer(bench)
        peer.answer(try peer.requests(1)[0], "warm")
        #expect(bench.drive { warm.isOver })
        let attempt = RecordingAttempt()
        // One that may not be repeated, so that the fault shows.
        attempt.method = fault.method == .get ? .post : fault.method
        attempt.timeouts.head = 5_000
        bench.start(attempt)
        let stream = try peer.requests(2)[1]
        let other = fault.isOfOneStream ? bench.begin() : nil
        if other != nil { _ = try peer.requests(3) }
        fault.act(peer, stream)
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == fault.outcome)
        #expect(attempt.outcomes == 1)
        if let other {
            peer.answer(try peer.requests(3)[2], "fine")
            #expect(bench.drive { other.isOver })
            #expect(other.outcome == .ended && other.text == "fine")
            #expect(bench.pool.openCount == 1)
        } else {
            #expect(peer.end.readsToEnd())
            #expect(bench.drive { bench.pool.openCount == 0 })
        }
        #expect(bench.upstream.endpoints[0].active == 0)
        #expect(bench.isQuiet())
    }

    /// What a reader that stands still has no room for is bounded by its stream's window; who sends more is cut off.
    @Test func moreThanTheWindowIsRefused() throws {
        let bench = try UpstreamBench(.http2)
        let attempt = bench.begin()
        attempt.onHead = { $0.pause() }
        let other = bench.begin()
        let peer = try HTTP2Peer(bench)
        let streams = try peer.requests(2)
        peer.headers(streams[0], Self.ok)
        for _ in 0..<8 { peer.data(streams[0], .zeros(16_384)) }
        bench.settle()
        #expect(!attempt.isOver)
        peer.data(streams[0], [1])
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .failed(.truncated))
        #expect(peer.receives { $0.type == Frame.reset && $0.stream == streams[0] && $0.payload[3] == 3 })
        peer.answer(streams[1], "fine")
        #expect(bench.drive { other.outcome == .ended })
    }

    /// A whole answer stands, whatever comes behind it in the same bytes; of another one, what came of it is passed on.
    @Test func whatCameBeforeAFaultStands() throws {
        let bench = try UpstreamBench(.http2)
        let whole = bench.begin(.post)
        let part = bench.begin(.post)
        let upload = bench.begin(.post, framing: .chunked)
        let peer = try HTTP2Peer(bench)
        try #require(bench.drive { upload.isStarted })
        let streams = try peer.requests(3)
        peer.together {
            for stream in streams { peer.headers(stream, Self.ok) }
            peer.data(streams[0], "whole", ends: true)
            peer.data(streams[1], "part")
            peer.data(streams[2], "early", ends: true)
            peer.data(0, "fault")
        }
        #expect(bench.drive { whole.isOver && part.isOver && upload.isOver })
        #expect(whole.outcome == .ended && whole.text == "whole")
        #expect(part.outcome == .failed(.truncated) && part.text == "part")
        #expect(upload.outcome == .ended && upload.text == "early")
        #expect(peer.end.readsToEnd())
    }

    /// Small frames that come together are handed on together.
    @Test func smallFramesAreHandedOnTogether() throws {
        let bench = try UpstreamBench(.http2)
        let attempt = bench.begin()
        let peer = try HTTP2Peer(bench)
        let stream = try peer.requests(1)[0]
        peer.together {
            peer.headers(stream, Self.ok)
            for _ in 0..<100 { peer.data(stream, "12345678") }
            peer.data(stream, [], ends: true)
        }
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.received.count == 800 && attempt.largestPiece == 800)
    }

    /// What a live server does often is no flood: a ping for each piece of an upload, windows for each, early ends.
    @Test func aBusyServerIsNotCutOff() throws {
        let bench = try UpstreamBench(.http2)
        let attempt = bench.begin(.post, framing: .chunked)
        let peer = try HTTP2Peer(bench)
        try #require(bench.drive { attempt.isStarted })
        let stream = try peer.requests(1)[0]
        for round in 1...1_000 {
            attempt.send("piece")
            #expect(
                bench.drive {
                    peer.read()
                    return peer.frames.count { $0.type == Frame.data } >= round
                })
            peer.together {
                peer.send(Frame(type: 6, flags: 0, stream: 0, payload: .zeros(8)))
                peer.windowUpdate(0, 5)
                peer.windowUpdate(stream, 5)
            }
        }
        attempt.endBody()
        peer.answer(stream, "ok")
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .ended)
    }

    /// Streams, and the memory of one, are used again: 300 requests in turn on one connection, a third of them reset.
    @Test func aConnectionCarriesManyRequests() throws {
        let bench = try UpstreamBench(.http2)
        var peer: HTTP2Peer?
        for round in 0..<300 {
            let attempt = bench.begin(.post, framing: .length(2), body: "hi")
            let server = try peer ?? HTTP2Peer(bench)
            peer = server
            let stream = try server.requests(round + 1)[round]
            if round % 3 == 0 { server.reset(stream, 2) } else { server.answer(stream, "answer \(round)") }
            #expect(bench.drive { attempt.isOver })
            #expect(attempt.outcome == (round % 3 == 0 ? .failed(.closed) : .ended))
            if round % 3 != 0 { #expect(attempt.text == "answer \(round)") }
        }
        #expect(bench.pool.openCount == 1 && bench.pool.idleCount == 1)
    }
}

extension Array where Element == UInt8 {
    fileprivate static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
}

extension HTTP2Peer {
    /// Sends a frame so many times; the connection may end meanwhile.
    fileprivate func repeating(_ count: Int, _ frame: Frame) {
        let bytes = gather { for _ in 0..<count { send(frame) } }
        _ = end.sendWhatFits(bytes[...])
    }

    /// Sends a head with `fields` fields of so many bytes, in frames of the size that is allowed.
    fileprivate func longHead(_ stream: UInt32, fields: Int, of size: Int) {
        var block: [UInt8] = [0x88]
        for number in 0..<fields {
            // A literal whose length is written with a prefix of seven bits (RFC 7541 §5.1).
            let rest = size - 127
            block += [0, 2, 120, UInt8(97 + number), 127, UInt8(rest & 127 | 128), UInt8(rest >> 7)]
            block += [UInt8](repeating: 98, count: size)
        }
        var start = 0
        while start < block.count {
            let end = min(start + 16_384, block.count)
            let flags: UInt8 = end == block.count ? 4 : 0
            send(Frame(type: start == 0 ? 1 : 9, flags: flags, stream: stream, payload: Array(block[start..<end])))
            start = end
        }
    }
}
