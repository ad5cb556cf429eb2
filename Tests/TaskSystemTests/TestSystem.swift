import Foundation
import NIOCore
import Synchronization
import Testing

@testable import tasksystem

/// A process of the system inside the test, on a free port.
struct TestSystem {
    static let time = "2025-05-01T12:00:00Z"

    let server: HTTPServer
    let store: Store
    let log: Lines

    var client: RawClient { RawClient(port: server.port) }

    /// Runs `body` against the contexts and ends the server whatever happens.
    static func run<Result>(
        _ contexts: [BoundedContext] = BoundedContext.allCases, name: String = "monolith", file: String? = nil,
        tracer: Tracer? = nil,
        _ body: (TestSystem) async throws -> Result
    ) async throws -> Result {
        let store = try Store(contexts: contexts, file: file)
        let log = Lines()
        let system = TaskSystem(
            name: name, store: store, log: { log.append($0) }, diagnostics: { log.append($0) }, tracer: tracer,
            now: { time })
        let server = try await HTTPServer.start(host: "127.0.0.1", port: 0, responder: system)
        do {
            let result = try await body(TestSystem(server: server, store: store, log: log))
            await server.shutdown(grace: .zero)
            return result
        } catch {
            await server.shutdown(grace: .zero)
            throw error
        }
    }

    /// One request on a connection of its own.
    func send(
        _ method: String, _ target: String, _ body: String? = nil, headers: [String] = [],
        type: String? = "application/json"
    ) async throws -> Answer {
        var lines = ["\(method) \(target) HTTP/1.1", "Host: test", "Connection: close"] + headers
        if let body {
            if let type { lines.append("Content-Type: \(type)") }
            lines.append("Content-Length: \(body.utf8.count)")
        }
        let transcript = try await client.exchange(lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? ""))
        return try #require(Answer(transcript.text), "not an answer: \(transcript.text) \(transcript.ending)")
    }
}

/// Lines that were logged.
final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }

    func append(_ line: String) {
        lines.withLock { $0.append(line) }
    }
}

/// An answer taken apart.
struct Answer {
    var status: Int
    /// In the order received.
    var headers: [(name: String, value: String)]
    var body: String

    init?(_ text: String) {
        guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].split(separator: "\r\n").map(String.init)
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
        self.status = status
        headers = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (String(parts[0]), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
        }
        body = String(text[end.upperBound...])
    }

    subscript(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// The body as JSON.
    var json: JSONValue {
        get throws { try JSONDecoder().decode(JSONValue.self, from: Data(body.utf8)) }
    }

    /// A member of the body, or of an object in it: `answer["items", 0, "id"]` in steps.
    func member(_ path: any PathStep...) throws -> JSONValue? {
        var value: JSONValue? = try json
        for step in path {
            value = value.flatMap(step.take)
        }
        return value
    }

    /// The names of the fields that a refusal names.
    var refusedFields: [String] {
        get throws {
            guard case .array(let errors)? = try member("errors") else { return [] }
            return errors.compactMap { error in
                guard case .object(let members) = error, case .string(let name)? = members["field"] else { return nil }
                return name
            }
        }
    }
}

/// A step into a JSON value.
protocol PathStep {
    func take(_ value: JSONValue) -> JSONValue?
}

extension String: PathStep {
    func take(_ value: JSONValue) -> JSONValue? {
        if case .object(let members) = value { members[self] } else { nil }
    }
}

extension Int: PathStep {
    func take(_ value: JSONValue) -> JSONValue? {
        if case .array(let items) = value, items.indices.contains(self) { items[self] } else { nil }
    }
}
