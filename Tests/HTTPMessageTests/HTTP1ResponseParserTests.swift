import ByteBuffers
import HTTPMessage
import Testing

/// All that was read from one response head, comparable.
struct ReadResponse: Equatable {
    var status: UInt16
    var version: HTTPVersion
    var framing: BodyFraming
    var contentLength: UInt64?
    var keepsAlive: Bool
    var isInterim: Bool
    var fields: [String]
    var consumed: Int

    init(_ head: borrowing ResponseHead, consumed: Int) {
        status = head.status
        version = head.version
        framing = head.framing
        contentLength = head.contentLength
        keepsAlive = head.keepsAlive
        isInterim = head.isInterim
        fields = []
        for index in 0..<head.fields.count { fields.append(head.name(index).text + ": " + head.value(index).text) }
        self.consumed = consumed
    }
}

enum ResponseOutcome: Equatable {
    case incomplete
    case complete(ReadResponse)
    case failed(ResponseError)

    var response: ReadResponse? {
        if case .complete(let response) = self { response } else { nil }
    }

    var error: ResponseError? {
        if case .failed(let error) = self { error } else { nil }
    }
}

enum ResponseFeeding {
    static func feed(
        _ bytes: [UInt8], cuts: [Int] = [], method: HTTPMessage.Method = .get, upgradeAsked: Bool = false,
        limits: HeadLimits = .upstream
    ) -> ResponseOutcome {
        var parser = HTTP1ResponseParser(limits: limits)
        var head = ResponseHead()
        var start = 0
        for end in cuts + [bytes.count] {
            let progress = parser.consume(
                bytes.span.extracting(start..<end), into: &head, requestMethod: method, upgradeAsked: upgradeAsked)
            switch progress {
            case .incomplete: start = end
            case .complete(let consumed): return .complete(ReadResponse(head, consumed: start + consumed))
            case .failed(let error): return .failed(error)
            }
        }
        return .incomplete
    }

    static func feedInEverySplit(
        _ text: String, method: HTTPMessage.Method = .get, upgradeAsked: Bool = false, limits: HeadLimits = .upstream,
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> ResponseOutcome {
        let bytes = Array(text.utf8)
        let whole = feed(bytes, method: method, upgradeAsked: upgradeAsked, limits: limits)
        let cuts = Array(stride(from: 1, to: bytes.count, by: 1))
        let single = feed(bytes, cuts: cuts, method: method, upgradeAsked: upgradeAsked, limits: limits)
        #expect(single == whole, "byte by byte", sourceLocation: sourceLocation)
        for cut in stride(from: 0, through: bytes.count, by: bytes.count > 2000 ? 97 : 1) {
            let split = feed(bytes, cuts: [cut], method: method, upgradeAsked: upgradeAsked, limits: limits)
            if split != whole {
                #expect(split == whole, "split at \(cut)", sourceLocation: sourceLocation)
                break
            }
        }
        return whole
    }
}

@Suite struct HTTP1ResponseParserTests {
    @Test func readsAResponse() throws {
        let text =
            "HTTP/1.1 201 Created, and how\r\nDate: x\r\nContent-Length: 3\r\nSet-Cookie: a\r\n"
            + "Set-Cookie: b\r\n\r\nabc"
        let read = try #require(ResponseFeeding.feedInEverySplit(text).response)
        #expect(read.status == 201)
        #expect(read.version == .http11)
        #expect(read.framing == .length(3))
        #expect(read.keepsAlive)
        #expect(!read.isInterim)
        #expect(read.fields == ["Date: x", "Content-Length: 3", "Set-Cookie: a", "Set-Cookie: b"])
        #expect(read.consumed == text.utf8.count - 3)
    }

    struct Framing: CustomTestStringConvertible, Sendable {
        var line = "HTTP/1.1 200 OK"
        var fields = ""
        var method = HTTPMessage.Method.get
        var framing: BodyFraming
        var keepsAlive = true
        var length: UInt64?
        var section: String
        var testDescription: String { "\(section): \(line) \(fields.debugDescription)" }
    }

    static let framings: [Framing] = [
        Framing(fields: "Content-Length: 0\r\n", framing: .length(0), length: 0, section: "RFC 9112 6.3(6)"),
        Framing(fields: "Content-Length: 007\r\n", framing: .length(7), length: 7, section: "RFC 9112 6.3(6)"),
        Framing(fields: "Transfer-Encoding: chunked\r\n", framing: .chunked, section: "RFC 9112 6.3(4)"),
        Framing(fields: "transfer-encoding: CHUNKED\r\n", framing: .chunked, section: "RFC 9112 7"),
        Framing(framing: .untilClose, keepsAlive: false, section: "RFC 9112 6.3(8)"),
        Framing(
            fields: "Connection: keep-alive\r\n", framing: .untilClose, keepsAlive: false, section: "RFC 9112 6.3(8)"),
        Framing(
            fields: "Content-Length: 9\r\n", method: .head, framing: .none, length: 9, section: "RFC 9112 6.3(1)"),
        Framing(fields: "Transfer-Encoding: chunked\r\n", method: .head, framing: .none, section: "RFC 9112 6.3(1)"),
        Framing(method: .head, framing: .none, section: "RFC 9112 6.3(1)"),
        Framing(line: "HTTP/1.1 204 No Content", framing: .none, section: "RFC 9112 6.3(1)"),
        Framing(
            line: "HTTP/1.1 204 No Content", fields: "Content-Length: 0\r\n", framing: .none, section: "RFC 9110 8.6"),
        Framing(
            line: "HTTP/1.1 204 No Content", fields: "Content-Length: 5\r\n", framing: .none, keepsAlive: false,
            section: "RFC 9110 8.6"),
        Framing(
            line: "HTTP/1.1 204 No Content", fields: "Transfer-Encoding: chunked\r\n", framing: .none,
            keepsAlive: false, section: "RFC 9112 6.1"),
        Framing(line: "HTTP/1.1 304 Not Modified", framing: .none, section: "RFC 9112 6.3(1)"),
        Framing(
            line: "HTTP/1.1 304 Not Modified", fields: "Content-Length: 9\r\n", framing: .none, length: 9,
            section: "RFC 9112 6.3(1)"),
        Framing(line: "HTTP/1.1 100 Continue", framing: .none, section: "RFC 9112 6.3(1)"),
        Framing(line: "HTTP/1.1 103", fields: "Link: a\r\n", framing: .none, section: "RFC 8297"),
        Framing(
            line: "HTTP/1.0 200 OK", fields: "Content-Length: 1\r\n", framing: .length(1), keepsAlive: false, length: 1,
            section: "RFC 9112 9.3"),
        Framing(
            line: "HTTP/1.0 200 OK", fields: "Content-Length: 1\r\nConnection: Keep-Alive\r\n", framing: .length(1),
            length: 1, section: "RFC 9112 9.3"),
        Framing(
            fields: "Content-Length: 1\r\nConnection: x, Close\r\n", framing: .length(1), keepsAlive: false, length: 1,
            section: "RFC 9112 9.6"),
        Framing(
            line: "HTTP/1.1 200", fields: "Content-Length: 1\r\n", framing: .length(1), length: 1, section: "RFC 9112 4"
        ),
        Framing(
            line: "HTTP/1.1 200 ", fields: "Content-Length: 1\r\n", framing: .length(1), length: 1,
            section: "RFC 9112 4"
        ),
    ]

    @Test(arguments: framings)
    func frames(_ framing: Framing) throws {
        let outcome = ResponseFeeding.feedInEverySplit(
            framing.line + "\r\n" + framing.fields + "\r\n", method: framing.method)
        let read = try #require(outcome.response, "\(outcome)")
        #expect(read.framing == framing.framing)
        #expect(read.keepsAlive == framing.keepsAlive)
        #expect(read.contentLength == framing.length)
    }

    /// Heads that are refused: security.md 2.5 and the table of 4.
    static let refusals: [String] = [
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/0.9 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "<html>no head at all</html>\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 200OK\r\n\r\n",
        "HTTP/1.1 200\tOK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 000 OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n",
        "HTTP/1.1 -12 OK\r\n\r\n",
        "HTTP/1.1 200 O\0K\r\n\r\n",
        "HTTP/1.1 200 O\rK\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nX: a\nY: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\u{8}b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n X: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX(A: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\n" + String(repeating: "X: a\r\n", count: 101) + "\r\n",
        "HTTP/1.1 200 OK\r\nX: " + String(repeating: "a", count: 65_536) + "\r\n\r\n",
        "HTTP/1.1 200 " + String(repeating: "a", count: 65_536) + "\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: " + String(repeating: "a,", count: 65) + "\r\n\r\n",
    ]

    @Test(arguments: refusals)
    func refuses(_ text: String) {
        let outcome = ResponseFeeding.feedInEverySplit(text)
        #expect(outcome.error != nil, "\(outcome)")
    }

    @Test func takesAnUpgradeThatWasAskedFor() throws {
        let text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\u{1}"
        let read = try #require(ResponseFeeding.feedInEverySplit(text, upgradeAsked: true).response)
        #expect(read.status == 101)
        #expect(read.framing == .none)
        #expect(!read.keepsAlive)
        #expect(!read.isInterim)
        #expect(read.consumed == text.utf8.count - 1)
    }

    /// A head that is cut is never complete: it is the caller's to see the connection end (security.md 4).
    @Test func aCutHeadIsIncomplete() {
        let text = Array("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n".utf8)
        for end in 0..<text.count { #expect(ResponseFeeding.feed(Array(text[..<end])) == .incomplete) }
    }

    @Test func readsInterimResponsesOneByOne() {
        let text = Array(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 204 X\r\n\r\n".utf8)
        var parser = HTTP1ResponseParser()
        var head = ResponseHead()
        var statuses: [UInt16] = []
        var interim: [Bool] = []
        var fields: [Int] = []
        var position = 0
        while position < text.count {
            let progress = parser.consume(
                text.span.extracting(position..<text.count), into: &head, requestMethod: .get)
            guard case .complete(let consumed) = progress else {
                Issue.record("\(progress)")
                return
            }
            position += consumed
            statuses.append(head.status)
            interim.append(head.isInterim)
            fields.append(head.fields.count)
        }
        #expect(statuses == [100, 103, 204])
        #expect(interim == [true, true, false])
        #expect(fields == [0, 1, 0])
    }
}
