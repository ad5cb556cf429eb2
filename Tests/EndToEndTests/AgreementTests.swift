import Foundation
import Testing

extension EndToEnd {
    /// The same request gets the same answer, and is the same at the upstream, over every kind of connection.
    @Suite(.enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
    struct Agreement {
        private static let requests: [EdgeRequest] = [
            EdgeRequest("GET", "/own"), EdgeRequest("HEAD", "/own"), EdgeRequest("POST", "/own", body: "body"),
            EdgeRequest("GET", "/moved/a?b=c"), EdgeRequest("POST", "/moved/a", body: "body"),
            EdgeRequest("GET", "/none"),
            EdgeRequest("HEAD", "/none"), EdgeRequest("POST", "/none", body: "body"),
            EdgeRequest("PUT", "/get", body: "body"),
            EdgeRequest("OPTIONS", "/get"), EdgeRequest("TRACE", "/get"), EdgeRequest("OPTIONS", "*"),
            EdgeRequest("GET", "/get?x=%20"), EdgeRequest("HEAD", "/get"), EdgeRequest("GET", "/to/a/../b%2fc"),
            EdgeRequest("POST", "/to/echo", body: "body"), EdgeRequest("POST", "/to/echo", body: ""),
            EdgeRequest("QUERY", "/to/echo", body: "query"), EdgeRequest("DELETE", "/to/204"),
            EdgeRequest("GET", "/to/205"),
            EdgeRequest("GET", "/to/304", [("If-None-Match", "\"a\"")]), EdgeRequest("HEAD", "/to/304"),
            EdgeRequest("GET", "/to/500"), EdgeRequest("GET", "/to/599"), EdgeRequest("GET", "/to/chunked"),
            EdgeRequest("HEAD", "/to/chunked"), EdgeRequest("GET", "/to/trailers", [("TE", "trailers")]),
            EdgeRequest("GET", "/to/close"), EdgeRequest("GET", "/to/early"), EdgeRequest("GET", "/to/cookies"),
            EdgeRequest("GET", "/to/empty"), EdgeRequest("GET", "/to/emptychunks"), EdgeRequest("GET", "/to/large"),
            EdgeRequest(
                "GET", "/to/fields", [("X-A", "1"), ("X-B", ""), ("X-A", "2"), ("Cookie", "a=b"), ("Accept", "*/*")]),
            EdgeRequest("GET", "/view/1"), EdgeRequest("HEAD", "/view/1"),
            EdgeRequest("POST", "/view/1", body: "body"), EdgeRequest("GET", "/view/1", [("If-None-Match", "*")]),
        ]

        private static func stub() throws -> StubUpstream {
            try StubUpstream { connection in
                while let request = try connection.request() {
                    let word = request.target.split(separator: "/").last.map(String.init) ?? ""
                    let ok = "HTTP/1.1 200 OK\r\n"
                    func sized(_ head: String, _ body: String) -> String {
                        "\(head)Content-Length: \(body.utf8.count)\r\n\r\n" + (request.method == "HEAD" ? "" : body)
                    }
                    func chunked(_ head: String, _ chunks: String) -> String {
                        "\(head)Transfer-Encoding: chunked\r\n\r\n" + (request.method == "HEAD" ? "" : chunks)
                    }
                    switch word {
                    case "echo": try connection.send(sized(ok, request.text))
                    case "204": try connection.send("HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n")
                    case "205": try connection.send("HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n")
                    case "304":
                        try connection.send("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\n")
                    case "500", "599": try connection.send(sized("HTTP/1.1 \(word) Oh\r\n", "oh"))
                    case "chunked": try connection.send(chunked(ok, "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"))
                    case "emptychunks": try connection.send(chunked(ok, "0\r\n\r\n"))
                    case "trailers":
                        try connection.send(
                            chunked(ok + "Trailer: X-T\r\n", "2\r\nab\r\n0\r\nX-T: a\r\nHost: b\r\n\r\n"))
                    case "close": return try connection.send(ok + "\r\nuntil the end")
                    case "early":
                        try connection.send(
                            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 P\r\n\r\n" + sized(ok, "late"))
                    case "cookies":
                        try connection.send(sized(ok + "Set-Cookie: a=b\r\nset-cookie: c=d; e\r\nX-Empty:\r\n", "ok"))
                    case "empty": try connection.send(sized(ok, ""))
                    case "large": try connection.send(sized(ok, String(repeating: "large ", count: 50_000)))
                    case "part1":
                        try connection.send(
                            sized(ok + "Content-Type: application/json\r\n", #"{"id": 1, "name": "one"}"#))
                    case "part2": try connection.send(sized("HTTP/1.1 404 Not Found\r\n", ""))
                    default: try connection.send(sized(ok, request.target))
                    }
                }
            }
        }

        /// Fields that differ from answer to answer, or say how an answer comes.
        private static let varying: Set = [
            "date", "x-request-id", "connection", "transfer-encoding", "via", "traceparent", "forwarded",
            "x-forwarded-proto", "banyan-deadline-ms",
        ]

        private static func text(of message: HTTPText) -> String {
            let fields = message.fields.filter { !varying.contains($0.name.lowercased()) }
                .map { "\($0.name.lowercased()): \($0.value)" }
            // The ids of a problem document are of one request alone.
            let body = message.text.replacing(/"(request_id|trace_id)":"[^"]*"/, with: "")
            return (fields.sorted() + [body] + message.trailers.map { $0.name.lowercased() + ": " + $0.value }).joined(
                separator: "\n")
        }

        @Test("Answers and upstream requests do not depend on how the client is connected")
        func agreement() throws {
            let stub = try Self.stub()
            let setup = GatewaySetup().upstream("stub", stub)
                .route(#"{"match": "/own", "respond": {"status": 203, "body": "own"}}"#)
                .route(#"{"match": "/moved/{rest...}", "redirect": {"location": "/own/{rest}"}}"#)
                .route(#"{"match": "GET /get", "to": "stub"}"#).route(#"{"match": "/to/{rest...}", "to": "stub"}"#)
                .route(
                    #"""
                    {"match": "GET /view/{id}", "aggregate": {
                        "one": {"from": "stub", "get": "/part{id}"},
                        "two": {"from": "stub", "get": "/part2", "optional": true, "default": []}}}
                    """#)
            let edge = try EdgeGateway(setup)
            var expected: [String] = []
            for kind in ConnectionKind.allCases {
                var client = try edge.client(kind)
                for (number, request) in Self.requests.enumerated() {
                    let before = stub.requests.count
                    let outcome = try client.exchange(request)
                    #expect(outcome.end == .whole, "\(kind.rawValue), \(request): \(outcome)")
                    let answer = outcome.answer.map(Self.text) ?? ""
                    let seen = stub.requests[before...].map { "\($0.method) \($0.target)\n\(Self.text(of: $0))" }
                        .sorted()
                    let all = "\(outcome.status)\n\(answer)\n--- upstream\n\(seen.joined(separator: "\n"))"
                    if kind == .http1 {
                        expected.append(all)
                    } else {
                        #expect(all == expected[number], "\(kind.rawValue), \(request)")
                    }
                    if outcome.answer?["connection"] == "close" { client = try edge.client(kind) }
                }
            }
        }
    }
}
