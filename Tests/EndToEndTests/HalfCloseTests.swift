import Foundation
import Testing

extension EndToEnd {
    /// Clients that end their side and still listen, and clients that are gone, in every phase and on every kind of
    /// connection: the gateway ends its side, too, gives the upstream's work up, and keeps nothing.
    @Suite(.enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
    struct HalfClose {
        private typealias H2 = HTTP2Wire

        /// What is sent before the end, and whether a request is at work at the upstream then.
        private static func phases(_ kind: ConnectionKind) -> [(String, [UInt8], Bool)] {
            if kind.isHTTP2 {
                let greeting = H2.preface + H2.settings([])
                let body = H2.head(1, "POST", "/held", [("content-length", "9")], ends: false) + H2.data(1, "half")
                return [
                    ("nothing", [], false), ("half a preface", Array(H2.preface.prefix(20)), false),
                    ("a greeting", greeting, false),
                    ("half a head", greeting + H2.frame(1, 1, 1, H2.block([(":method", "GET")])), false),
                    ("half a frame", greeting + [0, 0, 9, 1], false), ("half a body", greeting + body, false),
                    ("a request", greeting + H2.head(1, "GET", "/held"), true),
                ]
            }
            let head = "POST /held HTTP/1.1\r\nHost: a\r\n"
            return [
                ("nothing", "", false), ("half a head", "GET / HTTP/1.1\r\nHo", false),
                ("half a body", head + "Content-Length: 9\r\n\r\nhalf", false),
                ("half a chunk", head + "Transfer-Encoding: chunked\r\n\r\n9\r\nhalf", false),
                ("a request", "GET /held HTTP/1.1\r\nHost: a\r\n\r\n", true),
                ("a request and half of one", "GET /held HTTP/1.1\r\nHost: a\r\n\r\nGET /b", true),
            ].map { ($0.0, Array($0.1.utf8), $0.2) }
        }

        private static func stub() throws -> StubUpstream {
            try StubUpstream { connection in
                while let request = try connection.request() {
                    if request.target == "/held" { return try connection.awaitEnd() }
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                }
            }
        }

        @Test("A client that ends its side is gone", arguments: ConnectionKind.allCases)
        func halfClosed(kind: ConnectionKind) throws {
            let stub = try Self.stub()
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub))
            #expect(try edge.exchange(kind, EdgeRequest("GET", "/a")).text == "ok")
            let before = try edge.process.descriptors()
            for (name, bytes, isAtWork) in Self.phases(kind) {
                let wire = try edge.wire(kind)
                let requests = stub.requests.count
                try wire.send(bytes)
                if isAtWork { _ = try stub.requests(requests + 1) }
                wire.endSending()
                _ = try wire.takeAll()
                #expect(wire.isAtEnd, "\(name)")
                if isAtWork {
                    try eventually("the work is given up: \(name)") { stub.connections - stub.closedConnections <= 1 }
                }
            }
            try eventually("the descriptors are given back") {
                try edge.process.descriptors() <= before + stub.connections - stub.closedConnections
            }
            #expect(try edge.exchange(kind, EdgeRequest("GET", "/a")).text == "ok")
        }

        @Test("A request and the end at once: the whole answer, or nothing of it", arguments: ConnectionKind.allCases)
        func requestAndEnd(kind: ConnectionKind) throws {
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: try Self.stub()))
            for _ in 0..<20 {
                let client = try edge.client(kind).send(EdgeRequest("GET", "/a"))
                client.wire.endSending()
                let outcome = try client.outcome()
                #expect(outcome.text == (outcome.end == .whole ? "ok" : ""), "\(outcome)")
            }
        }

        @Test("Clients that are gone in any phase leave nothing behind", arguments: ConnectionKind.allCases)
        func gone(kind: ConnectionKind) throws {
            let stub = try Self.stub()
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub).gateway(#""accessLog": false"#))
            #expect(try edge.exchange(kind, EdgeRequest("GET", "/a")).text == "ok")
            let before = try edge.process.descriptors()
            try edge.withstand("clients that are gone") {
                for round in 0..<6 {
                    for (_, bytes, _) in Self.phases(kind) {
                        let wire = try edge.wire(kind)
                        try wire.send(bytes)
                        // Over TLS without a goodbye, as a process does that is killed.
                        if round.isMultiple(of: 2) { wire.close() } else { wire.reset() }
                    }
                }
            }
            try eventually("the descriptors are given back") {
                try edge.process.descriptors() <= before + stub.connections - stub.closedConnections
            }
            let used = try edge.process.processorTicks()
            Thread.sleep(forTimeInterval: 0.3)
            #expect(try edge.process.processorTicks() - used < 10, "something spins")
        }
    }
}
