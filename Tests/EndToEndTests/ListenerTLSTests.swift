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

        @Test("A host that has another certificate is misdirected")
        func misdirected() throws {
            let gateway = try gateway(StubUpstream.saying("hello"), severalNames())
            func status(_ name: String, host: String) throws -> Int {
                try curl(gateway, "-H", "Host: \(host)", "https://\(name)/", host: name).status
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
                wrong.code == 78 && wrong.errors.contains("the OCSP response is about another certificate"), "\(wrong)")
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

        // MARK: - Files that change

        @Test(
            "Certificates are changed under load without a failed request, and a pair that does not fit changes nothing"
        )
        func rotation() throws {
            try certificates.make("site", subject: "/CN=first")
            let stub = try StubUpstream.saying("hello")
            let gateway = try gateway(stub, workers: 2)
            let load = try RunningProcess(
                "/bin/sh",
                [
                    "-c",
                    """
                    i=0; while [ ! -e "$0/stop" ]; do
                      /usr/bin/curl -sS -o /dev/null -o /dev/null --http1.1 --cacert "$0/ca.crt" --max-time 20 "$1" "$1" \
                        || { echo failed; exit 1; }; i=$((i + 1))
                    done; echo $i
                    """,
                    certificates.folder.path, "https://localhost:\(gateway.place.port)/",
                ])
            func subject() throws -> String {
                let said = try certificates.client(gateway.place, [])
                return said.split(separator: "\n").first { $0.hasPrefix("subject=") }.map { String($0.dropFirst(8)) }
                    ?? said
            }
            let open = try LongClient(certificates, gateway.place)
            #expect(try subject() == "CN = first")
            // A certificate whose key has not come yet.
            try certificates.make("next", subject: "/CN=second")
            let old = try String(contentsOfFile: certificates.file("site.crt"), encoding: .utf8)
            let next = try String(contentsOfFile: certificates.file("next.crt"), encoding: .utf8)
            try certificates.folder.write("site.crt", next)
            try gateway.process.line("the pair is refused", in: .errors) {
                $0.contains("the key does not belong to the certificate")
                    && $0.contains("the certificates in force stay")
            }
            #expect(try subject() == "CN = first")
            // Flags and routes can be changed all the same.
            try gateway.reload(
                "flags.json",
                #"{"flags": {"x": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on"}}}"#)
            #expect(try subject() == "CN = first")
            #expect(old != next)
            let changed = ContinuousClock.now
            try certificates.folder.write(
                "site.key", String(contentsOfFile: certificates.file("next.key"), encoding: .utf8))
            try eventually("the new certificate is shown") { try subject() == "CN = second" }
            #expect(ContinuousClock.now - changed < .seconds(5))
            #expect(try open.exchange().contains("200 OK"), "an open connection goes on")
            try certificates.folder.write("stop", "")
            #expect(try load.end() == 0, "\(load.transcript)")
            #expect((load.lines().last.flatMap { Int($0) } ?? 0) > 0)
        }

        @Test("SIGHUP reads certificates, too, and a bad file on the way leaves what is in force")
        func hangUp() throws {
            try certificates.make("site", subject: "/CN=first")
            let gateway = try gateway(StubUpstream.saying("hello"))
            try certificates.folder.write("site.key", "nothing")
            try gateway.process.line("the key is refused", in: .errors) { $0.contains("expected a private key") }
            try certificates.make("site", subject: "/CN=second")
            gateway.process.signal(SIGHUP)
            try eventually("the new certificate is shown") {
                try certificates.client(gateway.place, []).contains("subject=CN = second")
            }
        }

        @Test("A listener that moves in the file keeps its TLS, and one that leaves it goes on")
        func movedListeners() throws {
            try certificates.make("site")
            let stub = try StubUpstream.saying("hello")
            let clear = #"{"address": "127.0.0.1:\#(try SocketPlace.freePort())"}"#
            var setup = GatewaySetup(forwardingTo: stub).secured(by: certificates, Self.pair)
            let secure = setup.listeners[0].replacingOccurrences(of: ":0", with: ":\(try SocketPlace.freePort())")
            setup.listeners = [clear, secure]
            let gateway = try GatewayProcess(setup)
            func bothServe() throws {
                let words = ["--cacert", certificates.file("ca.crt")]
                #expect(try Curl(words: words + ["https://localhost:\(gateway.places[1].port)/"]).status == 200)
                #expect(try Curl(words: words + ["http://localhost:\(gateway.places[0].port)/"]).status == 200)
            }
            try bothServe()
            setup.listeners = [secure, clear]
            try gateway.reload("routes.json", setup.text)
            try bothServe()
            setup.listeners = [clear]
            try gateway.reload("routes.json", setup.text)
            try bothServe()
        }

        // MARK: - What check and run say

        @Test(
            "What is wrong with the files is said, with its place",
            arguments: [
                (
                    #""certificate": "@/site.crt", "key": "@/other.key""#, "/tls/key:",
                    "the key does not belong to the certificate"
                ),
                (
                    #""certificate": "@/site.key", "key": "@/site.key""#, "/tls/certificate:",
                    "expected certificates in PEM form"
                ),
                (
                    #""certificate": "@/site.crt", "key": "@/site.crt""#, "/tls/key:",
                    "expected a private key in PEM form"
                ),
                (#""certificate": "@/none.crt", "key": "@/site.key""#, "/tls/certificate:", "cannot read the file"),
                (
                    #""certificate": "@/site.crt", "key": "@/site.key", "clientCA": "@/site.key""#, "/tls/clientCA:",
                    "expected certificates in PEM form"
                ),
                (
                    #""certificate": "@/site.crt", "key": "@/site.key", "ocsp": "@/site.key""#, "/tls/ocsp:",
                    "expected an OCSP response in DER form"
                ),
                (
                    #""certificates": [{"names": ["a.example"], "certificate": "@/site.crt", "key": "@/site.key"}]"#,
                    "/tls/certificates/0/names:", "it names localhost"
                ),
                (
                    #""certificates": [{"certificate": "@/site.crt", "key": "@/site.key"}, {"certificate": "@/other.crt", "key": "@/other.key"}]"#,
                    "/tls/certificates/1/certificate:", "serves \"localhost\" with the same kind of key already"
                ),
            ])
        func mistakes(tls: String, place: String, message: String) throws {
            try certificates.make("site")
            try certificates.make("other")
            let said = try certificates.check(tls)
            #expect(said.code == 78, "\(said)")
            #expect(
                said.errors.contains { $0.contains(place) && $0.contains(message) && !$0.contains("warning") },
                "\(said)")
            let started = try certificates.check(tls, command: "run")
            #expect(started.code == 78 && started.errors.contains { $0.contains(message) }, "\(started)")
        }

        @Test(
            "What will soon be wrong is a warning; what has expired and a chain in disorder are errors for check alone")
        func advice() throws {
            try certificates.make("site", days: 20)
            let soon = try certificates.check(Self.pair)
            #expect(
                soon.code == 0
                    && soon.errors.contains {
                        $0.contains("warning") && $0.range(of: "in (19|20) days", options: .regularExpression) != nil
                    },
                "\(soon)")
            try certificates.make("site", days: 40)
            let later = try certificates.check(Self.pair)
            #expect(later.code == 0 && later.errors.isEmpty, "\(later)")
            try certificates.makeAuthority("other")
            for disorder in ["other", "site"] {
                let chain = try ["site.crt", "\(disorder).crt"].map {
                    try String(contentsOfFile: certificates.file($0), encoding: .utf8)
                }
                try certificates.folder.write("chain.crt", chain.joined())
                let said = try certificates.check(#""certificate": "@/chain.crt", "key": "@/site.key""#)
                #expect(
                    said.code == 78 && said.errors.contains { $0.contains("is not signed by the next one") }, "\(said)")
            }
            let good = try ["site.crt", "ca.crt"].map {
                try String(contentsOfFile: certificates.file($0), encoding: .utf8)
            }
            try certificates.folder.write("chain.crt", good.joined())
            #expect(try certificates.check(#""certificate": "@/chain.crt", "key": "@/site.key""#).code == 0)
            try certificates.make("site", days: -1)
            let expired = try certificates.check(Self.pair)
            #expect(expired.code == 78 && expired.errors.contains { $0.contains("has expired on") }, "\(expired)")
            let gateway = try gateway(StubUpstream.saying("hello"))
            #expect(
                gateway.process.lines(.errors).contains { $0.contains("has expired on") }, "it starts, with a warning")
        }
    }
}

extension CertificateFolder {
    /// What `banyan COMMAND` made of a configuration.
    struct Verdict {
        var code: Int32
        var errors: [String]
    }

    /// Runs `banyan check` on a configuration whose only listener has these members of `tls`.
    func check(_ tls: String, command: String = "check") throws -> Verdict {
        let setup = GatewaySetup().route(#"{"match": "/", "respond": {"body": "ok"}}"#).secured(by: self, tls)
        try folder.write("routes.json", setup.text)
        try folder.write("flags.json", GatewayProcess.noFlags)
        let process = try RunningProcess(Binaries.path("banyan"), [command, "-c", file("routes.json")])
        let code = try process.end()
        return Verdict(code: code, errors: process.lines(.errors))
    }
}

extension [String] {
    fileprivate func contains(_ text: String) -> Bool { contains { $0.contains(text) } }
}

/// A connection that stays open, by openssl.
private final class LongClient {
    private let process: Process
    private let input = Pipe()
    private let output = Pipe()

    init(_ certificates: CertificateFolder, _ place: SocketPlace) throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: CertificateFolder.tool)
        process.arguments = ["s_client", "-connect", "\(place)", "-CAfile", certificates.file("ca.crt"), "-quiet"]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        #expect(try exchange().contains("200 OK"))
    }

    deinit {
        try? input.fileHandleForWriting.close()
        process.terminate()
    }

    func exchange() throws -> String {
        try input.fileHandleForWriting.write(contentsOf: Data("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
        var text = ""
        while !text.hasSuffix("hello") {
            let bytes = output.fileHandleForReading.availableData
            if bytes.isEmpty { break }
            text += String(decoding: bytes, as: UTF8.self)
        }
        return text
    }
}
