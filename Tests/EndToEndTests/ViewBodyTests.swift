import Foundation
import Testing

extension EndToEnd {
    /// The client's body as an input of a view's templates.
    @Suite
    struct ViewBodies {
        private static func json(_ body: String) -> String {
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }

        private static let isJSON = "Content-Type: application/json"

        /// A gateway with one view that looks into the body.
        private static func gateway(
            _ stub: StubUpstream, beside: String = "", match: String = "POST /x", _ gateway: String...
        ) throws -> GatewayProcess {
            var setup = GatewaySetup().upstream("stub", stub).route(
                #"""
                {"match": "\#(match)", "aggregate": {
                  "found": {"from": "stub", "get": "/find/{body.id}?q={body.a.0}"},
                  "made": {"from": "stub", "request": {"method": "PUT", "path": "/made",
                    "headers": {"x-id": "{body.id}"},
                    "body": {"all": "{body}", "some": "{body.a}", "text": "<{body.a.0}>", "none": "{body.none}"}}}
                }\#(beside)}
                """#)
            setup.gateway += gateway
            return try GatewayProcess(setup)
        }

        @Test("Values of the body keep their digits and escapes, and stay one segment of a path")
        func values() throws {
            let stub = try StubUpstream.answering { _ in Self.json("1") }
            let gateway = try Self.gateway(stub)
            let body = #"{"id":"../ä?","a" : ["\u0041&b", 1e999999, 12345678901234567890]}"#
            let client = try gateway.client()
            for framing in ["length", "chunked"] {
                if framing == "length" {
                    try client.request("POST /x", ["Content-Type: application/x+json; charset=utf-8"], body: body)
                } else {
                    // Piece by piece, so that it does not matter how it comes.
                    try client.request("POST /x", [Self.isJSON, "Transfer-Encoding: chunked"])
                    for scalar in body.unicodeScalars {
                        let text = String(scalar)
                        try client.send("\(text.utf8.count)\r\n\(text)\r\n")
                    }
                    try client.send("0\r\n\r\n")
                }
                let answer = try client.response()
                #expect(answer.status == 200 && answer.text == #"{"found":1,"made":1}"#, "\(client.transcript)")
            }
            for requests in [try stub.requests(4)[0...1], stub.requests[2...3]] {
                let find = try #require(requests.first { $0.method == "GET" })
                let made = try #require(requests.first { $0.method == "PUT" })
                #expect(find.target == "/find/..%2F%C3%A4%3F?q=A%26b")
                #expect(made["x-id"] == "../ä?" && made["content-type"] == "application/json", "\(made)")
                #expect(
                    String(decoding: made.body, as: UTF8.self)
                        == #"{"all":\#(body),"some":["\u0041&b", 1e999999, 12345678901234567890],"text":"<A&b>","none":null}"#
                )
            }
        }

        @Test(
            "What cannot be used is refused before anybody is asked",
            arguments: [
                ("", "{}", 415, "unsupported_media_type"),
                ("Content-Type: text/plain", "{}", 415, "unsupported_media_type"),
                ("Content-Type: application/json; charset=latin1", "{}", 415, "unsupported_media_type"),
                ("Content-Type: application/json\r\nContent-Encoding: gzip", "{}", 415, "unsupported_media_type"),
                (isJSON, "", 400, "invalid_body"), (isJSON, "{", 400, "invalid_body"),
                (isJSON, "{} x", 400, "invalid_body"),
                (isJSON, #"{"id":1,"id":2}"#, 400, "invalid_body"), (isJSON, "\u{FEFF}{}", 400, "invalid_body"),
                (isJSON, String(repeating: "[", count: 129) + String(repeating: "]", count: 129), 400, "invalid_body"),
                (isJSON, #"{"a":[1]}"#, 400, "missing_input"), (isJSON, #"{"id":null,"a":[1]}"#, 400, "missing_input"),
                (isJSON, #"{"id":"..","a":[1]}"#, 400, "missing_input"), (isJSON, #"{"id":1}"#, 400, "missing_input"),
                (isJSON, #"{"id":"x\ny","a":[1]}"#, 400, "missing_input"), (isJSON, "[1]", 400, "missing_input"),
                (isJSON, #"{"id":"\#(String(repeating: "x", count: 2000))","a":[1]}"#, 413, "body_too_large"),
            ])
        func refused(fields: String, body: String, status: Int, cause: String) throws {
            let stub = try StubUpstream.answering { _ in Self.json("1") }
            let gateway = try Self.gateway(stub, beside: #", "maxBody": "1KiB""#)
            let client = try gateway.client()
            let answer = try client.exchange("POST /x", fields.isEmpty ? [] : [fields], body: body)
            #expect(answer.status == status, "\(client.transcript)")
            #expect(answer.json["cause"] as? String == cause, "\(client.transcript)")
            #expect(answer["banyan-parts"] == nil && answer.json["parts"] == nil, "nothing was begun: \(answer)")
            #expect(stub.requests.isEmpty)
            #expect(try gateway.logLine(path: "/x")["cause"] as? String == cause)
        }

        @Test("A chunked body is bounded, too: by 1 MiB where the route does not say")
        func tooLong() throws {
            let stub = try StubUpstream.answering { _ in Self.json("1") }
            let gateway = try Self.gateway(stub)
            let piece = "10000\r\n" + String(repeating: " ", count: 65_536) + "\r\n"
            let client = try gateway.client().request("POST /x", [Self.isJSON, "Transfer-Encoding: chunked"])
            for _ in 0..<16 { try client.send(piece) }
            try client.send("2\r\n{}\r\n0\r\n\r\n")
            let answer = try client.response()
            #expect(answer.status == 413 && answer.json["cause"] as? String == "body_too_large", "\(answer)")
            #expect(stub.requests.isEmpty)
            let fits = try gateway.exchange(
                "POST /x", [Self.isJSON], body: #"{"id":1,"a":[2]}"# + String(repeating: " ", count: 1_000_000))
            #expect(fits.status == 200, "\(fits)")
        }

        @Test("Expect: 100-continue is answered where the body is wanted (RFC 9110 §10.1.1)")
        func expectation() throws {
            let stub = try StubUpstream.answering { _ in Self.json("1") }
            let client = try Self.gateway(stub).client()
            let body = #"{"id":1,"a":[2]}"#
            let length = "Content-Length: \(body.utf8.count)"
            try client.request("POST /x", [Self.isJSON, length, "Expect: 100-continue"])
            #expect(try client.responseOrInterim().status == 100, "\(client.transcript)")
            #expect(try client.send(body).response().status == 200, "\(client.transcript)")
            try client.request("POST /x", ["Content-Type: text/plain", length, "Expect: 100-continue"])
            #expect(try client.responseOrInterim().status == 415, "\(client.transcript)")
        }

        @Test("A body that falls silent ends the request, and nobody was asked")
        func silent() throws {
            let stub = try StubUpstream.answering { _ in Self.json("1") }
            let gateway = try Self.gateway(stub, #""timeouts": {"body": "200ms"}"#)
            let client = try gateway.client()
            let answer = try client.request("POST /x", [Self.isJSON, "Content-Length: 9"]).send("{").response()
            #expect(answer.status == 408 && answer["banyan-parts"] == nil, "\(client.transcript)")
            #expect(stub.requests.isEmpty)
            let line = try gateway.logLine(path: "/x")
            #expect(line["cause"] as? String == "request_timeout" && (line["parts"] as? [String: Any])?.isEmpty == true)
        }

        @Test("A client that leaves with half a body leaves nothing behind")
        func gone() throws {
            let stub = try StubUpstream.answering { _ in Self.json("1") }
            let gateway = try Self.gateway(stub)
            try gateway.client().request("POST /x", [Self.isJSON, "Content-Length: 9"]).send("{\"id\"").close()
            #expect(try gateway.logLine(path: "/x")["cause"] as? String == "client_closed")
            let answer = try gateway.exchange("POST /x", [Self.isJSON], body: #"{"id":1,"a":[2]}"#)
            #expect(answer.status == 200, "\(answer)")
            #expect(stub.requests.count == 2)
        }

        @Test("A view that needs nothing of the body takes any")
        func unread() throws {
            let stub = try StubUpstream.answering { _ in Self.json("1") }
            let gateway = try GatewayProcess(
                GatewaySetup().upstream("stub", stub)
                    .route(#"{"match": "POST /x", "aggregate": {"a": {"from": "stub", "get": "/"}}}"#))
            let client = try gateway.client()
            for body in ["", "{", String(repeating: "x", count: 2_000_000)] {
                #expect(try client.exchange("POST /x", body: body).text == #"{"a":1}"#, "\(body.prefix(3))")
            }
        }

        @Test(
            "Only routes for methods with a body can use it, within memory",
            arguments: [
                ("GET /x", "", "{body.id} needs a route for methods with a body alone"),
                ("/x", "", "{body.id} needs a route for methods with a body alone"),
                ("POST /x", #", "maxBody": "unlimited""#, "the body is held in memory as a whole: at most 8MiB"),
                ("POST /x", #", "maxBody": "9MiB""#, "the body is held in memory as a whole: at most 8MiB"),
            ])
        func refusedRoutes(match: String, beside: String, expected: String) throws {
            let stub = try StubUpstream.answering { _ in Self.json("1") }
            let failure = #expect(throws: (any Error).self) { try Self.gateway(stub, beside: beside, match: match) }
            #expect("\(String(describing: failure))".contains(expected), "\(String(describing: failure))")
        }
    }
}
