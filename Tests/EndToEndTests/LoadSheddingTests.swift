import Foundation
import Testing

extension EndToEnd {
    /// `gateway.overload`: new requests are refused early, so that those at work are finished.
    @Suite
    struct LoadShedding {
        @Test("Above the bound of memory requests are refused early; connections stay, and operators are answered")
        func memory() throws {
            let stub = try StubUpstream.saying("ok")
            let setup = GatewaySetup(forwardingTo: stub).gateway(#""overload": {"memory": "1MiB"}"#)
            let gateway = try GatewayProcess(setup)
            let client = try gateway.client()
            for _ in 0..<3 {
                let answer = try client.exchange("GET /a")
                #expect(answer.status == 503 && answer.cause == "overloaded", "\(client.transcript)")
                #expect(answer["Retry-After"] == "1", "\(client.transcript)")
            }
            let curl = try Curl("--http2-prior-knowledge", "\(gateway.url)/h2")
            #expect(curl.status == 503, "\(curl)")
            let upload = try gateway.exchange("POST /upload", body: "hello")
            #expect(upload.status == 503 && upload.cause == "overloaded", "\(upload)")
            #expect(stub.requests.isEmpty)
            #expect(try gateway.admin("/healthz").status == 200)
            #expect(try gateway.admin("/readyz").status == 200)
            _ = try gateway.process.line("overloaded", in: .errors) {
                $0.contains("overloaded: new requests are refused") && $0.contains("reason=memory")
            }
            let line = try gateway.logLine(path: "/a")
            #expect(line["cause"] as? String == "overloaded" && line["status"] as? Int == 503, "\(line)")
            let figures = try gateway.figures("banyan_overload_refused_total", ["reason": "memory"], reach: 5)
            #expect(figures.sum("banyan_overloaded", ["reason": "memory"]) == 1, "\(figures)")
            #expect(figures.sum("banyan_overload_refused_total", ["reason": "lag"]) == 0, "\(figures)")

            try gateway.reload("routes.json", setup.text.replacingOccurrences(of: "1MiB", with: "1TiB"))
            #expect(try client.exchange("GET /b").text == "ok", "\(client.transcript)")
            _ = try gateway.process.line("the end", in: .errors) {
                $0.contains("overload is over") && $0.contains("refused=5")
            }
            #expect(try gateway.figures().sum("banyan_overloaded") == 0)
        }

        @Test("A worker that is late refuses new requests, finishes those it has, and serves again when it is not")
        func lag() throws {
            let gate = Gate()
            let stub = try StubUpstream.holding(gate)
            defer { gate.open() }
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: stub).gateway(#""overload": {"lag": "100ms"}"#))
            let held = try gateway.client().request("GET /held")
            _ = try stub.requests(1)
            let client = try gateway.client()
            try eventually("a request is refused") {
                // Nothing makes a loop later than a process that gets no processor.
                gateway.process.signal(SIGSTOP)
                Thread.sleep(forTimeInterval: 0.6)
                gateway.process.signal(SIGCONT)
                // The lag is seen within a quarter of a second, and holds for as long.
                let end = Deadline(.milliseconds(250))
                while !end.hasPassed {
                    let answer = try client.exchange("GET /")
                    if answer.status == 200 { continue }
                    #expect(answer.status == 503 && answer.cause == "overloaded", "\(client.transcript)")
                    return true
                }
                return false
            }
            try eventually("requests are served again") { try client.exchange("GET /").status == 200 }
            gate.open()
            #expect(try held.response().text == "ok", "\(held.transcript)")
            _ = try gateway.process.line("overloaded", in: .errors) {
                $0.contains("overloaded: new requests are refused") && $0.contains("reason=lag")
            }
            #expect(try gateway.figures().sum("banyan_overload_refused_total", ["reason": "lag"]) >= 1)
        }
    }
}
