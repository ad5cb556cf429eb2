package import ByteBuffers

/// An IPv4 or IPv6 address as a value of 16 bytes.
///
/// An IPv4 address is held in its IPv6-mapped form (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2), so that a peer on a
/// dual-stack socket and the same peer on an IPv4 socket are equal.
package struct IPAddress: Equatable, Hashable, Sendable {
    /// The first eight bytes, in network order.
    package var high: UInt64
    /// The last eight bytes, in network order.
    package var low: UInt64

    /// The IPv6 address of two halves; a mapped one is an IPv4 address.
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The IPv4 address whose first byte is the highest of `ipv4`.
    package init(ipv4: UInt32) {
        self.init(high: 0, low: 0xFFFF_0000_0000 | UInt64(ipv4))
    }

    /// Whether it is an IPv4 address, mapped or not.
    package var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// Reads `192.0.2.1` or `2001:db8::1`, the whole of `text`: four decimal numbers without leading zeros, or the
    /// forms of RFC 4291 §2.2, without brackets, zone or prefix. Nil for anything else.
    package init?(_ text: Span<UInt8>) {
        if let ipv4 = IPAddress.ipv4(text) {
            self.init(ipv4: ipv4)
        } else if let (high, low) = IPAddress.ipv6(text) {
            self.init(high: high, low: low)
        } else {
            return nil
        }
    }

    /// Whether `text` is an IPv6 address (RFC 3986 §3.2.2 `IPv6address`).
    static func isIPv6(_ text: Span<UInt8>) -> Bool { ipv6(text) != nil }

    private static func ipv4(_ text: Span<UInt8>) -> UInt32? {
        guard text.count >= 7, text.count <= 15 else { return nil }
        var address: UInt32 = 0
        var index = 0
        for part in 0..<4 {
            if part > 0 {
                guard index < text.count, text[index] == UInt8(ascii: ".") else { return nil }
                index += 1
            }
            let start = index
            var number: UInt32 = 0
            while index < text.count, index - start < 3 {
                let digit = text[index] &- UInt8(ascii: "0")
                if digit > 9 { break }
                number = number * 10 + UInt32(digit)
                index += 1
            }
            let hasLeadingZero = index - start > 1 && text[start] == UInt8(ascii: "0")
            guard index > start, number <= 255, !hasLeadingZero else { return nil }
            address = address << 8 | number
        }
        return index == text.count ? address : nil
    }

    private static func ipv6(_ text: Span<UInt8>) -> (high: UInt64, low: UInt64)? {
        guard text.count >= 2, text.count <= 45 else { return nil }
        // What stands before `::` is kept apart until it is known how many groups of zeros it stands for.
        var before = Groups()
        var after = Groups()
        var isCompressed = false
        var index = 0
        if text[0] == UInt8(ascii: ":") {
            guard text[1] == UInt8(ascii: ":") else { return nil }
            isCompressed = true
            index = 2
        }
        while index < text.count {
            let start = index
            var group: UInt64 = 0
            while index < text.count, index - start < 4, let digit = text[index].hexValue {
                group = group << 4 | UInt64(digit)
                index += 1
            }
            if index < text.count, text[index] == UInt8(ascii: ".") {
                guard let ipv4 = ipv4(text.extracting(start..<text.count)) else { return nil }
                let isRoom =
                    isCompressed
                    ? after.append(UInt64(ipv4 >> 16)) && after.append(UInt64(ipv4 & 0xFFFF))
                    : before.append(UInt64(ipv4 >> 16)) && before.append(UInt64(ipv4 & 0xFFFF))
                guard isRoom else { return nil }
                index = text.count
                break
            }
            guard index > start, isCompressed ? after.append(group) : before.append(group) else { return nil }
            if index == text.count { break }
            guard text[index] == UInt8(ascii: ":") else { return nil }
            index += 1
            if index == text.count { return nil }
            if text[index] == UInt8(ascii: ":") {
                if isCompressed { return nil }
                isCompressed = true
                index += 1
            }
        }
        let count = before.count + after.count
        guard isCompressed ? count <= 7 : count == 8 else { return nil }
        before.shiftLeft(groups: 8 - before.count)
        return (before.high | after.high, before.low | after.low)
    }

    /// Up to eight groups of 16 bits, right-aligned.
    private struct Groups {
        var high: UInt64 = 0
        var low: UInt64 = 0
        var count = 0

        mutating func append(_ group: UInt64) -> Bool {
            guard count < 8 else { return false }
            shiftLeft(groups: 1)
            low |= group
            count += 1
            return true
        }

        mutating func shiftLeft(groups: Int) {
            let bits = UInt64(groups * 16)
            guard bits > 0 else { return }
            // The smart shifts give 0 when everything is shifted out.
            high = high << bits | (bits >= 64 ? low << (bits - 64) : low >> (64 - bits))
            low = low << bits
        }
    }
}

extension ByteBuffer {
    /// Appends the text of an address: dotted decimal for IPv4, else the canonical form of RFC 5952 §4 (lower case, no
    /// leading zeros, the first longest run of two or more zero groups as `::`), without brackets.
    package mutating func append(_ address: IPAddress) {
        if address.isIPv4 {
            appendDotted(address.low >> 24)
            appendDotted(address.low >> 16)
            appendDotted(address.low >> 8)
            appendDotted(address.low)
            return truncate(to: count - 1)
        }
        let zeros = address.longestZeroRun
        var index = 0
        while index < 8 {
            if index == zeros.start, zeros.count > 1 {
                append("::")
                index += zeros.count
                continue
            }
            if index > 0, index != zeros.start + zeros.count || zeros.count < 2 { append(UInt8(ascii: ":")) }
            let group = address.group(index)
            appendHex(UInt64(group), digits: group > 0xFFF ? 4 : group > 0xFF ? 3 : group > 0xF ? 2 : 1)
            index += 1
        }
    }
}

extension ByteBuffer {
    /// Appends the lowest byte in decimal digits, and a dot, by one store.
    @inline(__always)
    private mutating func appendDotted(_ bits: UInt64) {
        let value = Int(bits & 0xFF)
        append(lowestOf: UInt64(Self.dotted[value]), count: value > 99 ? 4 : value > 9 ? 3 : 2)
    }

    /// The digits of each byte and a dot behind them, the first one lowest.
    private static let dotted: [UInt32] = (0...0xFF).map { value in
        let digits = value > 99 ? 3 : value > 9 ? 2 : 1
        let text = threeDigits(UInt64(value)) >> UInt64(8 * (3 - digits)) | 0x2E << UInt64(8 * digits)
        return UInt32(truncatingIfNeeded: text)
    }
}

extension IPAddress {
    /// The group of 16 bits at `index`, 0...7 from the left.
    fileprivate func group(_ index: Int) -> UInt16 {
        let half = index < 4 ? high : low
        return UInt16(truncatingIfNeeded: half >> UInt64((3 - (index & 3)) * 16))
    }

    /// The first of the longest runs of zero groups.
    fileprivate var longestZeroRun: (start: Int, count: Int) {
        var best = (start: 8, count: 0)
        var run = 0
        for index in 0..<8 {
            run = group(index) == 0 ? run + 1 : 0
            if run > best.count { best = (index - run + 1, run) }
        }
        return best
    }
}
