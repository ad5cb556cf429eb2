import Foundation
import Testing

extension EndToEnd {
    /// The certificates of listeners as files: what becomes of them when they change, and what `check` says of them.
    @Suite(.enabled(if: CertificateFolder.isPossible, "the openssl command is not there"))
    struct CertificateFiles {
        private static let pair = #""certificate": "@/site.crt", "key": "@/site.key""#

        private let certificates: CertificateFolder

        init() throws { certificates = try CertificateFolder() }

        /// A gateway that is reached by TLS alone and forwards to `stub`.
        private func gateway(
            _ stub: StubUpstream, workers: Int = 1
        ) throws -> GatewayProcess {
            try GatewayProcess(GatewaySetup(forwardingTo: stub).secured(by: certificates, Self.pair), workers: workers)
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
                (#""certificate": "@/none.crt", "key": "@/site.key""#, "/tls/certificate:", "there is no file"),
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
