import Foundation
import NIOHTTP1

/// What a responder answers.
struct HTTPReply: Sendable {
    var status: HTTPResponseStatus
    var headers: HTTPHeaders = [:]
    var body = Data()
    var ending = Ending.whole

    /// How the answer ends. All but `whole` are faults on purpose.
    enum Ending: Sendable, Equatable {
        case whole
        /// Head with the full `Content-Length`, half of the body, then a reset (RST) of the connection.
        case reset
        /// The same, but closed in order (FIN): the peer sees an end of file in the middle of the body.
        case closed
    }

    init(status: HTTPResponseStatus, headers: HTTPHeaders = [:], body: Data = Data()) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// A JSON answer; members of objects come sorted by name, so that the same record always gives the same bytes.
    static func json(
        _ value: some Encodable, status: HTTPResponseStatus = .ok, type: String = "application/json"
    ) throws -> HTTPReply {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return HTTPReply(status: status, headers: ["Content-Type": type], body: try encoder.encode(value))
    }

    /// The answer to a creation: 201 with the new record and its place.
    static func created(_ value: some Encodable, at location: String) throws -> HTTPReply {
        var reply = try json(value, status: .created)
        reply.headers.add(name: "Location", value: location)
        return reply
    }

    static let noContent = HTTPReply(status: .noContent)
}
