import Foundation
import Testing

extension EndToEnd {
    /// Clients that send or take slowly, or not at all (security.md §1, §2.4), on every kind of connection: each ends in
    /// time, others are served meanwhile, and nothing is kept of them.
    @Suite(.enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
    struct SlowPeers {
        private typealias H2 = HTTP2Wire

        private static let times = """
            "timeouts": {"head": "400ms", "body": "400ms", "idle": "400ms", "write": "400ms", "tlsHandshake": "400ms"}
            """

        private static let large = 16 << 20

        private static func stub() throws -> StubUpstream {
            try StubUpstream { connection in
                let piece = [UInt8](repeating: 0x61, count: 1 << 20)
                while let request = try connection.request() {
                    let isLarge = request.target == "/large"
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(isLarge ? Self.large : 2)\r\n\r\n")
                    if !isLarge { try connection.send("ok") }
                    if isLarge { for _ in 0..<16 { try connection.wire.send(piece) } }
                }
            }
        }

        private static func edge(_ stub: StubUpstream) throws -> EdgeGateway {
            try EdgeGateway(GatewaySetup(forwardingTo: stub).gateway(times).gateway(#""accessLog": false"#))
        }

        /// Sends a byte to each of the connections again and again until all have ended; what each got.
        private static func drip(_ wires: [Wire], _ byte: UInt8) throws -> [[UInt8]] {
            let deadline = Deadline(.seconds(10))
            var open = wires
            while !open.isEmpty {
                guard !deadline.hasPassed else { throw ExchangeFailure("\(open.count) drip for ever") }
                for wire in open {
                    try? wire.send([byte])
                    if wire.isReadable { _ = try wire.readMore() }
                }
                open.removeAll { $0.isAtEnd }
                Thread.sleep(forTimeInterval: 0.02)
            }
            return wires.map(\.pending)
        }

        @Test("Heads that drip are ended in time (slowloris)", arguments: ConnectionKind.allCases)
        func heads(kind: ConnectionKind) throws {
            let edge = try Self.edge(try Self.stub())
            try edge.withstand("heads that drip") {
                let wires = try (0..<20).map { _ in try edge.wire(kind) }
                for wire in wires {
                    if kind.isHTTP2 {
                        // The header of a frame that says how much comes, and then comes slowly.
                        let head = H2.frame(1, 5, 1, [UInt8](repeating: 0, count: 16_000))
                        try H2(on: wire).send(Array(head.prefix(9)))
                    } else {
                        try wire.send("GET / HTTP/1.1\r\nX: ")
                    }
                }
                for bytes in try Self.drip(wires, UInt8(ascii: "x")) where !kind.isHTTP2 {
                    #expect(
                        bytes.starts(with: Array("HTTP/1.1 408 ".utf8)), "\(String(decoding: bytes, as: UTF8.self))")
                }
            }
        }

        @Test("Whoever says nothing, or half of a greeting, is closed", arguments: ConnectionKind.allCases)
        func silence(kind: ConnectionKind) throws {
            let edge = try Self.edge(try Self.stub())
            let greetings =
                kind.isHTTP2 ? ["", "PRI * HTTP/2.0\r\n\r\nS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] : ["", "\r\n"]
            let wires = try greetings.map { greeting in
                let wire = try edge.wire(kind)
                if !greeting.isEmpty { try wire.send(greeting) }
                return wire
            }
            // Of a request that was answered, nothing is left but the idle time.
            let client = try edge.client(kind)
            #expect(try client.exchange(EdgeRequest("GET", "/a")).text == "ok")
            for wire in wires {
                let bytes = try wire.takeAll()
                #expect(kind.isHTTP2 || bytes.isEmpty, "\(wire.transcript)")
            }
            _ = try client.wire.takeAll()
            #expect(try edge.exchange(kind, EdgeRequest("GET", "/a")).text == "ok")
        }

        @Test("A body that falls silent: 408, and no whole request upstream", arguments: ConnectionKind.allCases)
        func bodies(kind: ConnectionKind) throws {
            let stub = try Self.stub()
            let edge = try Self.edge(stub)
            for framing in ["content-length: 10", "transfer-encoding: chunked"] {
                let client = try edge.client(kind)
                if kind.isHTTP2 {
                    let fields = framing.hasPrefix("content") ? [("content-length", "10")] : []
                    try client.wire.send(H2.head(1, "POST", "/a", fields, ends: false) + H2.data(1, "half"))
                } else {
                    try client.wire.send("POST /a HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n4\r\nha")
                }
                let outcome = try client.outcome(on: 1)
                #expect(outcome.status == 408 && outcome.cause == "request_timeout", "\(framing): \(outcome)")
            }
            #expect(stub.requests.isEmpty, "\(stub.requests)")
        }

        @Test(
            "Whoever takes nothing of an answer is cut off, and its upstream is let go",
            arguments: ConnectionKind.allCases)
        func readers(kind: ConnectionKind) throws {
            let stub = try Self.stub()
            let edge = try Self.edge(stub)
            try edge.withstand("answers that are not read") {
                let before = stub.closedConnections
                let clients = try (0..<8).map { _ in
                    try edge.client(kind, receiveBuffer: 4_096).send(EdgeRequest("GET", "/large"))
                }
                try eventually("the upstream requests are given up") { stub.closedConnections >= before + 8 }
                for client in clients { client.close() }
            }
        }

        @Test("A window that stays shut resets its stream, and no other", arguments: ConnectionKind.allHTTP2)
        func shutWindows(kind: ConnectionKind) throws {
            let edge = try Self.edge(try Self.stub())
            let client = try H2(on: try edge.wire(kind), settings: [(4, 0)])
            try client.send(H2.head(1, "GET", "/large"), H2.head(3, "GET", "/a"), H2.window(3, 100))
            #expect(try client.code(of: 0, on: 3) != nil, "the stream whose window is open gets its answer")
            #expect(try client.code(of: 3, on: 1) == 8, "CANCEL")
        }
    }
}
