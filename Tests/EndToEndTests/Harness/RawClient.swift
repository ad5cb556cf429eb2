import Foundation

/// A client that sends exactly the bytes that a test gives it, and reads exactly one answer after the other.
final class RawClient {
    let wire: Wire

    /// The gateway, which lives at least as long as its clients.
    private let gateway: GatewayProcess?

    init(_ place: SocketPlace, of gateway: GatewayProcess? = nil, receiveBuffer: CInt? = nil) throws {
        wire = Wire(adopting: try place.connect(receiveBuffer: receiveBuffer))
        self.gateway = gateway
    }

    var transcript: String { wire.transcript }

    /// Sends bytes as they are.
    @discardableResult
    func send(_ text: String) throws -> RawClient {
        try wire.send(text)
        return self
    }

    /// Sends a request; `Host` is added, and `Content-Length` when there is a body.
    @discardableResult
    func request(
        _ line: String, _ fields: [String] = [], body: String? = nil
    ) throws -> RawClient {
        var lines = ["\(line) HTTP/1.1", "Host: api.test"] + fields
        if let body { lines.append("Content-Length: \(body.utf8.count)") }
        return try send((lines + ["", ""]).joined(separator: "\r\n") + (body ?? ""))
    }

    /// Reads one answer by its own framing (RFC 9112 §6.3), after any interim ones.
    ///
    /// - Parameter toHead: whether the request was HEAD, whose answer has no body whatever its fields say.
    func response(toHead: Bool = false) throws -> HTTPText {
        while true {
            let next = try responseOrInterim(toHead: toHead)
            if next.status >= 200 { return next }
        }
    }

    /// Reads one answer, or an interim one.
    func responseOrInterim(toHead: Bool = false) throws -> HTTPText {
        guard var message = try wire.head() else { throw wire.failure("the connection ended without an answer") }
        let status = message.status
        guard status >= 100, message.startLine.hasPrefix("HTTP/1.1 ") else {
            throw wire.failure("not a status line: \(message.startLine.debugDescription)")
        }
        if toHead || status < 200 || status == 204 || status == 304 { return message }
        if message.isChunked {
            try wire.chunkedBody(into: &message)
        } else if let length = message.contentLength {
            message.body = try wire.take(length)
        } else {
            message.body = try wire.takeAll()
        }
        return message
    }

    /// Sends a request on this connection and reads its answer.
    func exchange(_ line: String, _ fields: [String] = [], body: String? = nil) throws -> HTTPText {
        try request(line, fields, body: body).response(toHead: line.hasPrefix("HEAD "))
    }

    /// Reads what is left until the gateway closes the connection.
    func rest() throws -> String { String(decoding: try wire.takeAll(), as: UTF8.self) }

    /// Whether the gateway closes the connection without another byte.
    func isClosed() throws -> Bool { try wire.takeAll().isEmpty }

    func close() { wire.close() }

    func reset() { wire.reset() }
}
