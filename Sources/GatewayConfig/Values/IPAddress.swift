internal import ByteBuffers

/// An IPv4 or IPv6 address as a number; IPv4 is held in its mapped form (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2), so that
/// one comparison serves both and a dual-stack socket's spelling of a client changes nothing.
package struct IPAddress: Hashable, Sendable {
    /// The first eight bytes in network order.
    package let high: UInt64
    /// The last eight bytes in network order.
    package let low: UInt64

    /// The address with these 128 bits.
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The IPv4 address with these 32 bits.
    package init(ipv4: UInt32) {
        high = 0
        low = 0xFFFF << 32 | UInt64(ipv4)
    }

    /// Whether it is an IPv4 address, mapped or not.
    package var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// Whether it is reachable from this machine alone: 127.0.0.0/8 (RFC 1122 §3.2.1.3) or ::1.
    package var isLoopback: Bool {
        isIPv4 ? (low >> 24) & 0xFF == 127 : high == 0 && low == 1
    }

    /// Whether it stands for every address of the machine: 0.0.0.0 or ::.
    package var isUnspecified: Bool { high == 0 && (low == 0 || low == 0xFFFF << 32) }

    /// Reads four decimal octets (RFC 3986 §3.2.2: no leading zeros, which some readers take as octal) or an IPv6
    /// address without brackets and zone (RFC 4291 §2.2). Nil where the text is neither.
    package init?(parsing text: some StringProtocol) {
        let bytes = Array(text.utf8)
        if let value = Self.ipv4(bytes[...]) {
            self.init(ipv4: value)
        } else if let (high, low) = Self.ipv6(bytes) {
            self.init(high: high, low: low)
        } else {
            return nil
        }
    }

    private static func ipv4(_ bytes: ArraySlice<UInt8>) -> UInt32? {
        let octets = bytes.split(separator: 0x2E, omittingEmptySubsequences: false)
        guard octets.count == 4 else { return nil }
        var value: UInt32 = 0
        for octet in octets {
            guard (1...3).contains(octet.count), octet.count == 1 || octet.first != 0x30 else { return nil }
            var number: UInt32 = 0
            for digit in octet {
                guard digit >= 0x30, digit <= 0x39 else { return nil }
                number = number * 10 + UInt32(digit - 0x30)
            }
            guard number <= 255 else { return nil }
            value = value << 8 | number
        }
        return value
    }

    private static func ipv6(_ bytes: [UInt8]) -> (UInt64, UInt64)? {
        guard bytes.count >= 2, bytes.count <= 45 else { return nil }
        var groups: [UInt16] = []
        var gap: Int?
        var rest = bytes[...]
        if rest.starts(with: [0x3A, 0x3A]) {
            gap = 0
            rest = rest.dropFirst(2)
        }
        while !rest.isEmpty {
            guard groups.count < 8 else { return nil }
            let group = rest.prefix { $0 != 0x3A }
            if group.contains(0x2E) {
                guard group.count == rest.count, let value = ipv4(group) else { return nil }
                groups += [UInt16(value >> 16), UInt16(value & 0xFFFF)]
                break
            }
            guard let value = hexGroup(group) else { return nil }
            groups.append(value)
            rest = rest.dropFirst(group.count)
            if rest.isEmpty { break }
            rest = rest.dropFirst()
            if rest.first == 0x3A {
                guard gap == nil else { return nil }
                gap = groups.count
                rest = rest.dropFirst()
            } else if rest.isEmpty {
                return nil
            }
        }
        if let gap {
            guard groups.count < 8 else { return nil }
            groups.insert(contentsOf: Array(repeating: 0, count: 8 - groups.count), at: gap)
        }
        guard groups.count == 8 else { return nil }
        return (
            groups[..<4].reduce(0) { $0 << 16 | UInt64($1) }, groups[4...].reduce(0) { $0 << 16 | UInt64($1) }
        )
    }

    private static func hexGroup(_ bytes: ArraySlice<UInt8>) -> UInt16? {
        guard (1...4).contains(bytes.count) else { return nil }
        var value: UInt16 = 0
        for byte in bytes {
            guard let digit = byte.hexValue else { return nil }
            value = value << 4 | UInt16(digit)
        }
        return value
    }
}

extension IPAddress: CustomStringConvertible {
    /// Dotted for IPv4; for IPv6 the canonical text of RFC 5952 §4: lower case, the longest run of zeros as `::`.
    package var description: String {
        if isIPv4 {
            return [24, 16, 8, 0].map { String(low >> $0 & 0xFF) }.joined(separator: ".")
        }
        let groups = [high, low].flatMap { half in [48, 32, 16, 0].map { half >> $0 & 0xFFFF } }
        var longest = 0..<0
        var start = 0
        while start < 8 {
            let end = groups[start...].firstIndex { $0 != 0 } ?? 8
            if end - start > max(longest.count, 1) { longest = start..<end }
            start = max(end, start + 1)
        }
        let text = { (range: Range<Int>) in groups[range].map { String($0, radix: 16) }.joined(separator: ":") }
        return longest.isEmpty
            ? text(0..<8) : text(0..<longest.lowerBound) + "::" + text(longest.upperBound..<8)
    }
}
