package import ByteBuffers

/// The authority of a request: host and optional port (RFC 3986 §3.2, RFC 9110 §4.2; user information is refused).
package struct Authority: Equatable, Sendable {
    /// The host without port, an IPv6 address with its brackets, in the case that was sent.
    package var host: ByteRange
    /// The port, or nil where none (or an empty one) is given.
    package var port: UInt16?

    /// Reads `host [":" port]`, where the host is a registered name, an IPv4 address or an IPv6 address in brackets.
    /// Nil for anything else: an empty host, `user@`, a port above 65535, an `IPvFuture` or zone identifier.
    package init?(_ bytes: Span<UInt8>) {
        var end = 0
        if bytes.count > 0, bytes[0] == UInt8(ascii: "[") {
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]")),
                IPAddress.isIPv6(bytes.extracting(1..<close))
            else { return nil }
            end = close + 1
        } else {
            while end < bytes.count {
                let byte = bytes[unchecked: end]
                if ByteClass.contains(byte, ByteClass.registeredName) {
                    end += 1
                } else if byte == UInt8(ascii: "%"), bytes.percentEncoded(at: end) != nil {
                    end += 3
                } else {
                    break
                }
            }
            if end == 0 { return nil }
        }
        host = ByteRange(start: 0, count: end)
        if end == bytes.count { return }
        guard bytes[end] == UInt8(ascii: ":"), bytes.count - end <= 6 else { return nil }
        var number: UInt32 = 0
        var index = end + 1
        while index < bytes.count {
            let digit = bytes[unchecked: index] &- UInt8(ascii: "0")
            if digit > 9 { return nil }
            number = number * 10 + UInt32(digit)
            index += 1
        }
        if bytes.count - end > 1 {
            guard let value = UInt16(exactly: number) else { return nil }
            port = value
        }
    }
}

extension Span where Element == UInt8 {
    /// The byte that `%xx` at `index` stands for, or nil if no such triplet is there (RFC 3986 §2.1).
    func percentEncoded(at index: Int) -> UInt8? {
        guard index >= 0, count - index >= 3, self[index] == UInt8(ascii: "%"),
            let high = self[index + 1].hexValue, let low = self[index + 2].hexValue
        else { return nil }
        return high << 4 | low
    }
}
