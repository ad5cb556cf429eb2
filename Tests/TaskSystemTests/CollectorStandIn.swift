import Foundation
import NIOHTTP1
import Synchronization

@testable import tasksystem

/// A collector that answers as the test says.
final class CollectorStandIn: HTTPResponder {
    typealias Answer = @Sendable (_ number: Int) async -> HTTPReply

    private let answer: Answer
    private let state = Mutex<[HTTPRequest]>([])

    init(_ answer: @escaping Answer = { _ in HTTPReply(status: .ok) }) {
        self.answer = answer
    }

    /// What came so far.
    var requests: [HTTPRequest] { state.withLock { $0 } }

    /// The spans that came so far, as the members of their JSON.
    func spans() throws -> [[String: JSONValue]] {
        try requests.flatMap { request in
            let document = try JSONDecoder().decode(JSONValue.self, from: request.body)
            guard case .array(let resources)? = "resourceSpans".take(document), let resource = resources.first,
                case .array(let scopes)? = "scopeSpans".take(resource), let scope = scopes.first,
                case .array(let spans)? = "spans".take(scope)
            else { return [] as [[String: JSONValue]] }
            return spans.compactMap { if case .object(let members) = $0 { members } else { nil } }
        }
    }

    func bodyLimit(for head: HTTPRequestHead) -> Int? { 1 << 26 }

    func refusal(_ status: HTTPResponseStatus, detail: String, of request: HTTPRequest?) -> HTTPReply {
        HTTPReply(status: status)
    }

    func respond(to request: HTTPRequest) async -> HTTPReply {
        let number = state.withLock { requests in
            requests.append(request)
            return requests.count - 1
        }
        return await answer(number)
    }

    /// Runs `body` with this collector and an exporter to it, and ends both.
    func run(
        _ change: (inout ExportSettings) -> Void = { _ in },
        _ body: (SpanExporter, Lines) async throws -> Void
    ) async throws {
        let server = try await HTTPServer.start(host: "127.0.0.1", port: 0, responder: self)
        var settings = ExportSettings(host: "127.0.0.1", port: server.port, target: "/v1/traces")
        settings.resource = [.init(name: "service.name", value: "test")]
        settings.delay = .milliseconds(5)
        change(&settings)
        let lines = Lines()
        let exporter = SpanExporter(settings) { lines.append($0) }
        do {
            try await body(exporter, lines)
        } catch {
            await exporter.shutdown(within: .zero)
            await server.shutdown(grace: .zero)
            throw error
        }
        await exporter.shutdown(within: .zero)
        await server.shutdown(grace: .zero)
    }
}
