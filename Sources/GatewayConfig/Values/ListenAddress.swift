/// Where a listener accepts: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, or `unix:/run/banyan.sock`.
package enum ListenAddress: Hashable, Sendable {
    /// A TCP socket. Port 0 lets the system choose, which is for tests.
    case tcp(host: Host, port: UInt16)
    /// A unix socket at this path, already resolved against the folder of the configuration.
    case unix(path: String)

    /// The longest path of a unix socket in bytes: `sun_path` holds 108 with the closing NUL on Linux, 104 on macOS,
    /// and a file has to work on both.
    package static let maximumPathLength = 103

    /// Reads an address; a relative path of a unix socket is taken from `folder`.
    ///
    /// - Throws: ``ValueProblem`` where host, port or path is missing or invalid.
    package init(parsing text: String, folder: ConfigurationFolder) throws(ValueProblem) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty else { throw ValueProblem(expected: "\"unix:/path\"", found: text) }
            guard !path.utf8.contains(0) else { throw ValueProblem("a path holds no NUL") }
            let resolved = folder.resolve(path)
            guard resolved.utf8.count <= Self.maximumPathLength else {
                throw ValueProblem(
                    "the path of a unix socket is at most \(Self.maximumPathLength) bytes long, found "
                        + ValueProblem.quoted(resolved))
            }
            self = .unix(path: resolved)
            return
        }
        let expected = "an address such as \"127.0.0.1:8080\", \"[::1]:8080\" or \"unix:/run/banyan.sock\""
        let port = text.drop { $0 == "*" }
        if port.first == ":", !port.dropFirst().contains(":") {
            throw ValueProblem(
                "an address names its host: write \"0.0.0.0\(port)\" for every IPv4 address or \"[::]\(port)\" "
                    + "for every address, found \(ValueProblem.quoted(text))")
        }
        if text.contains("/") || !text.contains(":") { throw ValueProblem(expected: expected, found: text) }
        let parsed = try HostAndPort(parsing: text)
        guard let port = parsed.port else { throw ValueProblem(expected: expected, found: text) }
        self = .tcp(host: parsed.host, port: port)
    }

    /// Whether only this machine can reach it.
    package var isLocal: Bool {
        switch self {
        case .tcp(let host, _): host.isLoopback
        case .unix: true
        }
    }

    /// Whether binding both would fail or share one port between two listeners: the same socket, `localhost` being
    /// taken for 127.0.0.1. Port 0 is another port each time.
    package func collides(with other: ListenAddress) -> Bool {
        switch (self, other) {
        case (.unix(let left), .unix(let right)): left == right
        case (.tcp(let left, let port), .tcp(let right, let otherPort)):
            port != 0 && port == otherPort && Self.canonical(left) == Self.canonical(right)
        default: false
        }
    }

    private static func canonical(_ host: Host) -> Host {
        host == .name("localhost") ? .address(IPAddress(ipv4: 0x7F00_0001)) : host
    }
}

extension ListenAddress: CustomStringConvertible {
    /// As it is written in the file.
    package var description: String {
        switch self {
        case .tcp(let host, let port): "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}
