import EventLoops
import HTTPMessage
import Testing

@testable import Upstreams

/// Requests and answers over real connections (RFC 9112 §6.3, §9; security.md §2.5).
@Suite struct UpstreamConnectionTests {
    struct Answer: CustomTestStringConvertible {
        var name: String
        var method = Method.get
        var bytes: String
        var closes = false
        var body = ""
        var outcome = RecordingAttempt.Outcome.ended
        var isKept = true
        var testDescription: String { name }
    }

    static let answers = [
        Answer(name: "length", bytes: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", body: "hello"),
        Answer(name: "length 0", bytes: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        Answer(
            name: "chunked",
            bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            body: "hello"),
        Answer(
            name: "chunked, trailers",
            bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
            body: "hello"),
        Answer(name: "until close", bytes: "HTTP/1.1 200 OK\r\n\r\nhello", closes: true, body: "hello", isKept: false),
        Answer(name: "204", bytes: "HTTP/1.1 204 No Content\r\n\r\n"),
        Answer(name: "304", bytes: "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n"),
        Answer(name: "HEAD", method: .head, bytes: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
        Answer(
            name: "asked to close", bytes: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
            body: "hi",
            isKept: false),
        Answer(name: "HTTP/1.0", bytes: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", body: "hi", isKept: false),
        Answer(
            name: "interim",
            bytes: "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            body: "hi"),
        Answer(
            name: "short of its length", bytes: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", closes: true,
            body: "hel",
            outcome: .failed(.truncated), isKept: false),
        Answer(
            name: "chunks cut", bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", closes: true,
            body: "hel", outcome: .failed(.truncated), isKept: false),
        Answer(
            name: "chunks broken", bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX",
            body: "hello",
            outcome: .failed(.truncated), isKept: false),
        Answer(
            name: "half a head", bytes: "HTTP/1.1 200 OK\r\nConte", closes: true, outcome: .failed(.closed),
            isKept: false),
        Answer(name: "nothing", bytes: "", closes: true, outcome: .failed(.closed), isKept: false),
        Answer(
            name: "garbage", bytes: "\u{16}\u{3}\u{1} no HTTP at all\r\n\r\n", outcome: .failed(.protocolError("")),
            isKept: false),
        Answer(
            name: "two lengths", bytes: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
            outcome: .failed(.protocolError("")), isKept: false),
        Answer(
            name: "interims for ever", bytes: String(repeating: "HTTP/1.1 102 Processing\r\n\r\n", count: 11),
            outcome: .failed(.protocolError("")), isKept: false),
    ]

    /// What carries an answer, and in which pieces it comes.
    struct Way: CustomTestStringConvertible {
        var carrier: UpstreamCarrier
        var isByteByByte: Bool
        var testDescription: String { "\(carrier), \(isByteByByte ? "byte by byte" : "whole")" }
        static let all = UpstreamCarrier.http1.flatMap { carrier in
            [false, true].map { Way(carrier: carrier, isByteByByte: $0) }
        }
    }

    /// Whole, and one byte at a time.
    @Test(arguments: answers, Way.all)
    func anAnswerIsReadToItsEnd(_ answer: Answer, way: Way) throws {
        let (carrier, byteByByte) = (way.carrier, way.isByteByByte)
        let bench = try UpstreamBench(carrier)
        let attempt = bench.begin(answer.method)
        let peer = try bench.accept()
        try #require(peer.receives("\r\n\r\n"))
        if byteByByte {
            for byte in answer.bytes.utf8 where !attempt.isOver {
                peer.send([byte])
                bench.settle(turns: 2)
            }
        } else {
            peer.send(answer.bytes)
        }
        if answer.closes { peer.close() }
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == answer.outcome)
        #expect(attempt.outcomes == 1)
        #expect(attempt.text == answer.body)
        #expect(bench.pool.idleCount == (answer.isKept ? 1 : 0))
        if !answer.isKept { #expect(bench.pool.openCount == 0) }
        #expect(bench.upstream.endpoints[0].active == 0)
    }

    @Test(arguments: UpstreamCarrier.http1)
    func aConnectionIsUsedAgain(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let peer = try bench.warmUp()
        for round in 0..<5 {
            let attempt = bench.begin()
            try #require(peer.receives("\r\n\r\n"))
            peer.forget()
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\(round)")
            try #require(bench.drive { attempt.isOver })
            #expect(attempt.text == "\(round)")
        }
        #expect(!bench.hasNewcomer)
        #expect(bench.pool.openCount == 1)
    }

    /// An idle connection that its peer ends, or on which it speaks unasked, is dropped at once, and the loop rests.
    @Test(arguments: ["close", "reset", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"], UpstreamCarrier.http1)
    func anIdleConnectionThatIsNoLongerGoodIsDropped(how: String, over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let peer = try bench.warmUp()
        #expect(bench.isQuiet())
        switch how {
        case "close": peer.close()
        case "reset": peer.reset()
        default: peer.send(how)
        }
        #expect(bench.drive { bench.pool.openCount == 0 })
        #expect(bench.pool.idleCount == 0)
        #expect(bench.isQuiet())
    }

    /// Bytes behind an answer never become the next request's answer (RFC 9112 §11.2).
    @Test(arguments: [Method.get, .head], UpstreamCarrier.http1)
    func bytesBehindAnAnswerEndTheConnection(method: Method, over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let first = bench.begin(method)
        let peer = try bench.accept()
        try #require(peer.receives("\r\n\r\n"))
        let body = method == .head ? "" : "ok"
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\(body)HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        try #require(bench.drive { first.isOver })
        #expect(first.outcome == .ended)
        #expect(first.text == body)
        peer.forget()
        let second = bench.begin()
        // libcurl drops what comes with the head of an answer to HEAD, and goes on with the connection.
        let isKept = method == .head && carrier == .transfers
        let other = isKept ? peer : try bench.accept()
        try #require(other.receives("\r\n\r\n"))
        other.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
        #expect(bench.drive { second.isOver })
        #expect(second.text == "good")
        if !isKept { #expect(peer.readsToEnd()) }
    }

    @Test(arguments: [BodyFraming.length(11), .chunked], UpstreamCarrier.http1)
    func aBodyIsSentInItsFraming(framing: BodyFraming, over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempt = bench.begin(.post, framing: framing)
        let peer = try bench.accept()
        try #require(bench.drive { attempt.isStarted })
        attempt.send("hello ")
        attempt.send("world")
        attempt.endBody()
        if framing == .chunked {
            #expect(peer.receives("\r\n0\r\n\r\n"))
            #expect(peer.unchunkedBody == "hello world")
        } else {
            #expect(peer.receives("\r\n\r\nhello world"))
        }
        peer.send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.status == 201)
        #expect(bench.pool.idleCount == 1)
    }

    /// A body of no bytes has ended with the head: nobody tells of its end, and the connection is used again.
    @Test(arguments: UpstreamCarrier.http1)
    func aBodyOfNoBytesEndsWithItsHead(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempt = RecordingAttempt()
        attempt.method = .post
        attempt.framing = .length(0)
        attempt.timeouts.idle = 1
        bench.start(attempt)
        let peer = try bench.accept()
        try #require(peer.receives("\r\n\r\n"))
        bench.settle()
        peer.send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.outcome == .ended)
        #expect(bench.pool.idleCount == 1)
    }

    /// An answer may come before the request is whole; the connection then cannot be used again.
    @Test(arguments: UpstreamCarrier.http1)
    func anAnswerMayComeEarly(over carrier: UpstreamCarrier) throws {
        let bench = try UpstreamBench(carrier)
        let attempt = bench.begin(.post, framing: .length(1000))
        let peer = try bench.accept()
        try #require(bench.drive { attempt.isStarted })
        attempt.send("part")
        try #require(peer.receives("part"))
        peer.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        #expect(bench.drive { attempt.isOver })
        #expect(attempt.status == 413)
        #expect(attempt.text == "big")
        #expect(peer.readsToEnd())
        #expect(bench.pool.openCount == 0)
    }
}
