import Foundation
import Glibc
import Testing

extension EndToEnd {
    /// One line for each request, whatever the request says (security §2.3).
    @Suite
    struct AccessLog {
        @Test("A line says what the request was and what became of it")
        func fields() throws {
            let stub = try StubUpstream.saying("twelve bytes")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let answer = try gateway.exchange("POST /log?secret=1", ["User-Agent: test/1"], body: "body!")
            let line = try gateway.logLine(path: "/log")
            let expected: [String: String] = [
                "method": "POST", "path": "/log", "protocol": "HTTP/1.1", "route": "/{rest...}", "client": "127.0.0.1",
                "host": "api.test", "upstream": "stub", "upstream_address": "\(stub.place)", "user_agent": "test/1",
            ]
            for (name, value) in expected { #expect(line[name] as? String == value, "\(name): \(line)") }
            #expect(line["status"] as? Int == 200 && line["attempts"] as? Int == 1, "\(line)")
            #expect(line["bytes_in"] as? Int == 5 && line["bytes_out"] as? Int == 12, "\(line)")
            #expect(line["cause"] is NSNull, "\(line)")
            #expect(line["request_id"] as? String == answer["x-request-id"])
            let duration = try #require(line["duration_ms"] as? Double)
            let upstreamTime = try #require(line["upstream_time_ms"] as? Double)
            #expect(0 < upstreamTime && upstreamTime <= duration, "\(line)")
            let request = try stub.lastRequest()
            let parent = request["traceparent"]?.split(separator: "-").map(String.init) ?? []
            #expect(parent.count == 4 && line["trace_id"] as? String == parent[1], "\(line)\n\(request)")
            let time = try #require(line["time"] as? String)
            #expect(time.hasSuffix("Z") && time.count == 24, "\(time)")
        }

        @Test(
            "Nothing that a client sends ends a line or begins another (CWE-117)",
            arguments: [
                "\",\"status\":200,\"x\":\"", "\\\"}", "{\"status\":1}", "\u{1B}[2J", "\u{00}", "%0a{\"forged\":1}",
                "\u{2028}\u{2029}", "\u{7F}", "\t",
            ])
        func forgery(value: String) throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            try client.request("GET /forged", ["User-Agent: \(value)", "Referer: \(value)", "X-Request-Id: \(value)"])
            _ = try client.response()
            _ = try gateway.exchange("GET /after")
            _ = try gateway.logLine(path: "/after")
            let lines = gateway.process.lines().filter { !$0.hasPrefix("banyan: ") }
            #expect(lines.count == 2, "\(lines)")
            for line in lines {
                let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                #expect(object?["time"] is String && object?["forged"] == nil, "\(line)")
                #expect(
                    !line.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }, "\(line.debugDescription)")
            }
        }

        @Test("Invalid UTF-8 in a field is a valid line all the same (RFC 8259 §8.1)")
        func invalidText() throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            try client.send("GET /bytes HTTP/1.1\r\nHost: a\r\nUser-Agent: ")
            try client.wire.send([0xFF, 0xC0, 0x80, 0xED, 0xA0, 0x80])
            #expect(try client.send("\r\n\r\n").response().status == 200, "\(client.transcript)")
            #expect(try gateway.logLine(path: "/bytes")["user_agent"] is String)
            #expect(String(validating: gateway.process.bytes, as: UTF8.self) != nil, "the log is not UTF-8")
        }

        @Test("A log file is opened anew on SIGUSR1, as rotation wants it")
        func rotation() throws {
            let folder = try TemporaryFolder()
            let stub = try StubUpstream.saying("ok")
            let setup = GatewaySetup(forwardingTo: stub).gateway(#""accessLog": {"output": "access.log"}"#)
            let gateway = try GatewayProcess(setup, folder: folder)
            func text(_ name: String) -> String {
                (try? String(contentsOfFile: folder.file(name), encoding: .utf8)) ?? ""
            }
            _ = try gateway.exchange("GET /one")
            try eventually("the first line") { text("access.log").contains("/one") }
            #expect(rename(folder.file("access.log"), folder.file("access.log.1")) == 0)
            gateway.process.signal(SIGUSR1)
            try eventually("a new file") { FileManager.default.fileExists(atPath: folder.file("access.log")) }
            _ = try gateway.exchange("GET /two")
            try eventually("the second line") { text("access.log").contains("/two") }
            #expect(!text("access.log.1").contains("/two") && !text("access.log").contains("/one"))
            #expect(gateway.process.lines().allSatisfy { !$0.hasPrefix("{") })
        }

        @Test("What has not been written when the end comes is written then")
        func end() throws {
            let stub = try StubUpstream.saying("ok")
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: stub))
            let client = try gateway.client()
            for number in 0..<50 { _ = try client.exchange("GET /\(number)") }
            #expect(try gateway.terminate() == 0)
            #expect(gateway.process.lines().count { $0.hasPrefix("{") } == 50, "\(gateway.process.transcript)")
        }
    }
}
