import Foundation
import Testing

/// Programs that the tests talk to the gateway with, and that nobody of ours wrote.
enum ClientTool {
    /// Where scripts/test-tools.sh puts what is not installed; nil where the tests were not begun by scripts/test.sh.
    static let folder = ProcessInfo.processInfo.environment["BANYAN_TOOLS"]
    /// A Python with the packages of Clients/requirements.txt.
    static let python = folder.map { "\($0)/bin/python" }

    static let browser = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    static func script(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Clients/\(name)").path
    }

    /// Runs one of the scripts and gives the JSON object that it prints.
    static func run(_ name: String, _ arguments: String...) throws -> [String: Any] {
        let process = try RunningProcess(try #require(python), [script(name)] + arguments)
        let code = try process.end()
        guard code == 0, let line = process.lines().last,
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        else { throw ExchangeFailure("\(name) ended with \(code)", transcript: process.transcript) }
        return object
    }
}

extension EndToEnd {
    /// The gateway as other people's clients see it.
    @Suite
    struct Clients {
        /// Answers `/echo` with what it was sent, everything else with the path.
        private static func stub() throws -> StubUpstream {
            try StubUpstream { connection in
                while let request = try connection.request() {
                    let body = request.target == "/echo" ? request.body : Array(request.target.utf8)
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n")
                    try connection.wire.send(body)
                }
            }
        }

        @Test(
            "httpx speaks HTTP/2 over TLS: many requests at once, bodies of known and unknown length",
            .enabled(if: ClientTool.python != nil, "needs the Python clients: scripts/test-tools.sh"),
            .enabled(if: CertificateFolder.isPossible, "needs openssl"))
        func httpx() throws {
            let certificates = try CertificateFolder()
            try certificates.make("gateway")
            let setup = GatewaySetup(forwardingTo: try Self.stub())
                .secured(by: certificates, #""certificate": "@/gateway.crt", "key": "@/gateway.key""#)
            let gateway = try GatewayProcess(setup)
            let seen = try ClientTool.run("httpx_client.py", "https://\(gateway.place)", certificates.file("ca.crt"))
            #expect(seen["versions"] as? [String] == ["HTTP/2"], "\(seen) \(gateway.process.transcript)")
            #expect(seen["statuses"] as? [Int] == [200], "\(seen)")
            #expect(seen["paths"] as? Bool == true && seen["echoed"] as? Bool == true, "\(seen)")
        }

        @Test(
            "The h2 package speaks HTTP/2 in clear, with windows of its own",
            .enabled(if: ClientTool.python != nil, "needs the Python clients: scripts/test-tools.sh"))
        func h2() throws {
            let gateway = try GatewayProcess(GatewaySetup(forwardingTo: try Self.stub()))
            let seen = try ClientTool.run("h2_client.py", "127.0.0.1", "\(gateway.place.port)")
            #expect(seen["statuses"] as? [String: String] == ["1": "200", "3": "200"], "\(seen)")
            #expect(seen["echoed"] as? Bool == true && seen["beside"] as? String == "/beside", "\(seen)")
        }

        @Test(
            "The websockets package talks to itself through the gateway",
            .enabled(if: ClientTool.python != nil, "needs the Python clients: scripts/test-tools.sh"),
            .enabled(if: CertificateFolder.isPossible, "needs openssl"), arguments: [false, true])
        func websockets(isSecure: Bool) throws {
            let server = try RunningProcess(
                try #require(ClientTool.python), [ClientTool.script("websocket_peer.py"), "serve"])
            defer { server.signal(SIGKILL) }
            let port = try server.line("the port of the server") { Int($0) != nil }
            var setup = GatewaySetup().upstream("chat", url: "http://127.0.0.1:\(port)")
                .route(#"{"match": "/{rest...}", "to": "chat", "upgrade": ["websocket"]}"#)
            let certificates = try CertificateFolder()
            try certificates.make("gateway")
            if isSecure {
                setup = setup.secured(by: certificates, #""certificate": "@/gateway.crt", "key": "@/gateway.key""#)
            }
            let gateway = try GatewayProcess(setup)
            let seen =
                try isSecure
                ? ClientTool.run(
                    "websocket_peer.py", "talk", "wss://\(gateway.place)/chat", certificates.file("ca.crt"))
                : ClientTool.run("websocket_peer.py", "talk", "ws://\(gateway.place)/chat")
            #expect(seen["echoed"] as? Bool == true && seen["subprotocol"] as? String == "chat", "\(seen)")
            #expect(seen["closed_with"] as? Int == 4001, "\(seen)")
            let line = try gateway.logLine(path: "/chat")
            #expect(line["status"] as? Int == 101, "\(line)")
        }

        @Test(
            "A browser loads a page and what the page asks for, by HTTP/2",
            .enabled(if: ClientTool.browser != nil, "needs Chromium: scripts/test-tools.sh"),
            .enabled(if: CertificateFolder.isPossible, "needs openssl"))
        func browser() throws {
            let page = """
                <html><body><script>
                Promise.all([...Array(20).keys()].map(n => fetch('/part/' + n).then(r => r.text()))).then(texts => {
                  const protocol = performance.getEntriesByType('navigation')[0].nextHopProtocol
                  document.body.textContent = 'by ' + protocol + ': ' + texts.join(' ')
                })
                </script></body></html>
                """
            let stub = try StubUpstream.answering { request in
                let isPart = request.target.hasPrefix("/part/")
                let body = isPart ? String(request.target.dropFirst(6)) : page
                return "HTTP/1.1 200 OK\r\nContent-Type: \(isPart ? "text/plain" : "text/html")\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
            }
            let certificates = try CertificateFolder()
            try certificates.make("gateway")
            let setup = GatewaySetup(forwardingTo: stub)
                .secured(by: certificates, #""certificate": "@/gateway.crt", "key": "@/gateway.key""#)
            let gateway = try GatewayProcess(setup)
            let browser = try RunningProcess(
                try #require(ClientTool.browser),
                [
                    "--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors", "--no-first-run",
                    "--user-data-dir=\(gateway.folder.file("profile"))", "--virtual-time-budget=10000", "--dump-dom",
                    "https://localhost:\(gateway.place.port)/page",
                ])
            #expect(try browser.end() == 0, "\(browser.transcript)")
            let expected = "by h2: " + (0..<20).map { "\($0)" }.joined(separator: " ")
            #expect(browser.lines().joined().contains(expected), "\(browser.transcript) \(gateway.process.transcript)")
        }
    }
}
