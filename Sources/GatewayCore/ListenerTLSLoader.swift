import GatewayConfig
import Glibc
import HTTPListener
import JSON

/// Makes the TLS of listeners from the files that the configuration names.
struct ListenerTLSLoader {
    let source: ConfigurationSource
    let files: FileAccess
    /// The keys of session tickets; nil when the system gave no random bytes.
    let tickets: TLSTicketKeys?
    /// Whether what clients will refuse is an error: `banyan check` says so; a gateway that runs had better go on.
    let isStrict: Bool
    private(set) var issues: [ConfigurationIssue] = []

    init(source: ConfigurationSource, files: FileAccess, tickets: TLSTicketKeys?, isStrict: Bool) {
        self.source = source
        self.files = files
        self.tickets = tickets
        self.isStrict = isStrict
    }

    /// The context of `listener`; nil where it has no TLS, or where something is wrong with it.
    ///
    /// - Parameter previous: the same listener of the configuration in force and its context, which is kept when nothing
    ///   has changed, and when the files behind unchanged names have become unusable.
    mutating func context(for listener: ListenerSection, previous: (ListenerSection, TLSContext)?) -> TLSContext? {
        guard let tls = listener.tls, let settings = settings(for: listener, tls) else { return nil }
        if let context = previous?.1, !settings.digest.isEmpty, context.digest == settings.digest {
            report(context.advice, tls)
            return context
        }
        do throws(TLSProblem) {
            guard let tickets else { throw TLSProblem.withoutRandomBytes }
            let context = try TLSContext(settings, tickets: tickets, now: Int64(time(nil)))
            report(context.advice, tls)
            return context
        } catch {
            guard let previous, previous.0.tls == tls, previous.0.protocols == listener.protocols else {
                report([error], tls)
                return nil
            }
            var kept = error
            kept.severity = .warning
            kept.message += "; the certificates in force stay"
            report([kept], tls)
            return previous.1
        }
    }

    /// Nil where a file cannot be read, which the reading of the configuration has reported.
    private func settings(for listener: ListenerSection, _ tls: ListenerTLSSection) -> TLSSettings? {
        var certificates: [TLSSettings.Certificate] = []
        for section in tls.certificates {
            guard let certificate = files.contents(section.certificate), let key = files.contents(section.key) else {
                return nil
            }
            var ocsp: [UInt8]?
            if let path = section.ocsp {
                guard let bytes = files.contents(path) else { return nil }
                ocsp = bytes
            }
            certificates.append(
                TLSSettings.Certificate(names: section.names, certificate: certificate, key: key, ocsp: ocsp))
        }
        var settings = TLSSettings(certificates: certificates)
        if let path = tls.clientCA {
            guard let bytes = files.contents(path) else { return nil }
            settings.clientAuthorities = bytes
        }
        settings.requiresClientCertificate = tls.requireClientCertificate
        settings.minimum = tls.minVersion == .tls12 ? .tls12 : .tls13
        settings.protocols = SpokenProtocols(listener.protocols)
        return settings
    }

    private mutating func report(_ problems: [TLSProblem], _ tls: ListenerTLSSection) {
        for problem in problems {
            let severity: ConfigurationIssue.Severity =
                switch problem.severity {
                case .error: .error
                case .fault: isStrict ? .error : .warning
                case .warning: .warning
                }
            let (place, file) = Self.place(of: problem, in: tls)
            let name = file.map { "\"\($0)\": " } ?? ""
            issues.append(source.issue(severity, at: JSONPointer(place), name + problem.message))
        }
    }

    private static func place(of problem: TLSProblem, in tls: ListenerTLSSection) -> ([String], String?) {
        func part(_ number: Int, _ key: String, _ file: (ListenerTLSSection.Certificate) -> String?) -> (
            [String], String?
        ) {
            guard tls.certificates.indices.contains(number) else { return (tls.place, nil) }
            let certificate = tls.certificates[number]
            return (certificate.place + [key], file(certificate))
        }
        switch problem.place {
        case .certificate(let number): return part(number, "certificate") { $0.certificate }
        case .key(let number): return part(number, "key") { $0.key }
        case .ocsp(let number): return part(number, "ocsp") { $0.ocsp }
        case .names(let number):
            guard tls.certificates.indices.contains(number), !tls.certificates[number].names.isEmpty else {
                return part(number, "certificate") { $0.certificate }
            }
            return part(number, "names") { $0.certificate }
        case .clientAuthorities: return (tls.place + ["clientCA"], tls.clientCA)
        case .whole: return (tls.place, nil)
        }
    }
}
