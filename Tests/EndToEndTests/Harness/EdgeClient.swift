import CNghttp2
import Foundation

/// A request as every version of HTTP can carry it.
struct EdgeRequest {
    var method = "GET"
    var path = "/"
    var fields: [(String, String)] = []
    var body: String?

    init(_ method: String = "GET", _ path: String = "/", _ fields: [(String, String)] = [], body: String? = nil) {
        self.method = method
        self.path = path
        self.fields = fields
        self.body = body
    }

    /// The bytes of HTTP/1.1.
    var text: String {
        var lines = ["\(method) \(path) HTTP/1.1", "Host: api.test"] + fields.map { "\($0.0): \($0.1)" }
        if let body { lines.append("Content-Length: \(body.utf8.count)") }
        return (lines + ["", ""]).joined(separator: "\r\n") + (body ?? "")
    }

    /// The frames of HTTP/2.
    func frames(_ stream: UInt32) -> [UInt8] {
        var fields = fields.map { ($0.0.lowercased(), $0.1) }
        if let body { fields.append(("content-length", "\(body.utf8.count)")) }
        let head = HTTP2Wire.head(stream, method, path, fields, ends: body == nil)
        return head + (body.map { HTTP2Wire.data(stream, $0, ends: true) } ?? [])
    }
}

/// What came of a request.
struct EdgeOutcome: CustomStringConvertible {
    enum End: Equatable {
        /// The answer came to its end.
        case whole
        /// The stream was reset with this code (RFC 9113 §7).
        case reset(UInt32)
        /// The connection ended before the answer did.
        case closed
    }

    /// The answer, as much of it as came; nil where not even its head did.
    var answer: HTTPText?
    var end: End
    /// What went over the wire, for a failure.
    var transcript: String

    /// The status of a whole answer, 0 of any other.
    var status: Int { end == .whole ? answer?.status ?? 0 : 0 }
    var text: String { answer?.text ?? "" }
    var cause: String? { answer?.cause }
    var description: String { "\(end)\n\(answer.map { "\($0)" } ?? "no answer")\n\(transcript)" }
}

/// A client on a connection of any kind: it sends one request after the other, and reads what comes of each.
final class EdgeClient {
    let kind: ConnectionKind
    let wire: Wire
    /// What speaks HTTP/2; nil on other connections.
    let http2: HTTP2Wire?
    private var inflater: OpaquePointer?
    /// The stream of the last request.
    private(set) var stream: UInt32 = 0
    /// The error code of the farewell that has come (RFC 9113 §6.8); nil where none has.
    private(set) var farewell: UInt32?
    private var lastMethod = ""
    private var frames: [String] = []

    /// A client on a connection on which nothing of HTTP has been said.
    init(_ kind: ConnectionKind, on wire: Wire) throws {
        self.kind = kind
        self.wire = wire
        guard kind.isHTTP2 else {
            http2 = nil
            return
        }
        // Windows that are never in the way.
        http2 = try HTTP2Wire(on: wire, settings: [(4, 1 << 30)])
        try wire.send(HTTP2Wire.window(0, 1 << 30))
        nghttp2_hd_inflate_new(&inflater)
    }

    deinit { if let inflater { nghttp2_hd_inflate_del(inflater) } }

    var transcript: String { kind.isHTTP2 ? frames.suffix(40).joined(separator: "\n") : wire.transcript }

    func close() { wire.close() }

    /// Sends a request.
    @discardableResult
    func send(_ request: EdgeRequest) throws -> EdgeClient {
        lastMethod = request.method
        stream += stream == 0 ? 1 : 2
        if kind.isHTTP2 { try wire.send(request.frames(stream)) } else { try wire.send(request.text) }
        return self
    }

    /// Sends a request and reads what comes of it.
    func exchange(_ request: EdgeRequest) throws -> EdgeOutcome { try send(request).outcome() }

    /// Reads what comes of the last request.
    func outcome() throws -> EdgeOutcome { try outcome(on: stream, toHead: lastMethod == "HEAD") }

    /// Reads what comes of the request on a stream, whose number HTTP/1.1 does not need.
    func outcome(on stream: UInt32, toHead: Bool = false) throws -> EdgeOutcome {
        var outcome = EdgeOutcome(answer: nil, end: .closed, transcript: "")
        do {
            if kind.isHTTP2 {
                try readStream(stream, into: &outcome)
            } else {
                try readAnswer(toHead: toHead, into: &outcome)
            }
        } catch let failure as ExchangeFailure {
            // The connection's end is an outcome; time that has run out is none.
            guard wire.isAtEnd else { throw failure }
        }
        outcome.transcript = transcript
        return outcome
    }

    // MARK: - HTTP/1.1

    private func readAnswer(toHead: Bool, into outcome: inout EdgeOutcome) throws {
        repeat {
            outcome.answer = try wire.head()
        } while (outcome.answer?.status ?? 200) < 200
        guard var answer = outcome.answer else { return }
        let hasBody = !toHead && answer.status != 204 && answer.status != 304
        if hasBody, answer.isChunked {
            try wire.chunkedBody(into: &answer)
        } else if hasBody, let length = answer.contentLength {
            answer.body = try wire.take(length)
        } else if hasBody {
            answer.body = try wire.takeAll()
            if wire.wasReset { return }
        }
        outcome = EdgeOutcome(answer: answer, end: .whole, transcript: "")
    }

    // MARK: - HTTP/2

    private func readStream(_ stream: UInt32, into outcome: inout EdgeOutcome) throws {
        var block: [UInt8] = []
        while let frame = try http2?.next() {
            frames.append("frame \(frame.type) flags \(frame.flags) on \(frame.stream), \(frame.payload.count) bytes")
            switch frame.type {
            case 1, 9:
                block += frame.payload
                guard frame.flags & 4 != 0 else { continue }
                let fields = try inflate(block)
                block.removeAll()
                if frame.stream == stream { take(fields, into: &outcome) }
            case 0 where frame.stream == stream:
                outcome.answer?.body += frame.payload
            case 3 where frame.stream == stream:
                outcome.end = .reset(frame.payload.reduce(0) { $0 << 8 | UInt32($1) })
                return
            case 7:
                farewell = frame.payload.dropFirst(4).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
            default: continue
            }
            if frame.stream == stream, frame.type < 2, frame.flags & 1 != 0 {
                outcome.end = .whole
                return
            }
        }
    }

    private func take(_ fields: [HTTPText.Field], into outcome: inout EdgeOutcome) {
        frames.append(fields.map(\.description).joined(separator: "\n"))
        guard let status = fields.first(where: { $0.name == ":status" })?.value else {
            outcome.answer?.trailers += fields
            return
        }
        if status.hasPrefix("1") { return }
        var answer = HTTPText(head: Array("HTTP/2 \(status)".utf8))
        answer.fields = fields.filter { $0.name != ":status" }
        outcome.answer = answer
    }

    private func inflate(_ block: [UInt8]) throws -> [HTTPText.Field] {
        var fields: [HTTPText.Field] = []
        var rest = block[...]
        while true {
            var pair = nghttp2_nv()
            var flags: CInt = 0
            let count = rest.withUnsafeBufferPointer {
                nghttp2_hd_inflate_hd2(inflater, &pair, &flags, $0.baseAddress, $0.count, 1)
            }
            guard count >= 0 else { throw wire.failure("a header block cannot be read: \(count)") }
            rest = rest.dropFirst(count)
            if flags & CInt(NGHTTP2_HD_INFLATE_EMIT.rawValue) != 0 {
                func text(_ bytes: UnsafeMutablePointer<UInt8>?, _ count: Int) -> String {
                    String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
                }
                fields.append(.init(name: text(pair.name, pair.namelen), value: text(pair.value, pair.valuelen)))
            }
            if flags & CInt(NGHTTP2_HD_INFLATE_FINAL.rawValue) != 0 { break }
        }
        nghttp2_hd_inflate_end_headers(inflater)
        return fields
    }
}
