import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing

@testable import tasksystem

@Suite("Exporting spans")
struct SpanExportTests {
    private static func span(_ number: UInt64 = 1) -> SpanRecord {
        SpanRecord(
            trace: TraceIdentifier(high: 0xAB, low: 0xCD), span: number, parent: nil, state: nil, flags: 0x103,
            name: "GET", kind: .server, start: 1, end: 2)
    }

    private static func hang() async -> HTTPReply {
        try? await Task.sleep(for: .seconds(3600))
        return HTTPReply(status: .ok)
    }

    /// A port that nobody listens on.
    private static func deadPort() async throws -> Int {
        let server = try await HTTPServer.start(host: "127.0.0.1", port: 0, responder: CollectorStandIn())
        await server.shutdown(grace: .zero)
        return server.port
    }

    @Test("a request's spans arrive as OTLP's JSON has them")
    func document() async throws {
        let collector = CollectorStandIn()
        try await collector.run { settings in
            settings.headers = [.init(name: "Authorization", value: "Basic x"), .init(name: "Host", value: "c.test")]
            settings.target = "/in?k=v"
        } _: { exporter, lines in
            let tracer = Tracer { exporter.record($0) }
            try await TestSystem.run(tracer: tracer) { system in
                _ = try await system.send(
                    "GET", "/tasks/1?status=503",
                    headers: [
                        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-00ad6b7169203331-01",
                        "tracestate: ot=th:8", "User-Agent: \"quoted\"/\u{e9}",
                    ])
                _ = try await system.send("GET", "/tasks/1")
            }
            try await eventually("the spans came") { try collector.spans().count == 3 }
            let spans = try collector.spans()
            let server = try #require(spans.first { $0["traceState"] != nil })
            #expect(server["traceId"] == .string("0af7651916cd43dd8448eb211c80319c"))
            #expect(server["parentSpanId"] == .string("00ad6b7169203331"))
            #expect(server["traceState"] == .string("ot=th:8"))
            #expect(server["flags"] == .integer(0x301) && server["kind"] == .integer(2))
            #expect(server["name"] == .string("GET /tasks/{id}"))
            #expect(server["status"] == .object(["code": .integer(2)]))
            guard case .string(let start)? = server["startTimeUnixNano"],
                case .string(let end)? = server["endTimeUnixNano"],
                case .array(let attributes)? = server["attributes"], case .string(let id)? = server["spanId"]
            else {
                Issue.record("\(server)")
                return
            }
            let times = try [start, end].map { try #require(UInt64($0)) }
            #expect(times == times.sorted() && id.wholeMatch(of: /[0-9a-f]{16}/) != nil)
            func attribute(_ key: String, _ kind: String, _ value: String) -> JSONValue {
                .object(["key": .string(key), "value": .object([kind: .string(value)])])
            }
            #expect(attributes.contains(attribute("http.response.status_code", "intValue", "503")))
            #expect(attributes.contains(attribute("error.type", "stringValue", "503")))
            #expect(attributes.contains(attribute("user_agent.original", "stringValue", "\"quoted\"/\u{e9}")))
            let root = try #require(spans.first { $0["parentSpanId"] == nil })
            #expect(root["status"] == nil && root["traceState"] == nil)
            let database = try #require(spans.first { $0["kind"] == .integer(3) })
            #expect(database["parentSpanId"] == root["spanId"] && database["traceId"] == root["traceId"])
            let request = try #require(collector.requests.first)
            #expect(request.method == .POST && request.head.uri == "/in?k=v")
            #expect(request.head.headers["content-type"] == ["application/json"])
            #expect(request.head.headers["authorization"] == ["Basic x"])
            #expect(request.head.headers["host"] == ["c.test"])
            let resource = #""resource":{"attributes":[{"key":"service.name","value":{"stringValue":"test"}}]}"#
            #expect(String(decoding: request.body, as: UTF8.self).contains(resource))
            #expect(lines.all.isEmpty)
        }
    }

    @Test("a batch has at most so many spans, and does not wait once it is full")
    func batches() async throws {
        let collector = CollectorStandIn()
        try await collector.run { settings in
            settings.delay = .seconds(3600)
            settings.batch = 10
        } _: { exporter, _ in
            exporter.record((1...9).map { Self.span($0) })
            exporter.record((10...25).map { Self.span($0) })
            try await eventually("two batches came") { collector.requests.count == 2 }
            let counts = await exporter.shutdown(within: .seconds(10))
            #expect(counts == .init(exported: 25))
            #expect(collector.requests.count == 3)
            let ids = try collector.spans().map { $0["spanId"] }
            #expect(ids == (1...25).map { .string(UInt64($0).sixteenDigits) })
        }
    }

    @Test("requests go over one connection, also after it was closed by the other side")
    func connection() async throws {
        let collector = CollectorStandIn { number in
            HTTPReply(status: .ok, headers: number == 1 ? ["Connection": "close"] : [:])
        }
        try await collector.run { settings in
            settings.batch = 1
        } _: { exporter, lines in
            for number in 1...4 {
                exporter.record([Self.span(UInt64(number))])
                try await eventually("it came") { collector.requests.count == number }
            }
            #expect(await exporter.shutdown(within: .seconds(10)) == .init(exported: 4))
            #expect(collector.requests.count == 4, "nothing is sent twice")
            #expect(lines.all.isEmpty)
        }
    }

    @Test("a kept connection that was closed meanwhile costs nothing")
    func staleConnection() async throws {
        let connections = Mutex(0)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let listener = try await ServerBootstrap(group: group).childChannelInitializer { channel in
            let number = connections.withLock { count in
                count += 1
                return count
            }
            return channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                try channel.pipeline.syncOperations.addHandler(ForgetfulServer(answers: number == 1 ? 1 : .max))
            }
        }.bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        let client = CollectorClient(ExportSettings(host: "127.0.0.1", port: port, target: "/"))
        for _ in 1...3 {
            #expect(await client.post(Data("x".utf8)) == .taken(rejected: 0, message: ""))
        }
        #expect(connections.withLock { $0 } == 2)
        await client.close()
        try await group.shutdownGracefully()
    }

    /// Answers so many requests of a connection, and closes it at the next.
    private final class ForgetfulServer: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private var answers: Int

        init(answers: Int) {
            self.answers = answers
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .end = unwrapInboundIn(data) else { return }
            guard answers > 0 else { return context.close(promise: nil) }
            answers -= 1
            let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["Content-Length": "0"])
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }

    @Test("at the bound the oldest spans make room, and are counted; requests are answered as ever")
    func overflow() async throws {
        let collector = CollectorStandIn { _ in await Self.hang() }
        try await collector.run { settings in
            settings.queue = 50
            settings.batch = 10
        } _: { exporter, lines in
            exporter.record([Self.span()])
            try await eventually("one batch is under way") { collector.requests.count == 1 }
            let tracer = Tracer { exporter.record($0) }
            try await TestSystem.run(tracer: tracer) { system in
                for _ in 0..<40 {
                    let answer = try await system.send("GET", "/tasks/1")
                    #expect(answer.status == 200)
                }
            }
            let counts = await exporter.shutdown(within: .milliseconds(10))
            #expect(counts == .init(exported: 0, dropped: 80, lost: 1))
            #expect(lines.all.last == "81 of 81 spans were not exported")
        }
    }

    @Test("the queue keeps the newest")
    func newest() {
        let calls = Mutex(0)
        let queue = SpanQueue(capacity: 4, batch: 3) { calls.withLock { $0 += 1 } }
        queue.append([Self.span(1), Self.span(2)])
        #expect(calls.withLock { $0 } == 0)
        queue.append((3...6).map { Self.span($0) })
        queue.append([Self.span(7)])
        #expect(calls.withLock { $0 } == 1, "it is said once that there are enough")
        #expect(queue.dropped == 3)
        #expect(queue.take(atLeast: 5).isEmpty)
        #expect(queue.take(atLeast: 1).map(\.span) == [4, 5, 6])
        #expect(queue.take(atLeast: 3).isEmpty)
        queue.close()
        queue.append([Self.span(8)])
        #expect(queue.take(atLeast: 1).isEmpty && queue.dropped == 5)
    }

    @Test("a collector that hangs is given up, tried again, and told of once")
    func hanging() async throws {
        let collector = CollectorStandIn { number in number == 0 ? await Self.hang() : HTTPReply(status: .ok) }
        try await collector.run { settings in
            settings.timeout = .milliseconds(200)
            settings.target += "?key=secret"
        } _: { exporter, lines in
            exporter.record([Self.span()])
            try await eventually("it is tried again") { lines.all.count == 2 }
            #expect(lines.all[0].hasSuffix("/v1/traces: it does not answer in time"))
            #expect(lines.all[1] == "spans are exported again; 0 were lost")
            #expect(Set(collector.requests.map(\.body)).count == 1, "it is the same batch")
            #expect(await exporter.shutdown(within: .seconds(10)) == .init(exported: 1))
        }
    }

    @Test("a collector that is not there is tried again, and the end does not wait for it")
    func dead() async throws {
        let port = try await Self.deadPort()
        var settings = ExportSettings(host: "127.0.0.1", port: port, target: "/v1/traces")
        settings.delay = .milliseconds(5)
        let lines = Lines()
        let exporter = SpanExporter(settings) { lines.append($0) }
        exporter.record([Self.span()])
        try await eventually("it is told") { lines.all.count == 1 }
        #expect(lines.all[0].hasSuffix(": there is no connection"))
        let start = ContinuousClock.now
        #expect(await exporter.shutdown(within: .seconds(20)) == .init(lost: 1))
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(lines.all.last == "1 of 1 spans were not exported")
    }

    @Test("the end sends what is left, and not longer than it may")
    func shutdown() async throws {
        let collector = CollectorStandIn()
        try await collector.run { settings in
            settings.delay = .seconds(3600)
        } _: { exporter, lines in
            exporter.record((1...1200).map { Self.span($0) })
            #expect(await exporter.shutdown(within: .seconds(20)) == .init(exported: 1200))
            let spans = try collector.spans()
            #expect(spans.count == 1200 && lines.all.isEmpty)
            exporter.record([Self.span()])
        }
        let hanging = CollectorStandIn { _ in await Self.hang() }
        try await hanging.run { settings in
            settings.delay = .seconds(3600)
        } _: { exporter, lines in
            exporter.record([Self.span()])
            let start = ContinuousClock.now
            #expect(await exporter.shutdown(within: .milliseconds(100)) == .init(lost: 1))
            #expect(ContinuousClock.now - start < .seconds(5))
            #expect(lines.all.contains { $0.hasSuffix("there was no more time") })
        }
    }

    @Test(
        "what an answer means (OTLP/HTTP)",
        arguments: [
            (200, nil, "", .taken(rejected: 0, message: "")),
            (200, nil, "{}", .taken(rejected: 0, message: "")), (202, nil, "no JSON", .taken(rejected: 0, message: "")),
            (
                200, nil, #"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"a\u001b[2J\nb"}}"#,
                .taken(rejected: 3, message: "a?[2J?b")
            ),
            (200, nil, #"{"partialSuccess":{"rejectedSpans":4}}"#, .taken(rejected: 4, message: "")),
            (200, nil, #"{"partialSuccess":{"rejectedSpans":-4}}"#, .taken(rejected: 0, message: "")),
            (429, "7", "", .later("it answers 429", after: .seconds(7))),
            (503, "86400", "", .later("it answers 503", after: .seconds(30))),
            (502, "-1", "", .later("it answers 502", after: nil)),
            (504, "Sun, 06 Nov 1994 08:49:37 GMT", "", .later("it answers 504", after: nil)),
            (400, nil, "", .refused("it answers 400")), (500, "1", "", .refused("it answers 500")),
            (302, nil, "", .refused("it answers 302")),
        ] as [(Int, String?, String, CollectorVerdict)])
    func verdicts(status: Int, retryAfter: String?, body: String, expected: CollectorVerdict) {
        let answer = CollectorAnswer(status: status, retryAfter: retryAfter, body: Array(body.utf8))
        #expect(CollectorVerdict(answer) == expected)
    }

    @Test("refused spans are lost and not sent again, those of a busy collector are")
    func refusals() async throws {
        let collector = CollectorStandIn { number in
            switch number {
            case 0: HTTPReply(status: .serviceUnavailable, headers: ["Retry-After": "0"])
            case 1: HTTPReply(status: .badRequest)
            case 2:
                HTTPReply(
                    status: .ok, body: Data(#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"odd"}}"#.utf8))
            default: HTTPReply(status: .ok)
            }
        }
        try await collector.run { settings in
            settings.batch = 2
        } _: { exporter, lines in
            exporter.record([Self.span(1), Self.span(2)])
            try await eventually("the batch was tried twice") { collector.requests.count == 2 }
            exporter.record([Self.span(3), Self.span(4)])
            try await eventually("the next one came") { collector.requests.count == 3 }
            exporter.record([Self.span(5)])
            try await eventually("it works again") { lines.all.count == 2 }
            #expect(lines.all[0].hasSuffix(": it answers 503"))
            #expect(lines.all[1] == "spans are exported again; 3 were lost")
            #expect(await exporter.shutdown(within: .seconds(10)) == .init(exported: 2, lost: 3))
            #expect(lines.all.last == "3 of 5 spans were not exported")
        }
    }

    @Test("a batch that nobody takes is given up after a while")
    func patience() async throws {
        let collector = CollectorStandIn { number in
            HTTPReply(status: number < 2 ? .tooManyRequests : .ok, headers: ["Retry-After": "0"])
        }
        try await collector.run { settings in
            settings.patience = .zero
        } _: { exporter, lines in
            exporter.record([Self.span(1)])
            try await eventually("it was refused") { collector.requests.count == 1 }
            exporter.record([Self.span(2)])
            try await eventually("the next was refused") { collector.requests.count == 2 }
            exporter.record([Self.span(3)])
            try await eventually("it works again") { lines.all.count == 2 }
            #expect(lines.all[1] == "spans are exported again; 2 were lost")
        }
    }

    @Test("an endless answer is not read to its end", arguments: ["body", "head"])
    func endless(part: String) async throws {
        let long = String(repeating: "x", count: 1 << 18)
        let collector = CollectorStandIn { _ in
            part == "body"
                ? HTTPReply(status: .serviceUnavailable, body: Data(long.utf8))
                : HTTPReply(status: .ok, headers: ["X-Long": long])
        }
        let server = try await HTTPServer.start(host: "127.0.0.1", port: 0, responder: collector)
        let client = CollectorClient(ExportSettings(host: "127.0.0.1", port: server.port, target: "/"))
        #expect(await client.post(Data("x".utf8)) == .refused("its answer is too long"))
        await client.close()
        await server.shutdown(grace: .zero)
    }
}
