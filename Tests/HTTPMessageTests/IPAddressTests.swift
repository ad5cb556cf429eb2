import ByteBuffers
import HTTPMessage
import Testing

@Suite struct IPAddressTests {
    /// Text, and the canonical form (RFC 5952 §4, whose examples are here) or nil if it is no address (RFC 4291 §2.2).
    static let addresses: [(String, String?)] = [
        ("0.0.0.0", "0.0.0.0"), ("127.0.0.1", "127.0.0.1"), ("255.255.255.255", "255.255.255.255"),
        ("256.0.0.1", nil), ("1.2.3", nil), ("1.2.3.4.5", nil), ("01.2.3.4", nil), ("1.2.3.04", nil), ("1.2.3.", nil),
        (".1.2.3", nil), ("1..2.3", nil), ("1.2.3.4 ", nil), ("1.2.3.1234", nil), ("0x1.2.3.4", nil), ("-1.2.3.4", nil),
        ("", nil), ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:DB8::A", "2001:db8::a"),
        ("2001:0db8:0000:0000:0000:0000:0002:0001", "2001:db8::2:1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("1::8", "1::8"), ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"), ("0:0:0:0:0:0:0:0", "::"), ("fe80::1:0:0", "fe80::1:0:0"),
        ("1:2:3:4:5:6:7", nil), ("1:2:3:4:5:6:7:8:9", nil), ("1:2:3:4:5:6:7:8::", nil), ("::1:2:3:4:5:6:7:8", nil),
        ("1::2::3", nil), (":::", nil), (":1", nil), ("1:", nil), ("1:2:3:4:5:6:7:", nil), (":1:2:3:4:5:6:7", nil),
        ("12345::", nil), ("g::", nil), ("::1%eth0", nil), ("[::1]", nil), ("::1/64", nil), ("1.2.3.4::", nil),
        ("::1.2.3", nil), ("::1.2.3.4.5", nil), ("1:2:3:4:5:6:7:1.2.3.4", nil), ("::256.1.1.1", nil), (":", nil),
        ("1:2:3:4:5:6:7:8:1.2.3.4", nil), ("::1.2.3.4:5", nil),
    ]

    @Test(arguments: addresses)
    func readsAndWrites(_ given: String, canonical: String?) throws {
        let read = address(given)
        #expect(read.map(text) == canonical)
        if let read, let canonical { #expect(address(canonical) == read) }
    }

    @Test func writtenAddressesAreReadBack() {
        // Every pattern of zero and other groups.
        for mask in 0..<256 {
            var halves: [UInt64] = [0, 0]
            for group in 0..<8 where mask >> group & 1 == 1 {
                halves[group / 4] |= UInt64(0xA0 + group) << UInt64((3 - group % 4) * 16)
            }
            let given = IPAddress(high: halves[0], low: halves[1])
            #expect(address(text(given)) == given, "\(text(given))")
        }
    }

    @Test func isOneValueForOneAddress() {
        #expect(IPAddress(ipv4: 0x7F00_0001) == address("127.0.0.1"))
        #expect(address("::ffff:127.0.0.1") == address("127.0.0.1"))
        #expect(address("127.0.0.1")?.isIPv4 == true)
        #expect(address("::7f00:1")?.isIPv4 == false)
    }
}

@Suite struct CIDRSetTests {
    static let members: [(block: String, address: String, isIn: Bool)] = [
        ("10.0.0.0/8", "10.0.0.0", true), ("10.0.0.0/8", "10.255.255.255", true), ("10.0.0.0/8", "11.0.0.0", false),
        ("10.0.0.0/8", "9.255.255.255", false), ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false),
        ("192.0.2.1/32", "192.0.2.0", false), ("0.0.0.0/0", "1.2.3.4", true), ("0.0.0.0/0", "::1", false),
        ("172.16.0.0/12", "172.31.255.255", true), ("172.16.0.0/12", "172.32.0.0", false),
        ("10.0.0.0/8", "::ffff:10.1.2.3", true), ("::ffff:10.0.0.0/104", "10.1.2.3", true),
        ("::/0", "2001:db8::1", true), ("::/0", "1.2.3.4", false), ("::/96", "::1", true), ("::1", "::1", true),
        ("::1", "::2", false), ("fd00::/8", "fdff::1", true), ("fd00::/8", "fe00::1", false),
        ("2001:db8::/32", "2001:db8:ffff::", true), ("2001:db8::/32", "2001:db9::", false),
        ("2001:db8::/64", "2001:db8::ffff:0:0:1", true), ("2001:db8::/64", "2001:db8:0:1::", false),
        ("2001:db8::/65", "2001:db8::7fff:0:0:1", true), ("2001:db8::/65", "2001:db8::8000:0:0:1", false),
        ("2001:db8::1/128", "2001:db8::1", true), ("2001:db8::1/128", "2001:db8::", false),
    ]

    @Test(arguments: members)
    func contains(_ network: String, _ member: String, _ isIn: Bool) throws {
        let parsed = try #require(address(member))
        #expect(try block(network).contains(parsed) == isIn)
        let set = CIDRSet([try block("198.51.100.0/24"), try block(network)])
        #expect(set.contains(parsed) == isIn)
    }

    static let faults: [(String, CIDRBlock.Fault)] = [
        ("", .malformed), ("/8", .malformed), ("10.0.0.0/", .malformed), ("10.0.0.0/x", .malformed),
        ("10.0.0.0/08", .malformed), ("10.0.0.0/-1", .malformed), ("10.0.0.0/8/8", .malformed),
        ("10.0.0/8", .malformed),
        ("localhost", .malformed), ("10.0.0.0/1000", .malformed), ("10.0.0.0/33", .prefixTooLong),
        ("::/129", .prefixTooLong), ("10.1.2.3/8", .hostBitsSet), ("2001:db8::1/64", .hostBitsSet),
        ("1.2.3.4/0", .hostBitsSet),
    ]

    @Test(arguments: faults)
    func refuses(_ text: String, _ fault: CIDRBlock.Fault) {
        #expect(throws: fault) { try block(text) }
    }

    @Test func emptySetHoldsNothing() throws {
        #expect(CIDRSet().isEmpty)
        #expect(!CIDRSet().contains(IPAddress(ipv4: 0)))
    }
}
