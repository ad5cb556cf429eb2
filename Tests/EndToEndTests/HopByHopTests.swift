import Foundation
import Testing

extension EndToEnd {
    /// Fields that end at the gateway, and fields that only it may write (security.md §2.3), on every kind of connection.
    @Suite(.enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
    struct HopByHop {
        /// What a stranger says in the gateway's name, or about the connection.
        private static let spoofed: [(String, String)] = [
            ("X-Forwarded-For", "evil"), ("X-Forwarded-For", "evil"), ("x_forwarded_for", "evil"),
            ("X-Forwarded-Proto", "evil"),
            ("X-Forwarded-Host", "evil"), ("X-Forwarded-Port", "evil"), ("X-Forwarded", "evil"),
            ("Forwarded", "for=evil"),
            ("X-Real-IP", "evil"), ("X_Real_IP", "evil"), ("True-Client-IP", "evil"), ("X-Original-URL", "/evil"),
            ("X-Rewrite-URL", "/evil"), ("X-Request-Id", "evil"), ("x_request_id", "evil"),
            ("Banyan-Served-By", "evil"),
            ("banyan_x", "evil"), ("X-User-Id", "evil"), ("X-User-Id", "evil"), ("x_user_id", "evil"),
            ("X_User-Id", "evil"),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("tracestate", "evil=1"),
            ("baggage", "feature_flag.evil=on"), ("X-B3-TraceId", "evil"), ("b3", "evil"), ("Proxy", "http://evil"),
            ("Proxy-Authorization", "evil"), ("HTTP2-Settings", "evil"), ("Via", "1.1 other"), ("Trailer", "evil"),
        ]

        @Test("Who is not trusted says nothing in the gateway's name", arguments: ConnectionKind.allCases)
        func spoofedFields(kind: ConnectionKind) throws {
            let stub = try StubUpstream.saying("ok")
            let edge = try EdgeGateway(
                GatewaySetup(forwardingTo: stub).gateway(#""identity": [{"header": "x-user-id"}]"#))
            let outcome = try edge.exchange(
                kind, EdgeRequest("POST", "/a", Self.spoofed + [("X-Own", "kept"), ("X_Own", "kept")], body: "body"))
            #expect(outcome.status == 200, "\(outcome)")
            let request = try stub.lastRequest()
            #expect(!request.description.lowercased().contains("evil"), "\(request)")
            let scheme = kind.isSecure ? "https" : "http"
            #expect(
                request.values("x-forwarded-for") == ["127.0.0.1"] && request.values("x-forwarded-proto") == [scheme])
            #expect(request.values("forwarded") == ["for=127.0.0.1;host=api.test;proto=\(scheme)"], "\(request)")
            #expect(request.values("x-forwarded-host") == ["api.test"] && request.values("host") == ["\(stub.place)"])
            #expect(
                request.values("via") == [kind.isHTTP2 ? "1.1 other, 2.0 banyan" : "1.1 other, 1.1 banyan"]
                    || request.values("via") == ["1.1 other", kind.isHTTP2 ? "2.0 banyan" : "1.1 banyan"], "\(request)")
            #expect(
                request.values("x-own") == ["kept"] && request.values("x_own") == ["kept"] && request.text == "body")
            for name in ["traceparent", "x-request-id"] {
                #expect(request.values(name).count == 1, "\(name): \(request)")
            }
            #expect(request["traceparent"]?.contains("0af7651916cd43dd8448eb211c80319c") == false)
        }

        @Test("Connection takes away the client's fields and none of the gateway's", arguments: ConnectionKind.allHTTP1)
        func connection(kind: ConnectionKind) throws {
            let stub = try StubUpstream.saying("ok")
            let setup = GatewaySetup(forwardingTo: stub)
                .gateway(#""identity": [{"header": "x-user-id"}]"#).gateway(#""trustedProxies": ["127.0.0.0/8"]"#)
            let edge = try EdgeGateway(setup)
            let own = [
                "host", "content-length", "traceparent", "tracestate", "baggage", "x-forwarded-for",
                "x-forwarded-proto",
                "x-forwarded-host", "forwarded", "via", "x-request-id", "x-user-id", "x-real-ip",
            ]
            let options = (own + own.map { $0.uppercased() } + ["x-gone", "X-GONE-TOO", "cookie", "close,,", " ;"])
            let outcome = try edge.exchange(
                kind,
                EdgeRequest(
                    "POST", "/a",
                    [
                        ("Connection", options.prefix(30).joined(separator: ", ")),
                        ("connection", options.dropFirst(30).joined(separator: " ,\t")), ("X-Gone", "1"),
                        ("x-gone-too", "2"),
                        ("Cookie", "a=b"), ("X-User-Id", "7"), ("X-Real-IP", "192.0.2.1"), ("baggage", "a=b"),
                        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                        ("tracestate", "a=b"),
                        ("Keep-Alive", "timeout=5"), ("TE", "gzip"), ("Upgrade", "h2c"), ("X-Kept", "yes"),
                    ], body: "body"))
            #expect(outcome.status == 200, "\(outcome)")
            let request = try stub.lastRequest()
            for name in own { #expect(request.values(name).count == 1, "\(name) is missing: \(request)") }
            for name in ["x-gone", "x-gone-too", "cookie", "keep-alive", "te", "upgrade", "connection"] {
                #expect(request.values(name).isEmpty, "\(name) went upstream: \(request)")
            }
            #expect(request["x-user-id"] == "7" && request["x-kept"] == "yes" && request.text == "body", "\(request)")
        }

        @Test("Nothing that a client sends forges a line of the access log", arguments: ConnectionKind.allCases)
        func logs(kind: ConnectionKind) throws {
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: try StubUpstream.saying("ok")))
            let line = #"{"status":200,"path":"/forged"}"#
            let requests = [
                EdgeRequest("GET", "/%0a\(line)".replacing("\"", with: "%22")), EdgeRequest("GET", "/a\"b"),
                EdgeRequest("GET", "/a?\"}%0d%0a{"),
                EdgeRequest("GET", "/1", [("User-Agent", "\"}\u{9B}\u{85}\u{E9}\t\\ \(line)")]),
                EdgeRequest("GET", "/2", [("Referer", line), ("X-Forwarded-For", line), ("X-Request-Id", line)]),
                EdgeRequest("A\"B", "/3"), EdgeRequest("GET", "/last"),
            ]
            for request in requests { _ = try edge.exchange(kind, request) }
            _ = try edge.gateway.logLine(path: "/last")
            let lines = edge.process.lines().filter { $0.hasPrefix("{") || $0.contains("forged") }
            #expect(lines.count == requests.count, "\(lines)")
            for line in lines {
                let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                #expect(object?["path"] as? String != "/forged" && object?["status"] is Int, "\(line)")
                #expect(
                    !line.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }, "\(line)")
            }
        }

        @Test("What an upstream says about its connection goes no further", arguments: ConnectionKind.allCases)
        func answers(kind: ConnectionKind) throws {
            let stub = try StubUpstream.answering { _ in
                """
                HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive, content-length\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
                Proxy-Authenticate: Basic\r\nProxy-Connection: close\r\nUpgrade: h2c\r\nTrailer: X-T\r\nTE: trailers\r\n\
                Banyan-Served-By: evil\r\nX-Request-Id: evil\r\nX_Request_Id: evil\r\nContent-Length: 2\r\n\
                Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nX-End: kept\r\n\r\nok
                """
            }
            let edge = try EdgeGateway(GatewaySetup(forwardingTo: stub))
            let outcome = try edge.exchange(kind, EdgeRequest("GET", "/a"))
            let answer = try #require(outcome.answer, "\(outcome)")
            #expect(outcome.status == 200 && outcome.text == "ok", "\(outcome)")
            for name in [
                "x-hop", "keep-alive", "proxy-authenticate", "proxy-connection", "upgrade", "trailer", "te",
                "connection",
                "x_request_id",
            ] { #expect(answer.values(name).isEmpty, "\(name) came down: \(answer)") }
            #expect(!answer.description.contains("evil"), "\(answer)")
            #expect(answer.values("set-cookie") == ["a=b", "c=d"] && answer["x-end"] == "kept", "\(answer)")
            #expect(answer["content-length"] == "2" && answer["banyan-served-by"] == "stub", "\(answer)")
            if kind.isHTTP2 { #expect(answer.fields.allSatisfy { $0.name == $0.name.lowercased() }, "\(answer)") }
        }
    }
}
