import ByteBuffers
import Foundation
import HTTPMessage
import Testing

@Suite struct ProblemDocumentTests {
    /// RFC 9457 §3.1, with the members of http-behaviour §1.
    @Test func hasAllMembers() throws {
        var out = ByteBuffer()
        ProblemDocument.append(
            cause: "upstream_timeout", status: 504, detail: "It \"took\" too long.",
            requestID: Array("a\"b\u{1}".utf8).span, traceID: (0x0af7_6519_16cd_43dd, 0x8448_eb21_1c80_319c), into: &out
        )
        let value = try JSONSerialization.jsonObject(with: Data(out.text.utf8))
        let object = try #require(value as? [String: Any])
        #expect(object["type"] as? String == "urn:banyan:problem:upstream_timeout")
        #expect(object["title"] as? String == "Gateway Timeout")
        #expect(object["status"] as? Int == 504)
        #expect(object["detail"] as? String == "It \"took\" too long.")
        #expect(object["cause"] as? String == "upstream_timeout")
        #expect(object["request_id"] as? String == "a\"b\u{1}")
        #expect(object["trace_id"] as? String == "0af7651916cd43dd8448eb211c80319c")
        #expect(object.count == 7)
    }

    @Test func leavesOutWhatIsNotKnown() {
        var out = ByteBuffer()
        ProblemDocument.append(
            cause: "bad_request", status: 400, detail: "", requestID: [UInt8]().span, traceID: (0, 0), into: &out)
        #expect(
            out.text
                == "{\"type\":\"urn:banyan:problem:bad_request\",\"title\":\"Bad Request\",\"status\":400,"
                + "\"cause\":\"bad_request\"}")
    }

    @Test func everyCauseHasAStatusAndAWord() {
        #expect(RequestError.Cause.allCases.map(\.status) == [400, 414, 431, 505, 417])
        #expect(
            RequestError.Cause.allCases.map(\.name.description)
                == [
                    "bad_request", "uri_too_long", "headers_too_large", "unsupported_version",
                    "unsupported_expectation",
                ])
    }

    @Test(arguments: [
        (200, "HTTP/1.1 200 OK\r\n"), (404, "HTTP/1.1 404 Not Found\r\n"), (502, "HTTP/1.1 502 Bad Gateway\r\n"),
        (299, "HTTP/1.1 299 Success\r\n"), (418, "HTTP/1.1 418 Client Error\r\n"),
        (599, "HTTP/1.1 599 Server Error\r\n"),
        (7, "HTTP/1.1 100 Continue\r\n"),
    ])
    func writesStatusLines(_ status: UInt16, _ line: String) {
        var out = ByteBuffer()
        out.appendStatusLine(status)
        #expect(out.text == line)
    }

    @Test func everyStatusHasAPhrase() {
        for status: UInt16 in 0...1000 { #expect(StatusCode.reasonPhrase(status).utf8CodeUnitCount > 0) }
    }
}
