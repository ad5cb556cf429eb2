/// A host in the configuration: an address, or a name that is resolved at run time.
package enum Host: Hashable, Sendable {
    /// An IP address.
    case address(IPAddress)
    /// A DNS name in lower case, at most 253 characters (RFC 1035 §2.3.4). Underscores are allowed, because container
    /// networks use them.
    case name(String)

    /// Reads an address (IPv6 without brackets) or a name.
    ///
    /// - Throws: ``ValueProblem`` where it is neither. A name whose last label is a number is refused: URL readers
    ///   disagree on whether `1.2.3` is an address (WHATWG URL, "ends in a number").
    package init(parsing text: some StringProtocol) throws(ValueProblem) {
        if let address = IPAddress(parsing: text) {
            self = .address(address)
            return
        }
        let name = text.lowercased()
        let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let isName =
            name.utf8.count <= 253
            && labels.allSatisfy { label in
                (1...63).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                    && label.allSatisfy { byte in
                        switch byte {
                        case 0x61...0x7A, 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "_"): true
                        default: false
                        }
                    }
            }
        let endsInNumber = labels.last?.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } ?? false
        guard isName, !endsInNumber else {
            throw ValueProblem(expected: "a host name or an IP address", found: String(text))
        }
        self = .name(name)
    }

    /// Whether only this machine can reach it: a loopback address, or the name `localhost` (RFC 6761 §6.3).
    package var isLoopback: Bool {
        switch self {
        case .address(let address): address.isLoopback
        case .name(let name): name == "localhost" || name.hasSuffix(".localhost")
        }
    }
}

extension Host: CustomStringConvertible {
    /// As it stands in a URL: an IPv6 address in brackets (RFC 3986 §3.2.2).
    package var description: String {
        switch self {
        case .address(let address): address.isIPv4 ? address.description : "[\(address)]"
        case .name(let name): name
        }
    }
}

/// A host with an optional port, as in `host:port`, `[v6]:port` and the authority of a URL.
package struct HostAndPort: Hashable, Sendable {
    /// The host.
    package let host: Host
    /// The port, or nil where the text ends with the host.
    package let port: UInt16?

    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
    ///
    /// - Throws: ``ValueProblem`` where the host or the port is invalid, or an IPv6 address lacks its brackets.
    package init(parsing text: some StringProtocol) throws(ValueProblem) {
        let hostText: Substring
        let rest: Substring
        let whole = Substring(text)
        if whole.first == "[" {
            guard let end = whole.firstIndex(of: "]"),
                case let inner = whole[whole.index(after: whole.startIndex)..<end],
                inner.contains(":")
            else { throw ValueProblem(expected: "an IPv6 address in brackets", found: String(text)) }
            hostText = inner
            rest = whole[whole.index(after: end)...]
        } else {
            hostText = whole.prefix { $0 != ":" }
            rest = whole[hostText.endIndex...]
            if rest.dropFirst().contains(":") {
                throw ValueProblem(
                    "an IPv6 address stands in brackets, as in \"[::1]:8080\", found "
                        + ValueProblem.quoted(String(text)))
            }
        }
        host = try Host(parsing: hostText)
        if rest.isEmpty {
            port = nil
        } else {
            guard rest.first == ":", case let digits = rest.dropFirst(), !digits.isEmpty,
                digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = UInt16(digits)
            else { throw ValueProblem(expected: "a port from 0 to 65535 behind the host", found: String(text)) }
            port = number
        }
    }
}
