import Testing

@testable import Upstreams

@Suite struct EndpointAddressTests {
    /// The port is left out of `Host` where it is the scheme's own (RFC 9110 §4.2.3).
    @Test(
        arguments: [
            (false, "a.example", 80, "a.example", "a.example:80"),
            (false, "a.example", 443, "a.example:443", "a.example:443"),
            (true, "a.example", 443, "a.example", "a.example:443"),
            (true, "a.example", 80, "a.example:80", "a.example:80"),
            (false, "::1", 8080, "[::1]:8080", "[::1]:8080"), (true, "::1", 443, "[::1]", "[::1]:443"),
        ] as [(Bool, String, UInt16, String, String)])
    func anAddressIsWrittenForItsPlace(secure: Bool, host: String, port: UInt16, field: String, text: String) {
        let address = EndpointAddress(isSecure: secure, host: host, port: port)
        #expect(address.hostField == field)
        #expect(address.text == text)
    }

    /// What has been taken can be given back, and no more than the bound is taken.
    @Test func upstreamsShareTheDescriptors() {
        let share = DescriptorShare(most: 4)
        let one = UpstreamBounds(connections: 9, descriptors: share)
        let other = UpstreamBounds(connections: 1, descriptors: share)
        #expect(one.takeConnection(descriptors: 3) && !other.takeConnection(descriptors: 3))
        // What was refused has taken no place.
        #expect(other.takeConnection() && !one.takeConnection())
        one.giveConnection(descriptors: 3)
        #expect(one.takeConnection(descriptors: 3))
        share.most = 3
        other.giveConnection()
        #expect(!other.takeConnection(), "those that there are count")
        one.giveConnection(descriptors: 3)
        #expect(other.takeConnection())
    }

    @Test func boundsCountWhatIsTaken() {
        let bounds = UpstreamBounds(connections: 2, requests: 1, pending: 0)
        #expect(bounds.takeConnection() && bounds.takeConnection() && !bounds.takeConnection())
        bounds.giveConnection()
        #expect(bounds.takeConnection() && !bounds.takeConnection())
        #expect(bounds.takeRequest(.live, ClassShares()) && !bounds.takeRequest(.live, ClassShares()))
        #expect(!bounds.takePending())
    }
}
