import ByteBuffers
import HTTPMessage
import Testing

@Suite struct RequestTargetTests {
    struct Path: CustomTestStringConvertible, Sendable {
        var received: String
        /// The normal form, or nil where the path is refused.
        var normal: String?
        var section: String
        var testDescription: String { "\(section): \(received)" }
    }

    static let paths: [Path] = [
        // What is normal stays as it is.
        Path(received: "/", normal: "/", section: "RFC 3986 6.2.3"),
        Path(received: "/a/b", normal: "/a/b", section: "RFC 3986 6.2.2"),
        Path(received: "/a/b/", normal: "/a/b/", section: "RFC 3986 6.2.2"),
        Path(received: "/A/b", normal: "/A/b", section: "RFC 3986 6.2.2.1"),
        Path(received: "/a%20b", normal: "/a%20b", section: "RFC 3986 6.2.2.2"),
        Path(received: "/-._~!$&'()*+,;=:@", normal: "/-._~!$&'()*+,;=:@", section: "RFC 3986 3.3"),
        Path(received: "/a|b[c]{d}^`\"<>", normal: "/a|b[c]{d}^`\"<>", section: "RFC 9112 3.2"),
        Path(received: "/.a/..b/c./d../...", normal: "/.a/..b/c./d../...", section: "RFC 3986 5.2.4"),
        // Empty segments are segments.
        Path(received: "//", normal: "//", section: "RFC 3986 3.3"),
        Path(received: "//host/a", normal: "//host/a", section: "RFC 3986 3.3"),
        Path(received: "/a//b", normal: "/a//b", section: "RFC 3986 3.3"),
        Path(received: "/a//../b", normal: "/a/b", section: "RFC 3986 5.2.4"),
        Path(received: "/a/..//b", normal: "//b", section: "RFC 3986 5.2.4"),
        // Dot segments.
        Path(received: "/.", normal: "/", section: "RFC 3986 5.2.4"),
        Path(received: "/./", normal: "/", section: "RFC 3986 5.2.4"),
        Path(received: "/./a", normal: "/a", section: "RFC 3986 5.2.4"),
        Path(received: "/a/.", normal: "/a/", section: "RFC 3986 5.2.4"),
        Path(received: "/a/./b", normal: "/a/b", section: "RFC 3986 5.2.4"),
        Path(received: "/a/..", normal: "/", section: "RFC 3986 5.2.4"),
        Path(received: "/a/../", normal: "/", section: "RFC 3986 5.2.4"),
        Path(received: "/a/b/..", normal: "/a/", section: "RFC 3986 5.2.4"),
        Path(received: "/a/b/../c", normal: "/a/c", section: "RFC 3986 5.2.4"),
        Path(received: "/a/b/c/./../../g", normal: "/a/g", section: "RFC 3986 5.2.4"),
        Path(received: "/pub/../admin", normal: "/admin", section: "RFC 3986 5.2.4"),
        Path(received: "/a/b/%2E%2e/c", normal: "/a/c", section: "RFC 3986 6.2.2.3"),
        Path(received: "/a/.%2e/c", normal: "/c", section: "RFC 3986 6.2.2.3"),
        Path(received: "/a/%2e/c", normal: "/a/c", section: "RFC 3986 6.2.2.3"),
        Path(received: "/..", normal: nil, section: "RFC 3986 5.2.4"),
        Path(received: "/../a", normal: nil, section: "RFC 3986 5.2.4"),
        Path(received: "/a/../../b", normal: nil, section: "RFC 3986 5.2.4"),
        Path(received: "/%2e%2e/a", normal: nil, section: "RFC 3986 5.2.4"),
        Path(received: "/./..", normal: nil, section: "RFC 3986 5.2.4"),
        // Percent-encoding.
        Path(received: "/%61%5A%30%2D%2e%5F%7E", normal: "/aZ0-._~", section: "RFC 3986 6.2.2.2"),
        Path(received: "/ta%73ks", normal: "/tasks", section: "RFC 3986 6.2.2.2"),
        Path(received: "/a%2fb", normal: "/a%2Fb", section: "RFC 3986 2.2"),
        Path(received: "/a%2Fb", normal: "/a%2Fb", section: "RFC 3986 2.2"),
        Path(received: "/a%5cb", normal: "/a%5Cb", section: "RFC 3986 2.2"),
        Path(received: "/a%c3%a9", normal: "/a%C3%A9", section: "RFC 3986 6.2.2.1"),
        Path(received: "/a%252e%252e/b", normal: "/a%252e%252e/b", section: "RFC 3986 2.4"),
        Path(received: "/%3f%23%25", normal: "/%3F%23%25", section: "RFC 3986 2.2"),
        Path(received: "/%0d%0a", normal: "/%0D%0A", section: "RFC 3986 2.1"),
        Path(received: "/%7f%80%ff", normal: "/%7F%80%FF", section: "RFC 3986 2.1"),
        Path(received: "/%", normal: nil, section: "RFC 3986 2.1"),
        Path(received: "/%a", normal: nil, section: "RFC 3986 2.1"),
        Path(received: "/%/a", normal: nil, section: "RFC 3986 2.1"),
        Path(received: "/%zz", normal: nil, section: "RFC 3986 2.1"),
        Path(received: "/%2", normal: nil, section: "RFC 3986 2.1"),
        Path(received: "/%u002f", normal: nil, section: "RFC 3986 2.1"),
        Path(received: "/%00", normal: nil, section: "RFC 3986 7.3"),
        Path(received: "/a%00.txt", normal: nil, section: "RFC 3986 7.3"),
        // Dot segments in disguise: security.md 2.2.
        Path(received: "/pub/..%2fadmin", normal: nil, section: "RFC 3986 7.3"),
        Path(received: "/pub/..%5cadmin", normal: nil, section: "RFC 3986 7.3"),
        Path(received: "/pub/x%2f..%2fadmin", normal: nil, section: "RFC 3986 7.3"),
        Path(received: "/pub/x%5C%2e%2E", normal: nil, section: "RFC 3986 7.3"),
        Path(received: "/pub/%2e%2fadmin", normal: nil, section: "RFC 3986 7.3"),
        Path(received: "/pub/..;/admin", normal: nil, section: "RFC 3986 3.3"),
        Path(received: "/pub/..;a=b/admin", normal: nil, section: "RFC 3986 3.3"),
        Path(received: "/pub/%2e%2e;/admin", normal: nil, section: "RFC 3986 3.3"),
        Path(received: "/pub/.;/admin", normal: nil, section: "RFC 3986 3.3"),
        Path(received: "/pub/x%2f..;y%2fadmin", normal: nil, section: "RFC 3986 3.3"),
        Path(received: "/a;b/..a;c/d;..", normal: "/a;b/..a;c/d;..", section: "RFC 3986 3.3"),
        Path(received: "/a%2f...%2fb", normal: "/a%2F...%2Fb", section: "RFC 3986 3.3"),
        Path(received: "/group%2fproject%2f", normal: "/group%2Fproject%2F", section: "RFC 3986 2.2"),
        Path(received: "/pub/..\\admin", normal: nil, section: "RFC 3986 2"),
        Path(received: "/%c0%ae%c0%ae/a", normal: nil, section: "RFC 3629 3"),
        Path(received: "/%c1%9c", normal: nil, section: "RFC 3629 3"),
        Path(received: "/%e0%80%af", normal: nil, section: "RFC 3629 3"),
        Path(received: "/%f0%80%80%af", normal: nil, section: "RFC 3629 3"),
        Path(received: "/%c0", normal: "/%C0", section: "RFC 3986 2.1"),
        Path(received: "/%e0%a0%80%f0%90%80%80", normal: "/%E0%A0%80%F0%90%80%80", section: "RFC 3629 3"),
    ]

    @Test(arguments: paths)
    func normalises(_ path: Path) throws {
        let text = request("GET \(path.received)?q=%zz/../ HTTP/1.1", "X-A: b\r\n")
        let outcome = RequestFeeding.feedInEverySplit(text)
        guard let normal = path.normal else {
            #expect(outcome.error?.cause == .badRequest)
            return
        }
        let read = try #require(outcome.request, "\(outcome)")
        #expect(read.path == normal)
        #expect(read.query == "q=%zz/../")
        #expect(read.target == path.received + "?q=%zz/../")
        #expect(read.fields.map(\.name) == ["Host", "X-A"])
        #expect(read.fields.map(\.value) == ["a.example", "b"])

        // A normal path is its own normal form.
        let again = try #require(RequestFeeding.feed(Array(request("GET \(normal) HTTP/1.1").utf8)).request)
        #expect(again.path == normal)
    }

    /// A path that is normal as received is not copied.
    @Test(arguments: ["/a/b", "/a%20b", "/.a", "/a%2Fb", "/..."])
    func normalPathsAreRangesOfTheReceivedBytes(_ path: String) {
        var parser = HTTP1RequestParser(limits: HeadLimits())
        var head = RequestHead()
        let bytes = Array(request("GET \(path) HTTP/1.1").utf8)
        _ = parser.consume(bytes.span, into: &head)
        let (range, count) = (head.path, head.bytes.count)
        #expect(range == ByteRange(start: 4, count: path.utf8.count))
        #expect(count == bytes.count)
    }

    struct Target: CustomTestStringConvertible, Sendable {
        var line: String
        var host = "field.example:1"
        var path: String
        var query: String?
        var authority: String
        var hostName: String
        var port: UInt16?
        var isAsterisk = false
        var section: String
        var testDescription: String { "\(section): \(line)" }
    }

    static let targets: [Target] = [
        Target(
            line: "GET /? HTTP/1.1", path: "/", query: "", authority: "field.example:1", hostName: "field.example",
            port: 1, section: "RFC 9112 3.2.1"),
        Target(
            line: "GET /a?b?c/../%zz HTTP/1.1", path: "/a", query: "b?c/../%zz", authority: "field.example:1",
            hostName: "field.example", port: 1, section: "RFC 9112 3.2.1"),
        Target(
            line: "GET /a?b\\c HTTP/1.1", path: "/a", query: "b\\c", authority: "field.example:1",
            hostName: "field.example", port: 1, section: "RFC 9112 3.2.1"),
        Target(
            line: "OPTIONS * HTTP/1.1", path: "*", authority: "field.example:1", hostName: "field.example", port: 1,
            isAsterisk: true, section: "RFC 9112 3.2.4"),
        Target(
            line: "GET http://target.example/a?b HTTP/1.1", path: "/a", query: "b", authority: "target.example",
            hostName: "target.example", section: "RFC 9112 3.2.2"),
        Target(
            line: "GET HTTPS://T.example:8443/x/../a HTTP/1.1", path: "/a", authority: "T.example:8443",
            hostName: "T.example", port: 8443, section: "RFC 9112 3.2.2"),
        Target(
            line: "GET http://target.example HTTP/1.1", path: "/", authority: "target.example",
            hostName: "target.example", section: "RFC 9110 4.2.3"),
        Target(
            line: "GET http://target.example?b HTTP/1.1", path: "/", query: "b", authority: "target.example",
            hostName: "target.example", section: "RFC 9110 4.2.3"),
        Target(
            line: "OPTIONS http://target.example:80 HTTP/1.1", path: "*", authority: "target.example:80",
            hostName: "target.example", port: 80, isAsterisk: true, section: "RFC 9112 3.2.4"),
        Target(
            line: "OPTIONS http://target.example/ HTTP/1.1", path: "/", authority: "target.example",
            hostName: "target.example", section: "RFC 9112 3.2.4"),
        Target(
            line: "GET http://[2001:db8::1]:80/ HTTP/1.1", path: "/", authority: "[2001:db8::1]:80",
            hostName: "[2001:db8::1]", port: 80, section: "RFC 3986 3.2.2"),
        Target(
            line: "CONNECT target.example:443 HTTP/1.1", path: "", authority: "target.example:443",
            hostName: "target.example", port: 443, section: "RFC 9112 3.2.3"),
        Target(
            line: "GET / HTTP/1.1", host: "[::1]", path: "/", authority: "[::1]", hostName: "[::1]",
            section: "RFC 3986 3.2.2"),
    ]

    @Test(arguments: targets)
    func readsEveryForm(_ target: Target) throws {
        let outcome = RequestFeeding.feedInEverySplit(
            request(target.line, host: "Host: \(target.host)\r\n", "X: y\r\n"))
        let read = try #require(outcome.request, "\(outcome)")
        #expect(read.path == target.path)
        #expect(read.query == target.query)
        #expect(read.authority == target.authority)
        #expect(read.host == target.hostName)
        #expect(read.port == target.port)
        #expect(read.isAsterisk == target.isAsterisk)
        #expect(read.fields.map(\.value) == [target.host, "y"])
    }

    /// Valid and invalid values of `Host` (RFC 9112 §3.2, RFC 3986 §3.2.2, §3.2.3).
    static let hosts: [(String, isValid: Bool)] = [
        ("a", true), ("a.example", true), ("A.EXAMPLE.", true), ("a_b.example", true), ("a:80", true), ("a:", true),
        ("a:0", true), ("a:65535", true), ("127.0.0.1", true), ("127.0.0.1:8080", true), ("[::1]", true),
        ("[::1]:80", true), ("[2001:db8::ffff:192.0.2.1]", true), ("1.2.3.4.5", true), ("%61.example", true),
        ("x-y~!$&'()*+;=", true),
        ("", false), (":80", false), ("a:65536", false), ("a:000080", false), ("a:8a", false), ("a:-1", false),
        ("a:80:80", false), ("::1", false), ("[::1", false), ("::1]", false), ("[]", false), ("[::1]a", false),
        ("[1.2.3.4]", false), ("[fe80::1%25eth0]", false), ("[v1.a]", false), ("a b", false), ("a/b", false),
        ("a?b", false), ("a#b", false), ("u@a", false), ("a\\b", false), ("a\"b", false), ("a<b", false),
        ("a%zz", false), ("a%2", false), ("é.example", false), ("http://a", false), ("a|b", false),
    ]

    @Test(arguments: hosts)
    func validatesHost(_ host: String, isValid: Bool) {
        let outcome = RequestFeeding.feedInEverySplit(request(host: "Host: \(host)\r\n"))
        #expect((outcome.request?.authority == host) == isValid, "\(outcome)")
        #expect((outcome.error == nil) == isValid)
    }
}
