extension ByteBuffer {
    /// Appends `value` in decimal digits.
    @inlinable public mutating func appendDecimal(_ value: some FixedWidthInteger & UnsignedInteger) {
        let value = UInt64(truncatingIfNeeded: value)
        if value < 10 { return append(UInt8(truncatingIfNeeded: value) &+ UInt8(ascii: "0")) }
        if value < 1_000 { appendUpToThreeDigits(value) } else { appendLongDecimal(value) }
    }

    /// Appends a value below 1000 with its leading zeros.
    @inlinable public mutating func appendThreeDigits(_ value: UInt64) {
        append(lowestOf: Self.threeDigits(value), count: 3)
    }

    @inlinable mutating func appendUpToThreeDigits(_ value: UInt64) {
        if value < 10 { return append(UInt8(truncatingIfNeeded: value) &+ UInt8(ascii: "0")) }
        let digits = Self.threeDigits(value)
        if value < 100 { append(lowestOf: digits >> 8, count: 2) } else { append(lowestOf: digits, count: 3) }
    }

    /// Three digits in groups from the left, of which the first may be shorter.
    @usableFromInline
    mutating func appendLongDecimal(_ value: UInt64) {
        if value < 1_000 { return appendUpToThreeDigits(value) }
        appendLongDecimal(value / 1_000)
        appendThreeDigits(value % 1_000)
    }

    /// The three digits of a value below 1000, the first one in the lowest byte.
    @inlinable public static func threeDigits(_ value: UInt64) -> UInt64 {
        let hundreds = value / 100
        let tens = value / 10
        return (hundreds | (tens &- hundreds &* 10) << 8 | (value &- tens &* 10) << 16) &+ 0x303030
    }

    /// Appends `value` in decimal digits, with a minus sign where it is negative.
    @inlinable public mutating func appendDecimal(_ value: Int) {
        if value < 0 { append(UInt8(ascii: "-")) }
        appendDecimal(value.magnitude)
    }

    /// Appends the low `digits` hexadecimal digits of `value` in lower case.
    @inlinable public mutating func appendHex(_ value: UInt64, digits: Int) {
        precondition(digits >= 0 && digits <= 16, "a 64-bit value has at most 16 digits")
        reserve(16)
        // The digits stand from the first wanted one on; the smart shift gives 0 where none is wanted.
        let text = (value << UInt64((16 - digits) * 4)).hexDigits
        // SAFETY: reserve made room for sixteen bytes at tail; those beyond `digits` are not readable.
        base.unsafelyUnwrapped.storeBytes(of: text, toByteOffset: tail, as: SIMD16<UInt8>.self)
        tail += digits
    }

    /// Appends the digits of an id.
    @inlinable @inline(__always) public mutating func append(_ id: HexText) {
        reserve(32)
        // SAFETY: reserve made room for 32 bytes at tail.
        base.unsafelyUnwrapped.storeBytes(of: id.high, toByteOffset: tail, as: SIMD16<UInt8>.self)
        base.unsafelyUnwrapped.storeBytes(of: id.low, toByteOffset: tail + 16, as: SIMD16<UInt8>.self)
        tail += 32
    }

    /// A copy of the readable bytes as text; invalid UTF-8 becomes U+FFFD. For logs, tests and the control plane.
    public var text: String { span.text }
}

extension Span where Element == UInt8 {
    /// A copy as text; invalid UTF-8 becomes U+FFFD. For logs, tests and the control plane.
    public var text: String {
        withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }

    /// The bytes of `range`, clamped to what is there.
    @inlinable
    @_lifetime(copy self)
    public func slice(_ range: ByteRange) -> Span<UInt8> {
        let start = Swift.min(Int(range.start), count)
        let length = Swift.min(Int(range.count), count - start)
        return extracting(start..<(start + length))
    }

    /// Whether the bytes are those of `literal`.
    @inlinable public func equals(_ literal: StaticString) -> Bool {
        let length = literal.utf8CodeUnitCount
        guard count == length else { return false }
        for index in 0..<length where self[unchecked: index] != literal.utf8Start[index] { return false }
        return true
    }

    /// Whether the bytes are those of `literal`, which is in lower case, with ASCII letters compared in any case.
    @inlinable public func equalsIgnoringCase(_ literal: StaticString) -> Bool {
        let length = literal.utf8CodeUnitCount
        guard count == length else { return false }
        for index in 0..<length where self[unchecked: index].asciiLowercased != literal.utf8Start[index] {
            return false
        }
        return true
    }

    /// Whether the bytes are those of `other`.
    @inlinable public func equals(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in 0..<count where self[unchecked: index] != other[unchecked: index] { return false }
        return true
    }

    /// Whether the bytes are those of `other`, with ASCII letters compared in any case.
    @inlinable public func equalsIgnoringCase(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in 0..<count
        where self[unchecked: index].asciiLowercased != other[unchecked: index].asciiLowercased { return false }
        return true
    }

    /// The offset of the first `byte` at or after `start`, or nil.
    @inlinable public func firstIndex(of byte: UInt8, from start: Int = 0) -> Int? {
        var index = start
        while index < count {
            if self[unchecked: index] == byte { return index }
            index += 1
        }
        return nil
    }
}

/// The 32 lower-case hexadecimal digits of an id of 128 bits: worked out once, where they are written several times.
public struct HexText: Sendable {
    @usableFromInline let high: SIMD16<UInt8>
    @usableFromInline let low: SIMD16<UInt8>

    /// The digits of the number that has these halves.
    @inlinable @inline(__always) public init(_ high: UInt64, _ low: UInt64) {
        self.high = high.hexDigits
        self.low = low.hexDigits
    }

    /// Writes the digits to `place` bytes behind the beginning of `target`, where there is room for 32.
    @inlinable @inline(__always) public func store(to target: UnsafeMutableRawBufferPointer, at place: Int) {
        target.storeBytes(of: high, toByteOffset: place, as: SIMD16<UInt8>.self)
        target.storeBytes(of: low, toByteOffset: place + 16, as: SIMD16<UInt8>.self)
    }

    /// Writes the last sixteen of them.
    @inlinable @inline(__always) public func storeSecond(to target: UnsafeMutableRawBufferPointer, at place: Int) {
        target.storeBytes(of: low, toByteOffset: place, as: SIMD16<UInt8>.self)
    }

    /// Writes the first sixteen of them.
    @inlinable @inline(__always) public func storeFirst(to target: UnsafeMutableRawBufferPointer, at place: Int) {
        target.storeBytes(of: high, toByteOffset: place, as: SIMD16<UInt8>.self)
    }
}

extension UInt64 {
    /// The sixteen lower-case hexadecimal digits, from the left.
    @inlinable @inline(__always) var hexDigits: SIMD16<UInt8> {
        let bytes = unsafeBitCast(bigEndian, to: SIMD8<UInt8>.self)
        var digits = SIMD16<UInt8>()
        digits.evenHalf = bytes &>> 4
        digits.oddHalf = bytes & 0x0F
        // Adding 6 carries into the upper half where a digit is a letter; letters lie 39 above the digits' row. Comparing
        // would be compiled to a loop.
        let letters = (digits &+ 6) &>> 4
        return digits &+ 0x30 &+ ((SIMD16(repeating: 0) &- letters) & 39)
    }
}

extension UInt8 {
    /// The lower-case letter for `A`...`Z`, every other byte unchanged.
    @inlinable public var asciiLowercased: UInt8 {
        self &- 0x41 < 26 ? self | 0x20 : self
    }

    /// The value of a hexadecimal digit of either case, or nil.
    @inlinable public var hexValue: UInt8? {
        switch self {
        case 0x30...0x39: self &- 0x30
        case 0x61...0x66: self &- 0x57
        case 0x41...0x46: self &- 0x37
        default: nil
        }
    }
}
