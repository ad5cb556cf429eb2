internal import JSON

/// `gateway.admin`: the second listener, for health checks, the effective configuration, flags and metrics. Never for
/// clients.
package struct AdminSection: Equatable, Sendable {
    /// `address`: where it listens; required. An address that others can reach without a `token` is a warning.
    package var address: ListenAddress
    /// `token`: who asks for more than health must send `Authorization: Bearer <token>`. Default: none, everybody who
    /// can connect may read.
    package var token: Secret?

    static let keys = SectionKeys(["address", "token"])

    init?(_ section: SectionReader) {
        token = section.secret("token")
        guard let address = section.listenAddress("address", isRequired: true) else { return nil }
        self.address = address
    }

    var effective: JSONValue {
        .section([("address", .text(address)), ("token", token?.effective)])
    }
}

extension Secret {
    /// The reference as it is written in the file: shows where the secret is, not what it is.
    var effective: JSONValue {
        switch origin {
        case .environment(let name): .section([("env", .string(name))])
        case .file(let path): .section([("file", .string(path))])
        }
    }
}
