/// What a listener's TLS is made of: the contents of files, not their paths, so that a context can be made anywhere.
package struct TLSSettings: Sendable {
    /// One certificate with its key.
    package struct Certificate: Sendable {
        /// The names that it serves, exact (`api.example.com`) or with a leading wildcard (`*.example.com`), in lower
        /// case; empty for all DNS names that stand in the certificate.
        package var names: [String]
        /// The certificate, then those that signed it, PEM.
        package var certificate: [UInt8]
        /// Its private key, PEM, not encrypted.
        package var key: [UInt8]
        /// A stapled OCSP response, DER.
        package var ocsp: [UInt8]?

        /// A certificate of these parts.
        package init(names: [String] = [], certificate: [UInt8], key: [UInt8], ocsp: [UInt8]? = nil) {
            self.names = names
            self.certificate = certificate
            self.key = key
            self.ocsp = ocsp
        }
    }

    /// The oldest version that is spoken.
    package enum Version: Sendable {
        case tls12, tls13
    }

    /// The certificates; the first one is for clients that ask for no name, or for none of those.
    package var certificates: [Certificate]
    /// Who may sign clients' certificates, PEM; nil where clients are not asked for one.
    package var clientAuthorities: [UInt8]?
    /// Whether a client without a certificate is refused.
    package var requiresClientCertificate = false
    /// The oldest version that is spoken.
    package var minimum = Version.tls12
    /// What is spoken; HTTP/2 is preferred.
    package var protocols = SpokenProtocols.all

    /// The defaults, with these certificates.
    package init(certificates: [Certificate]) { self.certificates = certificates }
}

/// Something that is wrong with the material of a ``TLSSettings``.
package struct TLSProblem: Error, Equatable, Sendable {
    /// How bad it is.
    package enum Severity: Sendable {
        /// Nothing can be served with it.
        case error
        /// It can be served, but clients will refuse it: expired, or a chain that does not hold together.
        case fault
        /// It works for now.
        case warning
    }

    /// Which part of the settings it is about; the numbers are those of the certificates.
    package enum Place: Equatable, Sendable {
        case certificate(Int), key(Int), ocsp(Int), names(Int), clientAuthorities, whole
    }

    package var severity: Severity
    package var place: Place
    /// What is wrong, without the name of the file.
    package var message: String

    /// Without random bytes nothing can be kept secret.
    package static let withoutRandomBytes = TLSProblem(.whole, "the system gives no random bytes")

    init(_ place: Place, _ message: String) { self.init(.error, place, message) }

    init(_ severity: Severity, _ place: Place, _ message: String) {
        self.severity = severity
        self.place = place
        self.message = message
    }
}
