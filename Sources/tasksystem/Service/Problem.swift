import NIOHTTP1

/// A refusal, sent as `application/problem+json` (RFC 9457).
struct Problem: Error, Encodable, Equatable {
    var status: Int
    var title: String
    var detail: String
    /// Every field or query parameter that is wrong, not only the first.
    var errors: [FieldError]?
    /// Headers of the answer, `Allow` for instance.
    var headers: HTTPHeaders = [:]

    enum CodingKeys: CodingKey {
        case status, title, detail, errors
    }

    init(_ status: HTTPResponseStatus, _ detail: String, errors: [FieldError]? = nil, headers: HTTPHeaders = [:]) {
        self.status = Int(status.code)
        title = status.reasonPhrase
        self.detail = detail
        self.errors = errors
        self.headers = headers
    }

    /// The record does not exist, or never did.
    static func notFound(_ noun: String, _ identifier: Int64) -> Problem {
        Problem(.notFound, "There is no \(noun) \(identifier).")
    }

    var reply: HTTPReply {
        let status = HTTPResponseStatus(statusCode: status)
        do {
            var reply = try HTTPReply.json(self, status: status, type: "application/problem+json")
            reply.headers.add(contentsOf: headers)
            return reply
        } catch {
            // Text and numbers always encode; an answer without a body is still the right answer.
            return HTTPReply(status: status, headers: headers)
        }
    }
}

/// One thing that is wrong with what was sent.
struct FieldError: Codable, Equatable, Sendable {
    var field: String
    var message: String
}
