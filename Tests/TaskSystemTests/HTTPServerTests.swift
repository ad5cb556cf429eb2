import Foundation
import NIOHTTP1
import Testing

@testable import tasksystem

@Suite("HTTP on the wire")
struct HTTPServerTests {
    @Test("a connection is kept for the next request, and closed when asked (RFC 9112 §9.3)")
    func keepAlive() async throws {
        try await TestSystem.run { system in
            let transcript = try await system.client.exchange(
                "GET /tasks/1 HTTP/1.1\r\nHost: t\r\n\r\n",
                "GET /users/1 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
            #expect(transcript.ending == .endOfFile)
            #expect(transcript.text.matches(of: /HTTP\/1\.1 200 OK\r\n/).count == 2)
            #expect(transcript.text.matches(of: /[Cc]onnection: close\r\n/).count == 1)
        }
    }

    @Test("HTTP/1.0 stays only when asked to")
    func http10() async throws {
        try await TestSystem.run { system in
            let transcript = try await system.client.exchange(
                "GET /tasks/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET /tasks/2 HTTP/1.0\r\n\r\n")
            #expect(transcript.ending == .endOfFile)
            #expect(Answer(transcript.text)?["Connection"] == "keep-alive")
            let second = try #require(transcript.text.ranges(of: "HTTP/1.1 200 OK").last)
            #expect(Answer(String(transcript.text[second.lowerBound...]))?["Connection"] == "close")
            #expect(transcript.text.ranges(of: "HTTP/1.1 200 OK").count == 2)
        }
    }

    @Test("a client that has shut down its sending side gets its answer")
    func halfClose() async throws {
        try await TestSystem.run { system in
            let transcript = try await system.client.exchange(
                "GET /tasks/1?delay=50ms HTTP/1.1\r\nHost: t\r\n\r\n", closesWrite: true)
            #expect(transcript.ending == .endOfFile)
            #expect(Answer(transcript.text)?.status == 200)
        }
    }

    @Test(
        "HEAD gives the head of GET and nothing else (RFC 9110 §9.3.2)",
        arguments: [
            "/tasks/1", "/tasks", "/tasks/1/comments", "/tasks/99999", "/debug/request", "/tasks/1?status=503",
        ])
    func head(target: String) async throws {
        try await TestSystem.run { system in
            let get = try await system.send("GET", target)
            let head = try await system.send("HEAD", target)
            #expect(head.status == get.status)
            #expect(head.body.isEmpty)
            #expect(head.headers.map(\.name) == get.headers.map(\.name))
            let difference = target == "/debug/request" ? 2 * ("HEAD".count - "GET".count) : 0
            #expect(head["Content-Length"] == String(get.body.utf8.count + difference))
        }
    }

    @Test(
        "every answer names its process, its length, and its date",
        arguments: [
            ("GET", "/tasks/1"), ("GET", "/nothing"), ("DELETE", "/audit/1"), ("GET", "/tasks?page=0"),
            ("GET", "/tasks/1?status=500"), ("GET", "/healthz"), ("POST", "/tasks"), ("OPTIONS", "/tasks"),
        ])
    func everyAnswer(method: String, target: String) async throws {
        try await TestSystem.run(name: "monolith") { system in
            let answer = try await system.send(method, target)
            #expect(answer["Served-By"] == "monolith")
            #expect(answer["Date"]?.hasSuffix(" GMT") == true)
            #expect(answer["Content-Length"] == (answer.status == 204 ? nil : String(answer.body.utf8.count)))
        }
    }

    @Test("what is not HTTP is answered with 400 and closed")
    func garbage() async throws {
        try await TestSystem.run { system in
            let transcript = try await system.client.exchange("\u{1}\u{2}nonsense\r\n\r\n")
            let answer = try #require(Answer(transcript.text))
            #expect(answer.status == 400)
            #expect(answer["Served-By"] == "monolith")
            #expect(answer["Connection"] == "close")
            #expect(transcript.ending != .silence)
        }
    }

    @Test("a body beyond the limit is refused, announced or not (RFC 9110 §15.5.14)", arguments: [true, false])
    func tooLarge(announced: Bool) async throws {
        try await TestSystem.run { system in
            let size = TaskSystem.bodyLimit + 1
            let framing = announced ? "Content-Length: \(size)" : "Transfer-Encoding: chunked"
            let head = "POST /tasks HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n\(framing)\r\n\r\n"
            let content = String(repeating: "x", count: size)
            let body = announced ? content : "\(String(size, radix: 16))\r\n\(content)\r\n0\r\n\r\n"
            let transcript = try await system.client.exchange(head, body)
            let answer = try #require(Answer(transcript.text))
            #expect(answer.status == 413)
            #expect(answer["Connection"] == "close")
            #expect(try answer.member("status") == .integer(413))
        }
    }

    @Test("100-continue is answered before the body, and not at all when the body is refused (RFC 9110 §10.1.1)")
    func expectation() async throws {
        try await TestSystem.run { system in
            let head =
                "POST /tasks/1/comments HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
                + "Connection: close\r\nExpect: 100-continue\r\n"
            let body = #"{"user_id":1,"body":"Here it is."}"#
            let accepted = try await system.client.exchange(head + "Content-Length: \(body.utf8.count)\r\n\r\n", body)
            #expect(accepted.text.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n"))
            let refused = try await system.client.exchange(head + "Content-Length: 9999999\r\n\r\n", closesWrite: true)
            #expect(refused.text.hasPrefix("HTTP/1.1 413 "))
        }
    }

    @Test("the request comes back as it was received: order, case and duplicates of its headers")
    func echo() async throws {
        try await TestSystem.run { system in
            let answer = try await system.send(
                "POST", "/debug/request/?b=2&a=%41", "hello",
                headers: ["x-Second: 2", "X-FIRST:   1  ", "X-second: again", "Cookie: a=1", "cookie: b=2", "Empty:"])
            #expect(try answer.member("request_line") == .string("POST /debug/request/?b=2&a=%41 HTTP/1.1"))
            #expect(try answer.member("body_size") == .integer(5))
            let headers = [
                ["Host", "test"], ["Connection", "close"], ["x-Second", "2"], ["X-FIRST", "1  "],
                ["X-second", "again"],
                ["Cookie", "a=1"], ["cookie", "b=2"], ["Empty", ""], ["Content-Type", "application/json"],
                ["Content-Length", "5"],
            ]
            #expect(try answer.member("headers") == .array(headers.map { .array($0.map(JSONValue.string)) }))
        }
    }

    @Test("a body for /debug/request is counted, whatever its size and framing")
    func countsBody() async throws {
        try await TestSystem.run { system in
            let chunk = "20000\r\n" + String(repeating: "z", count: 0x20000) + "\r\n"
            let chunks = String(repeating: chunk, count: 16)
            let transcript = try await system.client.exchange(
                "PUT /debug/request HTTP/1.1\r\nHost: t\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
                chunks, "0\r\n\r\n")
            #expect(try Answer(transcript.text)?.member("body_size") == .integer(16 * 0x20000))
        }
    }

    @Test("a shutdown lets an answer under way end and closes idle connections at once")
    func shutdown() async throws {
        let store = try Store(contexts: [.comments], file: nil)
        let system = TaskSystem(name: "comments", store: store, diagnostics: { _ in })
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        let responder = AnnouncingResponder(inner: system, arrivals: continuation)
        let server = try await HTTPServer.start(host: "127.0.0.1", port: 0, responder: responder)
        let client = RawClient(port: server.port)
        var arrivals = stream.makeAsyncIterator()
        async let idle = client.exchange("GET /comments/1 HTTP/1.1\r\nHost: t\r\n\r\n")
        #expect(await arrivals.next() == "/comments/1")
        async let busy = client.exchange("GET /comments/2?delay=200ms HTTP/1.1\r\nHost: t\r\n\r\n")
        #expect(await arrivals.next() == "/comments/2?delay=200ms")
        await server.shutdown(grace: .seconds(5))
        let (first, second) = try await (idle, busy)
        #expect(Answer(first.text)?.status == 200)
        #expect(first.ending == .endOfFile)
        #expect(Answer(second.text)?.status == 200)
        #expect(Answer(second.text)?["Connection"] == "close")
        #expect(second.ending == .endOfFile)
        await #expect(throws: RawClient.Failure.self) { try await client.exchange("GET / HTTP/1.1\r\n\r\n") }
    }

    @Test("a shutdown does not wait longer than it was told")
    func impatientShutdown() async throws {
        let store = try Store(contexts: [.comments], file: nil)
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        let responder = AnnouncingResponder(
            inner: TaskSystem(name: "comments", store: store, diagnostics: { _ in }), arrivals: continuation)
        let server = try await HTTPServer.start(host: "127.0.0.1", port: 0, responder: responder)
        async let hanging = RawClient(port: server.port).exchange(
            "GET /comments/1?delay=10m HTTP/1.1\r\nHost: t\r\n\r\n")
        var arrivals = stream.makeAsyncIterator()
        #expect(await arrivals.next() == "/comments/1?delay=10m")
        let start = ContinuousClock.now
        await server.shutdown(grace: .milliseconds(20))
        #expect(ContinuousClock.now - start < .seconds(5))
        let transcript = try await hanging
        #expect(transcript.bytes.isEmpty)
        #expect(transcript.ending != .silence)
    }
}
