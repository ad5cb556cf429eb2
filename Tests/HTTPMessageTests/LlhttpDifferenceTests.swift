import ByteBuffers
import HTTPMessage
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

/// A message as either reader understood it.
private struct Understood: Equatable, CustomStringConvertible {
    /// Method and target, or the status.
    var start: String
    var minorVersion: Int
    var fields: [String]
    var content: [UInt8] = []
    var trailers: [String] = []
    /// Whether the end of the body was seen.
    var isWhole = false

    var description: String {
        let text = String(decoding: content, as: UTF8.self).debugDescription
        return "\(start) 1.\(minorVersion) \(fields) \(text) \(trailers) whole: \(isWhole)"
    }
}

/// What a reader made of all bytes of a connection: messages in order, then perhaps a failure.
private struct Reading {
    var messages: [Understood] = []
    var failure: String?
    /// The connection goes no further after the last message: what follows is not read.
    var isClosed = false
}

/// What llhttp refuses and this room takes, by llhttp's words for it, each with its reason.
private func mayBeLooser(_ failure: String?, _ message: Understood) -> Bool {
    switch failure {
    case "invalid HTTP method":
        // llhttp knows a list of methods; any token is a method (RFC 9110 9.1) and is passed on.
        return !["GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "PATCH ", "OPTIONS "].contains {
            message.start.hasPrefix($0)
        }
    case "invalid character in content-length header":
        // llhttp reads a trailer Content-Length as if it stood in the head; here it is dropped (RFC 9110 6.5.1).
        return message.fields.contains { $0.lowercased() == "transfer-encoding: chunked" }
    default:
        return false
    }
}

/// What this room refuses and llhttp takes, by our words for it, each with its reason. Anything else that only one of
/// the two takes is an error.
private let stricter: [String: String] = [
    "Host is missing": "RFC 9112 3.2: MUST be 400; llhttp leaves Host to its user",
    "Host stands twice": "RFC 9112 3.2: MUST be 400",
    "Host is not a host and port": "RFC 9112 3.2: MUST be 400",
    "the request target has a byte that may not stand in it": "RFC 3986 2; llhttp takes fragments and bytes above 0x7F",
    "the request target has no form that the method allows": "RFC 9112 3.2; llhttp does not look at the method",
    "the target * goes with OPTIONS alone": "RFC 9112 3.2.4",
    "the path has a % without two hexadecimal digits": "RFC 3986 2.1; llhttp does not decode",
    "the path leads above the root": "RFC 3986 5.2.4; llhttp does not normalise",
    "the path has a backslash": "many recipients read it as a slash",
    "a control byte stands in the head": "RFC 9110 5.5; llhttp takes control bytes in some places",
    "Transfer-Encoding is not the one word chunked": "RFC 9112 6.1: 501 or 400 for codings that are not understood",
    "Transfer-Encoding stands in an HTTP/1.0 message": "RFC 9112 6.1: faulty framing",
    "a framing field is spelt with an underscore": "CGI cannot tell _ from -",
    "the one expectation that can be met is 100-continue": "RFC 9110 10.1.1: 417",
    "the status code is not within 100...599": "RFC 9110 15",
    "the status line is malformed": "RFC 9112 4",
    "an upgrade that nobody asked for": "RFC 9110 15.2.2",
]

@Suite struct LlhttpDifferenceTests {
    // MARK: Requests

    @Test(arguments: 0..<8)
    func readsRequestsAsLlhttpDoes(_ seed: UInt64) throws {
        var generator = MessageGenerator(seed: seed)
        var whole = 0
        for _ in 0..<500 {
            let bytes = generator.requests()
            let cuts = generator.cuts(bytes.count)
            let ours = ourRequests(bytes, cuts)
            let theirs = try llhttpRequests(bytes, cuts)
            whole += ours.messages.count { $0.isWhole }
            compare(ours, theirs, bytes)
        }
        // The corpus is worth something only if much of it is understood.
        #expect(whole > 150)
    }

    private func ourRequests(_ bytes: [UInt8], _ cuts: [Int]) -> Reading {
        var reading = Reading()
        var parser = HTTP1RequestParser(limits: HeadLimits())
        var head = RequestHead()
        var body = BodyDecoder()
        var isInBody = false
        var position = 0
        for end in cuts + [bytes.count] {
            while true {
                if isInBody {
                    guard let goesOn = take(&body, bytes, &position, end, &reading) else { return reading }
                    if goesOn { break }
                    isInBody = false
                    if !head.keepsAlive {
                        reading.isClosed = true
                        return reading
                    }
                }
                switch parser.consume(bytes.span.extracting(position..<end), into: &head) {
                case .incomplete:
                    position = end
                case .failed(let error):
                    reading.failure = error.detail.description
                    return reading
                case .complete(let consumed):
                    position += consumed
                    var fields: [String] = []
                    for index in 0..<head.fields.count {
                        fields.append(head.name(index).text + ": " + head.value(index).text)
                    }
                    reading.messages.append(
                        Understood(
                            start: head.span(head.methodRange).text + " " + head.span(head.target).text,
                            minorVersion: head.version == .http11 ? 1 : 0, fields: fields))
                    body.begin(head.framing)
                    isInBody = true
                    continue
                }
                break
            }
        }
        return reading
    }

    private func llhttpRequests(_ bytes: [UInt8], _ cuts: [Int]) throws -> Reading {
        let channel = EmbeddedChannel(
            handler: ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        var reading = Reading()
        var position = 0
        for end in cuts + [bytes.count] {
            do {
                try channel.writeInbound(NIOCore.ByteBuffer(bytes: bytes[position..<end]))
            } catch {
                reading.failure = "\(error)"
            }
            position = end
            while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
                switch part {
                case .head(let head):
                    reading.messages.append(
                        Understood(
                            start: "\(head.method.rawValue) \(head.uri)", minorVersion: head.version.minor,
                            fields: head.headers.map { "\($0.name): \(trimmed($0.value))" }))
                case .body(let buffer):
                    reading.messages[reading.messages.count - 1].content += Array(buffer.readableBytesView)
                case .end(let trailers):
                    reading.messages[reading.messages.count - 1].isWhole = true
                    reading.messages[reading.messages.count - 1].trailers =
                        trailers?.map { "\($0.name): \(trimmed($0.value))" } ?? []
                }
            }
            if reading.failure != nil { break }
        }
        return reading
    }

    // MARK: Responses

    @Test(arguments: 0..<8)
    func readsResponsesAsLlhttpDoes(_ seed: UInt64) throws {
        var generator = MessageGenerator(seed: 1000 + seed)
        var whole = 0
        for round in 0..<500 {
            let bytes = generator.responses()
            let cuts = generator.cuts(bytes.count)
            let isHead = round % 8 == 0
            let ours = ourResponses(bytes, cuts, isHead: isHead)
            let theirs = try llhttpResponses(bytes, cuts, isHead: isHead)
            whole += ours.messages.count { $0.isWhole }
            compare(ours, theirs, bytes)
        }
        #expect(whole > 150)
    }

    private func ourResponses(_ bytes: [UInt8], _ cuts: [Int], isHead: Bool) -> Reading {
        var reading = Reading()
        var parser = HTTP1ResponseParser()
        var head = ResponseHead()
        var body = BodyDecoder()
        var isInBody = false
        var position = 0
        for end in cuts + [bytes.count] {
            while true {
                if isInBody {
                    guard let goesOn = take(&body, bytes, &position, end, &reading) else { return reading }
                    if goesOn { break }
                    isInBody = false
                    if !head.isInterim, !head.keepsAlive {
                        reading.isClosed = true
                        return reading
                    }
                }
                let progress = parser.consume(
                    bytes.span.extracting(position..<end), into: &head, requestMethod: isHead ? .head : .get)
                switch progress {
                case .incomplete:
                    position = end
                case .failed(let error):
                    reading.failure = error.detail.description
                    return reading
                case .complete(let consumed):
                    position += consumed
                    var fields: [String] = []
                    for index in 0..<head.fields.count {
                        fields.append(head.name(index).text + ": " + head.value(index).text)
                    }
                    reading.messages.append(
                        Understood(
                            start: "\(head.status)", minorVersion: head.version == .http11 ? 1 : 0, fields: fields))
                    body.begin(head.framing)
                    isInBody = true
                    continue
                }
                break
            }
        }
        if isInBody, body.finishAtClose() { reading.messages[reading.messages.count - 1].isWhole = true }
        return reading
    }

    private func llhttpResponses(_ bytes: [UInt8], _ cuts: [Int], isHead: Bool) throws -> Reading {
        let channel = EmbeddedChannel(
            handler: ByteToMessageHandler(
                HTTPResponseDecoder(leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .forward)))
        for _ in 0..<4 {
            let head = HTTPRequestHead(version: .http1_1, method: isHead ? .HEAD : .GET, uri: "/")
            try channel.writeOutbound(HTTPClientRequestPart.head(head))
        }
        var reading = Reading()
        var position = 0
        func readParts() throws {
            while let part = try channel.readInbound(as: HTTPClientResponsePart.self) {
                switch part {
                case .head(let head):
                    reading.messages.append(
                        Understood(
                            start: "\(head.status.code)", minorVersion: head.version.minor,
                            fields: head.headers.map { "\($0.name): \(trimmed($0.value))" },
                            isWhole: head.status.code / 100 == 1))
                case .body(let buffer):
                    reading.messages[reading.messages.count - 1].content += Array(buffer.readableBytesView)
                case .end(let trailers):
                    reading.messages[reading.messages.count - 1].isWhole = true
                    reading.messages[reading.messages.count - 1].trailers =
                        trailers?.map { "\($0.name): \(trimmed($0.value))" } ?? []
                }
            }
        }
        for end in cuts + [bytes.count] {
            do {
                try channel.writeInbound(NIOCore.ByteBuffer(bytes: bytes[position..<end]))
            } catch {
                reading.failure = "\(error)"
            }
            position = end
            try readParts()
            if reading.failure != nil { break }
        }
        do { _ = try channel.finish(acceptAlreadyClosed: true) } catch { reading.failure = "\(error)" }
        try readParts()
        return reading
    }

    // MARK: Both

    /// Takes what there is of a body: true where it goes on, false where it has ended, nil where it is refused.
    private func take(
        _ body: inout BodyDecoder, _ bytes: [UInt8], _ position: inout Int, _ end: Int, _ reading: inout Reading
    ) -> Bool? {
        let last = reading.messages.count - 1
        while true {
            switch body.next(bytes.span.extracting(position..<end)) {
            case .data(let range, let consumed):
                reading.messages[last].content += bytes[(position + Int(range.start))..<(position + range.end)]
                position += consumed
            case .needMore(let consumed):
                position += consumed
                return true
            case .end(let consumed):
                position += consumed
                reading.messages[last].isWhole = true
                for index in 0..<body.chunks.trailers.fields.count {
                    let field = body.chunks.trailers.fields[index]
                    let section = body.chunks.trailers.bytes.span
                    reading.messages[last].trailers.append(
                        section.slice(field.name).text + ": " + section.slice(field.value).text)
                }
                return false
            case .failed(let detail):
                reading.failure = detail.description
                return nil
            }
        }
    }

    private func compare(_ ours: Reading, _ theirs: Reading, _ bytes: [UInt8]) {
        let input = Comment(rawValue: String(decoding: bytes, as: UTF8.self).debugDescription)
        for (index, mine) in ours.messages.enumerated() where mine.isWhole {
            guard index < theirs.messages.count, theirs.messages[index].isWhole else {
                if mayBeLooser(theirs.failure, mine) { return }
                Issue.record(
                    "only we take message \(index), \(mine); llhttp: \(theirs.failure ?? "incomplete"); \(input)")
                return
            }
            let other = theirs.messages[index]
            #expect(mine.start == other.start, input)
            #expect(mine.minorVersion == other.minorVersion, input)
            #expect(mine.fields == other.fields, input)
            #expect(mine.content == other.content, input)
            #expect(mine.trailers == other.trailers.filter { !isDroppedTrailer($0) }, input)
        }
        if ours.isClosed { return }
        let oursWhole = ours.messages.count { $0.isWhole }
        let theirsWhole = theirs.messages.count { $0.isWhole }
        if theirsWhole > oursWhole {
            guard let failure = ours.failure else {
                Issue.record("only llhttp takes message \(oursWhole), \(theirs.messages[oursWhole]); \(input)")
                return
            }
            #expect(stricter[failure] != nil, "\(failure); \(input); \(theirs.messages[oursWhole])")
        }
    }

    /// A value without the white space behind it, which llhttp leaves there (RFC 9112 §5.1 takes it away).
    private func trimmed(_ value: String) -> Substring {
        var value = value[...]
        while value.last == " " || value.last == "\t" { value.removeLast() }
        return value
    }

    private func isDroppedTrailer(_ line: String) -> Bool {
        let name = line.prefix { $0 != ":" }
        let id = headerName(String(name))
        return id != .other && id != .etag
    }
}
