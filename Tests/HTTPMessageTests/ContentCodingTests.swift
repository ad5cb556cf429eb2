import ByteBuffers
import Testing

@testable import HTTPMessage

/// Whether the gateway can read an answer: its type (RFC 9110 §8.3) and its coding (§8.4).
@Suite struct ContentCodingTests {
    private static func head(_ fields: [String]) throws -> (ContentCoding, Bool) {
        var parser = HTTP1ResponseParser()
        var head = ResponseHead()
        let text = "HTTP/1.1 200 OK\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
        let progress = parser.consume(Array(text.utf8).span, into: &head, requestMethod: .get)
        try #require(progress == .complete(consumed: text.utf8.count))
        return (head.contentCoding, head.mayBeJSON)
    }

    @Test(
        arguments: [
            ([], .identity), ([""], .identity), (["identity"], .identity), (["Identity, , IDENTITY"], .identity),
            (["gzip"], .gzip), (["GZIP"], .gzip), (["x-gzip"], .gzip), (["X-GZip"], .gzip), ([" gzip ,"], .gzip),
            (["identity", "gzip"], .gzip), (["", "gzip"], .gzip), (["gzip", "gzip"], .other), (["gzip, gzip"], .other),
            (["deflate"], .other), (["br"], .other), (["zstd"], .other), (["compress"], .other), (["br, gzip"], .other),
            (["gzip, br"], .other), (["gzip;q=1"], .other), (["\"gzip\""], .other), (["gzipx"], .other),
            (["*"], .other),
            (["gzip", "x"], .other),
        ] as [([String], ContentCoding)])
    func coding(_ fields: [String], _ expected: ContentCoding) throws {
        #expect(try Self.head(fields.map { "Content-Encoding: \($0)" }).0 == expected)
    }

    static let json: [[String]] = [
        [], ["application/json"], ["Application/JSON"], ["application/json;charset=utf-8"],
        ["application/json; charset=UTF-8"], ["application/json ;\tCharset=\"Utf-8\""],
        ["application/json; charset=us-ascii"], ["application/json; charset=\"US-ASCII\""],
        ["application/problem+json"], ["application/vnd.api+json; charset=utf-8"], ["image/x+JSON"],
        ["application/json; profile=\"a;charset=latin1\""], ["application/json;"], ["application/json;;charset=utf-8;"],
        ["application/json; charset=utf-8; charset=utf-8"],
    ]

    @Test(arguments: json)
    func mayBeJSON(_ types: [String]) throws {
        #expect(try Self.head(types.map { "Content-Type: \($0)" }).1)
    }

    static let notJSON: [[String]] = [
        ["text/html"], ["text/plain; charset=utf-8"], ["text/json"], ["application/jsonp"], ["application/xjson"],
        ["application/+json"], ["application/json+xml"], ["application/octet-stream"], ["application/x-ndjson"],
        ["application/json; charset=iso-8859-1"], ["application/json; charset=utf-16"],
        ["application/json; charset=\"utf-16le\""], ["application/json; charset=utf8"], ["application/json; charset="],
        ["application/json; charset"], ["application/json; charset=\"utf-8"], ["application/json; charset=\"\""],
        ["application/json; charset=utf-8; charset=utf-16"], ["application/problem+json; charset=latin1"], [""],
        ["application"], ["application/"], ["/json"], ["application/json, text/html"], ["application/json text"],
        ["application/json", "application/json"], ["application/json", "text/html"], ["multipart/mixed; a=b"],
        ["application/json; charset = utf-8"],
    ]

    @Test(arguments: notJSON)
    func isNotJSON(_ types: [String]) throws {
        #expect(try !Self.head(types.map { "Content-Type: \($0)" }).1)
    }
}
