import ByteBuffers
import HTTPMessage
import Testing

@Suite struct BodyDecoderTests {
    struct Good: CustomTestStringConvertible, Sendable {
        var text: String
        var content: String
        var trailers: [String] = []
        var rest = 0
        var section: String
        var testDescription: String { "\(section): \(text.debugDescription.prefix(100))" }
    }

    static let good: [Good] = [
        Good(text: "0\r\n\r\n", content: "", section: "RFC 9112 7.1"),
        Good(text: "5\r\nhello\r\n0\r\n\r\n", content: "hello", section: "RFC 9112 7.1"),
        Good(text: "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n", content: "hello, world", section: "RFC 9112 7.1"),
        Good(text: "00000000000000a\r\n0123456789\r\n000\r\n\r\n", content: "0123456789", section: "RFC 9112 7.1"),
        Good(text: "A\r\n0123456789\r\n0\r\n\r\n", content: "0123456789", section: "RFC 9112 7.1"),
        Good(text: "2\r\n\r\n\r\n0\r\n\r\n", content: "\r\n", section: "RFC 9112 7.1"),
        Good(text: "1\r\nx\r\n0\r\n\r\nGET /", content: "x", rest: 5, section: "RFC 9112 6.3"),
        Good(text: "1;a\r\nx\r\n0;b=c\r\n\r\n", content: "x", section: "RFC 9112 7.1.1"),
        Good(text: "1;a=b;c=\"d;\\\"e\";f\r\nx\r\n0\r\n\r\n", content: "x", section: "RFC 9112 7.1.1"),
        Good(
            text: "1;" + String(repeating: "a", count: 255) + "\r\nx\r\n0\r\n\r\n", content: "x",
            section: "RFC 9112 7.1.1"),
        Good(
            text: "0\r\nServer-Timing: a\r\nETag: \"b\"\r\n\r\n", content: "",
            trailers: ["Server-Timing: a", "ETag: \"b\""], section: "RFC 9112 7.1.2"),
        Good(
            text: "0\r\nContent-Length: 3\r\nX-A: 1\r\nHost: b\r\nAuthorization: c\r\nTransfer_Encoding: chunked\r\n"
                + "X-Forwarded-For: d\r\nCookie: e\r\nX_Real_IP: f\r\ntraceparent: g\r\nBanyan-Served-By: h\r\n\r\n",
            content: "", trailers: ["X-A: 1"], section: "RFC 9110 6.5.1"),
    ]

    @Test(arguments: good)
    func readsChunks(_ good: Good) {
        let read = BodyFeeding.feedInEverySplit(Array(good.text.utf8))
        #expect(read.text == good.content)
        #expect(read.trailers == good.trailers)
        #expect(read.end == .complete(consumed: good.text.utf8.count - good.rest))
    }

    /// Chunked bodies that are refused (RFC 9112 §7.1; security.md 2.1 names the attacks).
    static let bad: [String] = [
        "\r\n",
        ";a\r\nx\r\n",
        " 1\r\nx\r\n",
        "1 \r\nx\r\n",
        "1\t\r\nx\r\n",
        "+1\r\nx\r\n",
        "-1\r\nx\r\n",
        "0x1\r\nx\r\n",
        "1_0\r\nx\r\n",
        "1\0\r\nx\r\n",
        "g\r\nx\r\n",
        "1000000000000000\r\nx",
        "0000000000000001\r\nx",
        "ffffffffffffffffff\r\nx",
        "1\nx\r\n",
        "1\r\r\nx\r\n",
        "1\rx\r\n",
        "1\r\nxy\r\n0\r\n\r\n",
        "1\r\nx\n0\r\n\r\n",
        "1\r\nx\r0\r\n\r\n",
        "1\r\nx\r\r\n0\r\n\r\n",
        "1\r\nx0\r\n\r\n",
        "1;\r\nx\r\n",
        "1;;a\r\nx\r\n",
        "1;a=\r\nx\r\n",
        "1; a\r\nx\r\n",
        "1;a b\r\nx\r\n",
        "1 ;a\r\nx\r\n",
        "1;a\nx\r\n",
        "1;a\rx\r\n",
        "1;a\u{0}\r\nx\r\n",
        "1;a=\"b\r\nx\r\n",
        "1;a=\"b\"c\r\nx\r\n",
        "1;a=\"\u{1}\"\r\nx\r\n",
        "1;" + String(repeating: "a", count: 256) + "\r\nx\r\n",
        "0\r\nX\r\n\r\n",
        "0\r\n: a\r\n\r\n",
        "0\r\nX : a\r\n\r\n",
        "0\r\nX: a\r\n b\r\n\r\n",
        "0\r\nX: a\nY: b\r\n\r\n",
        "0\r\nX: a\rb\r\n\r\n",
        "0\r\nX: a\0\r\n\r\n",
        "0\r\n\n",
        "0\r\n" + String(repeating: "X: a\r\n", count: 33) + "\r\n",
        "0\r\nX: " + String(repeating: "a", count: 4096) + "\r\n\r\n",
    ]

    @Test(arguments: bad)
    func refusesChunks(_ text: String) {
        let read = BodyFeeding.feedInEverySplit(Array(text.utf8))
        guard case .failed = read.end else {
            Issue.record("was taken: \(read)")
            return
        }
        #expect(read.content.count <= 1)
    }

    /// An extension of 200 bytes on each chunk of one byte: the sum over the body is bounded, too.
    @Test func boundsExtensionsInAll() {
        let chunk = "1;" + String(repeating: "a", count: 199) + "\r\nx\r\n"
        let read = BodyFeeding.feedInEverySplit(Array(String(repeating: chunk, count: 100).utf8))
        #expect(read.end == .failed("chunk extensions are too long"))
        #expect(read.content.count == ChunkedDecoder.mostExtensionBytesInAll / 200)
    }

    @Test func yieldsContiguousData() {
        let body = Array(repeating: UInt8(ascii: "x"), count: 100_000)
        var encoded = ByteBuffer()
        encoded.appendChunk(body.span)
        encoded.appendLastChunk()
        var decoder = BodyDecoder()
        decoder.begin(.chunked)
        guard case .data(let range, let consumed) = decoder.next(encoded.span) else {
            Issue.record("no data")
            return
        }
        #expect(range == ByteRange(start: 7, count: 100_000))
        #expect(consumed == 100_007)
        let (received, isComplete) = (decoder.received, decoder.isComplete)
        #expect(received == 100_000)
        #expect(!isComplete)
    }

    struct Counted: Sendable {
        var framing: BodyFraming
        var input: String
        var content: String
        var end: ReadBody.End
        /// Whether a close behind the input leaves a whole body (RFC 9112 §8).
        var isWholeAtClose: Bool
    }

    static let counted: [Counted] = [
        Counted(framing: .none, input: "GET", content: "", end: .complete(consumed: 0), isWholeAtClose: true),
        Counted(framing: .length(0), input: "GET", content: "", end: .complete(consumed: 0), isWholeAtClose: true),
        Counted(framing: .length(3), input: "abcd", content: "abc", end: .complete(consumed: 3), isWholeAtClose: true),
        Counted(framing: .length(3), input: "ab", content: "ab", end: .incomplete, isWholeAtClose: false),
        Counted(framing: .length(.max), input: "ab", content: "ab", end: .incomplete, isWholeAtClose: false),
        Counted(framing: .chunked, input: "2\r\nab\r\n", content: "ab", end: .incomplete, isWholeAtClose: false),
        Counted(framing: .chunked, input: "0\r\n", content: "", end: .incomplete, isWholeAtClose: false),
        Counted(framing: .untilClose, input: "ab", content: "ab", end: .incomplete, isWholeAtClose: true),
        Counted(framing: .untilClose, input: "", content: "", end: .incomplete, isWholeAtClose: true),
    ]

    @Test(arguments: counted)
    func readsByFraming(_ counted: Counted) {
        let read = BodyFeeding.feedInEverySplit(Array(counted.input.utf8), framing: counted.framing)
        #expect(read.text == counted.content)
        #expect(read.end == counted.end)
        var decoder = BodyDecoder()
        decoder.begin(counted.framing)
        _ = BodyFeeding.feed(Array(counted.input.utf8), into: &decoder)
        let (received, isWhole) = (decoder.received, decoder.finishAtClose())
        #expect(received == UInt64(counted.content.utf8.count))
        #expect(isWhole == counted.isWholeAtClose)
    }

    @Test func staysFailed() {
        var decoder = BodyDecoder()
        decoder.begin(.chunked)
        let read = BodyFeeding.feed(Array("x\r\n0\r\n\r\n".utf8), into: &decoder)
        let again = BodyFeeding.feed(Array("0\r\n\r\n".utf8), into: &decoder)
        #expect(read.end == again.end)
        let isWhole = decoder.finishAtClose()
        #expect(!isWhole)
    }

    @Test func forgetsTrailersOfTheBodyBefore() {
        var decoder = BodyDecoder()
        decoder.begin(.chunked)
        let first = BodyFeeding.feed(Array("0\r\nX: a\r\n\r\n".utf8), into: &decoder)
        #expect(first.trailers == ["X: a"])
        decoder.begin(.length(1))
        let second = BodyFeeding.feed(Array("x".utf8), into: &decoder)
        #expect(second.trailers == [])
    }

    @Test(arguments: [1, 9, 10, 15, 16, 255, 256, 4095, 65_536, 1_048_576])
    func encodesWhatItDecodes(_ size: Int) {
        let data = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
        var out = ByteBuffer()
        out.appendChunk(data.span)
        let mark = out.beginChunk()
        out.append(data.span)
        out.append(data.span)
        out.endChunk(mark)
        let empty = out.beginChunk()
        out.endChunk(empty)
        out.appendChunk([UInt8]().span)
        out.appendLastChunk()
        let bytes = out.withUnsafeBytes { Array($0) }
        var decoder = BodyDecoder()
        decoder.begin(.chunked)
        let read = BodyFeeding.feed(bytes, into: &decoder)
        #expect(read.content == data + data + data)
        #expect(read.end == .complete(consumed: bytes.count))
        #expect(String(decoding: bytes.prefix(20), as: UTF8.self).hasPrefix(String(size, radix: 16) + "\r\n"))
    }
}
