internal import JSON

/// An upstream's `tls`: how its `https` servers are verified, and how we prove who we are. Without effect on `http`.
package struct UpstreamTLSSection: Equatable, Sendable {
    /// `ca`: a file of PEM certificates that sign the servers', instead of the system's. Default: the system's.
    package var ca: String?
    /// `certificate`: our certificate with its chain, PEM, for servers that ask for one. Together with `key`.
    package var certificate: String?
    /// `key`: the private key of `certificate`, PEM. A path: keys are never written in the file.
    package var key: String?
    /// `serverName`: the name that is asked for (SNI) and that the certificate has to bear. Default: the URL's host.
    package var serverName: String?
    /// `verify`: whether the servers' certificates are verified. Default: true. `false` is a warning: whoever can place
    /// themselves on the wire reads and changes everything.
    package var verify = true

    static let keys = SectionKeys(["ca", "certificate", "key", "serverName", "verify"])

    init() {}

    init(_ section: SectionReader) {
        ca = section.path("ca")
        certificate = section.path("certificate")
        key = section.path("key")
        for (present, absent) in [("certificate", "key"), ("key", "certificate")]
        where section.has(present) && !section.has(absent) {
            section.session.reportName(
                section.pointer.appending(present), "\"\(present)\" needs \"\(absent)\" beside it")
        }
        if let name = section.parsed("serverName", Host.init(parsing:)) {
            switch name {
            case .name(let name): serverName = name
            case .address(let address): serverName = address.description
            }
        }
        section.bool("verify", into: &verify)
        if !verify {
            section.session.warn(
                section.pointer.appending("verify"),
                "certificates of this upstream are not verified: anybody on the wire can read and change its traffic")
        }
    }

    var effective: JSONValue {
        .section([
            ("ca", ca.map { .string($0) }),
            ("certificate", certificate.map { .string($0) }),
            ("key", key.map { .string($0) }),
            ("serverName", serverName.map { .string($0) }),
            ("verify", .bool(verify)),
        ])
    }
}
