import ByteBuffers
import HTTPMessage
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@Suite struct LlhttpDifferenceTests {
    // MARK: Requests

    /// Every difference is of a class that has a name, and the corpus shows every class: else a name may be dropped.
    @Test func theDifferencesAreThoseThatHaveNames() throws {
        var met: Set<ParserDifference> = []
        for seed in 0..<8 as Range<UInt64> {
            met.formUnion(try compareRequests(seed))
            met.formUnion(try compareResponses(1_000 + seed))
        }
        for example in Self.requests {
            let bytes = Array((example + Self.another).utf8)
            met.formUnion(differences(ourRequests(bytes, []), try llhttpRequests(bytes, []), bytes))
        }
        for example in Self.responses {
            let bytes = Array((example + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").utf8)
            let ours = ourResponses(bytes, [], isHead: false)
            met.formUnion(differences(ours, try llhttpResponses(bytes, [], isHead: false), bytes))
        }
        let unmet = Set(ParserDifference.allCases).subtracting(met)
        #expect(unmet.isEmpty, "no input shows \(unmet.map(\.rawValue).sorted())")
    }

    private static let another = "GET /b HTTP/1.1\r\nHost: a\r\n\r\n"

    /// Requests that are rarely generated, with another one behind them.
    private static let requests = [
        "GET / HTTP/1.1\r\nHost: a\r\nProxy-Connection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: close, keep-alive\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ]
    private static let responses = [
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n",
    ]

    private func compareRequests(_ seed: UInt64) throws -> Set<ParserDifference> {
        var generator = MessageGenerator(seed: seed)
        var whole = 0
        var met: Set<ParserDifference> = []
        for _ in 0..<500 {
            let bytes = generator.requests()
            let cuts = generator.cuts(bytes.count)
            let ours = ourRequests(bytes, cuts)
            let theirs = try llhttpRequests(bytes, cuts)
            whole += ours.whole
            met.formUnion(differences(ours, theirs, bytes))
        }
        // The corpus is worth something only if much of it is understood.
        #expect(whole > 100, "seed \(seed)")
        return met
    }

    private func ourRequests(_ bytes: [UInt8], _ cuts: [Int]) -> ReadConnection {
        var reading = ReadConnection()
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
                        ReadMessage(
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

    private func llhttpRequests(_ bytes: [UInt8], _ cuts: [Int]) throws -> ReadConnection {
        let channel = EmbeddedChannel(
            handler: ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        var reading = ReadConnection()
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
                        ReadMessage(
                            start: "\(head.method.rawValue) \(head.uri)", minorVersion: head.version.minor,
                            fields: head.headers.map { "\($0.name): \($0.value)" }))
                case .body(let buffer):
                    reading.messages[reading.messages.count - 1].content += Array(buffer.readableBytesView)
                case .end(let trailers):
                    reading.messages[reading.messages.count - 1].isWhole = true
                    reading.messages[reading.messages.count - 1].trailers =
                        trailers?.map { "\($0.name): \($0.value)" } ?? []
                }
            }
            if reading.failure != nil { break }
        }
        return reading
    }

    // MARK: Responses

    private func compareResponses(_ seed: UInt64) throws -> Set<ParserDifference> {
        var generator = MessageGenerator(seed: seed)
        var whole = 0
        var met: Set<ParserDifference> = []
        for round in 0..<500 {
            let bytes = generator.responses()
            let cuts = generator.cuts(bytes.count)
            let isHead = round % 8 == 0
            let ours = ourResponses(bytes, cuts, isHead: isHead)
            let theirs = try llhttpResponses(bytes, cuts, isHead: isHead)
            whole += ours.whole
            met.formUnion(differences(ours, theirs, bytes))
        }
        #expect(whole > 100, "seed \(seed)")
        return met
    }

    private func ourResponses(_ bytes: [UInt8], _ cuts: [Int], isHead: Bool) -> ReadConnection {
        var reading = ReadConnection()
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
                        ReadMessage(
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

    private func llhttpResponses(_ bytes: [UInt8], _ cuts: [Int], isHead: Bool) throws -> ReadConnection {
        let channel = EmbeddedChannel(
            handler: ByteToMessageHandler(
                HTTPResponseDecoder(leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .forward)))
        for _ in 0..<4 {
            let head = HTTPRequestHead(version: .http1_1, method: isHead ? .HEAD : .GET, uri: "/")
            try channel.writeOutbound(HTTPClientRequestPart.head(head))
        }
        var reading = ReadConnection()
        var position = 0
        func readParts() throws {
            while let part = try channel.readInbound(as: HTTPClientResponsePart.self) {
                switch part {
                case .head(let head):
                    reading.messages.append(
                        ReadMessage(
                            start: "\(head.status.code)", minorVersion: head.version.minor,
                            fields: head.headers.map { "\($0.name): \($0.value)" },
                            isWhole: head.status.code / 100 == 1))
                case .body(let buffer):
                    reading.messages[reading.messages.count - 1].content += Array(buffer.readableBytesView)
                case .end(let trailers):
                    reading.messages[reading.messages.count - 1].isWhole = true
                    reading.messages[reading.messages.count - 1].trailers =
                        trailers?.map { "\($0.name): \($0.value)" } ?? []
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
        _ body: inout BodyDecoder, _ bytes: [UInt8], _ position: inout Int, _ end: Int, _ reading: inout ReadConnection
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

    /// The classes of what the two readers made differently of `bytes`; what is of no class is an error.
    private func differences(
        _ ours: ReadConnection, _ theirs: ReadConnection, _ bytes: [UInt8]
    ) -> Set<ParserDifference> {
        let text = String(decoding: bytes, as: UTF8.self)
        let input = Comment(rawValue: text.debugDescription)
        var found: Set<ParserDifference> = []
        for (index, mine) in ours.messages.enumerated() where mine.isWhole {
            guard index < theirs.messages.count, theirs.messages[index].isWhole else {
                if let difference = ParserDifference(refusedByLlhttp: theirs.failure, mine, in: text) {
                    return found.union([difference])
                }
                Issue.record(
                    "only we take message \(index), \(mine); llhttp: \(theirs.failure ?? "incomplete"); \(input)")
                return found
            }
            let other = theirs.messages[index]
            if let difference = ParserDifference(taken: mine, asOther: other, in: text) {
                return found.union([difference])
            }
            #expect(mine.start == other.start, input)
            #expect(mine.minorVersion == other.minorVersion, input)
            #expect(mine.fields == other.fields.map(withoutBlanks), input)
            if mine.fields != other.fields { found.insert(.valueBlanks) }
            #expect(mine.content == other.content, input)
            let passed = other.trailers.filter { !isDroppedTrailer($0) }
            #expect(mine.trailers == passed.map(withoutBlanks), input)
            if passed.count < other.trailers.count { found.insert(.trailerDropped) }
        }
        guard theirs.whole > ours.whole else { return found }
        let message = theirs.messages[ours.whole]
        if ours.isClosed, let last = ours.messages.last, let difference = ParserDifference(closedHere: last) {
            return found.union([difference])
        }
        guard let failure = ours.failure,
            let difference = ParserDifference(refusedHere: failure, message, in: text)
        else {
            let words = ours.failure ?? (ours.isClosed ? "closed" : "incomplete")
            Issue.record("only llhttp takes message \(ours.whole), \(message); we: \(words); \(input)")
            return found
        }
        return found.union([difference])
    }

    /// A field without the white space behind its value, which llhttp leaves there.
    private func withoutBlanks(_ field: String) -> String {
        let name = field.prefix { $0 != ":" }
        var value = field.dropFirst(name.count + 2)
        while value.last == " " || value.last == "\t" { value.removeLast() }
        return "\(name): \(value)"
    }

    private func isDroppedTrailer(_ line: String) -> Bool {
        let name = line.prefix { $0 != ":" }
        let id = headerName(String(name))
        return id != .other && id != .etag
    }
}
