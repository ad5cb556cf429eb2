internal import JSON

/// `gateway.listeners[].tls`: how the clients of a listener are spoken to in secret.
package struct ListenerTLSSection: Equatable, Sendable {
    /// One certificate: `tls` itself, or an element of its `certificates`.
    package struct Certificate: Equatable, Sendable {
        /// `names`: what it serves, exact or with a leading `*.`, in lower case. Default: empty, all DNS names that stand
        /// in the certificate.
        package var names: [String] = []
        /// `certificate`: a file with the certificate and its chain, PEM.
        package var certificate: String
        /// `key`: the private key of `certificate`, PEM. A path: keys are never written in the file.
        package var key: String
        /// `ocsp`: a file with an OCSP response in DER that is stapled. Default: none.
        package var ocsp: String?
        /// Where it stands in the file.
        package var place: [String]

        var effective: [(String, JSONValue?)] {
            [("certificate", .string(certificate)), ("key", .string(key)), ("ocsp", ocsp.map { .string($0) })]
        }
    }

    /// The oldest version that is spoken.
    package enum Version: String, CaseIterable, Sendable {
        case tls12 = "1.2"
        case tls13 = "1.3"
    }

    /// `clientCertificateHeaders`: the request fields in which upstreams find what a client has proved of itself. Clients
    /// cannot send these fields themselves, by whichever listener they come.
    package struct Headers: Equatable, Sendable {
        /// `subject`: the distinguished name, as RFC 2253 writes it.
        package var subject: String?
        /// `san`: the alternative names, `DNS:a, URI:b`.
        package var san: String?
        /// `fingerprint`: SHA-256 over the certificate, in hexadecimal digits.
        package var fingerprint: String?

        /// The names that are given.
        package var names: [String] { [subject, san, fingerprint].compactMap { $0 } }

        static let keys = SectionKeys(["subject", "san", "fingerprint"])

        init() {}

        init(_ section: SectionReader) {
            subject = Self.name("subject", section)
            san = Self.name("san", section)
            fingerprint = Self.name("fingerprint", section)
            if !["subject", "san", "fingerprint"].contains(where: section.has) {
                section.session.report(
                    section.pointer, "expected at least one of \"subject\", \"san\" and \"fingerprint\"")
            }
            var seen: Set<String> = []
            for (key, name) in [("subject", subject), ("san", san), ("fingerprint", fingerprint)] {
                guard let name, !seen.insert(name.lowercased()).inserted else { continue }
                section.session.report(section.pointer.appending(key), "\(ValueProblem.quoted(name)) stands here twice")
            }
        }

        private static func name(_ key: String, _ section: SectionReader) -> String? {
            guard let name = section.token(key, what: "a header name") else { return nil }
            if let reason = FieldRules.reasonAgainstRequest(name) {
                section.session.report(
                    section.pointer.appending(key), "\(ValueProblem.quoted(name)) cannot be written: it \(reason)")
                return nil
            }
            return name
        }

        var effective: JSONValue {
            .section([
                ("subject", subject.map { .string($0) }), ("san", san.map { .string($0) }),
                ("fingerprint", fingerprint.map { .string($0) }),
            ])
        }
    }

    /// `certificate` and `key`, or `certificates`; at least one. The first one is for clients that ask for no name, or for
    /// none that is served.
    package var certificates: [Certificate] = []
    private var isShort = false
    /// `clientCA`: a file of PEM certificates that sign those of clients. Default: none, clients are not asked.
    package var clientCA: String?
    /// `requireClientCertificate`: whether a client without a certificate is refused. Default: false.
    package var requireClientCertificate = false
    /// `clientCertificateHeaders`: what upstreams are told of a client's certificate. Default: nothing.
    package var clientCertificateHeaders = Headers()
    /// `minVersion`: the oldest version that is spoken. Default: 1.2.
    package var minVersion = Version.tls12
    /// Where it stands in the file.
    package let place: [String]

    static let keys = SectionKeys([
        "certificate", "key", "ocsp", "certificates", "clientCA", "requireClientCertificate",
        "clientCertificateHeaders", "minVersion",
    ])
    static let certificateKeys = SectionKeys(["names", "certificate", "key", "ocsp"])

    init(_ section: SectionReader) {
        let session = section.session
        place = section.pointer.tokens
        if section.has("certificates") {
            for key in ["certificate", "key", "ocsp"] where section.has(key) {
                session.reportName(
                    section.pointer.appending(key), "\"\(key)\" stands in the elements of \"certificates\" here")
            }
            let places = section.elements("certificates")
            if section.isArray("certificates"), places.isEmpty {
                session.report(section.pointer.appending("certificates"), "a listener with TLS needs a certificate")
            }
            certificates = places.compactMap { place in
                session.section(place, Self.certificateKeys).flatMap(Self.certificate)
            }
        } else {
            isShort = true
            certificates = [Self.certificate(section)].compactMap { $0 }
        }
        clientCA = section.path("clientCA")
        section.bool("requireClientCertificate", into: &requireClientCertificate)
        if let headers = section.section("clientCertificateHeaders", Headers.keys) {
            clientCertificateHeaders = Headers(headers)
        }
        for key in ["requireClientCertificate", "clientCertificateHeaders"]
        where section.has(key) && !section.has("clientCA") && section.value(key) != .bool(false) {
            session.reportName(section.pointer.appending(key), "\"\(key)\" needs \"clientCA\" beside it")
        }
        section.choice("minVersion", into: &minVersion)
    }

    /// Nil where one of the files is not named.
    private static func certificate(_ section: SectionReader) -> Certificate? {
        for key in ["certificate", "key"] where !section.has(key) {
            section.session.report(section.pointer, "missing \"\(key)\"")
        }
        let names = section.has("names") ? Self.names(section) : []
        let ocsp = section.path("ocsp")
        guard let certificate = section.path("certificate"), let key = section.path("key") else { return nil }
        return Certificate(
            names: names, certificate: certificate, key: key, ocsp: ocsp, place: section.pointer.tokens)
    }

    private static func names(_ section: SectionReader) -> [String] {
        let places = section.elements("names")
        if section.isArray("names"), places.isEmpty {
            section.session.report(section.pointer.appending("names"), "expected at least one name")
        }
        var names: [String] = []
        for place in places {
            let name = section.session.parsed(place) { (text) throws(ValueProblem) in
                let isWildcard = text.hasPrefix("*.")
                guard case .name(let host)? = try? Host(parsing: isWildcard ? String(text.dropFirst(2)) : text) else {
                    throw ValueProblem(expected: "a host name, \"*.\" before it allowed", found: text)
                }
                return isWildcard ? "*.\(host)" : host
            }
            guard let name else { continue }
            if names.contains(name) {
                section.session.report(place.pointer, "\(ValueProblem.quoted(name)) stands here twice")
            }
            names.append(name)
        }
        return names
    }

    /// The files that it is made of, each with its place in the configuration.
    package var files: [(path: String, place: [String])] {
        var files: [(path: String, place: [String])] = []
        for certificate in certificates {
            files.append((certificate.certificate, certificate.place + ["certificate"]))
            files.append((certificate.key, certificate.place + ["key"]))
            if let ocsp = certificate.ocsp { files.append((ocsp, certificate.place + ["ocsp"])) }
        }
        if let clientCA { files.append((clientCA, place + ["clientCA"])) }
        return files
    }

    var effective: JSONValue {
        var members: [(String, JSONValue?)] = []
        if isShort, let certificate = certificates.first {
            members = certificate.effective
        } else {
            members.append(
                (
                    "certificates",
                    .array(
                        certificates.map { certificate in
                            let names = certificate.names.isEmpty ? nil : certificate.names
                            return .section(
                                [("names", names.map { .array($0.map { .string($0) }) })] + certificate.effective)
                        })
                ))
        }
        members += [
            ("clientCA", clientCA.map { .string($0) }),
            ("requireClientCertificate", .bool(requireClientCertificate)),
            (
                "clientCertificateHeaders",
                clientCertificateHeaders.names.isEmpty ? nil : clientCertificateHeaders.effective
            ),
            ("minVersion", .string(minVersion.rawValue)),
        ]
        return .section(members)
    }
}
