import Foundation
import Testing

extension EndToEnd {
    /// What is refused, how, and that nothing of it reaches an upstream (http-behaviour §1–§3).
    @Suite
    struct Refusals {
        @Test("The answer to what no route matches is a problem document (RFC 9457)")
        func noRoute() throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("stub", stub).route(#"{"match": "GET|PUT /a", "to": "stub"}"#))
            let client = try gateway.client()
            let missing = try client.exchange("GET /missing")
            #expect(missing.status == 404, "\(client.transcript)")
            #expect(missing["content-type"] == "application/problem+json")
            #expect(missing.json["type"] as? String == "urn:banyan:problem:no_route")
            #expect(missing.json["status"] as? Int == 404)
            #expect(missing.json["title"] as? String == "Not Found")
            #expect(missing.json["request_id"] as? String == missing["x-request-id"])
            #expect((missing.json["trace_id"] as? String)?.count == 32)
            #expect(!missing.description.contains("127.0.0.1"), "no address of an upstream, no host")

            let method = try client.exchange("DELETE /a")
            #expect(method.status == 405 && method.cause == "method_not_allowed", "\(client.transcript)")
            let allowed = method["allow"]?.components(separatedBy: ", ").sorted() ?? []
            #expect(allowed == ["GET", "HEAD", "PUT"], "\(client.transcript)")
            #expect(try client.exchange("GET /a").text == "ok", "the connection is still good: \(client.transcript)")

            let line = try gateway.logLine(path: "/missing")
            #expect(line["cause"] as? String == "no_route" && line["status"] as? Int == 404)
            #expect(line["trace_id"] as? String == missing.json["trace_id"] as? String)
        }

        @Test("The answer to HEAD has no body, also when it is a refusal (RFC 9110 §9.3.2)")
        func head() throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("stub", stub).route(#"{"match": "/a", "to": "stub"}"#))
            let client = try gateway.client()
            #expect(try client.exchange("HEAD /missing").status == 404)
            #expect(try client.exchange("GET /a").text == "ok", "\(client.transcript)")
        }

        @Test(
            "Limits: body 413, target 414, head 431 (RFC 9110 §15.5.14, §15.5.15, RFC 6585 §5)",
            arguments: RefusedMessages.limits)
        func limits(message: RefusedMessage, status: Int, cause: String) throws {
            let stub = try StubUpstream.saying("no")
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("stub", stub).route(#"{"match": "/{r...}", "to": "stub", "maxBody": "8"}"#))
            let client = try gateway.client().send(message.text)
            let answer = try client.response()
            #expect(answer.status == status && answer.cause == cause, "\(client.transcript)")
            #expect(answer["x-request-id"] != nil)
            #expect(stub.connections == 0)
        }

        @Test("A chunked body over the limit: 413 as soon as it is passed, and no whole request upstream")
        func chunkedOverLimit() throws {
            let stub = try StubUpstream.saying("no")
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("stub", stub).route(#"{"match": "/{r...}", "to": "stub", "maxBody": "8"}"#))
            let client = try gateway.client().request("POST /", ["Transfer-Encoding: chunked"])
            try client.send("5\r\nabcde\r\n5\r\nfghij\r\n")
            let answer = try client.response()
            #expect(answer.status == 413 && answer.cause == "body_too_large", "\(client.transcript)")
            #expect(stub.requests.isEmpty, "\(stub.requests)")
        }

        @Test("Requests whose end two parsers could see differently are refused", arguments: RefusedMessages.smuggling)
        func smuggling(message: RefusedMessage) throws {
            try refuses("POST / HTTP/1.1\r\nHost: a\r\n" + message.text)
        }

        @Test(
            "Malformed requests are refused (RFC 9112 §3)",
            arguments: RefusedMessages.malformed)
        func malformed(message: RefusedMessage) throws { try refuses(message.text) }

        /// Sends the message with a request behind it: 400 or 505, the end of the connection, and nothing upstream.
        private func refuses(_ message: String) throws {
            let stub = try StubUpstream.saying("no")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client().send(message + "GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try client.response()
            #expect([400, 505].contains(answer.status), "\(client.transcript)")
            #expect(answer["connection"] == "close", "\(client.transcript)")
            #expect(try client.isClosed(), "more than one answer:\n\(client.transcript)")
            #expect(stub.connections == 0, "\(stub.requests)")
        }

        @Test(
            "A chunked body that is malformed ends the request, which never is whole upstream (RFC 9112 §7.1)",
            arguments: RefusedMessages.chunks)
        func malformedChunks(body: RefusedMessage) throws {
            let stub = try StubUpstream.saying("no")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client().request("POST /", ["Transfer-Encoding: chunked"])
            try client.send(body.text + "GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try client.response()
            #expect(answer.status == 400 && answer.cause == "bad_request", "\(client.transcript)")
            #expect(try client.isClosed(), "\(client.transcript)")
            #expect(stub.requests.isEmpty, "\(stub.requests)")
        }

        @Test("A head that does not come in time: 408 (RFC 9110 §15.5.9)")
        func headTimeout() throws {
            let stub = try StubUpstream.saying("no")
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub).gateway(#""timeouts": {"head": "200ms", "idle": "200ms"}"#))
            let client = try gateway.client().send("GET / HTTP/1.1\r\nHo")
            let answer = try client.response()
            #expect(answer.status == 408 && answer.cause == "request_timeout", "\(client.transcript)")
            #expect(try client.isClosed(), "\(client.transcript)")
            let idle = try gateway.client()
            #expect(try idle.isClosed(), "an idle connection ends without a word: \(idle.transcript)")
        }

        @Test("A body that falls silent: 408, and the upstream never sees a whole request")
        func bodyTimeout() throws {
            let stub = try StubUpstream.saying("no")
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub).gateway(#""timeouts": {"body": "200ms"}"#))
            let client = try gateway.client().request("POST /", ["Content-Length: 10"]).send("half")
            let answer = try client.response()
            #expect(answer.status == 408 && answer.cause == "request_timeout", "\(client.transcript)")
            #expect(try client.isClosed(), "\(client.transcript)")
            #expect(stub.requests.isEmpty)
        }

        @Test("A request that has passed this gateway before is a loop: 508 (RFC 9110 §7.6.3)")
        func loop() throws {
            let stub = try StubUpstream.saying("no")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let answer = try gateway.exchange("GET /", ["Via: 1.1 other, 1.1 banyan"])
            #expect(answer.status == 508 && answer.cause == "loop_detected", "\(answer)")
            #expect(stub.connections == 0)
        }

        @Test("Gateways in a row with names of their own are no loop, and each is in Via (RFC 9110 §7.6.3)")
        func row() throws {
            let stub = try StubUpstream.saying("yes")
            let behind = try GatewayProcess(GatewaySetup(forwardingTo: stub).gateway(#""name": "behind""#))
            let front = try GatewayProcess(
                GatewaySetup().upstream("behind", url: behind.url).route(#"{"match": "/{rest...}", "to": "behind"}"#))
            let answer = try front.exchange("GET /")
            #expect(answer.status == 200 && answer["via"] == "1.1 behind, 1.1 banyan", "\(answer)")
            let request = try #require(stub.requests.first)
            #expect(request["via"] == "1.1 banyan, 1.1 behind", "\(request)")
            let again = try behind.exchange("GET /", ["Via: 1.1 banyan, 1.1 Behind"])
            #expect(again.status == 508 && again.cause == "loop_detected", "\(again)")
            #expect(stub.requests.count == 1)
        }
    }
}

/// Messages that have to be refused.
enum RefusedMessages {
    /// A name, and a request that has to be refused as a whole.
    static let smuggling: [RefusedMessage] = [
        .init("length and chunked (RFC 9112 §6.1)", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        .init("chunked and length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        .init("two lengths (§6.3 item 5)", "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
        .init("two equal lengths", "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
        .init("a list of lengths", "Content-Length: 5, 5\r\n\r\nhello"),
        .init("a signed length", "Content-Length: +5\r\n\r\nhello"),
        .init("a negative length", "Content-Length: -5\r\n\r\nhello"),
        .init("a hexadecimal length", "Content-Length: 0x5\r\n\r\nhello"),
        .init("a length beyond 2^64", "Content-Length: 18446744073709551621\r\n\r\nhello"),
        .init("an empty length", "Content-Length: \r\n\r\nhello"),
        .init("an unknown coding (§6.1)", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        .init("chunked twice", "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        .init("two codings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
        .init("a blank before the colon (§5.1)", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        .init("a vertical tab in the coding", "Transfer-Encoding: \u{0B}chunked\r\n\r\n0\r\n\r\n"),
        .init("a folded line (§5.2)", "X-A: b\r\n Content-Length: 5\r\n\r\nhello"),
        .init("a bare LF as line end (§2.2)", "X-A: b\nContent-Length: 5\r\n\r\nhello"),
        .init("a bare LF at the end of the head", "X-A: b\r\n\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
        .init("a bare CR in a value (§2.2)", "X-A: b\rContent-Length: 5\r\n\r\nhello"),
        .init("a NUL in a value (RFC 9110 §5.5)", "X-A: b\u{00}c\r\n\r\n"),
        .init("a name that is no token", "X(A): b\r\n\r\n"),
        .init("no colon", "X-A\r\n\r\n"),
        .init("an empty name", ": b\r\n\r\n"),
        .init("a second Host (§3.2)", "Host: b\r\n\r\n"),
    ]

    /// Requests that are malformed.
    static let malformed: [RefusedMessage] = [
        .init("no Host", "GET / HTTP/1.1\r\n\r\n"),
        .init("an invalid Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        .init("a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
        .init("a blank in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
        .init("two blanks", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
        .init("a byte beyond ASCII", "GET /ä HTTP/1.1\r\nHost: a\r\n\r\n"),
        .init("a bad escape", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
        .init("an escaped NUL", "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n"),
        .init("above the root", "GET /a/../../b HTTP/1.1\r\nHost: a\r\n\r\n"),
        .init("no version", "GET /\r\n\r\n"),
        .init("a lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n"),
        .init("chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        .init("no HTTP at all", "\u{16}\u{03}\u{01}\u{02}\u{00}\u{01}\u{00}\u{01}\u{FC}\r\n\r\n"),
    ]

    /// The body of a request that is chunked.
    static let chunks: [RefusedMessage] = [
        .init("a size that is no number", "xyz\r\nabc\r\n0\r\n\r\n"),
        .init("a signed size", "+3\r\nabc\r\n0\r\n\r\n"),
        .init("a size with a prefix", "0x3\r\nabc\r\n0\r\n\r\n"),
        .init("a size that overflows", "10000000000000003\r\nabc\r\n0\r\n\r\n"),
        .init("a bare LF behind the size", "3\nabc\r\n0\r\n\r\n"),
        .init("data longer than said", "3\r\nabcd\r\n0\r\n\r\n"),
        .init("data without its CRLF", "3\r\nabc0\r\n\r\n"),
        .init("a bare LF in an extension", "3;a\nb\r\nabc\r\n0\r\n\r\n"),
        .init("a long extension", "3;\(String(repeating: "a", count: 400))\r\nabc\r\n0\r\n\r\n"),
    ]

    /// What is too large, and what the client is told.
    static let limits: [(RefusedMessage, Int, String)] = [
        (.init("body", "POST /s HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"), 413, "body_too_large"),
        (.init("target", "GET /\(x(9_000)) HTTP/1.1\r\nHost: a\r\n\r\n"), 414, "uri_too_long"),
        (.init("head", "GET /s HTTP/1.1\r\nHost: a\r\nX: \(x(33_000))\r\n\r\n"), 431, "headers_too_large"),
        (.init("fields", "GET /s HTTP/1.1\r\nHost: a\r\n\(x(101, "X: y\r\n"))\r\n"), 431, "headers_too_large"),
    ]

    private static func x(_ count: Int, _ text: String = "x") -> String { String(repeating: text, count: count) }
}

/// A message with a name that the output of a run can bear.
struct RefusedMessage: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String

    init(_ name: String, _ text: String) {
        self.name = name
        self.text = text
    }

    var testDescription: String { name }
}
