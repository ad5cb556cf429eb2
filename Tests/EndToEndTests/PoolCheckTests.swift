import Foundation
import Testing

extension EndToEnd {
    /// Servers of a pool that are asked before it gets requests, and answer whatever they like.
    @Suite
    struct PoolChecks {
        /// What a server does that is asked whether it is well.
        struct Answer: Sendable, CustomTestStringConvertible {
            var name: String
            var health: String
            /// What is said of it, in part.
            var error: String
            var script: StubUpstream.Script
            var testDescription: String { name }

            init(
                _ name: String, health: String = #""path": "/health", "timeout": "500ms""#, says error: String,
                _ script: @escaping StubUpstream.Script
            ) { (self.name, self.health, self.error, self.script) = (name, health, error, script) }

            /// By HTTP/2, in answer to the first request.
            static func grpc(_ name: String, says error: String, _ frames: [UInt8]...) -> Answer {
                Answer(name, health: #""type": "grpc", "timeout": "500ms""#, says: error) { connection in
                    try connection.wire.send(HTTP2Wire.settings([]))
                    _ = try connection.wire.take(HTTP2Wire.preface.count)
                    var type: UInt8 = 0
                    while type != 1 {
                        let head = try connection.wire.take(9)
                        type = head[3]
                        _ = try connection.wire.take(Int(head[1]) << 8 | Int(head[2]))
                    }
                    for frame in frames { try connection.wire.send(frame) }
                    try connection.awaitEnd()
                }
            }
        }

        private static func endless(_ start: String, _ piece: String) -> StubUpstream.Script {
            { connection in
                _ = try connection.request()
                try connection.send(start)
                while true { try connection.send(String(repeating: piece, count: 10)) }
            }
        }

        private static let silence: StubUpstream.Script = { connection in
            _ = try connection.request()
            try connection.awaitEnd()
        }

        private static let head = HTTP2Wire.head(
            1, [(":status", "200"), ("content-type", "application/grpc")], ends: false)

        private static func data(_ bytes: [UInt8]) -> [UInt8] { HTTP2Wire.frame(0, 0, 1, bytes) }

        private static func trailers(_ status: String) -> [UInt8] { HTTP2Wire.head(1, [("grpc-status", status)]) }

        private static let answers = [
            Answer("silence", says: "timeout", silence),
            Answer(
                "silence that the check would bear", health: #""path": "/health", "timeout": "60s""#,
                says: "no answer in time",
                silence),
            Answer("an endless head", says: "upstream_protocol", endless("HTTP/1.1 200 OK\r\n", "X-More: more\r\n")),
            Answer("endless interim heads", says: "upstream_protocol", endless("", "HTTP/1.1 103 Early Hints\r\n\r\n")),
            Answer(
                "an endless body without the text", health: #""path": "/health", "timeout": "500ms", "body": "ready""#,
                says: "text",
                endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "4\r\nread\r\n")),
            Answer("no HTTP", says: "upstream_protocol", endless("\u{0}\u{1}\u{2}\r\n\r\n", "x")),
            .grpc("no HTTP/2", says: "upstream_", [UInt8](repeating: 0xFF, count: 1_000)),
            .grpc(
                "a message of four gigabytes", says: "upstream_protocol", head, data([0, 255, 255, 255, 255, 8, 1]),
                trailers("0")),
            .grpc(
                "a number without an end", says: "not serving", head,
                data([0, 0, 0, 0, 14, 8] + [UInt8](repeating: 255, count: 13)), trailers("0")),
            .grpc(
                "a long message", says: "upstream_protocol", head, data([UInt8](repeating: 0, count: 8_000)),
                trailers("0")),
            .grpc("a status that is no number", says: "grpc-status", head, trailers("99999999999999999999999")),
            .grpc("no end", says: "timeout", head, data([0, 0, 0, 0, 2, 8, 1])),
        ]

        @Test("Of the servers of one name all are asked, but only so many at a time")
        func many() throws {
            let green = try BusyUpstream(working: 0.05)
            let dns = try DNSStub([
                "a.test": [.a("127.0.0.1")],
                "_green._tcp.test": (1...100).map {
                    .service(priority: 1, weight: $0, port: green.stub.place.port, target: "a.test")
                },
            ])
            let blue = try StubUpstream.saying("blue")
            var setup = GatewaySetup().gateway(dns.setting).route(#"{"match": "/{rest...}", "to": "shop"}"#)
            setup.upstreams.append(
                (
                    "shop",
                    #"{"pools": {"blue": ["\#(blue.url)"], "green": ["srv+http://_green._tcp.test"]}, "active": "blue", "#
                        + #""health": {"path": "/health", "interval": "60s"}}"#
                ))
            let gateway = try GatewayProcess(setup)
            let answer = try RawClient(gateway.adminPlace).exchange(
                "PUT /upstreams/shop/active", ["Content-Type: application/json"], body: #""green""#)
            #expect(answer.status == 200, "\(answer)")
            #expect(green.stub.requests.count >= 100 && green.peak <= 32, "\(green.peak)")
        }

        @Test(
            "Whatever a server answers that is asked, the pool gets no requests, soon, and the other one goes on",
            arguments: answers)
        func garbage(_ answer: Answer) throws {
            let blue = try StubUpstream.saying("blue")
            let green = try StubUpstream(answer.script)
            let isGRPC = answer.health.contains("grpc")
            var setup = GatewaySetup().upstream("blue", blue).route(#"{"match": "/{rest...}", "to": "blue"}"#)
            setup.upstreams.append(
                (
                    "shop",
                    #"{"pools": {"blue": ["\#(blue.url)"], "green": ["\#(green.url)"]}, "active": "blue", "#
                        + #""protocol": "\#(isGRPC ? "h2" : "http/1.1")", "health": {\#(answer.health)}}"#
                ))
            let gateway = try GatewayProcess(setup)
            let start = ContinuousClock.now
            let refused = try RawClient(gateway.adminPlace).exchange(
                "PUT /upstreams/shop/active", ["Content-Type: application/json"], body: #""green""#)
            #expect(refused.status == 409, "\(refused)")
            let errors = refused.json["errors"] as? [String] ?? []
            #expect(errors.count == 1 && errors[0].contains(answer.error), "\(errors)")
            #expect(ContinuousClock.now - start < .seconds(12))
            try eventually("what was asked is let go") { green.closedConnections == green.connections }
            #expect(try gateway.exchange("GET /").text == "blue")
        }
    }
}
