import ByteBuffers
import HTTPMessage
import Testing

/// Requests that two readers could frame differently (security.md 2.1), and how the good ones are framed.
@Suite struct SmugglingTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var line = "POST / HTTP/1.1"
        var fields: String
        /// Nil where the request must be refused.
        var framing: BodyFraming?
        var section: String
        var testDescription: String { "\(section): \(line) \(fields.debugDescription)" }
    }

    static let cases: [Case] = [
        // Good framing.
        Case(fields: "", framing: BodyFraming.none, section: "RFC 9112 6.3(7)"),
        Case(fields: "Content-Length: 0", framing: .length(0), section: "RFC 9112 6.3(6)"),
        Case(fields: "content-LENGTH:\t42 ", framing: .length(42), section: "RFC 9112 6.3(6)"),
        Case(fields: "Content-Length: 00", framing: .length(0), section: "RFC 9110 8.6"),
        Case(
            fields: "Content-Length: 999999999999999999", framing: .length(999_999_999_999_999_999),
            section: "RFC 9110 8.6"),
        Case(fields: "Transfer-Encoding: chunked", framing: .chunked, section: "RFC 9112 6.3(4)"),
        Case(fields: "Transfer-Encoding:CHUNKED\t", framing: .chunked, section: "RFC 9112 7"),
        Case(line: "GET / HTTP/1.1", fields: "Content-Length: 5", framing: .length(5), section: "RFC 9110 9.3.1"),
        Case(
            line: "DELETE / HTTP/1.1", fields: "Transfer-Encoding: chunked", framing: .chunked,
            section: "RFC 9110 9.3.5"),
        Case(line: "HEAD / HTTP/1.1", fields: "Content-Length: 5", framing: .length(5), section: "RFC 9110 9.3.2"),
        Case(line: "POST / HTTP/1.0", fields: "Content-Length: 5", framing: .length(5), section: "RFC 9112 6.3(6)"),
        Case(line: "POST / HTTP/1.0", fields: "", framing: BodyFraming.none, section: "RFC 9112 6.3(7)"),
        // Length and coding together.
        Case(fields: "Content-Length: 5\r\nTransfer-Encoding: chunked", section: "RFC 9112 6.1"),
        Case(fields: "Transfer-Encoding: chunked\r\nContent-Length: 5", section: "RFC 9112 6.3(3)"),
        Case(fields: "Transfer-Encoding: chunked\r\nContent-Length: 0", section: "RFC 9112 6.3(3)"),
        Case(fields: "Transfer-Encoding: identity\r\nContent-Length: 5", section: "RFC 9112 6.3(3)"),
        // Codings that are spelt oddly or not known.
        Case(fields: "Transfer-Encoding : chunked", section: "RFC 9112 5.1"),
        Case(fields: "Transfer-Encoding\t: chunked", section: "RFC 9112 5.1"),
        Case(fields: " Transfer-Encoding: chunked", section: "RFC 9112 5.2"),
        Case(fields: "X: a\r\n Transfer-Encoding: chunked", section: "RFC 9112 5.2"),
        Case(fields: "Transfer-Encoding:\r\n chunked", section: "RFC 9112 5.2"),
        Case(fields: "Transfer-Encoding: \u{b}chunked", section: "RFC 9110 5.5"),
        Case(fields: "Transfer-Encoding: chunked\u{0}", section: "RFC 9110 5.5"),
        Case(fields: "Transfer-Encoding: \"chunked\"", section: "RFC 9112 7"),
        Case(fields: "Transfer-Encoding: 'chunked'", section: "RFC 9112 7"),
        Case(fields: "Transfer-Encoding: xchunked", section: "RFC 9112 6.1"),
        Case(fields: "Transfer-Encoding: chunkedx", section: "RFC 9112 6.1"),
        Case(fields: "Transfer-Encoding: chunke", section: "RFC 9112 6.1"),
        Case(fields: "Transfer-Encoding: identity", section: "RFC 9112 7"),
        Case(fields: "Transfer-Encoding: gzip", section: "RFC 9112 6.3(4)"),
        Case(fields: "Transfer-Encoding: gzip, chunked", section: "RFC 9112 6.1"),
        Case(fields: "Transfer-Encoding: chunked, gzip", section: "RFC 9112 6.3(4)"),
        Case(fields: "Transfer-Encoding: chunked, chunked", section: "RFC 9112 6.1"),
        Case(fields: "Transfer-Encoding: chunked,", section: "RFC 9112 6.1"),
        Case(fields: "Transfer-Encoding: ,chunked", section: "RFC 9112 6.1"),
        Case(fields: "Transfer-Encoding: chunked;a=b", section: "RFC 9112 7"),
        Case(fields: "Transfer-Encoding:", section: "RFC 9112 6.1"),
        Case(fields: "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", section: "RFC 9112 6.1"),
        Case(fields: "Transfer-Encoding: chunked\r\nTransfer-Encoding: x", section: "RFC 9112 6.1"),
        Case(fields: "Transfer-Encoding:\r\nTransfer-Encoding: chunked", section: "RFC 9112 6.1"),
        Case(fields: "X: a\rTransfer-Encoding: chunked", section: "RFC 9112 2.2"),
        Case(fields: "X: a\nTransfer-Encoding: chunked", section: "RFC 9112 2.2"),
        Case(fields: "Transfer_Encoding: chunked", section: "security.md 2.1"),
        Case(fields: "Content_Length: 5", section: "security.md 2.1"),
        Case(fields: "content-length: 5\r\nCONTENT_length: 6", section: "security.md 2.1"),
        Case(line: "POST / HTTP/1.0", fields: "Transfer-Encoding: chunked", section: "RFC 9112 6.1"),
        // Lengths.
        Case(fields: "Content-Length: 5\r\nContent-Length: 6", section: "RFC 9112 6.3(5)"),
        Case(fields: "Content-Length: 5\r\nContent-Length: 5", section: "RFC 9110 8.6"),
        Case(fields: "Content-Length: 5, 5", section: "RFC 9110 8.6"),
        Case(fields: "Content-Length: 5,", section: "RFC 9112 6.3(5)"),
        Case(fields: "Content-Length: +5", section: "RFC 9112 6.3(5)"),
        Case(fields: "Content-Length: -5", section: "RFC 9112 6.3(5)"),
        Case(fields: "Content-Length: 0x5", section: "RFC 9112 6.3(5)"),
        Case(fields: "Content-Length: 5 5", section: "RFC 9112 6.3(5)"),
        Case(fields: "Content-Length: 0_5", section: "RFC 9112 6.3(5)"),
        Case(fields: "Content-Length: 5.0", section: "RFC 9112 6.3(5)"),
        Case(fields: "Content-Length: five", section: "RFC 9112 6.3(5)"),
        Case(fields: "Content-Length: \u{665}", section: "RFC 9112 6.3(5)"),
        Case(fields: "Content-Length:", section: "RFC 9112 6.3(5)"),
        Case(fields: "Content-Length: 9223372036854775808", section: "RFC 9110 8.6"),
        Case(fields: "Content-Length: 18446744073709551621", section: "RFC 9110 8.6"),
        Case(fields: "Content-Length: 0000000000000000005", section: "RFC 9110 8.6"),
        Case(fields: "Content-Length : 5", section: "RFC 9112 5.1"),
    ]

    @Test(arguments: cases)
    func frames(_ one: Case) {
        let outcome = RequestFeeding.feedInEverySplit(
            request(one.line, one.fields.isEmpty ? "" : one.fields + "\r\n"))
        if let framing = one.framing {
            #expect(outcome.request?.framing == framing, "\(outcome)")
        } else {
            #expect(outcome.error?.cause == .badRequest, "\(outcome)")
        }
    }

    /// What follows a refused request is never read as another one (RFC 9112 §2.2, §9.6).
    @Test func readsNothingBehindARefusedRequest() {
        var parser = HTTP1RequestParser(limits: HeadLimits())
        var head = RequestHead()
        let bad = Array("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n".utf8)
        let good = Array(request().utf8)
        let first = RequestFeeding.feed(bad, cuts: [], parser: &parser, head: &head)
        #expect(first.error != nil)
        for _ in 0..<3 {
            let next = RequestFeeding.feed(good, cuts: [], parser: &parser, head: &head)
            #expect(next.error != nil)
        }
        parser.reset()
        let fresh = RequestFeeding.feed(good, cuts: [], parser: &parser, head: &head)
        #expect(fresh.request != nil)
    }

    struct Connection: CustomTestStringConvertible, Sendable {
        var line = "GET / HTTP/1.1"
        var fields = ""
        var keepsAlive: Bool
        var options: ConnectionOptions
        var testDescription: String { "\(line) \(fields.debugDescription)" }
    }

    /// RFC 9112 §9.3, §9.6; RFC 9110 §7.6.1.
    static let connections: [Connection] = [
        Connection(keepsAlive: true, options: []),
        Connection(fields: "Connection: close", keepsAlive: false, options: .close),
        Connection(fields: "Connection: CLOSE", keepsAlive: false, options: .close),
        Connection(fields: "Connection: keep-alive", keepsAlive: true, options: .keepAlive),
        Connection(fields: "Connection: keep-alive, close", keepsAlive: false, options: [.keepAlive, .close]),
        Connection(
            fields: "Connection: x-a\r\nConnection: ,Close ,", keepsAlive: false, options: [.close, .namesFields]),
        Connection(
            fields: "Connection: Upgrade, TE\r\nUpgrade: h2c", keepsAlive: true, options: [.upgrade, .te]),
        Connection(fields: "Connection: closed", keepsAlive: true, options: .namesFields),
        Connection(fields: "Connection:", keepsAlive: true, options: []),
        Connection(fields: "Proxy-Connection: close", keepsAlive: true, options: []),
        Connection(line: "GET / HTTP/1.0", keepsAlive: false, options: []),
        Connection(line: "GET / HTTP/1.0", fields: "Connection: Keep-Alive", keepsAlive: true, options: .keepAlive),
        Connection(
            line: "GET / HTTP/1.0", fields: "Connection: keep-alive, close", keepsAlive: false,
            options: [.keepAlive, .close]),
    ]

    @Test(arguments: connections)
    func readsConnection(_ one: Connection) throws {
        let text = request(one.line, one.fields.isEmpty ? "" : one.fields + "\r\n")
        let read = try #require(RequestFeeding.feedInEverySplit(text).request)
        #expect(read.keepsAlive == one.keepsAlive)
        #expect(read.connection == one.options)
    }

    /// Options are held against fields, so that their number is bounded.
    @Test func boundsConnectionOptions() {
        let most = String(repeating: "a,", count: 64)
        #expect(RequestFeeding.feedInEverySplit(request("GET / HTTP/1.1", "Connection: \(most)\r\n")).request != nil)
        let more = "Connection: \(most)\r\nConnection: a\r\n"
        #expect(RequestFeeding.feedInEverySplit(request("GET / HTTP/1.1", more)).error?.cause == .badRequest)
    }

    /// RFC 9110 §10.1.1: void without a body and in HTTP/1.0.
    @Test(arguments: [
        ("POST / HTTP/1.1", "Content-Length: 5\r\nExpect: 100-continue\r\n", true),
        ("POST / HTTP/1.1", "Transfer-Encoding: chunked\r\nexpect: 100-Continue\r\n", true),
        ("POST / HTTP/1.1", "Content-Length: 0\r\nExpect: 100-continue\r\n", false),
        ("GET / HTTP/1.1", "Expect: 100-continue\r\n", false),
        ("POST / HTTP/1.0", "Content-Length: 5\r\nExpect: 100-continue\r\n", false),
        ("POST / HTTP/1.1", "Content-Length: 5\r\n", false),
    ])
    func readsExpectation(_ line: String, _ fields: String, _ expects: Bool) throws {
        let read = try #require(RequestFeeding.feedInEverySplit(request(line, fields)).request)
        #expect(read.expectsContinue == expects)
    }
}
