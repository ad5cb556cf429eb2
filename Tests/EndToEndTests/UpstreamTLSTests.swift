import Foundation
import Synchronization
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

        private static let size = 64 << 20

        /// A body that shows every byte that is missing, doubled or in another place.
        private struct Content {
            private var piece = [UInt8]((0..<65_536).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })

            mutating func piece(_ number: Int) -> [UInt8] {
                withUnsafeBytes(of: UInt32(number)) { piece.replaceSubrange(0..<4, with: $0) }
                return piece
            }

            /// Reads the whole body; says where it differs.
            static func firstDifference(reading wire: Wire, slowly: Bool = false) throws -> Int? {
                var content = Content()
                for number in 0..<(size / 65_536) {
                    // As Data, whose comparison is quick without optimisation, too.
                    if try Data(wire.take(65_536)) != Data(content.piece(number)) { return number * 65_536 }
                    // Often enough that whoever writes has to wait, and to go on, many times.
                    if slowly, number < 400, number.isMultiple(of: 10) { Thread.sleep(forTimeInterval: 0.01) }
                }
                return nil
            }

            static func send(over wire: Wire, _ sent: (Int) -> Void = { _ in }) throws {
                var content = Content()
                for number in 0..<(size / 65_536) {
                    try wire.send(content.piece(number))
                    sent(number * 65_536)
                }
            }
        }

        @Test("64 MiB up and down through TLS, with readers that are slow: every byte, in little memory")
        func largeBodies() throws {
            let certificates = try Certificates()
            let folder = certificates.folder
            let sent = Mutex(0)
            let server = try TLSUpstream(certificate: folder.file("server.crt"), key: folder.file("server.key")) {
                wire in
                while let request = try wire.head() {
                    var text = "ok"
                    if request.method == "PUT" {
                        let difference = try Content.firstDifference(reading: wire, slowly: true)
                        text = difference.map { "differs at \($0)" } ?? "whole"
                    } else if request.target == "/down" {
                        try wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(Self.size)\r\n\r\n")
                        try Content.send(over: wire) { count in sent.withLock { $0 = count } }
                        continue
                    }
                    try wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
                }
            }
            let setup = GatewaySetup()
                .upstream("secure", url: server.url, #""tls": {"ca": "\#(folder.file("ca.crt"))"}"#)
                .route(#"{"match": "/{rest...}", "to": "secure", "maxBody": "unlimited"}"#)
            let gateway = try GatewayProcess(setup)
            let client = try gateway.client(receiveBuffer: 65_536)
            #expect(try client.exchange("GET /").text == "ok", "\(client.transcript)")
            let before = try gateway.process.kibibytes("VmHWM")

            try client.request("PUT /up", ["Content-Length: \(Self.size)"])
            try Content.send(over: client.wire)
            let answer = try client.response()
            try #require(answer.text == "whole", "\(answer)")

            try client.request("GET /down")
            #expect(try client.wire.head()?.contentLength == Self.size, "\(client.transcript)")
            var last = -1
            try eventually("the upstream stands still, which nobody reads") {
                defer { last = sent.withLock { $0 } }
                Thread.sleep(forTimeInterval: 0.2)
                return last > 0 && last == sent.withLock { $0 }
            }
            #expect(last < Self.size / 2, "\(last) bytes were taken")
            #expect(try Content.firstDifference(reading: client.wire, slowly: true) == nil)
            #expect(try client.exchange("GET /again").text == "ok", "\(client.transcript)")
            let growth = try gateway.process.kibibytes("VmHWM") - before
            #expect(growth < 24 << 10 || Binaries.areSanitized, "the peak grew by \(growth) KiB")
        }
    }
}
