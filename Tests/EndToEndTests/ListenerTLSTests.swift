import Foundation
import Testing

extension EndToEnd {
    /// Clients over TLS: curl and openssl, which know nothing of our code.
    @Suite(.enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
    struct ListenerTLS {
        private static let pair = #""certificate": "@/site.crt", "key": "@/site.key""#

        private let certificates: CertificateFolder

        init() throws { certificates = try CertificateFolder() }

        /// A gateway that is reached by TLS alone and forwards to `stub`.
        private func gateway(
            _ stub: StubUpstream, _ tls: String = pair, workers: Int = 1, _ settings: String? = nil
        ) throws -> GatewayProcess {
            var setup = GatewaySetup(forwardingTo: stub).secured(by: certificates, tls)
            if let settings { setup = setup.gateway(settings) }
            return try GatewayProcess(setup, workers: workers)
        }

        private func curl(_ gateway: GatewayProcess, _ words: String..., host: String = "localhost") throws -> Curl {
            try Curl(
                words: [
                    "--cacert", certificates.file("ca.crt"), "--connect-to", "\(host):443:\(gateway.place)",
                ] + words)
        }

        // MARK: - Handshakes

        @Test("Both versions are spoken, and upstreams are told that it was https", arguments: ["1.2", "1.3"])
        func versions(version: String) throws {
            try certificates.make("site")
            let stub = try StubUpstream.saying("hello")
            let gateway = try gateway(stub)
            #expect(gateway.process.lines().contains { $0.hasPrefix("banyan: listening on https://127.0.0.1:") })
            let answer = try curl(
                gateway, "--tlsv\(version)", "--tls-max", version, "https://localhost/",
                "https://localhost/again")
            #expect(answer.status == 200 && answer.exitCode == 0, "\(answer)")
            let request = try stub.lastRequest()
            #expect(request["x-forwarded-proto"] == "https")
            #expect(request["forwarded"]?.hasSuffix(";proto=https") == true, "\(request)")
        }

        @Test("The oldest version can be raised")
        func minimum() throws {
            try certificates.make("site")
            let gateway = try gateway(StubUpstream.saying("hello"), Self.pair + #", "minVersion": "1.3""#)
            #expect(try curl(gateway, "--tls-max", "1.2", "https://localhost/").exitCode == 35)
            #expect(try curl(gateway, "https://localhost/").status == 200)
        }

        @Test(
            "What is not modern is refused",
            arguments: [
                ["-tls1_1"], ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"],
                ["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
                ["-curves", "P-521"], ["-alpn", "spdy/1"],
            ])
        func refusals(words: [String]) throws {
            try certificates.make("site")
            let gateway = try gateway(StubUpstream.saying("hello"))
            let said = try certificates.client(gateway.place, words)
            #expect(said.contains("alert") || said.contains("no protocols available"), "\(said)")
            #expect(said.contains("no peer certificate available"), "\(said)")
        }

        @Test("A client that renegotiates gets nowhere")
        func renegotiation() throws {
            try certificates.make("site")
            let gateway = try gateway(StubUpstream.saying("hello"))
            let said = try certificates.client(gateway.place, ["-tls1_2"], sending: "R\n")
            #expect(said.contains("RENEGOTIATING") && said.contains("no renegotiation"), "\(said)")
        }

        @Test("A protocol is agreed on by ALPN")
        func protocolAgreement() throws {
            try certificates.make("site")
            let gateway = try gateway(StubUpstream.saying("hello"))
            let said = try certificates.client(gateway.place, ["-alpn", "spdy/1,http/1.1"])
            #expect(said.contains("ALPN protocol: http/1.1"), "\(said)")
            #expect(try certificates.client(gateway.place, []).contains("No ALPN negotiated"))
        }

        @Test("Half a ClientHello and a silent client are closed in time; others are served meanwhile")
        func handshakeTimeout() throws {
            try certificates.make("site")
            let gateway = try gateway(
                StubUpstream.saying("hello"), Self.pair, #""timeouts": {"tlsHandshake": "300ms"}"#)
            let silent = try gateway.client()
            let half = try gateway.client()
            try half.wire.send("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}")
            #expect(try curl(gateway, "https://localhost/").status == 200)
            #expect(try silent.isClosed())
            #expect(try half.isClosed())
        }

        @Test("Whoever holds handshakes open makes no room for themselves alone")
        func handshakeBound() throws {
            try certificates.make("site")
            let gateway = try gateway(StubUpstream.saying("hello"), Self.pair, #""limits": {"handshakes": 4}"#)
            let holders = try (0..<4).map { _ in try gateway.client() }
            #expect(try curl(gateway, "https://localhost/").status == 200)
            // The oldest one had to go.
            #expect(try holders[0].isClosed())
        }

        @Test("HTTP in clear is told what is wrong")
        func clearHTTP() throws {
            try certificates.make("site")
            let gateway = try gateway(StubUpstream.saying("hello"))
            let client = try gateway.client()
            let answer = try client.exchange("GET /")
            #expect(answer.status == 400 && answer["connection"] == "close", "\(answer)")
            #expect(answer.text == "This port speaks HTTPS only.\r\n")
            #expect(try client.isClosed())
        }

        @Test(
            "HTTP/2 is agreed on by ALPN where it is spoken",
            arguments: [
                (#""http/1.1", "h2""#, "--http2", 0, "HTTP/2 200"),
                (#""http/1.1", "h2""#, "--http1.1", 0, "HTTP/1.1 200 OK"),
                (#""http/1.1""#, "--http2", 0, "HTTP/1.1 200 OK"), (#""h2""#, "--http2", 0, "HTTP/2 200"),
                (#""h2""#, "--http1.1", 35, nil),
            ] as [(String, String, Int32, String?)])
        func spokenProtocols(protocols: String, flag: String, exitCode: Int32, line: String?) throws {
            try certificates.make("site")
            let stub = try StubUpstream.saying("hello")
            var setup = GatewaySetup(forwardingTo: stub).secured(by: certificates, Self.pair)
            setup.listeners = setup.listeners.map { $0.dropLast() + #", "protocols": [\#(protocols)]}"# }
            let gateway = try GatewayProcess(setup)
            let answer = try curl(gateway, flag, "https://localhost/")
            #expect(answer.exitCode == exitCode, "\(answer)")
            #expect(answer.answer?.startLine.trimmingCharacters(in: .whitespaces) == line)
            if line != nil { #expect(try stub.lastRequest()["x-forwarded-proto"] == "https") }
        }

        // MARK: - Names

        @Test(
            "The server name decides which certificate is shown, and the client which kind of key",
            arguments: [
                (["-servername", "localhost", "-sigalgs", "ECDSA+SHA256"], "CN = site"),
                (["-servername", "localhost", "-sigalgs", "RSA-PSS+SHA256"], "CN = rsa"),
                (["-noservername"], "CN = site"), (["-servername", "unknown.example"], "CN = site"),
                (["-servername", "API.example"], "CN = api"), (["-servername", "x.wild.example"], "CN = wild"),
                (["-servername", "x.y.wild.example"], "CN = site"),
            ])
        func names(words: [String], subject: String) throws {
            let gateway = try gateway(StubUpstream.saying("hello"), severalNames())
            let said = try certificates.client(gateway.place, words)
            #expect(said.contains("subject=\(subject)"), "\(said)")
        }

        private func severalNames() throws -> String {
            try certificates.make("site")
            try certificates.make("rsa", kind: .rsa)
            try certificates.make("api", for: "DNS:api.example,DNS:other.example")
            try certificates.make("wild", for: "DNS:*.wild.example")
            return #"""
                "certificates": [
                  {"certificate": "@/site.crt", "key": "@/site.key"}, {"certificate": "@/rsa.crt", "key": "@/rsa.key"},
                  {"names": ["api.example"], "certificate": "@/api.crt", "key": "@/api.key"},
                  {"names": ["*.wild.example"], "certificate": "@/wild.crt", "key": "@/wild.key"}
                ]
                """#
        }

        @Test("A host that has another certificate is misdirected", arguments: ["--http1.1", "--http2"])
        func misdirected(version: String) throws {
            let gateway = try gateway(StubUpstream.saying("hello"), severalNames())
            func status(_ name: String, host: String) throws -> Int {
                try curl(gateway, version, "-H", "Host: \(host)", "https://\(name)/", host: name).status
            }
            #expect(try status("api.example", host: "api.example:443") == 200)
            #expect(try status("api.example", host: "API.Example") == 200)
            #expect(try status("api.example", host: "localhost") == 421)
            #expect(try status("api.example", host: "unknown.example") == 421)
            #expect(try status("x.wild.example", host: "y.wild.example") == 200)
            #expect(try status("localhost", host: "y.wild.example") == 421)
            #expect(try status("localhost", host: "unknown.example") == 200)
            let line = try gateway.logLine("421") { $0["status"] as? Int == 421 }
            #expect(line["cause"] as? String == "misdirected_request")
        }

        @Test("With one certificate every host is served")
        func oneCertificate() throws {
            try certificates.make("site")
            let gateway = try gateway(StubUpstream.saying("hello"))
            #expect(try curl(gateway, "-H", "Host: unknown.example", "https://localhost/").status == 200)
        }

        // MARK: - Sessions and staples

        @Test("A session is taken up again at whichever worker", arguments: ["-tls1_2", "-tls1_3"])
        func resumption(version: String) throws {
            try certificates.make("site")
            let gateway = try gateway(StubUpstream.saying("hello"), workers: 4)
            let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            let session = certificates.file("session")
            #expect(
                try certificates.client(gateway.place, [version, "-sess_out", session], sending: request)
                    .contains("New, TLSv"))
            // Sixteen connections meet more than one of four workers, but for once in a billion.
            for _ in 0..<16 {
                let said = try certificates.client(gateway.place, [version, "-sess_in", session], sending: request)
                #expect(said.contains("Reused, TLSv"), "\(said)")
            }
        }

        @Test("A response of OCSP is stapled to the certificate that it is about, and no other is taken")
        func stapling() throws {
            try certificates.make("site")
            try certificates.make("other")
            try makeStaple("site", "site.ocsp")
            try makeStaple("other", "other.ocsp")
            let gateway = try gateway(StubUpstream.saying("hello"), Self.pair + #", "ocsp": "@/site.ocsp""#)
            let said = try certificates.client(gateway.place, ["-status"])
            #expect(said.contains("OCSP Response Status: successful") && said.contains("Cert Status: good"), "\(said)")
            let wrong = try certificates.check(Self.pair + #", "ocsp": "@/other.ocsp""#)
            #expect(
                wrong.code == 78 && wrong.errors.joined().contains("the OCSP response is about another certificate"),
                "\(wrong)")
        }

        private func makeStaple(_ name: String, _ file: String) throws {
            let text = try certificates.openssl("x509", "-in", certificates.file("\(name).crt"), "-noout", "-serial")
            guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("serial=") }) else {
                throw ExchangeFailure("no serial number in \(text)")
            }
            try certificates.folder.write("index", "V\t991231235959Z\t\t\(line.dropFirst(7))\tunknown\t/CN=\(name)\n")
            try certificates.openssl(
                "ocsp", "-index", certificates.file("index"), "-CA", certificates.file("ca.crt"), "-rsigner",
                certificates.file("ca.crt"), "-rkey", certificates.file("ca.key"), "-issuer",
                certificates.file("ca.crt"), "-cert", certificates.file("\(name).crt"), "-respout",
                certificates.file(file), "-ndays", "7")
        }

        // MARK: - Clients' certificates

        private static let headers = #"""
            , "clientCA": "@/ca.crt", "clientCertificateHeaders": {"subject": "X-Client-Subject", "san": "X-Client-SAN",
              "fingerprint": "X-Client-Fingerprint"}
            """#

        @Test("Upstreams are told who a client has proved to be; what clients say themselves is taken away")
        func clientCertificate() throws {
            try certificates.make("site")
            try certificates.make(
                "client", for: "@n\n[n]\nDNS.1=a.example\nURI.1=spiffe://b/c,d%\nIP.1=10.0.0.1\nIP.2=::1",
                subject: "/O=One, Two\r\nX-Admin: yes/CN=cli\u{e9}nt")
            let stub = try StubUpstream.saying("hello")
            let gateway = try gateway(stub, Self.pair + Self.headers)
            let spoofed = [
                "-H", "x-client-subject: CN=root", "-H", "X_Client_SAN: DNS:root", "-H", "x-client_fingerprint: 00",
            ]
            let base = ["--cacert", certificates.file("ca.crt"), "https://localhost:\(gateway.place.port)/"]
            #expect(try Curl(words: base + spoofed).status == 200)
            let without = try stub.lastRequest()
            #expect(!without.fields.contains { $0.name.lowercased().contains("client") }, "\(without)")
            let own = ["--cert", certificates.file("client.crt"), "--key", certificates.file("client.key")]
            #expect(try Curl(words: base + spoofed + own).status == 200)
            let with = try stub.requests(2)[1]
            #expect(with.values("x-client-subject") == [#"CN=cli\C3\A9nt,O=One\, Two\0D\0AX-Admin: yes"#], "\(with)")
            #expect(
                with.values("x-client-san") == ["DNS:a.example, URI:spiffe://b/c%2Cd%25, IP:10.0.0.1, IP:::1"],
                "\(with)")
            let text = try certificates.openssl(
                "x509", "-in", certificates.file("client.crt"), "-noout", "-fingerprint", "-sha256")
            let digits = text.split(separator: "=").last?.filter(\.isHexDigit).lowercased().prefix(64) ?? ""
            #expect(with.values("x-client-fingerprint") == [String(digits)])
            #expect(with["x-admin"] == nil)
        }

        @Test(
            "Whose certificate another authority has signed does not come in, and nobody without one where it is required"
        )
        func strangers() throws {
            try certificates.make("site")
            try certificates.make("client")
            try certificates.makeAuthority("stranger")
            try certificates.make("foreign", by: "stranger")
            let stub = try StubUpstream.saying("hello")
            let required = try gateway(stub, Self.pair + Self.headers + #", "requireClientCertificate": true"#)
            func exitCode(_ name: String?, _ version: String) throws -> Int32 {
                let own = name.map {
                    ["--cert", certificates.file("\($0).crt"), "--key", certificates.file("\($0).key")]
                }
                return try Curl(
                    words: [
                        "--cacert", certificates.file("ca.crt"), "--tls-max", version,
                        "https://localhost:\(required.place.port)/",
                    ] + (own ?? [])
                ).exitCode
            }
            for version in ["1.2", "1.3"] {
                #expect(try exitCode(nil, version) != 0)
                #expect(try exitCode("foreign", version) != 0)
                #expect(try exitCode("client", version) == 0)
            }
            #expect(stub.requests.count == 2)
        }

        // MARK: - Bodies

        @Test(
            "Long bodies go both ways, to a slow reader, too",
            arguments: [
                ["--limit-rate", "12M", "--tls-max", "1.2"], ["--limit-rate", "12M", "--tls-max", "1.3"],
                ["--limit-rate", "12M", "--http2"],
            ])
        func longBodies(flags: [String]) throws {
            try certificates.make("site")
            // More than all buffers on the way hold.
            let long = (0..<16_000_003).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
            let stub = try StubUpstream { connection in
                while let request = try connection.request() {
                    let body = request.method == "POST" ? request.body : long
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n")
                    try connection.wire.send(body)
                }
            }
            let gateway = try gateway(stub)
            let body = Data(long[..<1_000_003])
            try body.write(to: URL(fileURLWithPath: certificates.file("body")))
            for (words, expected) in [
                (["--data-binary", "@\(certificates.file("body"))"], body), ([], Data(long)),
            ] {
                let answer = try Curl(
                    words: words + flags + [
                        "--cacert", certificates.file("ca.crt"), "--no-include", "-o",
                        certificates.file("answer"), "https://localhost:\(gateway.place.port)/",
                    ])
                #expect(answer.exitCode == 0, "\(answer.errors)")
                #expect(try Data(contentsOf: URL(fileURLWithPath: certificates.file("answer"))) == expected)
            }
        }
    }
}
