/// A number of bytes from the configuration: a plain number, or text with a binary unit, `"64KiB"`, `"10MiB"`, `"1GiB"`.
///
/// Decimal units (`kB`, `MB`) are refused rather than guessed at: half of the world reads 1 MB as 1,000,000, the other
/// half as 1,048,576. The most is 1 PiB, so that sums of sizes never overflow.
package struct ByteSize: Hashable, Sendable {
    /// The size in bytes, at most ``maximum``.
    package let bytes: UInt64

    /// The largest size that can be configured: 1 PiB.
    package static let maximum: UInt64 = 1 << 50

    /// `bytes` bytes, at most ``maximum``.
    package init(_ bytes: UInt64) {
        self.bytes = min(bytes, Self.maximum)
    }

    /// `count` times 1024 bytes.
    package static func kibibytes(_ count: UInt32) -> ByteSize { ByteSize(UInt64(count) << 10) }

    /// `count` times 1024 × 1024 bytes.
    package static func mebibytes(_ count: UInt32) -> ByteSize { ByteSize(UInt64(count) << 20) }

    /// Reads a plain number of bytes.
    ///
    /// - Throws: ``ValueProblem`` where it is negative or above ``maximum``.
    package init(number: Int64) throws(ValueProblem) {
        guard number >= 0, number <= Int64(Self.maximum) else {
            throw ValueProblem("a size is from 0 to 1 PiB, found \(number)")
        }
        bytes = UInt64(number)
    }

    /// Reads digits with an optional unit, `B`, `KiB`, `MiB`, `GiB` or `TiB`.
    ///
    /// - Throws: ``ValueProblem`` where the unit is another one, a sign, fraction or blank is in it, or it is too large.
    package init(parsing text: String) throws(ValueProblem) {
        try self.init(parsing: text, expected: "a size such as 65536, \"64KiB\" or \"10MiB\"")
    }

    fileprivate init(parsing text: String, expected: String) throws(ValueProblem) {
        let digits = text.utf8.prefix { $0 >= 0x30 && $0 <= 0x39 }
        guard !digits.isEmpty else { throw ValueProblem(expected: expected, found: text) }
        let shift: UInt64
        switch String(text.utf8.dropFirst(digits.count)) {
        case "", "B": shift = 0
        case "KiB": shift = 10
        case "MiB": shift = 20
        case "GiB": shift = 30
        case "TiB": shift = 40
        case "K", "k", "KB", "kB", "kb", "M", "m", "MB", "mb", "G", "g", "GB", "gb", "kib", "mib", "gib":
            throw ValueProblem(
                "a size has the unit KiB, MiB or GiB (powers of 1024), found \(ValueProblem.quoted(text))")
        default: throw ValueProblem(expected: expected, found: text)
        }
        guard let count = UInt64(String(digits) ?? ""), count <= Self.maximum >> shift else {
            throw ValueProblem("a size is from 0 to 1 PiB, found \(ValueProblem.quoted(text))")
        }
        bytes = count << shift
    }
}

extension ByteSize: CustomStringConvertible {
    /// With the largest unit that divides it.
    package var description: String {
        if bytes > 0 {
            for (shift, unit) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] as [(UInt64, String)]
            where bytes & ((1 << shift) - 1) == 0 {
                return "\(bytes >> shift)\(unit)"
            }
        }
        return "\(bytes)B"
    }
}

extension ByteSize: Comparable {
    package static func < (left: ByteSize, right: ByteSize) -> Bool { left.bytes < right.bytes }
}

/// A bound on a size that can be switched off: a size, or `"unlimited"`.
package enum SizeLimit: Hashable, Sendable {
    /// Any size passes; what is passed on is streamed, so memory stays bounded all the same.
    case unlimited
    /// At most this many bytes.
    case atMost(ByteSize)

    /// Reads `"unlimited"` or a size.
    ///
    /// - Throws: ``ValueProblem`` as ``ByteSize/init(parsing:)`` does.
    package init(parsing text: String) throws(ValueProblem) {
        let expected = "a size such as 65536, \"64KiB\" or \"10MiB\", or \"unlimited\""
        self = text == "unlimited" ? .unlimited : .atMost(try ByteSize(parsing: text, expected: expected))
    }

    /// The bound in bytes, or nil where there is none.
    package var bytes: UInt64? {
        switch self {
        case .unlimited: nil
        case .atMost(let size): size.bytes
        }
    }
}

extension SizeLimit: CustomStringConvertible {
    /// As it is written in the file.
    package var description: String {
        switch self {
        case .unlimited: "unlimited"
        case .atMost(let size): size.description
        }
    }
}
