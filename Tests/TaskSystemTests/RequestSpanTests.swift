import GRDB
import Synchronization
import Testing

@testable import tasksystem

@Suite("The spans of requests")
struct RequestSpanTests {
    private static let trace = "0af7651916cd43dd8448eb211c80319c"
    private static let caller = "b7ad6b7169203331"

    /// Takes the spans of requests, those of one request at once.
    private final class Recorder: Sendable {
        private let spans = Mutex<[[SpanRecord]]>([])
        var all: [[SpanRecord]] { spans.withLock { $0 } }
        var last: [SpanRecord] { all.last ?? [] }

        func tracer(_ sampler: TraceSampler = .standard) -> Tracer {
            Tracer(sampler: sampler) { new in self.spans.withLock { $0.append(new) } }
        }
    }

    @Test("a request continues its caller's trace, and what the database is asked is a span below it")
    func continued() async throws {
        let recorder = Recorder()
        let before = RequestClock().now
        try await TestSystem.run(tracer: recorder.tracer()) { system in
            _ = try await system.send(
                "GET", "/tasks/7?delay=20ms&secret=1",
                headers: ["traceparent: 00-\(Self.trace)-\(Self.caller)-01", "tracestate: a=b", "User-Agent: test"])
        }
        try #require(recorder.last.count == 2)
        let server = recorder.last[0], database = recorder.last[1]
        #expect(server.name == "GET /tasks/{id}" && server.kind == .server)
        #expect(server.trace.text == Self.trace && server.parent?.sixteenDigits == Self.caller)
        #expect(server.state?.text == "a=b" && server.flags == 0x301 && !server.isError)
        let expected: [SpanRecord.Attribute] = [
            .init(key: "http.request.method", value: .text("GET")),
            .init(key: "http.route", value: .text("/tasks/{id}")),
            .init(key: "url.scheme", value: .text("http")), .init(key: "url.path", value: .text("/tasks/7")),
            .init(key: "server.address", value: .text("test")), .init(key: "server.port", value: .number(80)),
            .init(key: "network.protocol.version", value: .text("1.1")),
            .init(key: "user_agent.original", value: .text("test")),
            .init(key: "http.response.status_code", value: .number(200)),
        ]
        #expect(server.attributes == expected)
        #expect(database.name == "SELECT tasks" && database.kind == .client && !database.isError)
        #expect(database.trace == server.trace && database.parent == server.span && database.span != server.span)
        #expect(database.flags == 0x101)
        #expect(
            database.attributes == [
                .init(key: "db.system.name", value: .text("sqlite")),
                .init(key: "db.operation.name", value: .text("SELECT")),
                .init(key: "db.collection.name", value: .text("tasks")),
            ])
        let times = [before, server.start, database.start, database.end, server.end]
        #expect(times == times.sorted(), "\(times)")
        #expect(server.end - server.start >= 20_000_000 && server.end - before < 60_000_000_000)
    }

    @Test(
        "who is not followed begins a new trace",
        arguments: [
            [], ["traceparent: ff-\(trace)-\(caller)-01"], ["traceparent: 00-\(trace)-0000000000000000-01"],
            ["traceparent: 00-\(trace)-\(caller)-01", "Traceparent: 00-\(trace)-\(caller)-01"],
        ])
    func root(headers: [String]) async throws {
        let recorder = Recorder()
        try await TestSystem.run(tracer: recorder.tracer()) { system in
            _ = try await system.send("GET", "/tasks/7", headers: headers + ["tracestate: a=b"])
        }
        let server = try #require(recorder.last.first)
        #expect(server.parent == nil && server.state == nil)
        #expect(server.trace.text != Self.trace && server.trace != TraceIdentifier(high: 0, low: 0))
        #expect(server.flags == 0x103, "sampled, and the id is random")
    }

    @Test("a trace that is not sampled leaves nothing, unless the sampler asks nobody")
    func unsampled() async throws {
        let header = "traceparent: 00-\(Self.trace)-\(Self.caller)-02"
        let recorder = Recorder()
        try await TestSystem.run(tracer: recorder.tracer()) { system in
            let answer = try await system.send("GET", "/tasks/7", headers: [header])
            #expect(answer.status == 200)
        }
        #expect(recorder.all.isEmpty)
        let all = TraceSampler(followsParent: false, share: 1)
        try await TestSystem.run(tracer: recorder.tracer(all)) { system in
            _ = try await system.send("GET", "/tasks/7", headers: [header])
        }
        #expect(recorder.last.first?.flags == 0x303, "the random flag is the caller's, the sampled one is ours")
        let none = TraceSampler(followsParent: true, share: 0)
        try await TestSystem.run(tracer: recorder.tracer(none)) { system in
            _ = try await system.send("GET", "/tasks/7")
        }
        #expect(recorder.all.count == 1)
    }

    @Test(
        "the name has the pattern, whatever the answer",
        arguments: [
            ("GET", "/tasks/7?status=503", "GET /tasks/{id}", "/tasks/7", 503),
            ("GET", "/tasks/7?delay=x", "GET /tasks/{id}", "/tasks/7", 400),
            ("GET", "/tasks/999", "GET /tasks/{id}", "/tasks/999", 404),
            ("HEAD", "/tasks/7/comments", "HEAD /tasks/{id}/comments", "/tasks/7/comments", 200),
            ("DELETE", "/audit/1", "DELETE /audit/{id}", "/audit/1", 405),
            ("GET", "/no/such/path%20", "GET", "/no/such/path%20", 404), ("GET", "/tasks/x", "GET", "/tasks/x", 404),
            ("GET", "/", "GET /", "/", 200), ("GET", "/debug/request", "GET /debug/request", "/debug/request", 200),
            ("LOCK", "/tasks", "HTTP /tasks", "/tasks", 405),
            ("GET", "http://u:secret@h/tasks/1?q#f", "GET", "/tasks/1", 404), ("OPTIONS", "*", "OPTIONS", "*", 404),
        ])
    func names(method: String, target: String, name: String, path: String, status: Int) async throws {
        let recorder = Recorder()
        try await TestSystem.run(tracer: recorder.tracer()) { system in
            let answer = try await system.send(method, target)
            #expect(answer.status == status)
        }
        let server = try #require(recorder.last.first)
        #expect(server.name == name)
        #expect(server["url.path"] == .text(path))
        #expect(server["http.response.status_code"] == .number(status))
        #expect(server["http.request.method"] == .text(method == "LOCK" ? "_OTHER" : method))
        #expect(server["http.request.method_original"] == (method == "LOCK" ? .text(method) : nil))
        // What a client does wrong is no error of the server.
        #expect(server.isError == (status >= 500))
        #expect(server["error.type"] == (status >= 500 ? .text("\(status)") : nil))
        #expect(!"\(recorder.all)".contains("secret"))
    }

    @Test(
        "each transaction is a span with what it is there for",
        arguments: [
            ("GET", "/users?size=1", nil, ["SELECT users"]), ("DELETE", "/comments/1", nil, ["DELETE comments"]),
            ("POST", "/tasks/1/complete", nil, ["UPDATE tasks"]),
            ("PATCH", "/tasks/1", #"{"title":"x"}"#, ["UPDATE tasks"]),
            ("POST", "/comments", #"{"task_id":1,"user_id":1,"body":"x"}"#, ["INSERT comments"]),
            ("POST", "/comments", "{", []), ("GET", "/tasks/1?status=500", nil, []),
        ] as [(String, String, String?, [String])])
    func transactions(method: String, target: String, body: String?, names: [String]) async throws {
        let recorder = Recorder()
        try await TestSystem.run(tracer: recorder.tracer()) { system in
            _ = try await system.send(method, target, body)
        }
        #expect(recorder.last.dropFirst().map(\.name) == names)
    }

    @Test("what the database refuses is its error; a record that is not there is none")
    func databaseErrors() async throws {
        let recorder = Recorder()
        try await TestSystem.run(tracer: recorder.tracer()) { system in
            _ = try await system.send("GET", "/tasks/999")
            #expect(recorder.last.last?.name == "SELECT tasks" && recorder.last.last?.isError == false)
            try await system.store.database.write { db in try db.execute(sql: "DROP TABLE comments") }
            let answer = try await system.send("GET", "/comments/1")
            #expect(answer.status == 500)
        }
        let database = try #require(recorder.last.last)
        #expect(database.name == "SELECT comments" && database.isError)
        // SQLITE_ERROR
        #expect(database["error.type"] == .text("1") && database["db.response.status_code"] == .text("1"))
        #expect(recorder.last.first?["error.type"] == .text("500"))
    }

    @Test("a body that is too large has a span, too, and what is not HTTP has none")
    func refusals() async throws {
        let recorder = Recorder()
        try await TestSystem.run(tracer: recorder.tracer()) { system in
            let head = "POST /tasks HTTP/1.1\r\nHost: t\r\nContent-Length: 9999999\r\n"
            _ = try await system.client.exchange(
                head + "traceparent: 00-\(Self.trace)-\(Self.caller)-01\r\n\r\n", closesWrite: true)
            _ = try await system.client.exchange("\u{1}\u{2}nonsense\r\n\r\n")
        }
        #expect(recorder.all.count == 1)
        let server = try #require(recorder.last.first)
        #expect(server.name == "POST /tasks" && server.trace.text == Self.trace)
        #expect(server["http.response.status_code"] == .number(413))
    }

    @Test("a client that has gone is no error, and was answered nothing")
    func gone() async throws {
        let recorder = Recorder()
        let store = try Store(contexts: [.tasks], file: nil)
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        let system = TaskSystem(name: "tasks", store: store, diagnostics: { _ in }, tracer: recorder.tracer())
        let server = try await HTTPServer.start(
            host: "127.0.0.1", port: 0, responder: AnnouncingResponder(inner: system, arrivals: continuation))
        let client = RawClient(port: server.port)
        async let hanging = client.exchange("GET /tasks/1?delay=10m HTTP/1.1\r\nHost: t\r\n\r\n")
        var arrivals = stream.makeAsyncIterator()
        #expect(await arrivals.next() != nil)
        await server.shutdown(grace: .zero)
        _ = try await hanging
        try await eventually("the span ended") { !recorder.all.isEmpty }
        let span = try #require(recorder.last.first)
        #expect(span.name == "GET /tasks/{id}" && !span.isError && span["http.response.status_code"] == nil)
    }

    @Test("what a client chose is cut, between two characters")
    func bounds() async throws {
        let recorder = Recorder()
        let agent = "x" + String(repeating: "\u{e9}", count: 4000)
        try await TestSystem.run(tracer: recorder.tracer()) { system in
            _ = try await system.send("GET", "/tasks/1", headers: ["User-Agent: \(agent)"])
        }
        #expect(
            recorder.last.first?["user_agent.original"] == .text("x" + String(repeating: "\u{e9}", count: 511)))
    }

    @Test(
        "a Host taken apart",
        arguments: [
            ("a.test", "a.test", nil), ("a.test:81", "a.test", 81), ("[::1]:81", "::1", 81), ("[::1]", "::1", nil),
            ("a:", "a", nil), ("", nil, nil), ("a:b", nil, nil), ("[::1", nil, nil), (":80", nil, nil),
            ("[::1]x", nil, nil), ("a:99999", nil, nil),
        ] as [(String, String?, Int?)])
    func host(text: String, host: String?, port: Int?) {
        let place = HostAndPort(text)
        #expect(place?.host == host && place?.port == port)
    }

    @Test("an id is never zero, which would mean that there is none")
    func identifiers() {
        let numbers = Mutex<[UInt64]>([0, 0, 7])
        let tracer = Tracer(random: { numbers.withLock { $0.removeFirst() } }, record: { _ in })
        #expect(tracer.identifier() == 7)
    }
}

extension SpanRecord {
    /// The value of the first attribute with that key.
    fileprivate subscript(_ key: String) -> Value? {
        attributes.first { $0.key == key }?.value
    }
}
