import EventLoops
import HTTP2Framing
import HTTPMessage
import Testing

@testable import HTTPListener

/// Clients that break the rules of HTTP/2 (RFC 9113 §8.1; security.md §1.1, §2.4). Whatever they do, a well-behaved
/// client on another connection is served meanwhile.
@Suite struct HTTP2AttackTests {
    private typealias H2 = HTTP2Client

    // MARK: - Requests that are none

    static let malformed: [(String, [(String, String)])] = [
        ("upper case", H2.get + [("X", "y")]),
        ("late pseudo-field", [(":method", "GET"), ("x", "y"), (":path", "/"), (":scheme", "http")]),
        ("unknown pseudo-field", H2.get + [(":x", "y")]),
        ("pseudo-field twice", H2.get + [(":path", "/b")]),
        ("CRLF in a value", H2.get + [("x", "a\r\ncontent-length: 0\r\n\r\nGET /b HTTP/1.1")]),
        ("CRLF in a name", H2.get + [("x: y\r\nz", "a")]),
        (
            "CRLF in the path",
            [(":method", "GET"), (":scheme", "http"), (":path", "/ HTTP/1.1\r\nx: y"), (":authority", "a")]
        ),
        (
            "CRLF in the method",
            [(":method", "GET / HTTP/1.1\r\nx:"), (":scheme", "http"), (":path", "/"), (":authority", "a")]
        ),
        ("NUL in a value", H2.get + [("x", "a\0")]),
        ("space around a value", H2.get + [("x", " a")]),
        ("connection", H2.get + [("connection", "close")]),
        ("H2.TE", H2.post + [("transfer-encoding", "chunked")]),
        ("te", H2.get + [("te", "gzip")]),
        ("H2.CL without a body", H2.post + [("content-length", "5")]),
        ("two hosts", H2.get + [("host", "b")]),
        ("no path", [(":method", "GET"), (":scheme", "http"), (":authority", "a")]),
    ]

    @Test(arguments: malformed.indices)
    func aMalformedRequestIsResetAndNothingIsTold(_ index: Int) throws {
        let (name, fields) = Self.malformed[index]
        let bench = try ListenerBench()
        let client = try H2(bench)
        client.send(H2.headers(1, fields))
        #expect(client.resetCode(1) == ErrorCode.protocolError, "\(name)")
        #expect(bench.server.records.isEmpty && bench.server.running.isEmpty)
        // The stream was in error, not the connection.
        client.send(H2.headers(3, H2.get))
        #expect(client.answer(3) == "200 /a")
    }

    @Test func whatHTTP11RefusesIsAnswered() throws {
        let bench = try ListenerBench()
        let client = try H2(bench)
        let long = String(repeating: "a", count: 9_000)
        func get(_ path: String) -> [(String, String)] {
            [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "a")]
        }
        client.send(H2.headers(1, get("/..")))
        #expect(client.answer(1) == "400 ")
        client.send(H2.headers(3, get("/" + long)))
        #expect(client.answer(3) == "414 ")
        client.send(H2.headers(5, H2.get + (0..<5).map { ("x-\($0)", String(repeating: "a", count: 3_000)) }))
        #expect(client.end(of: 5)?.endsStream == true)
        client.send(H2.headers(7, H2.get + (0..<101).map { ("x-\($0)", "y") }))
        #expect(client.end(of: 7)?.endsStream == true)
        #expect(bench.server.records.map { $0.refusal?.cause } == [.badRequest, .uriTooLong, nil, .headersTooLarge])
    }

    /// A body that contradicts its length: the exchange is told, so that the upstream never sees a whole request.
    @Test(arguments: [
        ("5", ["1234567"]), ("5", ["123", "4567"]), ("5", ["12345", "6"]), ("5", ["123"]), ("0", ["1"]),
    ])
    func aBodyMustMatchItsLength(length: String, pieces: [String]) throws {
        let bench = try ListenerBench()
        bench.server.answer = { _ in }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.post + [("content-length", length)], ends: false))
        for (index, piece) in pieces.enumerated() {
            client.send(H2.data(1, piece, ends: index == pieces.count - 1))
        }
        #expect(client.resetCode(1) == ErrorCode.protocolError)
        #expect(bench.server.records.map(\.failures) == (length == "0" ? [] : [[.badBody]]))
        #expect(bench.server.records.allSatisfy { !$0.bodyHasEnded && $0.body < 5 })
    }

    /// The last piece of a body waits for the frame that says that there is no more.
    @Test func theLastPieceWaitsForTheEnd() throws {
        let bench = try ListenerBench()
        bench.server.answer = { $0.onBodyEnd = { $0.reply("\($0.body.count)") } }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.post + [("content-length", "5")], ends: false), H2.data(1, "123"))
        #expect(bench.drive { bench.server.running.first?.body.count == 3 })
        client.send(H2.data(1, "45"), H2.ping())
        #expect(client.frame { $0.kind == .ping } != nil)
        #expect(bench.server.running.first?.body.count == 3)
        client.send(H2.data(1, "", ends: true))
        #expect(client.answer(1) == "200 5")
    }

    @Test func trailersAreTheEnd() throws {
        let bench = try ListenerBench()
        bench.server.answer = { _ in }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.post, ends: false), H2.headers(1, [("x", "y")], ends: false))
        #expect(client.resetCode(1) == ErrorCode.protocolError)
        client.send(H2.headers(3, H2.post, ends: false), H2.headers(3, [(":path", "/b")]))
        #expect(client.resetCode(3) == ErrorCode.protocolError)
        #expect(bench.server.records.map(\.failures) == [[.badBody], [.badBody]])
    }

    // MARK: - Floods

    struct Flood: CustomTestStringConvertible, Sendable {
        var name: String
        /// Frames before the flood.
        var before: [WireFrame] = []
        /// The frames of one round, by its number.
        var round: @Sendable (Int) -> [WireFrame]
        var rounds: Int
        var kind: HTTP2Flood?
        var testDescription: String { name }
    }

    static let floods: [Flood] = [
        Flood(
            name: "rapid reset", round: { [H2.headers(UInt32(2 * $0 + 1), H2.get), H2.reset(UInt32(2 * $0 + 1))] },
            rounds: 2_000, kind: .resets),
        Flood(name: "settings", round: { _ in [H2.settings([])] }, rounds: 2_000, kind: .settings),
        Flood(name: "ping", round: { _ in [H2.ping()] }, rounds: 2_000, kind: .pings),
        Flood(
            name: "continuation", before: [WireFrame(type: 1, flags: 1, stream: 1, payload: H2.block(H2.get))],
            round: { _ in [WireFrame(type: 9, stream: 1, payload: H2.block([("x", "y")]))] }, rounds: 100,
            kind: .continuations),
        Flood(
            name: "continuation of 16 KiB",
            before: [WireFrame(type: 1, flags: 1, stream: 1, payload: H2.block(H2.get))],
            round: { _ in
                [WireFrame(type: 9, stream: 1, payload: H2.block([("x", String(repeating: "y", count: 16_000))]))]
            }, rounds: 100, kind: .continuations),
        Flood(
            name: "empty data", before: [H2.headers(1, H2.post, ends: false)], round: { _ in [H2.data(1, "")] },
            rounds: 100, kind: .emptyFrames),
        Flood(
            name: "empty continuation", before: [WireFrame(type: 1, flags: 1, stream: 1, payload: H2.block(H2.get))],
            round: { _ in [WireFrame(type: 9, stream: 1)] }, rounds: 100, kind: .emptyFrames),
        Flood(name: "window update", round: { _ in [H2.window(0, 1)] }, rounds: 2_000, kind: .windowUpdates),
        Flood(
            name: "priority", round: { [WireFrame(type: 2, stream: UInt32(2 * $0 + 1), payload: [0, 0, 0, 0, 9])] },
            rounds: 2_000, kind: .priorities),
        Flood(
            name: "unknown frames", round: { _ in [WireFrame(type: 99, payload: [1])] }, rounds: 2_000,
            kind: .ignoredFrames),
        Flood(
            name: "data for a stream that is reset",
            before: [H2.headers(1, H2.post, ends: false), H2.reset(1)],
            round: { _ in [WireFrame](repeating: H2.data(1, "x"), count: 5_000) }, rounds: 1_000, kind: .ignoredFrames),
        Flood(
            name: "HPACK bomb", before: [],
            round: { _ in
                // A field of 3 KiB enters the table (RFC 7541 §6.2.1); then each byte is that field.
                let entry: [UInt8] =
                    [0x40, 1, UInt8(ascii: "x"), 127, 0x81, 0x17] + [UInt8](repeating: 65, count: 3_072)
                return [
                    WireFrame(
                        type: 1, flags: 5, stream: 1,
                        payload: H2.block(H2.get) + entry + [UInt8](repeating: 0xBE, count: 10_000))
                ]
            }, rounds: 1, kind: .fields),
        // The ways to make a server reset a stream (CVE-2025-8671): what each one comes to is nghttp2's choice, but it
        // ends.
        Flood(
            name: "window of 0",
            round: { [H2.headers(UInt32(2 * $0 + 1), H2.post, ends: false), H2.window(UInt32(2 * $0 + 1), 0)] },
            rounds: 2_000),
        Flood(
            name: "window overflow",
            round: {
                [H2.headers(UInt32(2 * $0 + 1), H2.post, ends: false), H2.window(UInt32(2 * $0 + 1), 0x7FFF_FFFF)]
            }, rounds: 2_000),
        Flood(
            name: "priority of a wrong length",
            round: {
                [
                    H2.headers(UInt32(2 * $0 + 1), H2.post, ends: false),
                    WireFrame(type: 2, stream: UInt32(2 * $0 + 1), payload: [0]),
                ]
            }, rounds: 2_000),
        Flood(
            name: "priority on itself",
            round: {
                let stream = UInt32(2 * $0 + 1)
                return [
                    H2.headers(stream, H2.post, ends: false),
                    WireFrame(type: 2, stream: stream, payload: WireFrame.bytes(stream) + [1]),
                ]
            }, rounds: 2_000),
        Flood(
            name: "data behind the end",
            round: { [H2.headers(UInt32(2 * $0 + 1), H2.get), H2.data(UInt32(2 * $0 + 1), "x")] }, rounds: 2_000),
        Flood(
            name: "head behind the end",
            round: { [H2.headers(UInt32(2 * $0 + 1), H2.get), H2.headers(UInt32(2 * $0 + 1), H2.get)] }, rounds: 2_000),
        Flood(
            name: "malformed requests", round: { [H2.headers(UInt32(2 * $0 + 1), H2.get + [("X", "y")])] },
            rounds: 2_000,
            kind: .streamErrors),
        Flood(
            name: "lengths that do not match",
            round: {
                [
                    H2.headers(UInt32(2 * $0 + 1), H2.post + [("content-length", "1")], ends: false),
                    H2.data(UInt32(2 * $0 + 1), "xx"),
                ]
            }, rounds: 2_000),
    ]

    @Test(arguments: floods)
    func aFloodEndsTheConnection(_ flood: Flood) throws {
        let bench = try ListenerBench()
        bench.server.answer = { $0.head.method == .get && $0.head.fields.count == 2 ? $0.echo() : () }
        let good = try H2(bench)
        let client = try H2(bench)
        client.send(flood.before.flatMap(\.bytes))
        var begun = 0
        var rest: ArraySlice<UInt8> = []
        for round in 0..<flood.rounds {
            rest += flood.round(round).flatMap(\.bytes)
            rest = rest.dropFirst(client.client.sendWhatFits(rest))
            if round % 10 == 0 || !rest.isEmpty {
                bench.settle(turns: 1)
                client.client.read()
                if client.client.ending != nil { break }
            }
            begun = max(begun, bench.server.running.count)
        }
        let code = client.goAway()
        if let kind = flood.kind {
            #expect(code == ErrorCode.calm)
            #expect(bench.server.floods == [kind])
        } else {
            #expect(code != nil, "\(client.frames.suffix(3))")
        }
        #expect(begun <= 130, "work that was under way at once")
        // Whoever goes on reading and writing sees the end; nothing is left behind.
        client.client.endWriting()
        #expect(client.readToEnd() != nil)
        #expect(bench.drive { bench.server.running.isEmpty })
        good.send(H2.headers(1, H2.get + [("x", "y")]))
        #expect(good.answer(1) == "200 /a")
    }

    /// Late resets: requests that were given up after they had begun keep their place for a while.
    @Test func requestsThatAreGivenUpKeepTheirPlace() throws {
        let bench = try ListenerBench()
        var begun = 0
        bench.server.answer = { _ in begun += 1 }
        let client = try H2(bench)
        var next: UInt32 = 1
        for _ in 0..<3 {
            let first = next
            for _ in 0..<60 {
                client.send(H2.headers(next, H2.get))
                next += 2
            }
            client.send(stride(from: first, to: next, by: 2).flatMap { H2.reset($0).bytes })
        }
        client.send(H2.ping())
        #expect(client.frame { $0.kind == .ping } != nil)
        #expect(begun == 128)
        #expect(client.frames.filter { $0.kind == .reset }.allSatisfy { $0.code == ErrorCode.refusedStream })
    }

    @Test func streamsAboveTheLimitAreRefused() throws {
        let bench = try ListenerBench { $0.streams = 2 }
        bench.server.answer = { _ in }
        let client = try H2(bench)
        // Before the client can know of the limit.
        client.send(H2.headers(1, H2.get), H2.headers(3, H2.get), H2.headers(5, H2.get))
        #expect(client.resetCode(5) == ErrorCode.refusedStream)
        #expect(bench.server.running.count == 2)
    }

    // MARK: - Time

    @Test func anOpenHeadEndsInTime() throws {
        let bench = try ListenerBench { $0.headTimeout = 30 }
        bench.server.answer = { _ in }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.get))
        #expect(bench.drive { bench.server.running.count == 1 })
        client.send(WireFrame(type: 1, flags: 1, stream: 3, payload: H2.block(H2.get)))
        #expect(client.goAway() == ErrorCode.none)
        #expect(bench.drive { bench.server.records.count == 1 })
    }

    /// PING does not keep a connection alive on which nothing is asked for.
    @Test func anIdleConnectionEndsInTime() throws {
        let bench = try ListenerBench { $0.idleTimeout = 60 }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.get))
        #expect(client.answer(1) == "200 /a")
        let end = EventLoop.nanoseconds + 5_000_000_000
        var pings = 0
        _ = bench.drive {
            client.settle()
            if pings < 50 { _ = client.client.sendWhatFits(H2.ping().bytes[...]) }
            pings += 1
            return client.frames.contains { $0.kind == .goAway } || EventLoop.nanoseconds > end
        }
        #expect(client.goAway() == ErrorCode.none)
    }

    @Test func bytesThatAreNoPrefaceEndAConnectionOfHTTP2Alone() throws {
        let bench = try ListenerBench()
        bench.server.protocols = Array(repeating: .http2, count: 8)
        let client = try H2(bench, greets: false)
        client.send(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        #expect(client.goAway() == ErrorCode.protocolError)
    }

    @Test func noiseBehindThePrefaceEndsTheConnection() throws {
        let bench = try ListenerBench()
        var random = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            let client = try H2(bench)
            client.send((0..<400).map { _ in UInt8.random(in: 0...255, using: &random) })
            client.client.endWriting()
            #expect(client.readToEnd() != nil)
        }
        #expect(bench.drive { bench.server.connectionCount == 0 })
        #expect(bench.server.running.isEmpty)
    }

    // MARK: - Drain

    @Test func aDrainEndsWhatRunsAndTellsTheClientTwice() throws {
        let bench = try ListenerBench()
        bench.server.answer = { _ in }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.get))
        #expect(bench.drive { bench.server.running.count == 1 })
        var isDone = false
        bench.server.drain(timeout: 20_000) { isDone = true }
        #expect(client.frame { $0.kind == .goAway }?.word(0) == 0x7FFF_FFFF)
        // What was sent before the client could know is served.
        client.send(H2.headers(3, H2.get))
        #expect(bench.drive { bench.server.running.count == 2 })
        client.send(H2.ping(isAnswer: true))
        #expect(client.frame { $0.kind == .goAway && $0.word(0) == 3 } != nil)
        client.send(H2.headers(5, H2.get))
        client.settle()
        #expect(bench.server.running.count == 2)
        #expect(!isDone)
        for exchange in bench.server.running { exchange.reply("done") }
        #expect(client.answer(1) == "200 done")
        #expect(client.end(of: 3)?.endsStream == true)
        #expect(client.readToEnd() == .ended)
        #expect(bench.drive { isDone })
    }

    @Test func aDrainsLimitAnswersWhatHasNotBegun() throws {
        let bench = try ListenerBench()
        bench.server.answer = { _ in }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.get))
        #expect(bench.drive { bench.server.running.count == 1 })
        bench.server.drain(timeout: 50) {}
        #expect(client.answer(1) == "503 ")
        #expect(client.readToEnd() != nil)
    }

    @Test func aConnectionEndsAfterItsLastRequest() throws {
        let bench = try ListenerBench { $0.requestsPerConnection = 2 }
        let client = try H2(bench)
        client.send(H2.headers(1, H2.get))
        #expect(client.answer(1) == "200 /a")
        client.send(H2.headers(3, H2.get))
        #expect(client.end(of: 3)?.endsStream == true)
        #expect(client.goAway() == ErrorCode.none)
        client.send(H2.ping(isAnswer: true))
        #expect(client.readToEnd() == .ended)
    }
}
