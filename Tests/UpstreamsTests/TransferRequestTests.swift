import ByteBuffers
import CLibcurl
import Testing

@testable import Upstreams

/// A request's head as libcurl gets it: made of the bytes that our own connections send, and of nothing else.
@Suite struct TransferRequestTests {
    private static func parts(_ head: String) -> [String]? {
        var request = TransferRequest()
        request.bytes.append(Array(head.utf8))
        guard request.prepare(), let method = request.method, let target = request.target else { return nil }
        var parts = [String(cString: method), String(cString: target)]
        var node = request.fields
        while let field = node {
            parts.append(String(cString: field.pointee.data))
            node = field.pointee.next
        }
        return parts
    }

    @Test(
        arguments: [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", ["GET", "/", "Host: a"]),
            ("M-X /a?b=c%20 HTTP/1.1\r\n\r\n", ["M-X", "/a?b=c%20"]),
            (
                "POST /a/../b HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a:2\r\nContent-Length: 5\r\n\r\n",
                ["POST", "/a/../b", "Host: a", "X-A: 1", "x-a:2", "Content-Length: 5"]
            ),
            // A field without a value would be left out by libcurl.
            ("GET / HTTP/1.1\r\nX-A:\r\nX-B: \r\nX-C: 1\r\n\r\n", ["GET", "/", "X-A;", "X-B;", "X-C: 1"]),
            // libcurl would wait for an interim answer.
            ("GET / HTTP/1.1\r\nexpect: 100-continue\r\nX-C: 1\r\n\r\n", ["GET", "/", "X-C: 1"]),
            ("GET / HTTP/1.1\r\nX-A: \u{E9}\tb\r\n\r\n", ["GET", "/", "X-A: \u{E9}\tb"]),
        ] as [(String, [String])])
    func aHeadIsTakenApart(head: String, parts: [String]) {
        #expect(Self.parts(head) == parts + ["Accept:", "Expect:"])
    }

    @Test(arguments: [
        "", "GET", "GET / HTTP/1.1", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nX: a\r\n", "GET  HTTP/1.1\r\n\r\n",
        " / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nX: a\nY: b\r\n\r\n", "GET / HTTP/1.1\r\nX: a\rY: b\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\u{0}b\r\n\r\n", "GET / HTTP/1.1\r\nX: a\u{7F}\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\n: a\r\n\r\n", "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", "G\rT / HTTP/1.1\r\n\r\n",
    ])
    func whatIsNoHeadIsRefused(head: String) {
        #expect(Self.parts(head) == nil)
    }

    /// More fields than there was room for at first, and a head that grows.
    @Test func aListGrows() {
        var request = TransferRequest()
        for count in [3, 200, 1] {
            request.bytes.removeAll()
            request.bytes.append("GET / HTTP/1.1\r\n")
            for index in 0..<count { request.bytes.append(Array("X-\(index): \(index)\r\n".utf8)) }
            request.bytes.append("\r\n")
            let isGood = request.prepare()
            #expect(isGood)
            var fields: [String] = []
            var node = request.fields
            while let field = node {
                fields.append(String(cString: field.pointee.data))
                node = field.pointee.next
            }
            #expect(fields == (0..<count).map { "X-\($0): \($0)" } + ["Accept:", "Expect:"])
        }
    }
}
