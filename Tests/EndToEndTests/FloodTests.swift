import Foundation
import Testing

extension EndToEnd {
    /// Floods of HTTP/2 frames (security.md §1.1, §2.4) against the program, in clear and over TLS: whoever floods is cut
    /// off, others notice nothing, and memory comes back.
    @Suite(.enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
    struct Floods {
        private typealias H2 = HTTP2Wire

        /// Frames that cost more to take than to send.
        private struct Flood {
            var name: String
            var frames: [UInt8]
            /// The word of `/status` for the bound that is passed; nil where the connection ends by another rule.
            var cause: String?

            init(_ name: String, _ cause: String?, _ frames: [UInt8]) {
                self.name = name
                self.cause = cause
                self.frames = frames
            }
        }

        private static let streams = stride(from: UInt32(1), to: 1_200, by: 2)

        /// One frame, so many times.
        private static func many(_ count: Int, _ frame: [UInt8]) -> [UInt8] { (0..<count).flatMap { _ in frame } }

        /// Frames for each of many streams.
        private static func each(_ frames: (UInt32) -> [UInt8]) -> [UInt8] { streams.flatMap(frames) }

        /// A request whose body is awaited, so that its stream is open; then what breaks a rule on it.
        private static func open(_ breach: (UInt32) -> [UInt8]) -> [UInt8] {
            each { H2.head($0, "POST", "/ok", ends: false) + breach($0) }
        }

        private static let begun = H2.frame(1, 1, 1, H2.block(H2.pseudo("GET", "/ok")))

        /// A field of 3 KiB enters the table (RFC 7541 §6.2.1), then each byte is that field.
        private static let bomb: [UInt8] =
            [0x40, 1, UInt8(ascii: "x"), 127, 0x81, 0x17] + [UInt8](repeating: 65, count: 3_072)
            + [UInt8](repeating: 0xBE, count: 10_000)

        private static let floods: [Flood] = [
            Flood("rapid reset (CVE-2023-44487)", "resets", each { H2.head($0, "GET", "/ok") + H2.reset($0) }),
            Flood("pings (CVE-2019-9512)", "pings", many(3_000, H2.frame(6, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8]))),
            Flood("settings (CVE-2019-9515)", "settings", many(3_000, H2.frame(4, 0, 0))),
            Flood(
                "priorities (CVE-2019-9513)", "priorities",
                (0..<3_000).flatMap { H2.frame(2, 0, UInt32(2 * $0 + 1), [0, 0, 0, 0, 9]) }),
            Flood("requests that are none (CVE-2019-9514)", "stream_errors", each { H2.head($0, [("X", "y")]) }),
            Flood("fields without name and value (CVE-2019-9516)", "stream_errors", each { H2.head($0, [("", "")]) }),
            Flood(
                "empty DATA (CVE-2019-9518)", "empty_frames",
                H2.head(1, "POST", "/ok", ends: false) + many(100, H2.data(1, ""))),
            Flood("empty HEADERS (CVE-2019-9518)", "empty_frames", H2.frame(1, 0, 1) + many(100, H2.frame(9, 0, 1))),
            Flood(
                "CONTINUATION (CVE-2024-27316)", "continuations", begun + many(100, H2.frame(9, 0, 1, [0, 1, 120, 0]))),
            Flood(
                "CONTINUATION of 16 KiB (CVE-2024-27316)", "continuations",
                begun + many(100, H2.frame(9, 0, 1, H2.block([("x", String(repeating: "y", count: 16_000))])))),
            Flood("HPACK bomb (CVE-2026-49975)", "fields", H2.frame(1, 5, 1, H2.block(H2.pseudo("GET", "/")) + bomb)),
            Flood("window updates", "window_updates", many(3_000, H2.window(0, 1))),
            Flood("frames of unknown types", "ignored_frames", many(3_000, H2.frame(99, 0, 0, [1]))),
            Flood("GOAWAY", "ignored_frames", many(3_000, H2.frame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]))),
            // The ways to make a server reset (CVE-2025-8671): for some the connection ends by the rules of the protocol.
            Flood("made to reset: a window of 0", nil, open { H2.window($0, 0) }),
            Flood("made to reset: a window too wide", nil, open { H2.window($0, 0x7FFF_FFFF) }),
            Flood("made to reset: a priority of a wrong length", nil, open { H2.frame(2, 0, $0, [0]) }),
            Flood("made to reset: a priority on itself", nil, open { H2.frame(2, 0, $0, H2.word($0) + [1]) }),
            Flood("made to reset: DATA behind the end", nil, each { H2.head($0, "GET", "/ok") + H2.data($0, "x") }),
            Flood(
                "made to reset: HEADERS behind the end", nil,
                each { H2.head($0, "GET", "/ok") + H2.head($0, "GET", "/ok") }),
            Flood(
                "made to reset: a body that is too long", nil,
                each { H2.head($0, "POST", "/ok", [("content-length", "1")], ends: false) + H2.data($0, "xx") }),
        ]

        /// Answers `/large` with many bytes and others with few.
        private static func stub() throws -> StubUpstream {
            try StubUpstream { connection in
                let piece = [UInt8](repeating: 0x61, count: 1 << 20)
                while let request = try connection.request() {
                    if request.target == "/held" { return try connection.awaitEnd() }
                    let isLarge = request.target == "/large"
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(isLarge ? 8 << 20 : 2)\r\n\r\n")
                    if !isLarge { try connection.send("ok") }
                    if isLarge { for _ in 0..<8 { try connection.wire.send(piece) } }
                }
            }
        }

        private static func setup(_ stub: StubUpstream) -> GatewaySetup {
            GatewaySetup(forwardingTo: stub).gateway(#""accessLog": false"#)
        }

        @Test("Who floods is cut off, others notice nothing, memory comes back", arguments: ConnectionKind.allHTTP2)
        func floods(kind: ConnectionKind) throws {
            let edge = try EdgeGateway(Self.setup(try Self.stub()))
            func attack(_ flood: Flood) throws {
                let client = try H2(on: try edge.wire(kind))
                // It may be cut off while it still sends.
                try? client.wire.send(flood.frames)
                let code = try? client.code(of: 7, on: 0)
                guard !client.wire.wasReset else { return }
                if flood.cause != nil { #expect(code == 11, "\(flood.name): ENHANCE_YOUR_CALM") }
                #expect(code != nil, "\(flood.name): GOAWAY")
            }
            let bystander = try Bystander(edge)
            for flood in Self.floods { try attack(flood) }
            for flood in Self.floods { try edge.expectMemoryStays(flood.name) { try attack(flood) } }
            try bystander.stop("floods")
            let counts = try #require(try edge.gateway.admin("/status").json["cutOff"] as? [String: Int])
            var expected: [String: Int] = [:]
            for flood in Self.floods { if let cause = flood.cause { expected[cause, default: 0] += 3 } }
            for (cause, number) in expected {
                #expect(counts[cause] ?? 0 >= number, "\(cause): \(counts)")
            }
        }

        @Test(
            "Who makes the gateway say much and reads nothing does not fill its memory (CVE-2019-9514, CVE-2019-9517)",
            arguments: ConnectionKind.allHTTP2)
        func unread(kind: ConnectionKind) throws {
            let edge = try EdgeGateway(Self.setup(try Self.stub()))
            #expect(try edge.exchange(kind, EdgeRequest("GET", "/large")).status == 200)
            let before = try edge.process.kibibytes("VmHWM")
            let client = try H2(on: try edge.wire(kind, receiveBuffer: 4_096), settings: [(4, 1 << 30)])
            // An answer that fills what the system takes, and is not read.
            try client.send(H2.window(0, 1 << 30), H2.head(1, "GET", "/large"))
            try client.wire.awaitStandstill()
            var stream: UInt32 = 3
            var sent = 0
            do {
                for _ in 0..<400 {
                    var frames: [UInt8] = []
                    for _ in 0..<500 {
                        frames += H2.head(stream, [("X", "y")])
                        stream += 2
                    }
                    try client.wire.send(frames, within: Deadline(.seconds(10)))
                    sent += 500
                }
            } catch {
                // Cut off, as it should be.
            }
            let growth = try edge.process.kibibytes("VmHWM") - before
            #expect(growth < 16 << 10, "\(growth) KiB more after \(sent) requests that are none")
            let counts = try #require(try edge.gateway.admin("/status").json["cutOff"] as? [String: Int])
            // Each of the requests is an error of its stream, too: which budget is spent first depends on how fast they come.
            #expect((counts["unread_frames"] ?? 0) + (counts["stream_errors"] ?? 0) == 1, "\(counts)")
            #expect(try edge.exchange(kind, EdgeRequest("GET", "/ok")).text == "ok")
        }

        /// What HTTP/1.1 can be flooded with: a name, bytes that are sent again and again, and how often at most.
        private static let http1Floods: [(String, String, Int)] = [
            ("requests ahead of their answers", "GET /held HTTP/1.1\r\nHost: a\r\n\r\n", 40_000),
            ("requests whose answers are not read", "GET /large HTTP/1.1\r\nHost: a\r\n\r\n", 40_000),
            ("refused requests", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 40_000),
            ("empty lines", "\r\n", 200_000), ("one long line", "aaaaaaaaaaaaaaaaaaaaaaaa", 40_000),
            ("fields", "GET / HTTP/1.1\r\n" + String(repeating: "X: y\r\n", count: 5_000), 10),
            (
                "chunks of a byte",
                "POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + String(repeating: "1\r\na\r\n", count: 20_000)
                    + "0\r\n\r\n", 3
            ),
            (
                "chunk extensions",
                "POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + String(repeating: "1;\(String(repeating: "e", count: 200))\r\na\r\n", count: 2_000), 3
            ),
            (
                "trailers",
                "POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
                    + String(repeating: "X: y\r\n", count: 20_000),
                3
            ),
            (
                "options of Connection",
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: \(String(repeating: "a,", count: 8_000))\r\n\r\n", 10
            ),
        ]

        @Test("Floods of HTTP/1.1", arguments: ConnectionKind.allHTTP1)
        func http1Floods(kind: ConnectionKind) throws {
            let edge = try EdgeGateway(Self.setup(try Self.stub()))
            func attack(_ bytes: String, _ count: Int) throws {
                let wire = try edge.wire(kind)
                let piece = Array(bytes.utf8)
                let some = max(1, min(count, 65_536 / piece.count))
                let pieces = (0..<some).flatMap { _ in piece }
                // Whoever is not read any more waits, and is gone then.
                for _ in 0..<(count / some) {
                    guard (try? wire.send(pieces, within: Deadline(.milliseconds(50)))) != nil else { break }
                }
                wire.close()
            }
            let bystander = try Bystander(edge)
            for (name, bytes, count) in Self.http1Floods {
                try edge.expectMemoryStays(name) { try attack(bytes, count) }
            }
            try bystander.stop("floods of HTTP/1.1")
        }

        @Test("Records of TLS that bring little or nothing", arguments: [ConnectionKind.secureHTTP1, .secureHTTP2])
        func records(kind: ConnectionKind) throws {
            let edge = try EdgeGateway(Self.setup(try Self.stub()))
            try edge.withstand("records of TLS") {
                let keys = try edge.wire(kind)
                // OpenSSL ends a connection that does this often; until then nothing comes of it.
                try? keys.sendKeyUpdates(5_000)
                let small = try edge.wire(kind)
                let long = H2.preface + H2.settings([]) + H2.frame(0x0A, 0, 0, [UInt8](repeating: 0, count: 4_000))
                let head = Array("GET / HTTP/1.1\r\nX: \(String(repeating: "a", count: 4_000))".utf8)
                for byte in kind.isHTTP2 ? long : head { try small.send([byte]) }
                keys.close()
                small.close()
            }
        }

        @Test(
            "Windows of a byte and answers that trickle out (CVE-2019-9511)", arguments: ConnectionKind.allHTTP2)
        func dribble(kind: ConnectionKind) throws {
            let edge = try EdgeGateway(Self.setup(try Self.stub()))
            let streams = (0..<50).map { UInt32(2 * $0 + 1) }
            try edge.withstand("dribble") {
                let client = try H2(on: try edge.wire(kind), settings: [(4, 0)])
                for stream in streams { try client.send(H2.head(stream, "GET", "/large")) }
                for _ in 0..<40 {
                    try? client.wire.send(streams.flatMap { H2.window($0, 1) })
                    _ = try? client.next()
                }
                client.wire.close()
            }
        }

        @Test("Late resets do not pile up work at the upstream", arguments: ConnectionKind.allHTTP2)
        func lateResets(kind: ConnectionKind) throws {
            let stub = try Self.stub()
            let edge = try EdgeGateway(Self.setup(stub))
            let client = try H2(on: try edge.wire(kind))
            var stream: UInt32 = 1
            for _ in 0..<3 {
                let first = stream
                var frames: [UInt8] = []
                for _ in 0..<60 {
                    frames += H2.head(stream, "GET", "/held")
                    stream += 2
                }
                try client.send(frames)
                let expected = min(Int(stream / 2), 128)
                try eventually("the requests are at work") { stub.requests.count >= expected }
                for number in Swift.stride(from: first, to: stream, by: 2) { try client.send(H2.reset(number)) }
            }
            // The answer to a PING shows that all before it was seen to.
            try client.send(H2.frame(6, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]))
            while let frame = try client.next(), frame.type != 6 {}
            #expect(stub.requests.count <= 128 + 60, "\(stub.requests.count) requests at work")
            try eventually("the work is given up") { stub.closedConnections == stub.connections }
        }
    }
}
