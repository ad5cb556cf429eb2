import Foundation
import Testing

@testable import tasksystem

@Suite("Faults on purpose")
struct FaultTests {
    @Test(
        "a cut answer announces its whole length, gives half of it, and ends hard or in order",
        arguments: [
            ("1", RawClient.Ending.reset), ("fin", .endOfFile),
        ])
    func cut(kind: String, ending: RawClient.Ending) async throws {
        try await TestSystem.run { system in
            let whole = try await system.send("GET", "/tasks/1")
            let transcript = try await system.client.exchange("GET /tasks/1?cut=\(kind) HTTP/1.1\r\nHost: t\r\n\r\n")
            #expect(transcript.ending == ending)
            let answer = try #require(Answer(transcript.text))
            #expect(answer.status == 200)
            #expect(answer["Content-Length"] == whole["Content-Length"])
            #expect(answer["Connection"] == nil)
            #expect(answer.body == String(whole.body.prefix(whole.body.count / 2)))
        }
    }

    @Test(
        "a cut request has had its effect, one with a status has not",
        arguments: [
            ("cut=1", true), ("status=503", false), ("status=204", false),
        ])
    func effect(fault: String, hasEffect: Bool) async throws {
        try await TestSystem.run { system in
            let request = "POST /tasks/1/complete?\(fault) HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
            _ = try await system.client.exchange(request)
            let after = try await system.send("GET", "/tasks/1").member("status")
            #expect(after == .string(hasEffect ? "done" : "in_progress"))
        }
    }

    @Test(
        "an answer bears the status that was asked for, on any path",
        arguments: [
            ("/tasks/1?status=503", 503), ("/nothing?status=500", 500), ("/tasks?status=429&page=x", 429),
            ("/debug/request?status=299", 299), ("/tasks/1?status=204", 204), ("/tasks/1?status=304", 304),
        ])
    func status(target: String, status: Int) async throws {
        try await TestSystem.run { system in
            let answer = try await system.send("GET", target)
            #expect(answer.status == status)
            #expect(answer["Served-By"] == "monolith")
            if status == 204 || status == 304 {
                #expect(answer.body.isEmpty)
            } else {
                #expect(try answer.member("status") == .integer(Int64(status)))
            }
        }
    }

    @Test("a delayed answer does not hold up others")
    func delay() async throws {
        let store = try Store(contexts: [.tasks], file: nil)
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        let responder = AnnouncingResponder(
            inner: TaskSystem(name: "tasks", store: store, diagnostics: { _ in }), arrivals: continuation)
        let server = try await HTTPServer.start(host: "127.0.0.1", port: 0, responder: responder)
        let client = RawClient(port: server.port)
        // Many more than there are threads; none of them is answered while the test runs.
        async let slow = withThrowingTaskGroup(of: RawClient.Transcript.self) { group in
            for _ in 0..<16 {
                group.addTask { try await client.exchange("GET /tasks/1?delay=10m HTTP/1.1\r\nHost: t\r\n\r\n") }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        var arrivals = stream.makeAsyncIterator()
        for _ in 0..<16 {
            #expect(await arrivals.next() == "/tasks/1?delay=10m")
        }
        let quick = try await client.exchange("GET /tasks/2 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
        #expect(Answer(quick.text)?.status == 200)
        await server.shutdown(grace: .zero)
        #expect(try await slow.map(\.text) == Array(repeating: "", count: 16))
    }

    @Test("an answer waits as long as it was asked to")
    func waits() async throws {
        try await TestSystem.run { system in
            let start = ContinuousClock.now
            let answer = try await system.send("GET", "/tasks/1?delay=150ms")
            #expect(answer.status == 200)
            #expect(ContinuousClock.now - start >= .milliseconds(150))
        }
    }

    @Test("a fault that is not understood is refused and has no effect")
    func misunderstood() async throws {
        try await TestSystem.run { system in
            let answer = try await system.send("POST", "/tasks/1/complete?delay=5")
            #expect(answer.status == 400)
            #expect(try answer.refusedFields == ["delay"])
            #expect(try await system.send("GET", "/tasks/1").member("status") == .string("in_progress"))
        }
    }
}
