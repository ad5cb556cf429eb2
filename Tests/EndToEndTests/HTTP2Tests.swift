import Foundation
import Testing

/// HTTP/2 in clear, as curl speaks it.
@Suite struct HTTP2Tests {
    private static let http2 = "--http2-prior-knowledge"

    @Test func aRequestIsForwardedAsHTTP11() throws {
        let stub = try StubUpstream.saying("hello", "X-Some: Thing", "Keep-Alive: timeout=5")
        let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
        let curl = try Curl(
            Self.http2, "--path-as-is", "--cookie", "a=1; b=2", "--header", "X-Client: yes", "\(gateway.url)/a/../b%2Fc?d=%20")
        #expect(curl.exitCode == 0, "\(curl.errors)")
        #expect(curl.answer?.startLine.hasPrefix("HTTP/2 200") == true)
        #expect(curl.body == "hello")
        #expect(curl.answer?.values("x-some") == ["Thing"])
        #expect(curl.answer?.values("keep-alive") == [])
        #expect(curl.answer?.values("content-length") == ["5"])
        let request = try stub.lastRequest()
        #expect(request.startLine == "GET /b%2Fc?d=%20 HTTP/1.1")
        #expect(request.values("host") == ["\(stub.place)"])
        #expect(request.values("x-forwarded-host") == ["\(gateway.place)"])
        #expect(request.values("x-client") == ["yes"])
        #expect(request.values("cookie") == ["a=1; b=2"])
        #expect(request.values("via") == ["2.0 banyan"])
        let line = try gateway.logLine(path: "/a/../b%2Fc")
        #expect(line["protocol"] as? String == "HTTP/2.0")
        #expect(line["status"] as? Int == 200)
    }

    @Test(arguments: [0, 1, 5, 65_536, 3_000_000])
    func bodiesPassBothWays(_ size: Int) throws {
        let stub = try StubUpstream { connection in
            while let request = try connection.request() {
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(request.body.count)\r\n\r\n")
                try connection.wire.send(request.body)
            }
        }
        let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
        let file = gateway.folder.file("body")
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        let sized = try Curl(Self.http2, "--data-binary", "@\(file)", "\(gateway.url)/sized")
        #expect(sized.exitCode == 0, "\(sized.errors)")
        #expect(sized.answer?.body == bytes)
        #expect(try stub.requests(1)[0].values("content-length") == ["\(size)"])
        let unsized = try Curl(
            Self.http2, "--request", "POST", "--header", "Content-Length:", "--upload-file", file,
            "\(gateway.url)/unsized")
        #expect(unsized.exitCode == 0, "\(unsized.errors)")
        #expect(unsized.answer?.body == bytes)
        if size > 0 { #expect(try stub.requests(2)[1].values("transfer-encoding") == ["chunked"]) }
    }

    @Test func answersWithoutABodyEndWithTheirHead() throws {
        let stub = try StubUpstream.answering { request in
            request.method == "HEAD"
                ? "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" : "HTTP/1.1 204 No Content\r\n\r\n"
        }
        let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
        let head = try Curl(Self.http2, "--head", "\(gateway.url)/")
        #expect(head.exitCode == 0, "\(head.errors)")
        #expect(head.answer?.values("content-length") == ["9"])
        #expect(try Curl(Self.http2, "\(gateway.url)/").status == 204)
    }

    @Test func aFailureIsAnsweredAsInHTTP11() throws {
        let gateway = try GatewayProcess(GatewaySetup().route(#"{"match": "/a", "respond": {"body": "a"}}"#))
        let missing = try Curl(Self.http2, "\(gateway.url)/b")
        #expect(missing.status == 404)
        #expect(missing.body.contains("no_route"))
        let long = try Curl(Self.http2, "\(gateway.url)/" + String(repeating: "a", count: 9_000))
        #expect(long.status == 414)
    }

    @Test func aListenerSpeaksWhatItIsToldTo() throws {
        var setup = GatewaySetup().route(#"{"match": "/a", "respond": {"body": "a"}}"#)
        setup.listeners = [
            #"{"address": "127.0.0.1:0", "protocols": ["http/1.1"]}"#,
            #"{"address": "127.0.0.1:0", "protocols": ["h2"]}"#,
        ]
        let gateway = try GatewayProcess(setup)
        let only1 = "http://\(gateway.places[0])/a"
        let only2 = "http://\(gateway.places[1])/a"
        #expect(try Curl(only1).status == 200)
        #expect(try Curl(Self.http2, only1).exitCode != 0)
        #expect(try Curl(Self.http2, only2).status == 200)
        #expect(try Curl(only2).exitCode != 0)
    }
}
