import Foundation
import NIOHTTP1

/// Faults on purpose, asked for in the query of any path: `?delay=300ms`, `?status=503`, `?cut=1`.
struct FaultInjection: Equatable, Sendable {
    /// How long the answer waits. Other requests are not held up.
    var delay: Duration?
    /// Answered in place of the real thing; the request has no effect then.
    var status: Int?
    /// How the answer is broken off. The request has its effect.
    var ending = HTTPReply.Ending.whole

    static let longestDelay = Duration.seconds(600)

    /// - Throws: ``Problem`` 400 naming each parameter that cannot be understood.
    init(query: QueryParameters) throws(Problem) {
        var errors: [FieldError] = []
        if let text = query["delay"] {
            delay = Self.duration(text)
            if delay == nil {
                errors.append(FieldError(field: "delay", message: "must be like 300ms, 2s or 1m, and at most 10m"))
            }
        }
        // A task's status is a word, so the name can mean both.
        if let text = query["status"], let number = Int(text) {
            status = number
            if !(200...599).contains(number) {
                errors.append(
                    FieldError(field: "status", message: "must be from 200 to 599 to be answered as asked for"))
            }
        }
        if let text = query["cut"] {
            switch text {
            case "1": ending = .reset
            case "fin": ending = .closed
            default: errors.append(FieldError(field: "cut", message: "must be 1 (reset) or fin (orderly close)"))
            }
        }
        if !errors.isEmpty {
            throw Problem(.badRequest, "The fault that is asked for is not understood.", errors: errors)
        }
    }

    /// The answer that stands in for the real one, if a status was asked for.
    var reply: HTTPReply? {
        guard let status else { return nil }
        return Problem(HTTPResponseStatus(statusCode: status), "Asked for by ?status=\(status).").reply
    }

    private static func duration(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits), number <= 600_000 else { return nil }
        let duration: Duration
        switch text.dropFirst(digits.count) {
        case "ms": duration = .milliseconds(number)
        case "s": duration = .seconds(number)
        case "m": duration = .seconds(number * 60)
        default: return nil
        }
        return duration <= longestDelay ? duration : nil
    }
}
