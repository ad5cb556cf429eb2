import ByteBuffers
import HTTPMessage
import Testing

@testable import Upstreams

/// What libcurl takes for an answer, and what it is (security.md §4).
@Suite struct TransferHeadCheckerTests {
    struct Case: CustomTestStringConvertible {
        var name: String
        var method = Method.get
        var isHTTP2 = false
        /// Lines as libcurl hands them over.
        var lines: [String]
        /// Bytes of the body that follow.
        var body = 0
        /// Lines behind the body.
        var trailers: [String] = []
        var verdict: Verdict
        var testDescription: String { name }
    }

    enum Verdict: Equatable { case whole, withoutHead, short, refused }

    private static let ok = "HTTP/1.1 200 OK\r\n"
    private static let end = "\r\n"

    private static func head(_ fields: String...) -> [String] { [ok] + fields.map { $0 + "\r\n" } + [end] }

    static let cases =
        [
            Case(name: "plain", lines: head("Content-Length: 2"), body: 2, verdict: .whole),
            Case(name: "chunked", lines: head("Transfer-Encoding: chunked"), body: 9, verdict: .whole),
            Case(name: "until close", lines: head("Server: x"), body: 9, verdict: .whole),
            Case(name: "no reason", lines: ["HTTP/1.1 200\r\n", end], verdict: .whole),
            Case(
                name: "interim", lines: ["HTTP/1.1 103 Early\r\n", "Link: x\r\n", end] + head("Content-Length: 0"),
                verdict: .whole),
            Case(name: "HEAD", method: .head, lines: head("Content-Length: 10"), verdict: .whole),
            Case(
                name: "304", lines: ["HTTP/1.1 304 Not Modified\r\n", "Content-Length: 10\r\n", end], verdict: .whole),
            Case(name: "nothing", lines: [], verdict: .withoutHead),
            Case(name: "half a head", lines: [ok, "Conte"], verdict: .withoutHead),
            Case(name: "no empty line", lines: [ok, "Content-Length: 2\r\n"], verdict: .withoutHead),
            Case(
                name: "a body without the empty line", lines: [ok, "Content-Length: 2\r\n"], body: 2, verdict: .refused),
            Case(name: "interim alone", lines: ["HTTP/1.1 103 Early\r\n", end], verdict: .withoutHead),
            Case(
                name: "eleven interims", lines: (0..<11).flatMap { _ in ["HTTP/1.1 102 P\r\n", end] }, verdict: .refused
            ),
            Case(name: "short", lines: head("Content-Length: 3"), body: 2, verdict: .short),
            Case(name: "long", lines: head("Content-Length: 3"), body: 4, verdict: .refused),
            Case(name: "body of HEAD", method: .head, lines: head("Content-Length: 3"), body: 3, verdict: .refused),
            Case(name: "body of 204", lines: ["HTTP/1.1 204 No Content\r\n", end], body: 1, verdict: .refused),
            Case(
                name: "64 KiB of reason",
                lines: ["HTTP/1.1 200 " + String(repeating: "x", count: 65_536) + "\r\n", end], verdict: .refused),
            Case(
                name: "many fields", lines: head().dropLast() + (0..<101).map { "X-\($0): 1\r\n" } + [end],
                verdict: .refused),
            Case(name: "large field", lines: head("X: " + String(repeating: "x", count: 65_536)), verdict: .refused),
            Case(name: "101 unasked", lines: ["HTTP/1.1 101 Switching\r\n", "Upgrade: x\r\n", end], verdict: .refused),
            Case(name: "HTTP/2.0 in clear", lines: ["HTTP/2.0 200\r\n", end], verdict: .refused),
            Case(name: "HTTP/2 in clear", lines: ["HTTP/2 200 \r\n", end], verdict: .refused),
            Case(
                name: "TE in 1.0", lines: ["HTTP/1.0 200 OK\r\n", "Transfer-Encoding: chunked\r\n", end],
                verdict: .refused),
            Case(
                name: "trailers", lines: head("Transfer-Encoding: chunked"), body: 2, trailers: ["X-Sum: 1\r\n"],
                verdict: .whole),
            Case(
                name: "broken trailers", lines: head("Transfer-Encoding: chunked"), body: 2, trailers: ["X Sum: 1\r\n"],
                verdict: .refused),
            Case(
                name: "endless trailers", lines: head("Transfer-Encoding: chunked"), body: 2,
                trailers: (0..<200).map { "X-\($0): \(String(repeating: "x", count: 100))\r\n" }, verdict: .refused),
            Case(
                name: "half a trailer", lines: head("Transfer-Encoding: chunked"),
                trailers: ["X: 1\r\n", "Y: "],
                verdict: .short),
            Case(
                name: "h2", isHTTP2: true, lines: ["HTTP/2 200 \r\n", "content-length: 2\r\n", end], body: 2,
                verdict: .whole),
            Case(
                name: "h2, trailers", isHTTP2: true, lines: ["HTTP/2 200 \r\n", end], body: 2,
                trailers: ["grpc-status: 0\r\n"], verdict: .whole),
            Case(name: "h2, but HTTP/1.1", isHTTP2: true, lines: head("Content-Length: 2"), body: 2, verdict: .refused),
            Case(
                name: "h2, TE", isHTTP2: true, lines: ["HTTP/2 200 \r\n", "transfer-encoding: chunked\r\n", end],
                verdict: .refused),
            Case(
                name: "h2, connection", isHTTP2: true, lines: ["HTTP/2 200 \r\n", "connection: close\r\n", end],
                verdict: .refused),
            Case(name: "h2, no status", isHTTP2: true, lines: ["HTTP/2 \r\n", end], verdict: .refused),
            Case(name: "h2, status of four", isHTTP2: true, lines: ["HTTP/2 2000 \r\n", end], verdict: .refused),
        ]
        + [
            "Content-Length: +2", "Content-Length: 0x2", "Content-Length: 2 2", "Content-Length: 2, 2",
            "Content-Length:",
            "Content-Length: -2", "Content-Length: 18446744073709551618", "Content-Length: 2\r\nContent-Length: 2",
            "Content-Length: 2\r\nContent-Length: 3", "Transfer-Encoding: chunked\r\nContent-Length: 2",
            "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: xchunked", "X: a\rb", "X: a\u{0}b", "X: a\u{1}b", "X: a\u{7F}b", "X: a\nY: b",
            "X: a\r\n b",
            "X : a", ": a", "X(A: b", "no colon",
        ].map { field in
            Case(
                name: field, lines: [ok] + field.split(separator: "\r\n").map { $0 + "\r\n" } + [end], body: 2,
                verdict: .refused)
        }

    private static func judge(_ one: Case, _ head: inout ResponseHead, _ trailers: inout ByteBuffer) -> Verdict {
        var checker = TransferHeadChecker()
        checker.expectAnswer(to: one.method, overHTTP2: one.isHTTP2)
        for line in one.lines {
            if case .failed = checker.take(Array(line.utf8).span, into: &head) { return .refused }
        }
        if one.body > 0, !checker.takeBody(one.body) { return .refused }
        for line in one.trailers {
            if case .failed = checker.take(Array(line.utf8).span, into: &head) { return .refused }
        }
        let end = checker.end()
        checker.appendTrailers(to: &trailers)
        switch end {
        case .whole: return .whole
        case .withoutHead: return .withoutHead
        case .short: return .short
        }
    }

    @Test(arguments: cases)
    func anAnswerIsJudged(_ one: Case) {
        var head = ResponseHead()
        var trailers = ByteBuffer()
        let verdict = Self.judge(one, &head, &trailers)
        #expect(verdict == one.verdict)
    }

    @Test func anAnswerOverHTTP2IsReadAsOne() {
        var head = ResponseHead()
        var trailers = ByteBuffer()
        _ = Self.judge(
            Case(
                name: "", isHTTP2: true, lines: ["HTTP/2 206 \r\n", "x-a: b\r\n", "\r\n"], body: 1,
                trailers: ["grpc-status: 0\r\n", "content-length: 5\r\n", "x-b: c\r\n"], verdict: .whole),
            &head, &trailers)
        let (status, version, framing, count) = (head.status, head.version, head.framing, head.fields.count)
        #expect(status == 206)
        #expect(version == .http2)
        #expect(framing == .untilClose)
        #expect(count == 1)
        let text = trailers.text
        #expect(text == "grpc-status: 0\r\nx-b: c\r\n")
    }

    /// One checker judges many answers, whatever came before.
    @Test func nothingStaysFromTheLastAnswer() {
        var checker = TransferHeadChecker()
        var head = ResponseHead()
        for one in Self.cases + Self.cases.reversed() {
            checker.expectAnswer(to: one.method, overHTTP2: one.isHTTP2)
            let isNew = !checker.hasBegun && !checker.hasPassedHead && !checker.isComplete
            #expect(isNew)
            for line in one.lines { _ = checker.take(Array(line.utf8).span, into: &head) }
        }
        checker.expectAnswer(to: .get, overHTTP2: false)
        for line in Self.head("Content-Length: 2") { _ = checker.take(Array(line.utf8).span, into: &head) }
        let waits = checker.hasPassedHead && !checker.isComplete
        let fits = checker.takeBody(2)
        let isComplete = checker.isComplete
        #expect(waits && fits && isComplete)
    }
}
