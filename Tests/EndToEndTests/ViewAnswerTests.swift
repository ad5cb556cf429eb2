import Foundation
import Testing

extension EndToEnd {
    /// What the answers of parts may be, and what becomes of a view whose parts are none (routes-json, aggregate).
    @Suite
    struct ViewAnswers {
        /// What the gzip command makes of a text.
        static func gzip(_ text: String) throws -> [UInt8] {
            let command = Process()
            command.executableURL = URL(filePath: "/bin/gzip")
            command.arguments = ["-c9"]
            let (input, output) = (Pipe(), Pipe())
            command.standardInput = input
            command.standardOutput = output
            try command.run()
            let writer = input.fileHandleForWriting
            Thread.detachNewThread {
                try? writer.write(contentsOf: Data(text.utf8))
                try? writer.close()
            }
            let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
            command.waitUntilExit()
            return Array(bytes)
        }

        /// A service that answers with these fields and this body, in two pieces.
        private static func service(_ fields: [String], _ body: [UInt8]) throws -> StubUpstream {
            try StubUpstream { connection in
                while try connection.request() != nil {
                    let head = ["HTTP/1.1 200 OK", "Content-Length: \(body.count)"] + fields
                    try connection.send(head.joined(separator: "\r\n") + "\r\n\r\n")
                    try connection.wire.send(Array(body.prefix(body.count / 2)))
                    try connection.wire.send(Array(body.dropFirst(body.count / 2)))
                }
            }
        }

        private static func gateway(_ stub: StubUpstream, _ other: StubUpstream? = nil) throws -> GatewayProcess {
            let other = try other ?? .saying("2")
            return try GatewayProcess(
                GatewaySetup().upstream("stub", stub).upstream("other", other).route(
                    #"""
                    {"match": "/view", "aggregate": {"a": {"from": "stub", "get": "/", "optional": true},
                                                     "b": {"from": "other", "get": "/", "optional": true}}}
                    """#))
        }

        @Test(
            "A compressed part is expanded (RFC 9110 §8.4.1.3)",
            arguments: ["gzip", "x-gzip", "GZIP", "identity, gzip"])
        func compressed(coding: String) throws {
            let text = "[" + (0..<20_000).map { "\($0)" }.joined(separator: ", ") + "]"
            let stub = try Self.service(["Content-Encoding: \(coding)"], try Self.gzip(text))
            let client = try Self.gateway(stub).client()
            for _ in 0..<2 {
                let answer = try client.exchange("GET /view")
                #expect(answer.text == #"{"a":\#(text),"b":2}"#, "\(answer.startLine)")
                #expect(answer.values("content-encoding").isEmpty)
            }
            #expect(try stub.lastRequest().values("accept-encoding").isEmpty, "nothing compressed is asked for")
        }

        @Test(
            "A part that cannot be expanded fails, and the log says why",
            arguments: ["cut", "damaged", "followed", "twice", "deflate", "br", "plain", "empty", "bomb"])
        func badCoding(fault: String) throws {
            var coding = "gzip"
            var body = try Self.gzip(#"{"a":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#)
            switch fault {
            case "cut": body.removeLast()
            case "damaged": body[body.count - 6] ^= 1
            case "followed": body.append(0x0A)
            case "twice": coding = "gzip, gzip"
            case "plain": body = Array("{}".utf8)
            case "empty": body = []
            case "bomb": body = try Self.gzip(String(repeating: " ", count: 64 << 20))
            default: coding = fault
            }
            let gateway = try Self.gateway(try Self.service(["Content-Encoding: \(coding)"], body))
            let answer = try gateway.exchange("GET /view")
            let reason = fault == "bomb" ? "too_large" : "bad_coding"
            #expect(answer.text == #"{"a":null,"b":2}"#, "\(answer)")
            #expect(answer["banyan-partial"] == "a;reason=\(reason)", "\(answer)")
            let parts = try gateway.logLine(path: "/view")["parts"] as? [String: Any]
            #expect((parts?["a"] as? [String: Any])?["cause"] as? String == reason, "\(String(describing: parts))")
        }

        @Test(
            "What says that it is not JSON in UTF-8 is not read as such (RFC 8259 §8.1)",
            arguments: [
                ("application/json", true), ("Application/Problem+JSON; Charset=\"UTF-8\"", true),
                ("application/json; charset=us-ascii", true), ("text/html; charset=utf-8", false),
                ("application/json; charset=iso-8859-1", false), ("text/plain", false),
            ])
        func types(type: String, isTaken: Bool) throws {
            let stub = try Self.service(["Content-Type: \(type)"], Array("[1]".utf8))
            let answer = try Self.gateway(stub).exchange("GET /view")
            #expect(answer.text == (isTaken ? #"{"a":[1],"b":2}"# : #"{"a":null,"b":2}"#), "\(answer)")
            #expect(answer["banyan-partial"] == (isTaken ? nil : "a;reason=not_json"), "\(answer)")
        }

        @Test("A client that wants all or nothing gets nothing where a part fails (RFC 7240 §4.4)")
        func strict() throws {
            let stub = try StubUpstream.answering { _ in "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" }
            let client = try Self.gateway(stub).client()
            let lenient = try client.exchange("GET /view", ["Prefer: handling=lenient, handling=strict"])
            #expect(lenient.status == 200 && lenient["preference-applied"] == nil, "\(client.transcript)")
            #expect(lenient["banyan-partial"] == "a;reason=bad_status;status=404", "\(client.transcript)")
            let strict = try client.exchange("GET /view", ["Prefer: wait=5", "prefer: Handling = \"strict\""])
            #expect(strict.status == 404, "\(client.transcript)")
            #expect(strict["content-type"] == "application/problem+json", "\(client.transcript)")
            #expect(strict["preference-applied"] == "handling=strict", "\(client.transcript)")
            #expect(strict.values("vary") == ["Prefer"], "\(client.transcript)")
            #expect(try client.exchange("GET /view").status == 200, "\(client.transcript)")

            let whole = try Self.gateway(try .saying("1", "Vary: Accept-Language")).client()
            let answer = try whole.exchange("GET /view", ["Prefer: handling=strict"])
            #expect(answer.text == #"{"a":1,"b":2}"#, "\(whole.transcript)")
            #expect(answer["preference-applied"] == "handling=strict", "\(whole.transcript)")
            #expect(Set(answer.values("vary")) == ["Accept-Language", "Prefer"], "\(whole.transcript)")
        }

        @Test("For as long as a part has waited for others it has grown older (RFC 9111 §4.2.3)")
        func aging() throws {
            let slow = try StubUpstream { connection in
                while try connection.request() != nil {
                    Thread.sleep(forTimeInterval: 1.2)
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nCache-Control: max-age=900\r\n\r\n2")
                }
            }
            let client = try Self.gateway(try .saying("1", "Cache-Control: max-age=60", "Age: 10"), slow).client()
            let answer = try client.exchange("GET /view")
            let left = answer["cache-control"]?.split(separator: "=").last.flatMap { Int($0) } ?? 0
            #expect(answer.text == #"{"a":1,"b":2}"# && (40...49).contains(left), "\(client.transcript)")
        }

        @Test("What a view tells caches is the strictest of its parts (RFC 9111 §3.5, §4.2)")
        func caching() throws {
            let stub = try StubUpstream.saying("1", "Cache-Control: must-revalidate, max-age=60", "Vary: Cookie")
            let other = try StubUpstream.saying("2", "Cache-Control: max-age=90", "Age: 60", "Vary: accept-language")
            let client = try Self.gateway(stub, other).client()
            let answer = try client.exchange("GET /view")
            #expect(answer["cache-control"] == "max-age=30, must-revalidate", "\(client.transcript)")
            #expect(answer["vary"] == "Cookie, accept-language", "\(client.transcript)")
            let own = try client.exchange("GET /view", ["Authorization: Basic eA=="])
            #expect(own["cache-control"] == "private, max-age=30, must-revalidate", "\(client.transcript)")
            let tag = try #require(answer["etag"])
            let same = try client.exchange("GET /view", ["If-None-Match: \"a\", \(tag)"])
            #expect(same.status == 304 && same["etag"] == tag, "\(client.transcript)")
            #expect(same["cache-control"] == answer["cache-control"] && same["vary"] == answer["vary"])
        }
    }
}
