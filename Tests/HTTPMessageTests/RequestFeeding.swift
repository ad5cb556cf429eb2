import ByteBuffers
import HTTPMessage
import Testing

/// All that was read from one request head, comparable.
struct ReadRequest: Equatable {
    var method: String
    var target: String
    var path: String
    var query: String?
    var authority: String?
    var host: String
    var port: UInt16?
    var isAsterisk: Bool
    var version: HTTPVersion
    var framing: BodyFraming
    var keepsAlive: Bool
    var expectsContinue: Bool
    var acceptsTrailers: Bool
    var connection: ConnectionOptions
    var fields: [Field]
    /// Bytes from the first one to the end of the head.
    var consumed: Int

    struct Field: Equatable {
        var name: String
        var value: String
        var id: HeaderName
    }

    init(_ head: borrowing RequestHead, consumed: Int) {
        method = head.span(head.methodRange).text
        target = head.span(head.target).text
        path = head.span(head.path).text
        query = head.hasQuery ? head.span(head.query).text : nil
        authority = head.hasAuthority ? head.span(head.authority).text : nil
        host = head.span(head.host).text
        port = head.port
        isAsterisk = head.isAsterisk
        version = head.version
        framing = head.framing
        keepsAlive = head.keepsAlive
        expectsContinue = head.expectsContinue
        acceptsTrailers = head.acceptsTrailers
        connection = head.connection
        fields = []
        for index in 0..<head.fields.count {
            fields.append(
                Field(name: head.name(index).text, value: head.value(index).text, id: head.fields[index].id))
        }
        self.consumed = consumed
    }

    func value(_ name: String) -> String? { fields.first { $0.name == name }?.value }
}

/// What became of the input of one test.
enum RequestOutcome: Equatable {
    case incomplete
    case complete(ReadRequest)
    case failed(RequestError)

    var request: ReadRequest? {
        if case .complete(let request) = self { request } else { nil }
    }

    var error: RequestError? {
        if case .failed(let error) = self { error } else { nil }
    }
}

enum RequestFeeding {
    /// Feeds `bytes` cut at `cuts` and tells what came of it.
    static func feed(_ bytes: [UInt8], cuts: [Int] = [], limits: HeadLimits = HeadLimits()) -> RequestOutcome {
        var parser = HTTP1RequestParser(limits: limits)
        var head = RequestHead()
        return feed(bytes, cuts: cuts, parser: &parser, head: &head)
    }

    static func feed(
        _ bytes: [UInt8], cuts: [Int], parser: inout HTTP1RequestParser, head: inout RequestHead
    ) -> RequestOutcome {
        var start = 0
        for end in cuts + [bytes.count] {
            switch parser.consume(bytes.span.extracting(start..<end), into: &head) {
            case .incomplete: start = end
            case .complete(let consumed): return .complete(ReadRequest(head, consumed: start + consumed))
            case .failed(let error): return .failed(error)
            }
        }
        return .incomplete
    }

    /// Feeds `bytes` whole, then byte by byte, then in every split in two (all of them up to 2000 bytes, every 97th
    /// beyond), all into one parser that is reset, and expects the same each time.
    static func feedInEverySplit(
        _ bytes: [UInt8], limits: HeadLimits = HeadLimits(), sourceLocation: SourceLocation = #_sourceLocation
    ) -> RequestOutcome {
        let whole = feed(bytes, limits: limits)
        var parser = HTTP1RequestParser(limits: limits)
        var head = RequestHead()
        let single = feed(bytes, cuts: Array(stride(from: 1, to: bytes.count, by: 1)), parser: &parser, head: &head)
        #expect(single == whole, "byte by byte", sourceLocation: sourceLocation)
        for cut in stride(from: 0, through: bytes.count, by: bytes.count > 2000 ? 97 : 1) {
            parser.reset()
            let split = feed(bytes, cuts: [cut], parser: &parser, head: &head)
            if split != whole {
                #expect(split == whole, "split at \(cut)", sourceLocation: sourceLocation)
                break
            }
        }
        return whole
    }

    static func feedInEverySplit(
        _ text: String, limits: HeadLimits = HeadLimits(), sourceLocation: SourceLocation = #_sourceLocation
    ) -> RequestOutcome {
        feedInEverySplit(Array(text.utf8), limits: limits, sourceLocation: sourceLocation)
    }
}

/// A request that is good, written in few words.
func request(
    _ line: String = "GET / HTTP/1.1", host: String? = "Host: a.example\r\n", _ fields: String = ""
) -> String {
    line + "\r\n" + (host ?? "") + fields + "\r\n"
}
