import Foundation
import Testing

extension EndToEnd {
    /// A process that is stopped for a while, as a debugger, a snapshot or a starved machine does it (security §3).
    @Suite
    struct Stops {
        @Test("SIGSTOP and SIGCONT: what came meanwhile counts, although every limit has passed")
        func stopAndContinue() throws {
            let answers = Gate()
            let stub = try StubUpstream { connection in
                while let request = try connection.request() {
                    if request.target == "/never" { return try connection.awaitEnd() }
                    if request.target == "/held" { try answers.wait() }
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                }
            }
            defer { answers.open() }
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub, #""timeout": "2s", "idleTimeout": "2s""#)
                    .gateway(#""timeouts": {"head": "2s", "body": "2s", "idle": "2s", "write": "2s"}"#))
            let idle = try gateway.client()
            #expect(try idle.exchange("GET /").text == "ok")
            let held = try gateway.client().request("GET /held")
            let never = try gateway.client().request("GET /never")
            let head = try gateway.client().send("GET /head HTTP/1.1\r\nHost: ")
            let body = try gateway.client().send(
                "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nha\r\n")
            // Both ways to wait for an upstream, and the half messages, have begun.
            try eventually("the requests are under way") {
                Set(stub.requests.map(\.target)).isSuperset(of: ["/held", "/never"]) && stub.connections == 3
            }

            gateway.process.signal(SIGSTOP)
            try eventually("the process is stopped") { try gateway.process.isStopped() }
            answers.open()
            try idle.request("GET /again")
            try head.send("a\r\n\r\n")
            try body.send("2\r\nlf\r\n0\r\n\r\n")
            let new = try gateway.client().request("GET /new")
            // What is tested: a stop that is longer than every limit.
            Thread.sleep(forTimeInterval: 2.5)
            gateway.process.signal(SIGCONT)

            for (name, client) in [("held", held), ("idle", idle), ("head", head), ("body", body), ("new", new)] {
                let answer = try client.response()
                #expect(answer.status == 200 && answer.text == "ok", "\(name): \(client.transcript)")
            }
            let missing = try never.response()
            #expect(missing.status == 504 && missing.cause == "upstream_timeout", "\(never.transcript)")
            #expect(try gateway.exchange("GET /after").text == "ok")
            #expect(gateway.process.exitCode == nil)
        }
    }
}
