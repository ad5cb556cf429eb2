internal import ByteBuffers

/// A server of an upstream, `http(s)://host[:port][/prefix]`, or a service whose servers SRV records name,
/// `srv+http(s)://_service._proto.name[/prefix]` (RFC 2782).
///
/// No user name or password (they would be shown in logs, and no server of today wants them in a URL), no query, no
/// fragment. The prefix is put before every path that is sent; it is held without its closing slash, so that prefix and
/// path join to exactly one.
package struct ServerURL: Hashable, Sendable {
    /// Whether the connection is secured by TLS.
    package let isSecure: Bool
    /// Whether ``host`` is the name of SRV records, which have hosts and ports of their own. One of an exporter never is.
    package let isService: Bool
    /// The host.
    package let host: Host
    /// The port; 80 or 443 where the text names none, 0 for a service.
    package let port: UInt16
    /// The path before every path, beginning with a slash and not ending with one; empty for none.
    package let prefix: String

    /// Reads the URL of a server or of a service.
    ///
    /// - Throws: ``ValueProblem`` as ``init(parsing:)`` does, and where a service has a port or its name is none.
    package init(parsingServerOrService text: String) throws(ValueProblem) {
        try self.init(parsing: text, isService: text.hasPrefix(Self.servicePrefix))
    }

    /// Reads the URL of a server.
    ///
    /// - Throws: ``ValueProblem`` where scheme, host, port or prefix is invalid, or there is more than these.
    package init(parsing text: String) throws(ValueProblem) {
        try self.init(parsing: text, isService: false)
    }

    private static let servicePrefix = "srv+"

    private init(parsing text: String, isService: Bool) throws(ValueProblem) {
        self.isService = isService
        let expected =
            isService
            ? "a service such as \"srv+http://_users._tcp.example\"" : "a server such as \"http://127.0.0.1:9000\""
        let plain = text.dropFirst(isService ? Self.servicePrefix.count : 0)
        let rest: Substring
        if plain.hasPrefix("http://") {
            isSecure = false
            rest = plain.dropFirst(7)
        } else if plain.hasPrefix("https://") {
            isSecure = true
            rest = plain.dropFirst(8)
        } else if text.contains("://"), !isService {
            throw ValueProblem("a server begins with http:// or https://, found \(ValueProblem.quoted(text))")
        } else {
            throw ValueProblem(expected: expected, found: text)
        }
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let path = rest[authority.endIndex...]
        // Not quoted: it may be a password.
        if authority.contains("@") { throw ValueProblem("a server holds no user name or password") }
        if path.contains("?") || path.contains("#") {
            throw ValueProblem("a server has no query and no fragment, found \(ValueProblem.quoted(text))")
        }
        guard !authority.isEmpty else { throw ValueProblem(expected: expected, found: text) }
        let parsed = try HostAndPort(parsing: authority)
        if isService {
            guard Self.isServiceName(parsed.host) else { throw ValueProblem(expected: expected, found: text) }
            guard parsed.port == nil else {
                throw ValueProblem("a service has no port, its records do, found \(ValueProblem.quoted(text))")
            }
        }
        guard parsed.port != 0 else {
            throw ValueProblem("the port of a server is from 1 to 65535, found \(ValueProblem.quoted(text))")
        }
        host = parsed.host
        port = isService ? 0 : parsed.port ?? (isSecure ? 443 : 80)
        prefix = try Self.prefix(of: path, text)
    }

    /// Whether `host` is `_service._proto.name` (RFC 2782).
    private static func isServiceName(_ host: Host) -> Bool {
        guard case .name(let name) = host else { return false }
        let labels = name.split(separator: ".")
        return labels.count >= 3 && labels.prefix(2).allSatisfy { $0.hasPrefix("_") && $0.utf8.count > 1 }
    }

    private static func prefix(of path: Substring, _ text: String) throws(ValueProblem) -> String {
        let trimmed = path.last == "/" ? path.dropLast() : path
        guard !trimmed.isEmpty else { return "" }
        for segment in trimmed.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            let plain = segment.lowercased().replacingEncodedDots()
            guard !segment.isEmpty, plain != ".", plain != ".." else {
                throw ValueProblem(
                    "the prefix of a server has no empty and no dot segments, found \(ValueProblem.quoted(text))")
            }
            guard PathText.isSegment(segment) else {
                throw ValueProblem(
                    "the prefix of a server is a percent-encoded path, found \(ValueProblem.quoted(text))")
            }
        }
        return String(trimmed)
    }

    /// Whether its host is a name, which may have any number of addresses.
    package var isName: Bool { if case .name = host { true } else { false } }

    /// The authority for a Host header: the port only where it is not the scheme's own (RFC 9110 §7.2). That of a service
    /// is its name, which no server is called by: each of its servers has an authority of its own.
    package var authority: String {
        isService || port == (isSecure ? 443 : 80) ? host.description : "\(host):\(port)"
    }
}

extension ServerURL: CustomStringConvertible {
    /// The whole URL, its port always written, unless it is a service.
    package var description: String {
        let scheme = isSecure ? "https" : "http"
        return isService ? "srv+\(scheme)://\(host)\(prefix)" : "\(scheme)://\(host):\(port)\(prefix)"
    }
}

/// What may stand in a path (RFC 3986 §3.3).
package enum PathText {
    /// Whether `segment` holds only `pchar`: unreserved, sub-delims, `:`, `@` and whole percent triplets.
    package static func isSegment(_ segment: some StringProtocol) -> Bool {
        var bytes = segment.utf8.makeIterator()
        while let byte = bytes.next() {
            switch byte {
            case 0x61...0x7A, 0x41...0x5A, 0x30...0x39: continue
            case UInt8(ascii: "%"):
                guard bytes.next()?.hexValue != nil, bytes.next()?.hexValue != nil else { return false }
            default:
                guard "-._~!$&'()*+,;=:@".utf8.contains(byte) else { return false }
            }
        }
        return true
    }
}

extension String {
    /// A segment in lower case with `%2e` read as the dot that it means.
    fileprivate func replacingEncodedDots() -> String {
        var result = ""
        var rest = self[...]
        while let character = rest.first {
            if rest.hasPrefix("%2e") {
                result.append(".")
                rest = rest.dropFirst(3)
            } else {
                result.append(character)
                rest = rest.dropFirst()
            }
        }
        return result
    }
}
