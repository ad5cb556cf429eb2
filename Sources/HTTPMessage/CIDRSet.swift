import ByteBuffers

/// A block of addresses, such as `10.0.0.0/8`, `2001:db8::/32`, or one address (RFC 4632 §3.1, RFC 4291 §2.3).
package struct CIDRBlock: Equatable, Hashable, Sendable {
    private let network: IPAddress
    private let highMask: UInt64
    private let lowMask: UInt64
    private let isIPv4: Bool

    /// Why a text is not a block.
    package enum Fault: Error, Equatable, Sendable {
        /// Not an address, or not one with `/` and a decimal number behind it.
        case malformed
        /// The prefix is longer than an address of this family: 32 or 128 bits.
        case prefixTooLong
        /// Bits are set behind the prefix, so that it is not clear what is meant: `10.1.2.3/8`.
        case hostBitsSet
    }

    /// Reads an address with or without a prefix length.
    package init(_ text: Span<UInt8>) throws(Fault) {
        let slash = text.firstIndex(of: UInt8(ascii: "/"))
        guard let address = IPAddress(text.extracting(0..<(slash ?? text.count))) else { throw .malformed }
        var prefix: UInt64 = 128
        // An IPv4 address is the last 32 bits of its mapped form, however it is written.
        let isWrittenAsIPv4 = text.firstIndex(of: UInt8(ascii: ":")) == nil
        if let slash {
            let digits = text.extracting((slash + 1)..<text.count)
            guard digits.count <= 3, let number = MessageFraming.decimal(digits),
                digits.count == 1 || digits[0] != UInt8(ascii: "0")
            else { throw .malformed }
            guard number <= (isWrittenAsIPv4 ? 32 : 128) else { throw .prefixTooLong }
            prefix = isWrittenAsIPv4 ? number + 96 : number
        }
        network = address
        // The smart shifts give 0 when everything is shifted out.
        highMask = ~(UInt64.max >> Swift.min(prefix, 64))
        lowMask = prefix <= 64 ? 0 : ~(UInt64.max >> (prefix - 64))
        isIPv4 = address.isIPv4 && prefix >= 96
        guard address.high & ~highMask == 0, address.low & ~lowMask == 0 else { throw .hostBitsSet }
    }

    /// Whether `address` lies in the block. IPv6 blocks hold no IPv4 addresses: `::/0` is not everything.
    package func contains(_ address: IPAddress) -> Bool {
        (address.high ^ network.high) & highMask == 0 && (address.low ^ network.low) & lowMask == 0
            && address.isIPv4 == isIPv4
    }
}

/// A set of address blocks, such as the proxies that are trusted. Immutable in use; look-up is linear, for the handful
/// of blocks that a configuration has.
package struct CIDRSet: Equatable, Sendable {
    private var blocks: [CIDRBlock] = []

    /// The empty set.
    package init() {}

    /// The set of these blocks.
    package init(_ blocks: [CIDRBlock]) { self.blocks = blocks }

    /// Whether no address is in the set.
    package var isEmpty: Bool { blocks.isEmpty }

    /// Whether `address` lies in one of the blocks.
    package func contains(_ address: IPAddress) -> Bool {
        for block in blocks where block.contains(address) { return true }
        return false
    }
}
