import Foundation
import Testing

extension EndToEnd {
    /// What becomes of handshakes that do not come to their end is to be seen at `/status`, by cause.
    @Suite(.enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
    struct HandshakeFailures {
        @Test("Each failed handshake is counted under its cause, and those that come to their end under none")
        func causes() throws {
            let certificates = try CertificateFolder()
            try certificates.make("site")
            let tls =
                #""certificate": "@/site.crt", "key": "@/site.key", "clientCA": "@/ca.crt", "#
                + #""requireClientCertificate": true"#
            try certificates.make("somebody")
            let gateway = try GatewayProcess(
                GatewaySetup(forwardingTo: StubUpstream.saying("hello")).secured(by: certificates, tls)
                    .gateway(#""limits": {"handshakes": 2}, "timeouts": {"tlsHandshake": "1s"}"#))
            func counts() throws -> [String: Int] {
                let all = try #require(try gateway.admin("/status").json["failedHandshakes"] as? [String: Int])
                return all.filter { $0.value > 0 }
            }
            func curl(_ words: String...) throws -> Int32 {
                try Curl(words: ["--connect-to", "localhost:443:\(gateway.place)"] + words + ["https://localhost/"])
                    .exitCode
            }
            let authority = ["--cacert", certificates.file("ca.crt")]
            let somebody = ["--cert", certificates.file("somebody.crt"), "--key", certificates.file("somebody.key")]
            let good = try Curl(
                words: ["--connect-to", "localhost:443:\(gateway.place)"] + authority + somebody
                    + ["https://localhost/"])
            #expect(good.status == 200, "\(good)")
            #expect(try counts() == [:])

            // In TLS 1.3 the client is done before the server has looked at its certificate.
            #expect(try curl("--cacert", certificates.file("ca.crt"), "--tls-max", "1.2") != 0)
            #expect(try counts() == ["client_certificate": 1])
            #expect(try curl("--cacert", certificates.file("somebody.crt")) != 0)
            #expect(try counts()["refused_by_client"] == 1)
            let foreign = try certificates.client(gateway.place, ["-alpn", "spdy/1"])
            #expect(try counts()["no_common_protocol"] == 1, "\(foreign)")
            let old = try certificates.client(gateway.place, ["-tls1_2", "-cipher", "AES128-GCM-SHA256"])
            #expect(try counts()["no_common_parameters"] == 1, "\(old)")
            let clear = try gateway.client()
            #expect(try clear.exchange("GET /").status == 400)
            #expect(try counts()["clear_http"] == 1)
            let noise = try gateway.client()
            try noise.wire.send(String(repeating: "noise\r\n", count: 20))
            #expect(try noise.isClosed())
            #expect(try counts()["malformed"] == 1)
            // Three at a time where two have room, and nobody goes on.
            let holders = try (0..<3).map { _ in try gateway.client() }
            for holder in holders { #expect(try holder.isClosed()) }
            #expect(try counts()["given_up"] == 1)
            #expect(try counts()["timeout"] == 2)
            let before = try counts()["closed"] ?? 0
            try gateway.client().close()
            try eventually("who hangs up is counted") { try counts()["closed"] == before + 1 }
        }
    }
}
