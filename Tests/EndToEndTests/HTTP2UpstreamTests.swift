import Foundation
import Testing

/// `nghttpd`, which serves a folder and sends uploads back.
final class NGHTTPD {
    static let program = "/usr/sbin/nghttpd"
    let folder: TemporaryFolder
    let port: Int
    private let process: RunningProcess

    init(certificates: CertificateFolder? = nil, _ options: String...) throws {
        folder = try TemporaryFolder()
        port = try SocketPlace.freePort()
        let keys = certificates.map { [$0.file("server.key"), $0.file("server.crt")] }
        process = try RunningProcess(
            Self.program,
            ["--address", "127.0.0.1", "-d", folder.path, "--echo-upload"] + (keys == nil ? ["--no-tls"] : [])
                + options + ["\(port)"] + (keys ?? []))
        try folder.write("hello", "hello")
        let place = SocketPlace.ipv4(port: port)
        try eventually("nghttpd listens") { (try? RawClient(place)) != nil }
    }

    deinit { process.signal(SIGKILL) }

    func gateway(_ transport: String, _ settings: String = "", scheme: String = "http") throws -> GatewayProcess {
        try GatewayProcess(
            GatewaySetup()
                .upstream(
                    "server", url: "\(scheme)://localhost:\(port)",
                    #""protocol": "h2", "transport": "\#(transport)"\#(settings.isEmpty ? "" : ", " + settings)"#
                )
                .route(#"{"match": "/{rest...}", "to": "server", "maxBody": "unlimited"}"#))
    }
}

extension EndToEnd {
    /// HTTP/2 to upstreams, against nghttp2's own server.
    @Suite(.enabled(if: access(NGHTTPD.program, X_OK) == 0, "nghttpd is not there (Debian: nghttp2-server)"))
    struct HTTP2Upstreams {
        static let transports = ["connection", "libcurl"]

        @Test(arguments: transports)
        func requestsAreForwarded(_ transport: String) throws {
            let server = try NGHTTPD()
            let gateway = try server.gateway(transport)
            let client = try gateway.client()
            let answer = try client.exchange("GET /hello")
            #expect(answer.status == 200 && answer.text == "hello", "\(client.transcript)")
            #expect(answer["content-length"] == "5")
            #expect(answer["via"] == "2.0 banyan")
            let head = try Curl("--head", "\(gateway.url)/hello")
            #expect(head.exitCode == 0 && head.answer?.values("content-length") == ["5"], "\(head)")
            #expect(try client.exchange("GET /missing").status == 404)
            #expect(try Curl("--http2-prior-knowledge", "\(gateway.url)/hello").body == "hello")
        }

        @Test(arguments: [0, 1, 65_536, 3_000_000], transports)
        func bodiesPassBothWays(_ size: Int, transport: String) throws {
            let server = try NGHTTPD()
            let gateway = try server.gateway(transport)
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            let file = gateway.folder.file("body")
            try Data(bytes).write(to: URL(fileURLWithPath: file))
            for more in [[], ["--header", "Content-Length:", "--header", "Transfer-Encoding: chunked"]] {
                let curl = try Curl(words: more + ["--data-binary", "@\(file)", "\(gateway.url)/echo"])
                #expect(curl.exitCode == 0 && curl.status == 200, "\(curl.errors)")
                #expect(curl.answer?.body == bytes)
            }
        }

        /// 64 MiB each way, and the memory that was there for one.
        @Test(arguments: transports)
        func bigBodiesLeaveMemoryFlat(_ transport: String) throws {
            let server = try NGHTTPD()
            let gateway = try server.gateway(transport)
            let file = gateway.folder.file("body")
            try Data(repeating: 7, count: 64 << 20).write(to: URL(fileURLWithPath: file))
            try FileManager.default.copyItem(atPath: file, toPath: server.folder.file("big"))
            _ = try Curl("--output", "/dev/null", "\(gateway.url)/hello")
            let before = try gateway.process.kibibytes("VmHWM")
            let down = try Curl("--output", "/dev/null", "--limit-rate", "40M", "\(gateway.url)/big")
            #expect(down.exitCode == 0, "\(down.errors)")
            let up = try Curl("--output", "/dev/null", "--upload-file", file, "\(gateway.url)/echo")
            #expect(up.exitCode == 0, "\(up.errors)")
            let growth = try gateway.process.kibibytes("VmHWM") - before
            #expect(growth < 8_192 || Binaries.areSanitized, "\(growth) KiB more")
        }

        @Test(arguments: transports)
        func overTLSTheServerMustChooseHTTP2(_ transport: String) throws {
            let certificates = try CertificateFolder()
            try certificates.make("server")
            let server = try NGHTTPD(certificates: certificates)
            let trust = #""tls": {"ca": "\#(certificates.file("ca.crt"))"}"#
            let gateway = try server.gateway(transport, trust, scheme: "https")
            let good = try gateway.exchange("GET /hello")
            #expect(good.status == 200 && good.text == "hello", "\(good)")
            let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            let file = gateway.folder.file("body")
            try Data(bytes).write(to: URL(fileURLWithPath: file))
            let echo = try Curl("--data-binary", "@\(file)", "\(gateway.url)/echo")
            #expect(echo.exitCode == 0 && echo.answer?.body == bytes, "\(echo.errors)")
            let distrust = try server.gateway(transport, scheme: "https").exchange("GET /hello")
            #expect(distrust.status == 502 && distrust.cause == "tls_failed", "\(distrust)")
            let port = try SocketPlace.freePort()
            let other = try RunningProcess(
                CertificateFolder.tool,
                [
                    "s_server", "-accept", "127.0.0.1:\(port)", "-www", "-alpn", "http/1.1", "-cert",
                    certificates.file("server.crt"), "-key", certificates.file("server.key"),
                ])
            defer { other.signal(SIGKILL) }
            try eventually("the server listens") { (try? RawClient(.ipv4(port: port))) != nil }
            let stranger = try GatewayProcess(
                GatewaySetup().upstream(
                    "other", url: "https://localhost:\(port)",
                    #""protocol": "h2", "transport": "\#(transport)", \#(trust)"#
                )
                .route(#"{"match": "/{rest...}", "to": "other"}"#))
            let refused = try stranger.exchange("GET /")
            // Our own is turned away in the handshake; libcurl finds out when it has sent the request.
            let cause = transport == "libcurl" ? "upstream_protocol" : "tls_failed"
            #expect(refused.status == 502 && refused.cause == cause, "\(refused)")
        }
    }
}
