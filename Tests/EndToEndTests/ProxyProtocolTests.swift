import Foundation
import Testing

extension EndToEnd {
    /// A balancer in front says whose connection it passes on (PROXY protocol, versions 1 and 2).
    @Suite
    struct ProxyProtocol {
        private static let version1 = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"
        private static let request = "GET /who HTTP/1.1\r\nHost: api.test\r\n\r\n"
        private static let version2: [UInt8] =
            [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x21, 0x21, 0, 36]
            + [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [7]
            + [UInt8](repeating: 1, count: 16) + [0xDC, 0x04, 0x01, 0xBB]

        private static func setup(
            _ stub: StubUpstream, trusted: String = "127.0.0.0/8", limits: String = "{}"
        ) -> GatewaySetup {
            var setup = GatewaySetup(forwardingTo: stub).gateway(#""trustedProxies": ["\#(trusted)"]"#)
                .gateway(#""limits": \#(limits)"#)
            setup.listeners = [#"{"address": "127.0.0.1:0", "proxyProtocol": true}"#]
            return setup
        }

        @Test("The announced client is the client: in forwarding fields and in the log")
        func announced() throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(Self.setup(stub))
            let client = try gateway.client()
            try client.send(Self.version1 + Self.request)
            #expect(try client.response().text == "ok", "\(client.transcript)")
            let request = try stub.lastRequest()
            #expect(request["x-forwarded-for"] == "192.0.2.7", "\(request)")
            #expect(try gateway.logLine(path: "/who")["client"] as? String == "192.0.2.7")
            // The announcement is for the whole connection.
            #expect(try client.exchange("GET /again").text == "ok", "\(client.transcript)")
            #expect(try stub.requests(2)[1]["x-forwarded-for"] == "192.0.2.7")
        }

        @Test("What an announced client says about itself is not believed")
        func untrustedClient() throws {
            let stub = try StubUpstream.saying("ok")
            let client = try GatewayProcess(Self.setup(stub)).client()
            try client.send(Self.version1 + "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n")
            #expect(try client.response().text == "ok", "\(client.transcript)")
            #expect(try stub.lastRequest()["x-forwarded-for"] == "192.0.2.7")
        }

        @Test("Version 2, byte by byte")
        func binary() throws {
            let stub = try StubUpstream.saying("ok")
            let client = try GatewayProcess(Self.setup(stub)).client()
            for byte in Self.version2 + Array(Self.request.utf8) { try client.wire.send([byte]) }
            #expect(try client.response().text == "ok", "\(client.transcript)")
            #expect(try stub.lastRequest()["x-forwarded-for"] == "2001:db8::7")
        }

        @Test("A balancer that names no client speaks for itself")
        func health() throws {
            let stub = try StubUpstream.saying("ok")
            let client = try GatewayProcess(Self.setup(stub)).client()
            try client.send("PROXY UNKNOWN\r\n" + Self.request)
            #expect(try client.response().text == "ok", "\(client.transcript)")
            #expect(try stub.lastRequest()["x-forwarded-for"] == "127.0.0.1")
        }

        @Test(
            "A balancer's connection without an announcement, or with a broken one, is closed and nothing is read from it",
            arguments: [
                request, "PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n" + request,
                "PROXY TCP9 1.2.3.4 1.2.3.4 1 2\r\n" + request,
                "PROXY " + String(repeating: "x", count: 200), "\u{16}\u{03}\u{01}",
            ])
        func refused(bytes: String) throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(Self.setup(stub))
            let client = try gateway.client()
            try client.send(bytes)
            #expect(try client.wire.takeAll().isEmpty, "\(client.transcript)")
            let next = try gateway.client()
            try next.send(Self.version1 + Self.request)
            #expect(try next.response().text == "ok")
            #expect(stub.requests.count == 1)
        }

        @Test("Nobody else may announce anything")
        func stranger() throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(Self.setup(stub, trusted: "10.0.0.0/8"))
            #expect(try gateway.exchange("GET /").text == "ok")
            #expect(try stub.lastRequest()["x-forwarded-for"] == "127.0.0.1")
            let liar = try gateway.client()
            try liar.send(Self.version1 + Self.request)
            #expect(try liar.response().status == 400, "\(liar.transcript)")
            #expect(stub.requests.count == 1)
        }

        @Test("An announcement that does not come ends in time")
        func silence() throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(Self.setup(stub).gateway(#""timeouts": {"head": "300ms"}"#))
            let client = try gateway.client()
            try client.send("PROXY TCP4 192.0.2.7")
            #expect(try client.wire.takeAll().isEmpty)
        }

        @Test("Connections are counted by the announced client, not by the balancer")
        func counted() throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(Self.setup(stub, limits: #"{"connectionsPerAddress": 1}"#))
            let first = try gateway.client()
            try first.send(Self.version1 + Self.request)
            #expect(try first.response().text == "ok", "\(first.transcript)")
            let second = try gateway.client()
            try second.send(Self.version1 + Self.request)
            #expect(try second.wire.takeAll().isEmpty, "\(second.transcript)")
            let other = try gateway.client()
            try other.wire.send(Self.version2 + Array(Self.request.utf8))
            #expect(try other.response().text == "ok", "\(other.transcript)")
            first.close()
            try eventually("its place is free") {
                let again = try gateway.client()
                try again.send(Self.version1 + Self.request)
                return try again.wire.head()?.status == 200
            }
        }
    }
}
