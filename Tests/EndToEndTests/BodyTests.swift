import Foundation
import Testing

extension EndToEnd {
    /// Bodies in both directions, and connections that carry one request after the other (RFC 9112 §6, §7, §9).
    @Suite
    struct Bodies {
        private static let chunkedAnswer =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n"

        private static func echo() throws -> StubUpstream {
            try .answering { "HTTP/1.1 200 OK\r\nContent-Length: \($0.body.count)\r\n\r\n\($0.text)" }
        }

        @Test("A body with a length arrives with this length, whole")
        func contentLength() throws {
            let stub = try Self.echo()
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let body = String(repeating: "0123456789", count: 30_000)
            let answer = try gateway.exchange("PUT /", body: body)
            #expect(answer.text == body)
            let request = try stub.lastRequest()
            #expect(request["content-length"] == "300000")
            #expect(!request.isChunked)
        }

        @Test("A chunked body arrives chunked, and so does a chunked answer (RFC 9112 §7.1)")
        func chunked() throws {
            let stub = try StubUpstream.answering { _ in Self.chunkedAnswer }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            let request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            let answer = try client.send(request + "3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\n\r\n").response()
            #expect(answer.isChunked && answer.contentLength == nil, "\(client.transcript)")
            #expect(answer.text == "hello, world")
            let received = try stub.lastRequest()
            #expect(received.isChunked && received.values("content-length").isEmpty, "\(received)")
            #expect(received.text == "abc0123456789")
            #expect(try client.exchange("GET /again").text == "hello, world", "\(client.transcript)")
        }

        @Test("A body that comes byte by byte is the same body")
        func slowly() throws {
            let stub = try Self.echo()
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            let message =
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n"
            for byte in message.utf8 { try client.wire.send([byte]) }
            #expect(try client.response().text == "abcde", "\(client.transcript)")
        }

        @Test("Trailers pass in both directions, those with a meaning for framing or routing do not (RFC 9110 §6.5.1)")
        func trailers() throws {
            let stub = try StubUpstream.answering { _ in
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: down\r\n"
                    + "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            let answer = try client.send(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n2\r\nup\r\n0\r\nX-Sum: up\r\n"
                    + "Content-Length: 5\r\nHost: evil\r\nAuthorization: Basic eA==\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n"
            ).response()
            #expect(answer.trailers.map(\.description) == ["X-Sum: down"], "\(client.transcript)")
            let request = try stub.lastRequest()
            #expect(request.trailers.map(\.description) == ["X-Sum: up"], "\(request) \(request.trailers)")
            #expect(request["te"] == "trailers")
        }

        @Test("100-continue: told to go on once the request is accepted (RFC 9110 §10.1.1)")
        func expectContinue() throws {
            let stub = try Self.echo()
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            try client.request("POST /", ["Expect: 100-continue", "Content-Length: 4"])
            #expect(try client.responseOrInterim().status == 100, "\(client.transcript)")
            #expect(try client.send("body").response().text == "body", "\(client.transcript)")
            let curl = try Curl("-H", "Expect: 100-continue", "--data", "from curl", gateway.url)
            #expect(curl.body == "from curl", "\(curl)")
        }

        @Test("100-continue: a refusal comes without it (RFC 9110 §10.1.1)")
        func expectRefused() throws {
            let stub = try Self.echo()
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("stub", stub).route(#"{"match": "/s", "to": "stub", "maxBody": "8"}"#))
            for (path, status) in [("/s", 413), ("/none", 404)] {
                let client = try gateway.client()
                try client.request("POST \(path)", ["Expect: 100-continue", "Content-Length: 9"])
                #expect(try client.responseOrInterim().status == status, "\(client.transcript)")
            }
            let odd = try gateway.client().request("POST /s", ["Expect: tea", "Content-Length: 1"])
            #expect(try odd.response().cause == "unsupported_expectation", "\(odd.transcript)")
            #expect(stub.connections == 0)
        }

        @Test("204 and 304 have no body whatever their fields say (RFC 9112 §6.3)", arguments: [204, 304])
        func noBody(status: Int) throws {
            let stub = try StubUpstream.answering { request in
                request.target == "/none" ? "HTTP/1.1 \(status) X\r\nETag: \"1\"\r\n\r\n" : Self.chunkedAnswer
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            try client.request("GET /none").request("GET /next")
            let first = try client.response()
            #expect(first.status == status && first["etag"] == "\"1\"", "\(client.transcript)")
            #expect(!first.isChunked && first.contentLength ?? 0 == 0, "\(client.transcript)")
            #expect(try client.response().text == "hello, world", "\(client.transcript)")
        }

        @Test("Interim answers of an upstream: early hints pass, others end here (RFC 9110 §15.2, RFC 8297)")
        func interim() throws {
            let stub = try StubUpstream.answering { _ in
                "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                    + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client().request("GET /")
            let first = try client.responseOrInterim()
            #expect(first.status == 103 && first["link"] == "</a>", "\(client.transcript)")
            #expect(try client.responseOrInterim().text == "ok", "\(client.transcript)")
        }

        @Test("Pipelined requests are answered in order, one in work at a time (RFC 9112 §9.3.2)")
        func pipelining() throws {
            let stub = try StubUpstream.answering {
                "HTTP/1.1 200 OK\r\nContent-Length: \($0.target.count)\r\n\r\n\($0.target)"
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            let targets = (0..<50).map { "/\($0)" }
            try client.send(targets.map { "GET \($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
            for target in targets { #expect(try client.response().text == target) }
            #expect(stub.requests.map(\.target) == targets)
            #expect(stub.connections == 1, "one connection at a time is enough")
        }

        @Test("After Connection: close, and for HTTP/1.0, the connection ends (RFC 9112 §9.6)")
        func close() throws {
            let stub = try StubUpstream.answering { _ in Self.chunkedAnswer }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            let answer = try client.request("GET /1", ["Connection: close"]).request("GET /never").response()
            #expect(answer["connection"] == "close" && answer.text == "hello, world", "\(client.transcript)")
            #expect(try client.isClosed(), "\(client.transcript)")
            #expect(stub.requests.map(\.target) == ["/1"])

            let old = try gateway.client()
            let text = try old.send("GET /old HTTP/1.0\r\n\r\n").rest()
            #expect(text.hasPrefix("HTTP/1.1 200 ") && text.hasSuffix("\r\n\r\nhello, world"), "\(text)")
            #expect(!text.lowercased().contains("transfer-encoding"))
        }

        @Test("An answer that ends with the connection is passed on until then (RFC 9112 §6.3 item 8)")
        func untilClose() throws {
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.send("HTTP/1.0 200 OK\r\nX: y\r\n\r\nall of it")
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            #expect(try client.exchange("GET /").text == "all of it", "\(client.transcript)")
            #expect(try client.exchange("GET /").text == "all of it", "\(client.transcript)")
        }

        @Test("An answer that comes before the request is whole is passed on at once (RFC 9112 §9.5)")
        func earlyAnswer() throws {
            let gate = Gate()
            let stub = try StubUpstream { connection in
                _ = try connection.head()
                try connection.send("HTTP/1.1 403 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
                try gate.wait()
            }
            defer { gate.open() }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client().request("POST /", ["Content-Length: 1000000"]).send("the first bytes")
            let answer = try client.response()
            #expect(answer.status == 403 && answer.text == "no", "\(client.transcript)")
        }

        @Test("What is streamed down arrives before the answer has ended")
        func streaming() throws {
            let gate = Gate()
            let stub = try StubUpstream { connection in
                _ = try connection.request()
                try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
                try gate.wait()
                try connection.send("6\r\nsecond\r\n0\r\n\r\n")
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client().request("GET /")
            _ = try client.wire.head()
            #expect(try client.wire.take(upTo: "first\r\n") == Array("5\r\n".utf8), "\(client.transcript)")
            gate.open()
            var rest = HTTPText(head: [])
            try client.wire.chunkedBody(into: &rest)
            #expect(rest.text == "second")
        }
    }
}
