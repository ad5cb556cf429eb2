import ByteBuffers
import HTTPMessage
import Testing

@Suite struct HTTP1RequestParserTests {
    @Test func readsARequest() throws {
        let text = """
            POST /tasks/42?full=1&x HTTP/1.1\r
            Host: api.example:8080\r
            Content-Length:  12 \t\r
            X-Empty:\r
            cookie: a=b\r
            Cookie: c=d\r
            \r
            hello, world
            """
        let read = try #require(RequestFeeding.feedInEverySplit(text).request)
        #expect(read.method == "POST")
        #expect(read.target == "/tasks/42?full=1&x")
        #expect(read.path == "/tasks/42")
        #expect(read.query == "full=1&x")
        #expect(read.authority == "api.example:8080")
        #expect(read.host == "api.example")
        #expect(read.port == 8080)
        #expect(read.version == .http11)
        #expect(read.framing == .length(12))
        #expect(read.keepsAlive)
        #expect(read.consumed == text.utf8.count - 12)
        #expect(
            read.fields == [
                .init(name: "Host", value: "api.example:8080", id: .host),
                .init(name: "Content-Length", value: "12", id: .contentLength),
                .init(name: "X-Empty", value: "", id: .other),
                .init(name: "cookie", value: "a=b", id: .cookie),
                .init(name: "Cookie", value: "c=d", id: .cookie),
            ])
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        var text: String
        var cause: RequestError.Cause = .badRequest
        var section: String
        var testDescription: String { "\(section): \(text.debugDescription.prefix(120))" }
    }

    /// Requests that are refused, with the section that says so.
    static let refusals: [Refusal] = [
        // The request line.
        Refusal(text: request("GET  / HTTP/1.1"), section: "RFC 9112 3"),
        Refusal(text: request("GET / HTTP/1.1 "), section: "RFC 9112 3"),
        Refusal(text: request("GET /  HTTP/1.1"), section: "RFC 9112 3"),
        Refusal(text: request(" GET / HTTP/1.1"), section: "RFC 9112 3"),
        Refusal(text: request("GET\t/ HTTP/1.1"), section: "RFC 9112 3"),
        Refusal(text: request("GET /\tHTTP/1.1"), section: "RFC 9112 3"),
        Refusal(text: request("GET / x HTTP/1.1"), section: "RFC 9112 3"),
        Refusal(text: request("GET HTTP/1.1"), section: "RFC 9112 3"),
        Refusal(text: request("GET"), section: "RFC 9112 3"),
        Refusal(text: request("GET "), section: "RFC 9112 3"),
        Refusal(text: request("G@T / HTTP/1.1"), section: "RFC 9110 9.1"),
        Refusal(text: request("G(T / HTTP/1.1"), section: "RFC 9110 9.1"),
        Refusal(text: request("GÉT / HTTP/1.1"), section: "RFC 9110 9.1"),
        Refusal(text: request(String(repeating: "A", count: 33) + " / HTTP/1.1"), section: "RFC 9110 9.1"),
        Refusal(text: "\r\n\r\n" + request(), section: "RFC 9112 2.2"),
        // Versions.
        Refusal(text: request("GET / http/1.1"), section: "RFC 9112 2.3"),
        Refusal(text: request("GET / HTTP/1.10"), section: "RFC 9112 2.3"),
        Refusal(text: request("GET / HTTP/01.1"), section: "RFC 9112 2.3"),
        Refusal(text: request("GET / HTTP/1,1"), section: "RFC 9112 2.3"),
        Refusal(text: request("GET / HTTP/1"), section: "RFC 9112 2.3"),
        Refusal(text: request("GET / HTTPS/1.1"), section: "RFC 9112 2.3"),
        Refusal(text: request("POST /"), section: "RFC 9112 3"),
        Refusal(text: request("GET /"), cause: .unsupportedVersion, section: "RFC 9110 15.6.6"),
        Refusal(text: request("GET / HTTP/0.9"), cause: .unsupportedVersion, section: "RFC 9110 15.6.6"),
        Refusal(text: request("GET / HTTP/1.2"), cause: .unsupportedVersion, section: "RFC 9110 2.5"),
        Refusal(text: request("GET / HTTP/2.0"), cause: .unsupportedVersion, section: "RFC 9110 15.6.6"),
        Refusal(text: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", cause: .unsupportedVersion, section: "RFC 9113 3.4"),
        // The target.
        Refusal(text: request("GET /a#b HTTP/1.1"), section: "RFC 9112 3.2"),
        Refusal(text: request("GET /a?b#c HTTP/1.1"), section: "RFC 9112 3.2"),
        Refusal(text: request("GET /\u{7F} HTTP/1.1"), section: "RFC 3986 2"),
        Refusal(text: request("GET /é HTTP/1.1"), section: "RFC 3986 2"),
        Refusal(text: request("GET /?é HTTP/1.1"), section: "RFC 3986 2"),
        Refusal(text: request("GET /a\\b HTTP/1.1"), section: "RFC 3986 2"),
        Refusal(text: request("GET a HTTP/1.1"), section: "RFC 9112 3.2"),
        Refusal(text: request("GET ?a HTTP/1.1"), section: "RFC 9112 3.2"),
        Refusal(text: request("GET * HTTP/1.1"), section: "RFC 9112 3.2.4"),
        Refusal(text: request("OPTIONS *a HTTP/1.1"), section: "RFC 9112 3.2.4"),
        Refusal(text: request("GET @host/a HTTP/1.1"), section: "RFC 9112 3.2"),
        Refusal(text: request("GET ftp://a.example/ HTTP/1.1"), section: "RFC 9112 3.2.2"),
        Refusal(text: request("GET http:///a HTTP/1.1"), section: "RFC 9110 4.2.1"),
        Refusal(text: request("GET http://user@a.example/ HTTP/1.1"), section: "RFC 9110 4.2.4"),
        Refusal(text: request("GET http://a.example:x/ HTTP/1.1"), section: "RFC 3986 3.2.3"),
        Refusal(text: request("CONNECT /a HTTP/1.1"), section: "RFC 9112 3.2.3"),
        Refusal(text: request("CONNECT a.example HTTP/1.1"), section: "RFC 9112 3.2.3"),
        // Host.
        Refusal(text: request(host: nil), section: "RFC 9112 3.2"),
        Refusal(text: request(host: "Host: a\r\nHost: a\r\n"), section: "RFC 9112 3.2"),
        Refusal(text: request("GET / HTTP/1.0", host: "Host: a\r\nHost: b\r\n"), section: "RFC 9112 3.2"),
        Refusal(text: request("GET http://a/ HTTP/1.1", host: nil), section: "RFC 9112 3.2"),
        Refusal(text: request(host: "Host:\r\n"), section: "RFC 9110 4.2.1"),
        Refusal(text: request(host: "Host: a, b\r\n"), section: "RFC 9112 3.2"),
        Refusal(text: request(host: "Host: a/b\r\n"), section: "RFC 9112 3.2"),
        Refusal(text: request(host: "Host: u@a\r\n"), section: "RFC 9112 3.2"),
        Refusal(text: request(host: "Host: [::1\r\n"), section: "RFC 3986 3.2.2"),
        // Lines and fields.
        Refusal(text: "GET / HTTP/1.1\nHost: a\n\n", section: "RFC 9112 2.2"),
        Refusal(text: request("", "X: a\rb\r\n"), section: "RFC 9112 2.2"),
        Refusal(text: request("GET / HTTP/1.1", "X: a\nY: b\r\n"), section: "RFC 9112 2.2"),
        Refusal(text: request("GET / HTTP/1.1", "X: a\rb\r\n"), section: "RFC 9112 2.2"),
        Refusal(text: request("GET / HTTP/1.1", "X: a\r\r\n"), section: "RFC 9112 2.2"),
        Refusal(text: request("GET / HTTP/1.1", "X: a\0b\r\n"), section: "RFC 9110 5.5"),
        Refusal(text: request("GET / HTTP/1.1", "X: a\u{1B}b\r\n"), section: "RFC 9110 5.5"),
        Refusal(text: request("GET / HTTP/1.1", "X: a\u{7F}b\r\n"), section: "RFC 9110 5.5"),
        Refusal(text: request("GET / HTTP/1.1", "X : a\r\n"), section: "RFC 9112 5.1"),
        Refusal(text: request("GET / HTTP/1.1", "X\t: a\r\n"), section: "RFC 9112 5.1"),
        Refusal(text: request("GET / HTTP/1.1", "X Y: a\r\n"), section: "RFC 9110 5.1"),
        Refusal(text: request("GET / HTTP/1.1", ": a\r\n"), section: "RFC 9110 5.1"),
        Refusal(text: request("GET / HTTP/1.1", "X\r\n"), section: "RFC 9112 5"),
        Refusal(text: request("GET / HTTP/1.1", "X(: a\r\n"), section: "RFC 9110 5.1"),
        Refusal(text: request("GET / HTTP/1.1", "Xé: a\r\n"), section: "RFC 9110 5.1"),
        Refusal(text: request("GET / HTTP/1.1", "X: a\r\n b\r\n"), section: "RFC 9112 5.2"),
        Refusal(text: request("GET / HTTP/1.1", "X: a\r\n\tb\r\n"), section: "RFC 9112 5.2"),
        Refusal(text: request("GET / HTTP/1.1", host: " X: a\r\nHost: a\r\n"), section: "RFC 9112 2.2"),
        // Expectations.
        Refusal(
            text: request("PUT / HTTP/1.1", "Content-Length: 1\r\nExpect: y 100-continue\r\n"),
            cause: .unsupportedExpectation, section: "RFC 9110 10.1.1"),
        Refusal(
            text: request("PUT / HTTP/1.1", "Content-Length: 1\r\nExpect: 100-continue, x\r\n"),
            cause: .unsupportedExpectation, section: "RFC 9110 10.1.1"),
        Refusal(
            text: request("PUT / HTTP/1.1", "Content-Length: 1\r\nExpect:\r\n"),
            cause: .unsupportedExpectation, section: "RFC 9110 10.1.1"),
    ]

    @Test(arguments: refusals)
    func refuses(_ refusal: Refusal) throws {
        let error = try #require(RequestFeeding.feedInEverySplit(refusal.text).error)
        #expect(error.cause == refusal.cause, "\(error.detail)")
    }
}
