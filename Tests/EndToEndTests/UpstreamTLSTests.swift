import Foundation
import Testing

extension EndToEnd {
    /// Upstreams over TLS: verified, and with a client certificate where they ask for one (RFC 9110 §4.3.4).
    @Suite(.enabled(if: access("/usr/bin/openssl", X_OK) == 0, "the openssl command is not there"))
    struct UpstreamTLS {
        /// An authority, a server's certificate for localhost, and a client's.
        private struct Certificates {
            let folder: TemporaryFolder

            init() throws {
                folder = try TemporaryFolder()
                try openssl(
                    "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days",
                    "2",
                    "-subj", "/CN=authority")
                try folder.write("names", "subjectAltName=DNS:localhost")
                for name in ["server", "client"] {
                    try openssl(
                        "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "\(name).key", "-out", "\(name).csr",
                        "-subj",
                        "/CN=\(name)")
                    try openssl(
                        "x509", "-req", "-in", "\(name).csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                        "-out", "\(name).crt", "-days", "2", "-extfile", "names")
                }
            }

            private func openssl(_ words: String...) throws {
                let files: Set = [
                    "ca.key", "ca.crt", "ca.srl", "names", "server.key", "server.csr", "server.crt", "client.key",
                    "client.csr", "client.crt",
                ]
                let process = try RunningProcess(
                    "/usr/bin/openssl", words.map { files.contains($0) ? folder.file($0) : $0 })
                guard try process.end() == 0 else {
                    throw ExchangeFailure("openssl failed", transcript: process.transcript)
                }
            }
        }

        @Test(
            "The certificate, its name and the client's own certificate decide",
            arguments: [
                (#""ca": "@/ca.crt", "certificate": "@/client.crt", "key": "@/client.key""#, 200, nil),
                (
                    #""ca": "@/ca.crt", "certificate": "@/client.crt", "key": "@/client.key", "serverName": "x.example""#,
                    502, "tls_failed"
                ),
                (#""ca": "@/client.crt", "certificate": "@/client.crt", "key": "@/client.key""#, 502, "tls_failed"),
                (#""ca": "@/ca.crt""#, 502, "tls_failed"),
                (#""verify": false, "certificate": "@/client.crt", "key": "@/client.key""#, 200, nil),
            ] as [(tls: String, status: Int, cause: String?)])
        func verification(tls: String, status: Int, cause: String?) throws {
            let certificates = try Certificates()
            let folder = certificates.folder
            // TLS 1.2, whose handshake tells a client at once that its certificate is missed.
            let server = try RunningProcess(
                "/usr/bin/openssl",
                [
                    "s_server", "-accept", "127.0.0.1:0", "-www", "-tls1_2", "-cert", folder.file("server.crt"), "-key",
                    folder.file("server.key"), "-CAfile", folder.file("ca.crt"), "-Verify", "1", "-verify_return_error",
                ])
            defer { kill(server.pid, SIGKILL) }
            let line = try server.line("the server's port") { $0.hasPrefix("ACCEPT 127.0.0.1:") }
            let port = line.split(separator: ":").last ?? ""
            let gateway = try GatewayProcess(
                GatewaySetup()
                    .upstream(
                        "secure", url: "https://localhost:\(port)",
                        #""tls": {\#(tls.replacingOccurrences(of: "@", with: folder.path))}"#
                    )
                    .route(#"{"match": "/{rest...}", "to": "secure"}"#))
            let answer = try gateway.exchange("GET /")
            #expect(answer.status == status && answer.cause == cause, "\(answer)")
            if status == 200 { #expect(answer.text.contains("TLSv1.2")) }
        }
    }
}
