import ByteBuffers
import HTTPMessage
import Testing

@testable import HTTPListener

/// The PROXY protocol, versions 1 and 2 (sections 2.1 and 2.2 of its specification).
@Suite struct ProxyHeaderTests {
    private static func read(_ bytes: [UInt8]) -> ProxyHeader.Progress { ProxyHeader.read(bytes.span) }

    private static func peer(_ text: String, _ port: UInt16) -> PeerAddress? {
        let bytes = Array(text.utf8)
        return IPAddress(bytes.span).map { PeerAddress(address: $0, port: port, isUnix: false) }
    }

    private static let good: [(line: String, address: String?, port: UInt16)] = [
        ("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", "192.0.2.7", 56324),
        ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255", 65535),
        ("PROXY TCP6 2001:db8::7 2001:db8::1 0 443\r\n", "2001:db8::7", 0),
        ("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", "192.0.2.7", 1),
        ("PROXY UNKNOWN\r\n", nil, 0),
        ("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", nil, 0),
    ]

    @Test(arguments: good)
    func textIsRead(line: String, address: String?, port: UInt16) throws {
        let bytes = Array(line.utf8)
        let source = address.flatMap { Self.peer($0, port) }
        #expect((source == nil) == (address == nil))
        let whole = ProxyHeader.Progress.complete(consumed: bytes.count, source: source)
        #expect(Self.read(bytes) == whole)
        #expect(Self.read(bytes + Array("GET / HTTP/1.1\r\n".utf8)) == whole)
        for end in 0..<bytes.count { #expect(Self.read(Array(bytes[..<end])) == .incomplete, "\(end) bytes") }
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n", "PROXX TCP4", "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n", "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 ::1 1 2\r\n", "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY UNKNOWNX\r\n", "PROXY \r\n", "PROXY\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rX",
        "PROXY UNKNOWN " + String(repeating: "a", count: 92) + "\r\n",
        "PROXY UNKNOWN " + String(repeating: "a", count: 200),
    ])
    func brokenTextIsRefused(line: String) {
        #expect(Self.read(Array(line.utf8)) == .malformed)
    }

    /// The longest line that there may be, 107 bytes with its end, and one that never ends.
    @Test func linesAreBounded() {
        let longest = "PROXY UNKNOWN " + String(repeating: "a", count: 91) + "\r\n"
        #expect(longest.utf8.count == 107)
        #expect(Self.read(Array(longest.utf8)) == .complete(consumed: 107, source: nil))
        #expect(Self.read(Array(longest.utf8.dropLast())) == .incomplete)
        #expect(Self.read(Array("PROXY UNKNOWN ".utf8) + [UInt8](repeating: 0x61, count: 93)) == .malformed)
    }

    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

    private static func binary(_ command: UInt8, _ family: UInt8, _ payload: [UInt8], length: Int? = nil) -> [UInt8] {
        let length = length ?? payload.count
        return signature + [command, family, UInt8(length >> 8), UInt8(length & 0xFF)] + payload
    }

    private static let ipv4: [UInt8] = [192, 0, 2, 7, 198, 51, 100, 1, 0xDC, 0x04, 0x01, 0xBB]
    private static let ipv6: [UInt8] =
        [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [7] + [UInt8](repeating: 1, count: 16)
        + [0xDC, 0x04, 0x01, 0xBB]

    @Test func binaryIsRead() {
        let cases: [([UInt8], PeerAddress?)] = [
            (Self.binary(0x21, 0x11, Self.ipv4), Self.peer("192.0.2.7", 56324)),
            (Self.binary(0x21, 0x21, Self.ipv6), Self.peer("2001:db8::7", 56324)),
            // Extensions behind the addresses are skipped (section 2.2.1).
            (Self.binary(0x21, 0x11, Self.ipv4 + [0x04, 0x00, 0x02, 0xFF, 0xFF]), Self.peer("192.0.2.7", 56324)),
            (Self.binary(0x21, 0x00, []), nil), (Self.binary(0x21, 0x31, [UInt8](repeating: 0x61, count: 216)), nil),
            // The balancer speaks for itself: addresses are ignored.
            (Self.binary(0x20, 0x00, []), nil), (Self.binary(0x20, 0x11, Self.ipv4), nil),
        ]
        for (bytes, source) in cases {
            let whole = ProxyHeader.Progress.complete(consumed: bytes.count, source: source)
            #expect(Self.read(bytes) == whole)
            #expect(Self.read(bytes + [0x16, 0x03, 0x01]) == whole)
            for end in 0..<bytes.count { #expect(Self.read(Array(bytes[..<end])) == .incomplete, "\(end) bytes") }
        }
    }

    @Test func brokenBinaryIsRefused() {
        var wrongSignature = Self.binary(0x21, 0x11, Self.ipv4)
        wrongSignature[4] = 1
        let cases: [[UInt8]] = [
            wrongSignature, [0x16, 0x03, 0x01], [0x0D, 0x0A, 0x0A], Self.binary(0x11, 0x11, Self.ipv4),
            Self.binary(0x22, 0x11, Self.ipv4), Self.binary(0x2F, 0x11, Self.ipv4), Self.binary(0x21, 0x12, Self.ipv4),
            Self.binary(0x21, 0x41, Self.ipv4), Self.binary(0x21, 0x11, Array(Self.ipv4.dropLast())),
            Self.binary(0x21, 0x21, Self.ipv4), Self.binary(0x21, 0x11, [], length: 0xFFFF),
            Self.binary(0x21, 0x11, [], length: 4_081),
        ]
        for bytes in cases { #expect(Self.read(bytes) == .malformed, "\(bytes.prefix(20))") }
        #expect(Self.read(Self.binary(0x21, 0x11, Self.ipv4, length: 4_080)) == .incomplete)
    }
}
