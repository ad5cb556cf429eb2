import Foundation
import Testing

/// Everything that runs the real programs; one test after the other, so that none disturbs the measurements of another.
@Suite(.serialized)
enum EndToEnd {}

extension EndToEnd {
    /// What an upstream gets, and what a client gets back (http-behaviour §2, §4, §5).
    @Suite
    struct Forwarding {
        /// Fields that the gateway itself writes, whose values differ from run to run.
        private static let own = ["x-request-id", "traceparent"]

        @Test("End-to-end fields arrive as they were sent, duplicates and order included (RFC 9110 §5.3)")
        func fieldsAsSent() throws {
            let stub = try StubUpstream.saying("hello")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            let answer = try client.exchange(
                "GET /a?b=%20c&&d",
                [
                    "X-Second: 2", "Accept: text/html", "x-second: 1", "X-Empty:", "Cookie: a=1", "X-First:  spaced  ",
                    "Cookie: b=2", "User-Agent: test",
                ])
            #expect(answer.status == 200, "\(client.transcript)")
            let request = try stub.lastRequest()
            #expect(request.startLine == "GET /a?b=%20c&&d HTTP/1.1")
            let names = ["x-second", "accept", "x-empty", "cookie", "x-first", "user-agent"]
            #expect(
                request.fields.filter { names.contains($0.name.lowercased()) }.map(\.description) == [
                    "X-Second: 2", "Accept: text/html", "x-second: 1", "X-Empty: ", "Cookie: a=1", "X-First: spaced",
                    "Cookie: b=2", "User-Agent: test",
                ], "\(request)")
        }

        @Test("Nothing is added but what the gateway itself has to say")
        func nothingIsAdded() throws {
            let stub = try StubUpstream.saying("hello")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            _ = try gateway.exchange("GET /")
            let request = try stub.lastRequest()
            #expect(
                request.fields.filter { !Self.own.contains($0.name.lowercased()) }.map(\.description) == [
                    "Host: \(stub.place)", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http",
                    "X-Forwarded-Host: api.test", "Forwarded: for=127.0.0.1;host=api.test;proto=http",
                    "Via: 1.1 banyan", "Banyan-Deadline-Ms: 15000",
                ], "\(request)")
            #expect(request["x-request-id"]?.count == 32, "\(request)")
            #expect(request["traceparent"]?.count == 55, "\(request)")
        }

        @Test("Hop-by-hop fields end at the gateway, in both directions (RFC 9110 §7.6.1)")
        func hopByHop() throws {
            let stub = try StubUpstream.answering { _ in
                "HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-End: 2\r\n"
                    + "Proxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nok"
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let answer = try gateway.exchange(
                "GET /",
                [
                    "Connection: X-Foo, keep-alive", "X-Foo: 1", "Keep-Alive: timeout=9", "Proxy-Connection: close",
                    "Proxy-Authorization: Basic eA==", "TE: gzip", "Upgrade: websocket", "X-Bar: 2",
                ])
            let request = try stub.lastRequest()
            for name in [
                "connection", "x-foo", "keep-alive", "proxy-connection", "proxy-authorization", "te", "upgrade",
            ] {
                #expect(request.values(name).isEmpty, "\(name) went upstream:\n\(request)")
            }
            #expect(request["x-bar"] == "2")
            for name in ["x-hop", "keep-alive", "proxy-authenticate"] {
                #expect(answer.values(name).isEmpty, "\(name) came down:\n\(answer)")
            }
            #expect(answer["x-end"] == "2")
            #expect(answer["via"] == "1.1 banyan")
            #expect(answer["date"] != nil)
            #expect(answer["x-request-id"] == request["x-request-id"])
            #expect(answer["banyan-served-by"] == "stub")
        }

        @Test("Connection has no power over the fields of the gateway (RFC 9110 §7.6.1)")
        func connectionHasNoPower() throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            _ = try gateway.exchange(
                "POST /",
                ["Connection: traceparent, host, content-length, x-forwarded-for, via, x-request-id, forwarded"],
                body: "body")
            let request = try stub.lastRequest()
            #expect(request.text == "body")
            for name in [
                "traceparent", "host", "content-length", "x-forwarded-for", "via", "x-request-id", "forwarded",
            ] {
                #expect(request.values(name).count == 1, "\(name) is missing:\n\(request)")
            }
        }

        @Test("What only the gateway may say is not taken from a peer that is not trusted (RFC 7239 §8.1)")
        func spoofedFields() throws {
            let stub = try StubUpstream.saying("ok")
            let setup = GatewaySetup(forwardingTo: stub).gateway(#""identity": [{"header": "x-user-id"}]"#)
            let gateway = try GatewayProcess(setup)
            _ = try gateway.exchange(
                "GET /",
                [
                    "X-Forwarded-For: 9.9.9.9", "X-Forwarded-For: 8.8.8.8", "Forwarded: for=9.9.9.9",
                    "X-Real-IP: 9.9.9.9",
                    "X-Forwarded-Proto: https", "X-Forwarded-Host: evil", "X-Forwarded-Prefix: /evil",
                    "Banyan-Secret: 1",
                    "X-Request-Id: evil", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                    "tracestate: evil=1", "baggage: feature_flag.x=on",
                ])
            let request = try stub.lastRequest()
            #expect(request.values("x-forwarded-for") == ["127.0.0.1"], "\(request)")
            #expect(request.values("forwarded") == ["for=127.0.0.1;host=api.test;proto=http"])
            #expect(request.values("x-forwarded-proto") == ["http"])
            #expect(request.values("x-forwarded-host") == ["api.test"])
            for name in ["x-real-ip", "x-forwarded-prefix", "banyan-secret", "tracestate"] {
                #expect(request.values(name).isEmpty, "\(name) was believed:\n\(request)")
            }
            #expect(!request.description.contains("evil"), "\(request)")
            #expect(request["traceparent"]?.contains("4bf92f3577b34da6a3ce929d0e0e4736") == false)
            #expect(!request.description.contains("feature_flag.x"))
        }

        @Test("A trusted peer's chain is kept and extended, its trace continued")
        func trustedPeer() throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub).gateway(#""trustedProxies": ["127.0.0.0/8"]"#))
            let answer = try gateway.exchange(
                "GET /trusted",
                [
                    "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Request-Id: kept-1",
                    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate: vendor=1",
                    "baggage: user=7",
                ])
            let request = try stub.lastRequest()
            #expect(request["x-forwarded-for"] == "192.0.2.7, 127.0.0.1", "\(request)")
            #expect(request["x-forwarded-proto"] == "https", "\(request)")
            #expect(request["x-request-id"] == "kept-1")
            #expect(answer["x-request-id"] == "kept-1")
            #expect(request["traceparent"]?.hasPrefix("00-4bf92f3577b34da6a3ce929d0e0e4736-") == true)
            #expect(request["traceparent"]?.contains("00f067aa0ba902b7") == false)
            #expect(request["tracestate"] == "vendor=1")
            #expect(request["baggage"] == "user=7")
            #expect(try gateway.logLine(path: "/trusted")["client"] as? String == "192.0.2.7")
        }

        @Test(
            "Every method is passed on (RFC 9110 §9)",
            arguments: ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "QUERY", "PROPFIND", "X-OWN"])
        func methods(method: String) throws {
            let stub = try StubUpstream.answering {
                "HTTP/1.1 200 OK\r\nContent-Length: \($0.text.count)\r\n\r\n\($0.text)"
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            #expect(try client.exchange("\(method) /m").status == 200, "\(client.transcript)")
            #expect(
                try client.exchange("\(method) /m", body: "with a body").text == "with a body", "\(client.transcript)")
            #expect(stub.requests.map(\.startLine) == ["\(method) /m HTTP/1.1", "\(method) /m HTTP/1.1"])
            #expect(stub.requests.first?.values("content-length") == [])
        }

        @Test("CONNECT and TRACE are refused (RFC 9110 §9.3.6, §9.3.8)", arguments: ["CONNECT api.test:80", "TRACE /"])
        func refusedMethods(line: String) throws {
            let stub = try StubUpstream.saying("no")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            #expect(try gateway.exchange(line).status == 405)
            #expect(stub.connections == 0)
        }

        @Test("HEAD gets the fields of GET and no body (RFC 9110 §9.3.2)")
        func head() throws {
            let stub = try StubUpstream.saying("twelve bytes")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            let head = try client.exchange("HEAD /h")
            #expect(head["content-length"] == "12", "\(client.transcript)")
            #expect(try client.exchange("GET /h").text == "twelve bytes", "\(client.transcript)")
            #expect(stub.requests.map(\.method) == ["HEAD", "GET"])
            let curl = try Curl("--head", "\(gateway.url)/h")
            #expect(curl.exitCode == 0 && curl.answer?["content-length"] == "12", "\(curl)")
        }

        @Test(
            "The upstream sees the path that was matched, and no other (RFC 3986 §6.2.2)",
            arguments: [
                ("/%7Euser/./a/../b", "/~user/b"), ("/a/%2e%2E/b", "/b"), ("/a%2Fb/%5C", "/a%2Fb/%5C"),
                ("//a//b", "//a//b"),
                ("http://other.test/abs?q", "/abs?q"),
            ])
        func paths(sent: String, seen: String) throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            #expect(try gateway.exchange("GET \(sent)").status == 200)
            #expect(try stub.lastRequest().target == seen)
            #expect(try stub.lastRequest()["host"] == "\(stub.place)")
        }
    }
}
