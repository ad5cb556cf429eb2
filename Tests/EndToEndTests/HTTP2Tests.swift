import Foundation
import Testing

extension EndToEnd {
    /// HTTP/2 in clear and over TLS, as curl, nghttp and h2load speak it, and as attackers do.
    @Suite struct HTTP2 {
        private static let http2 = "--http2-prior-knowledge"

        @Test func aRequestIsForwardedAsHTTP11() throws {
            let stub = try StubUpstream.saying("hello", "X-Some: Thing", "Keep-Alive: timeout=5")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let curl = try Curl(
                Self.http2, "--path-as-is", "--cookie", "a=1; b=2", "--header", "X-Client: yes",
                "\(gateway.url)/a/../b%2Fc?d=%20")
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

        // MARK: - Clients

        @Test("TLS agrees on HTTP/2", .enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
        func tls() throws {
            let certificates = try CertificateFolder()
            try certificates.make("site")
            let stub = try StubUpstream.saying("hello")
            let setup = GatewaySetup(forwardingTo: stub).secured(
                by: certificates, #""certificate": "@/site.crt", "key": "@/site.key""#)
            let gateway = try GatewayProcess(setup)
            let file = certificates.file("body")
            try Data(repeating: 7, count: 500_000).write(to: URL(fileURLWithPath: file))
            let to = [
                "--cacert", certificates.file("ca.crt"), "--connect-to", "localhost:443:\(gateway.place)", "--http2",
            ]
            let answer = try Curl(words: to + ["https://localhost/a"])
            #expect(answer.answer?.startLine.hasPrefix("HTTP/2 200") == true, "\(answer)")
            #expect(answer.body == "hello")
            #expect(try Curl(words: to + ["--data-binary", "@\(file)", "https://localhost/b"]).status == 200)
            #expect(try stub.requests(2)[1].body.count == 500_000)
            #expect(try stub.lastRequest()["x-forwarded-proto"] == "https")
        }

        @Test(
            "Many streams on a few connections, and none fails",
            .enabled(if: access("/usr/bin/h2load", X_OK) == 0, "needs h2load: apt-get install nghttp2-client"),
            arguments: [(1, 1), (1, 100), (4, 100)])
        func load(connections: Int, streams: Int) throws {
            let stub = try StubUpstream.saying(String(repeating: "x", count: 3_000))
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let load = try RunningProcess(
                "/usr/bin/h2load", ["-n", "2000", "-c", "\(connections)", "-m", "\(streams)", "\(gateway.url)/a"])
            #expect(try load.end() == 0)
            let text = load.lines().joined(separator: "\n")
            #expect(text.contains("2000 succeeded, 0 failed, 0 errored, 0 timeout"), "\(text)")
        }

        // MARK: - Attackers

        @Test("An upstream never sees a whole request of a body that contradicts its length")
        func contradiction() throws {
            let stub = try StubUpstream { connection in
                while let head = try connection.head() {
                    _ = try connection.wire.take(head.contentLength ?? 0)
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole")
                }
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try HTTP2Wire(gateway)
            var stream: UInt32 = 1
            for pieces in [["123"], ["1234567"], ["123", "4567"], ["12345", "6"]] {
                try client.send(HTTP2Wire.head(stream, "POST", "/\(stream)", [("content-length", "5")], ends: false))
                for (index, piece) in pieces.enumerated() {
                    try client.send(HTTP2Wire.data(stream, piece, ends: index == pieces.count - 1))
                }
                #expect(try client.code(of: 3, on: stream) == 1, "PROTOCOL_ERROR")
                let line = try gateway.logLine(path: "/\(stream)")
                #expect(line["status"] as? Int == 400)
                #expect(line["cause"] as? String == "bad_request")
                stream += 2
            }
            try eventually("every request is cut off") { stub.closedConnections == stub.connections }
            try client.send(
                HTTP2Wire.head(stream, "POST", "/good", [("content-length", "5")], ends: false),
                HTTP2Wire.data(stream, "12345", ends: true))
            #expect(try client.code(of: 0, on: stream) != nil)
            #expect(try gateway.logLine(path: "/good")["status"] as? Int == 200)
        }

        @Test("A reset ends the work at the upstream at once")
        func cancellation() throws {
            let stub = try StubUpstream { connection in
                _ = try connection.head()
                try connection.awaitEnd()
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try HTTP2Wire(gateway)
            try client.send(HTTP2Wire.head(1, "GET", "/a"))
            _ = try stub.requests(1)
            try client.send(HTTP2Wire.reset(1))
            try eventually("the upstream's connection is closed") { stub.closedConnections == 1 }
            #expect(try gateway.logLine(path: "/a")["cause"] as? String == "client_closed")
        }

        @Test("Floods are cut off and counted, others are served, memory comes back")
        func floods() throws {
            let stub = try StubUpstream.saying("hello")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub).gateway(#""accessLog": false"#))
            func attack(_ name: String, _ frames: [UInt8]) throws {
                let client = try HTTP2Wire(gateway)
                try? client.wire.send(frames)
                #expect(try client.code(of: 7, on: 0) == 11, "\(name): ENHANCE_YOUR_CALM")
            }
            let streams = (0..<300).map { UInt32(2 * $0 + 1) }
            let resets = streams.flatMap { HTTP2Wire.head($0, "GET", "/") + HTTP2Wire.reset($0) }
            let bad = streams.flatMap { HTTP2Wire.head($0, "GET", "/", [("X", "y")]) }
            let pings = (0..<300).flatMap { _ in HTTP2Wire.frame(6, 0, 0, [UInt8](repeating: 1, count: 8)) }
            let settings = (0..<300).flatMap { _ in HTTP2Wire.frame(4, 0, 0) }
            let open = HTTP2Wire.head(1, "POST", "/", ends: false)
            let empty = open + (0..<9).flatMap { _ in HTTP2Wire.data(1, "") }
            let begun =
                HTTP2Wire.frame(1, 0, 1) + (0..<9).flatMap { _ in HTTP2Wire.frame(9, 0, 1, [0, 1, 120, 1, 121]) }
            let all = [
                ("resets", resets), ("stream_errors", bad), ("pings", pings), ("settings", settings),
                ("empty_frames", empty), ("continuations", begun),
            ]
            for (name, frames) in all { try attack(name, frames) }
            let before = try gateway.process.kibibytes("VmRSS")
            for _ in 0..<20 {
                for (name, frames) in all { try attack(name, frames) }
                #expect(try Curl(Self.http2, "\(gateway.url)/").body == "hello")
            }
            let growth = try gateway.process.kibibytes("VmRSS") - before
            #expect(growth < 8 << 10 || Binaries.areSanitized, "memory grew by \(growth) KiB")
            let counts = try #require(try gateway.admin("/status").json["cutOff"] as? [String: Int])
            for (name, _) in all { #expect(counts[name] == 21, "\(name): \(counts)") }
            try gateway.process.line("a warning in the log", in: .errors) { $0.contains("clients cut off for floods") }
        }

        @Test("A drain lets the streams in work end, and refuses nothing")
        func drain() throws {
            let gate = Gate()
            let stub = try StubUpstream { connection in
                while try connection.request() != nil {
                    try gate.wait()
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
                }
            }
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try HTTP2Wire(gateway)
            try client.send(HTTP2Wire.head(1, "GET", "/a"))
            _ = try stub.requests(1)
            gateway.process.signal(SIGTERM)
            #expect(try client.code(of: 7, on: 0) == 0)
            gate.open()
            #expect(try client.code(of: 0, on: 1) != nil)
            #expect(try gateway.process.end() == 0)
        }
    }
}
