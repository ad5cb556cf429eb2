import Foundation
import Testing

extension EndToEnd {
    /// What clients who send their bodies slowly cost an upstream, which may have few places (security.md §2.5).
    @Suite(.enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
    struct SlowUploads {
        private typealias H2 = HTTP2Wire

        private static func stub() throws -> StubUpstream {
            try StubUpstream.answering { request in
                "HTTP/1.1 200 OK\r\nContent-Length: \(request.body.count)\r\n\r\n\(request.text)"
            }
        }

        /// Begins a request whose body goes on when the client says so.
        private static func begin(_ edge: EdgeGateway, _ kind: ConnectionKind, length: Int?) throws -> EdgeClient {
            let client = try edge.client(kind)
            if kind.isHTTP2 {
                let fields = length.map { [("content-length", "\($0)")] } ?? []
                try client.wire.send(H2.head(1, "POST", "/slow", fields, ends: false) + H2.data(1, "he"))
            } else {
                let framing = length.map { "Content-Length: \($0)" } ?? "Transfer-Encoding: chunked"
                let piece = length == nil ? "2\r\nhe\r\n" : "he"
                try client.wire.send("POST /slow HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n\(piece)")
            }
            return client
        }

        private static func end(_ client: EdgeClient, chunked: Bool) throws {
            if client.kind.isHTTP2 {
                try client.wire.send(H2.data(1, "llo", ends: true))
            } else {
                try client.wire.send(chunked ? "3\r\nllo\r\n0\r\n\r\n" : "llo")
            }
        }

        @Test("A short body costs the upstream nothing before it is whole", arguments: ConnectionKind.allCases)
        func shortBodies(kind: ConnectionKind) throws {
            let stub = try Self.stub()
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub, #""maxRequests": 2"#))
            let slow = try (0..<10).map { _ in try Self.begin(edge, kind, length: 5) }
            // More of them than the upstream may have, and none has a place.
            for number in 0..<3 {
                let outcome = try edge.exchange(kind, EdgeRequest("POST", "/\(number)", body: "whole"))
                #expect(outcome.status == 200 && outcome.text == "whole", "\(outcome)")
            }
            #expect(stub.requests.allSatisfy { $0.target != "/slow" })
            for client in slow.dropFirst(8) {
                try Self.end(client, chunked: false)
                #expect(try client.outcome(on: 1).text == "hello", "\(client.transcript)")
            }
            // Whoever leaves in the middle leaves nothing behind for the next one.
            for client in slow.prefix(8) { client.wire.reset() }
            #expect(try edge.exchange(kind, EdgeRequest("POST", "/last", body: "body")).text == "body")
        }

        @Test("Long bodies leave places for others", arguments: ConnectionKind.allCases)
        func longBodies(kind: ConnectionKind) throws {
            let stub = try Self.stub()
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub, #""maxRequests": 8"#))
            let slow = try (0..<6).map { _ in try Self.begin(edge, kind, length: nil) }
            try eventually("they have their places") { stub.connections == 6 }
            let refused = try Self.begin(edge, kind, length: nil)
            let outcome = try refused.outcome(on: 1)
            #expect(outcome.status == 503 && outcome.cause == "upstream_overloaded", "\(outcome)")
            #expect(outcome.answer?["retry-after"] != nil, "\(outcome)")
            #expect(try edge.exchange(kind, EdgeRequest("GET", "/a")).status == 200)
            #expect(try edge.exchange(kind, EdgeRequest("POST", "/b", body: "body")).text == "body")
            for client in slow {
                try Self.end(client, chunked: true)
                #expect(try client.outcome(on: 1).text == "hello", "\(client.transcript)")
            }
            let again = try Self.begin(edge, kind, length: nil)
            try Self.end(again, chunked: true)
            #expect(try again.outcome(on: 1).text == "hello", "\(again.transcript)")
        }
    }
}
