import Foundation
import Synchronization
import Testing

/// A collector of spans that does what the test says, and whose requests are decoded by OpenTelemetry's own definitions.
final class SpanCollector: Sendable {
    /// What it answers to a request, which has this number, from 0.
    typealias Answer = @Sendable (_ number: Int) -> String

    static let ok = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"

    let stub: StubUpstream
    private let folder: TemporaryFolder

    /// Answers with what `answer` gives.
    init(_ answer: @escaping Answer = { _ in SpanCollector.ok }) throws {
        folder = try TemporaryFolder()
        let count = Mutex(0)
        stub = try StubUpstream { connection in
            while try connection.request() != nil {
                let number = count.withLock { count in
                    defer { count += 1 }
                    return count
                }
                try connection.send(answer(number))
            }
        }
    }

    /// One request to it.
    struct Request {
        var resource: [String: Any]
        var spans: [Span]
        var hasUnknown: Bool
    }

    /// One span.
    struct Span: CustomStringConvertible {
        let object: [String: Any]

        func text(_ key: String) -> String { object[key] as? String ?? "" }
        func number(_ key: String) -> Int { (object[key] as? NSNumber)?.intValue ?? -1 }
        var name: String { text("name") }
        var attributes: [String: Any] { object["attributes"] as? [String: Any] ?? [:] }
        subscript(attribute: String) -> String? {
            attributes[attribute].map { ($0 as? String) ?? "\($0)" }
        }
        var events: [[String: Any]] { object["events"] as? [[String: Any]] ?? [] }
        var links: [[String: String]] { object["links"] as? [[String: String]] ?? [] }
        var description: String { "\(object)" }
    }

    /// Everything that came so far, decoded.
    func requests() throws -> [Request] {
        let bodies = stub.requests.map(\.body)
        var paths: [String] = []
        for (number, body) in bodies.enumerated() {
            let path = folder.file("\(number)")
            try Data(body).write(to: URL(fileURLWithPath: path))
            paths.append(path)
        }
        let process = try RunningProcess(
            try #require(ClientTool.python), [ClientTool.script("otlp_decode.py")] + paths)
        guard try process.end() == 0, let line = process.lines().last,
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
            let requests = object["requests"] as? [[String: Any]]
        else { throw ExchangeFailure("what came is no request", transcript: process.transcript) }
        return requests.map { request in
            Request(
                resource: request["resource"] as? [String: Any] ?? [:],
                spans: (request["spans"] as? [[String: Any]] ?? []).map(Span.init),
                hasUnknown: request["unknown"] as? Bool ?? true)
        }
    }

    /// The spans of all requests so far, when there are `count` or more of them.
    func spans(_ count: Int) throws -> [Span] {
        var found: [Span] = []
        try eventually("\(count) spans came") {
            if stub.requests.isEmpty { return false }
            found = try requests().flatMap(\.spans)
            return found.count >= count
        }
        return found
    }
}
