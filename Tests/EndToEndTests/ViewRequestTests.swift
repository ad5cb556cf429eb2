import Foundation
import Testing

extension EndToEnd {
    /// What the parts of a view are asked with, and which clients are answered with one.
    @Suite
    struct ViewRequests {
        private static let identity = #""identity": [{"header": "x-user-id"}]"#

        private static func json(_ body: String) -> String {
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }

        /// A gateway with one view of one part, which has these members besides.
        private static func gateway(
            _ stub: StubUpstream, part: String = #""get": "/""#, beside: String = "", _ gateway: String...
        ) throws -> GatewayProcess {
            var setup = GatewaySetup().upstream("stub", stub)
                .route(#"{"match": "/view", "aggregate": {"a": {"from": "stub", \#(part)}}\#(beside)}"#)
            setup.gateway += gateway
            return try GatewayProcess(setup)
        }

        private static let fields = [
            "Accept-Language: de", "Authorization: Basic eA==", "Cookie: a=1", "cookie: b=2", "User-Agent: test",
            "Accept: application/*;q=0.1, text/html", "Accept-Encoding: gzip", "If-None-Match: \"x\"",
            "Range: bytes=0-1",
            "X-Tenant: 7", "X_Tenant: 8", "X-Secret: 9", "Referer: http://a", "X-User-Id: eve", "TE: trailers",
            "Connection: x-named", "X-Named: 1", "X-Forwarded-For: 9.9.9.9", "Banyan-Deadline-Ms: 60000",
        ]
        private static let gatewaysOwn = [
            "host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "via", "x-request-id",
            "traceparent", "banyan-deadline-ms",
        ]

        /// The fields of a request without those that the gateway writes in its own name.
        private static func passed(_ request: HTTPText) -> [String] {
            request.fields.filter { !gatewaysOwn.contains($0.name.lowercased()) }.map(\.description)
        }

        @Test("Parts get few of the client's fields, and are asked for JSON")
        func standard() throws {
            let stub = try StubUpstream.answering { _ in Self.json("1") }
            let answer = try Self.gateway(stub, Self.identity).exchange("GET /view", Self.fields)
            #expect(answer.text == #"{"a":1}"#, "\(answer)")
            let request = try stub.lastRequest()
            #expect(
                Self.passed(request) == [
                    "Accept-Language: de", "Authorization: Basic eA==", "Cookie: a=1", "cookie: b=2",
                    "User-Agent: test",
                    "Accept: application/json",
                ], "\(request)")
            #expect(request["x-forwarded-for"] == "127.0.0.1", "\(request)")
        }

        @Test("passHeaders says which, beside those that name the user")
        func listed() throws {
            let stub = try StubUpstream.answering { _ in Self.json("1") }
            let beside = #", "passHeaders": ["x-tenant", "USER-AGENT"]"#
            let gateway = try Self.gateway(
                stub, beside: beside, Self.identity, #""trustedProxies": ["127.0.0.1/32"]"#)
            _ = try gateway.exchange("GET /view", Self.fields)
            let request = try stub.lastRequest()
            #expect(
                Self.passed(request) == [
                    "User-Agent: test", "X-Tenant: 7", "X-User-Id: eve", "Accept: application/json",
                ], "\(request)")
        }

        @Test("passHeaders of * are all end-to-end fields; what the part sets wins")
        func all() throws {
            let stub = try StubUpstream.answering { _ in Self.json("1") }
            let part = #""request": {"path": "/", "headers": {"x-secret": "own", "accept": "application/hal+json"}}"#
            _ = try Self.gateway(stub, part: part, beside: #", "passHeaders": "*""#, Self.identity)
                .exchange("GET /view", Self.fields)
            let request = try stub.lastRequest()
            #expect(
                Self.passed(request) == [
                    "Accept-Language: de", "Authorization: Basic eA==", "Cookie: a=1", "cookie: b=2",
                    "User-Agent: test",
                    "X-Tenant: 7", "X_Tenant: 8", "Referer: http://a", "x-secret: own", "accept: application/hal+json",
                ], "\(request)")
        }

        @Test("passHeaders may be nothing")
        func none() throws {
            let stub = try StubUpstream.answering { _ in Self.json("1") }
            _ = try Self.gateway(stub, beside: #", "passHeaders": []"#).exchange("GET /view", Self.fields)
            let request = try stub.lastRequest()
            #expect(Self.passed(request) == ["Accept: application/json"], "\(request)")
        }

        @Test("A client that takes no JSON gets 406, and nobody is asked (RFC 9110 §12.5.1, §15.5.7)")
        func notAcceptable() throws {
            let stub = try StubUpstream.answering { _ in Self.json("1") }
            let gateway = try Self.gateway(stub)
            let client = try gateway.client()
            let answer = try client.exchange("GET /view", ["Accept: text/html", "Accept: application/json;q=0, */*"])
            #expect(answer.status == 406, "\(client.transcript)")
            #expect(answer["content-type"] == "application/problem+json", "\(client.transcript)")
            #expect(answer.text.contains(#""cause":"not_acceptable""#), "\(client.transcript)")
            let head = try client.exchange("HEAD /view", ["Accept: image/png"])
            #expect(head.status == 406 && head.body.isEmpty, "\(client.transcript)")
            #expect(stub.requests.isEmpty)
            // What cannot be understood counts as absent.
            #expect(try client.exchange("GET /view", ["Accept: text/html;q=5"]).status == 200, "\(client.transcript)")
            #expect(try gateway.logLine(path: "/view")["cause"] as? String == "not_acceptable")
        }
    }
}
