import ByteBuffers

/// A field name as three words that are equal for all spellings of it: in any case, and with `_` or `-`.
///
/// Names of 8 to 24 bytes are their first eight bytes, the second eight where there are that many, and the last eight,
/// which may overlap them; shorter ones are put together likewise. To compare a name with a literal of the same length
/// is then to compare one to three words, and those of the literal are known when this is compiled.
struct NameKey {
    private let first: UInt64
    private let second: UInt64
    private let last: UInt64
    /// Whether the name has an underscore.
    let hasUnderscore: Bool

    /// The lengths of names that keys tell apart.
    static let lengths = 2...24

    /// The key of a name whose length is one of ``lengths``. The name is a token: else a control byte could pass for a
    /// digit or a hyphen.
    @inline(__always)
    init(_ name: Span<UInt8>) {
        // SAFETY: the pointer is used within the call, for the bytes of the span alone.
        self = name.withUnsafeBytes { NameKey($0.baseAddress.unsafelyUnwrapped, count: $0.count) }
    }

    /// The key of a literal in lower case whose length is one of ``lengths``.
    @inline(__always)
    init(_ literal: StaticString) {
        // SAFETY: a literal with a pointer lives for ever.
        self.init(UnsafeRawPointer(literal.utf8Start), count: literal.utf8CodeUnitCount)
    }

    @inline(__always)
    private init(_ start: UnsafeRawPointer, count: Int) {
        var marks: UInt64 = 0
        // SAFETY: each load lies within the count bytes that begin at start, since count is at least two.
        if count >= 8 {
            first = NameKey.fold(UInt64(littleEndian: start.loadUnaligned(as: UInt64.self)), &marks)
            second =
                count < 16 ? 0 : NameKey.fold(UInt64(littleEndian: (start + 8).loadUnaligned(as: UInt64.self)), &marks)
            last = NameKey.fold(UInt64(littleEndian: (start + (count - 8)).loadUnaligned(as: UInt64.self)), &marks)
        } else {
            let low: UInt64
            let high: UInt64
            if count >= 4 {
                low = UInt64(UInt32(littleEndian: start.loadUnaligned(as: UInt32.self)))
                high = UInt64(UInt32(littleEndian: (start + (count - 4)).loadUnaligned(as: UInt32.self)))
            } else {
                low = UInt64(UInt16(littleEndian: start.loadUnaligned(as: UInt16.self)))
                high = UInt64(UInt16(littleEndian: (start + (count - 2)).loadUnaligned(as: UInt16.self)))
            }
            first = NameKey.fold(low | high << 32, &marks)
            second = 0
            last = 0
        }
        hasUnderscore = marks != 0
    }

    /// Whether both are spellings of one name; they must be of the same length.
    @inline(__always)
    static func == (left: NameKey, right: NameKey) -> Bool {
        (left.first ^ right.first) | (left.second ^ right.second) | (left.last ^ right.last) == 0
    }

    /// Eight bytes below 0x80 in lower case and with `-` for `_`. Setting the bit 0x20 turns upper case into lower and
    /// `_` into 0x7F, and leaves every other byte that known names are made of as it is. Underscores are noted in
    /// `marks`.
    @inline(__always)
    private static func fold(_ word: UInt64, _ marks: inout UInt64) -> UInt64 {
        let lower = word | 0x2020_2020_2020_2020
        // A byte of 0x80 minus one that is below 0x80 has its high bit set only if that one is 0.
        let underscores = (0x8080_8080_8080_8080 &- (lower ^ 0x7F7F_7F7F_7F7F_7F7F)) & 0x8080_8080_8080_8080
        marks |= underscores
        return lower ^ (underscores &>> 7) &* UInt64(0x7F ^ UInt8(ascii: "-"))
    }
}
