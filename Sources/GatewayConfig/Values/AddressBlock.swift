/// A block of addresses in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3): `10.0.0.0/8`, `fd00::/8`. A single address
/// stands for the block of itself alone.
package struct AddressBlock: Hashable, Sendable {
    /// The first address: the bits behind the prefix are zero.
    package let base: IPAddress
    /// The number of fixed bits, counted in the IPv6 form: 96 to 128 for IPv4.
    package let prefixLength: Int
    /// Whether bits behind the prefix were set in the text, as in `10.0.0.1/8`: harmless, but probably a mistake.
    package let hadHostBits: Bool

    /// Reads an address, optionally with `/` and the length of the prefix.
    ///
    /// - Throws: ``ValueProblem`` where the address or the length is invalid.
    package init(parsing text: String) throws(ValueProblem) {
        let expected = "an address block such as \"10.0.0.0/8\" or \"fd00::/8\""
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(parsing: first) else {
            throw ValueProblem(expected: expected, found: text)
        }
        // A mapped address may be written either way; the length follows the way it is written.
        let offset = first.contains(":") ? 0 : 96
        var length = 128
        if parts.count == 2 {
            let digits = parts[1]
            guard (1...3).contains(digits.utf8.count), digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
                digits.utf8.count == 1 || digits.utf8.first != 0x30, let number = Int(digits)
            else { throw ValueProblem(expected: expected, found: text) }
            guard number <= 128 - offset else {
                throw ValueProblem(
                    "the prefix is at most \(128 - offset) bits long, found \(ValueProblem.quoted(text))")
            }
            length = number + offset
        }
        let masks = Self.masks(length)
        base = IPAddress(high: address.high & masks.high, low: address.low & masks.low)
        prefixLength = length
        hadHostBits = base != address
    }

    /// Whether `address` lies in the block.
    package func contains(_ address: IPAddress) -> Bool {
        let masks = Self.masks(prefixLength)
        return address.high & masks.high == base.high && address.low & masks.low == base.low
    }

    private static func masks(_ length: Int) -> (high: UInt64, low: UInt64) {
        // Smart shifts: a shift by 64 or more leaves zero.
        (~(UInt64.max >> UInt64(min(length, 64))), ~(UInt64.max >> UInt64(max(length - 64, 0))))
    }
}

extension AddressBlock: CustomStringConvertible {
    /// The canonical text: `10.0.0.0/8`.
    package var description: String {
        base.isIPv4 && prefixLength >= 96 ? "\(base)/\(prefixLength - 96)" : "\(base)/\(prefixLength)"
    }
}
