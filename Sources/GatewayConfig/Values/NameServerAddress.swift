/// Where a name server listens, `address` or `address:port`.
package struct NameServerAddress: Hashable, Sendable {
    /// Its address: a name would have to be looked up first.
    package let host: IPAddress
    /// The port; 53 where the text names none.
    package let port: UInt16

    private static let usualPort: UInt16 = 53

    /// Reads an address.
    ///
    /// - Throws: ``ValueProblem`` where it is no address in numbers, or its port is none.
    package init(parsing text: String) throws(ValueProblem) {
        let expected = "an address in numbers such as \"10.0.0.2\", \"127.0.0.1:8600\" or \"[::1]:53\""
        if let host = IPAddress(parsing: text) {
            self.host = host
            port = Self.usualPort
            return
        }
        guard let parsed = try? HostAndPort(parsing: text), case .address(let host) = parsed.host, parsed.port != 0
        else { throw ValueProblem(expected: expected, found: text) }
        self.host = host
        port = parsed.port ?? Self.usualPort
    }
}

extension NameServerAddress: CustomStringConvertible {
    /// Address and port.
    package var description: String { "\(Host.address(host)):\(port)" }
}
