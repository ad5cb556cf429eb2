import Foundation

/// A folder with certificates that the openssl command made.
final class CertificateFolder: Sendable {
    /// The kind of a key.
    enum Kind { case rsa, ec }

    static let tool = "/usr/bin/openssl"
    static let isPossible = access(tool, X_OK) == 0

    let folder: TemporaryFolder

    /// A folder with an authority: `ca.crt` and `ca.key`.
    init() throws {
        folder = try TemporaryFolder()
        try makeAuthority("ca")
    }

    /// Where a file of the folder is.
    func file(_ name: String) -> String { folder.file(name) }

    /// Makes `NAME.crt` and `NAME.key`, signed by itself.
    func makeAuthority(_ name: String) throws {
        try openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            file("\(name).key"), "-out", file("\(name).crt"), "-days", "3650", "-subj", "/CN=\(name)", "-addext",
            "keyUsage=critical,keyCertSign,cRLSign,digitalSignature")
    }

    /// Makes `NAME.crt` and `NAME.key` for these alternative names, signed by the authority.
    func make(
        _ name: String, for names: String = "DNS:localhost,IP:127.0.0.1", kind: Kind = .ec, days: Int = 90,
        subject: String? = nil, by authority: String = "ca"
    ) throws {
        let unique = UUID().uuidString
        let key = kind == .rsa ? ["rsa:2048"] : ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        try folder.write("names", "subjectAltName=\(names)")
        try openssl(
            ["req", "-newkey"] + key + [
                "-nodes", "-utf8", "-keyout", file(unique + ".key"), "-out", file(unique + ".csr"), "-subj",
                subject ?? "/CN=\(name)",
            ])
        // A certificate that has expired is one whose days are over: the serial number's file is shared.
        try openssl(
            "x509", "-req", "-in", file(unique + ".csr"), "-CA", file("\(authority).crt"), "-CAkey",
            file("\(authority).key"), "-set_serial", "0x\(unique.filter(\.isHexDigit))", "-out", file(unique + ".crt"),
            "-days", "\(days)", "-extfile", file("names"))
        for part in ["key", "crt"] {
            guard rename(file("\(unique).\(part)"), file("\(name).\(part)")) == 0 else {
                throw ExchangeFailure("cannot rename the \(part) of \(name)")
            }
        }
    }

    @discardableResult
    func openssl(_ words: String...) throws -> String { try openssl(words) }

    @discardableResult
    func openssl(_ words: [String]) throws -> String {
        let process = try RunningProcess(Self.tool, words)
        guard try process.end() == 0 else {
            throw ExchangeFailure("openssl failed", transcript: process.transcript)
        }
        return process.transcript
    }

    /// What `openssl s_client` says of a connection on which it sends `text`.
    func client(_ place: SocketPlace, _ words: [String], sending text: String = "") throws -> String {
        try folder.write("input", text)
        let all = ["s_client", "-connect", "\(place)", "-CAfile", file("ca.crt")] + words
        let process = try RunningProcess(
            "/bin/sh",
            ["-c", "{ cat \"$0\"; sleep 0.3; } | exec timeout 20 \(Self.tool) \"$@\"", file("input")] + all)
        _ = try process.end()
        return (process.lines() + process.lines(.errors)).joined(separator: "\n")
    }
}

extension GatewaySetup {
    /// One listener with these members of `tls`; `@` stands for the folder of the certificates.
    func secured(by certificates: CertificateFolder, _ tls: String) -> GatewaySetup {
        var setup = self
        setup.listeners = [
            #"{"address": "127.0.0.1:0", "tls": {\#(tls.replacingOccurrences(of: "@", with: certificates.folder.path))}}"#
        ]
        return setup
    }
}
