extension ByteBuffer {
    /// Appends `value` in decimal digits.
    @inlinable public mutating func appendDecimal(_ value: some FixedWidthInteger & UnsignedInteger) {
        var rest = UInt64(truncatingIfNeeded: value)
        if rest < 10 {
            append(UInt8(truncatingIfNeeded: rest) &+ UInt8(ascii: "0"))
            return
        }
        var digits = 1
        var power: UInt64 = 10
        while digits < 20, rest >= power {
            digits += 1
            if digits < 20 { power &*= 10 }
        }
        _ = write(minimum: digits) { target in
            var position = digits
            while position > 0 {
                position -= 1
                target[position] = UInt8(truncatingIfNeeded: rest % 10) &+ UInt8(ascii: "0")
                rest /= 10
            }
            return digits
        }
    }

    /// Appends `value` in decimal digits, with a minus sign where it is negative.
    @inlinable public mutating func appendDecimal(_ value: Int) {
        if value < 0 { append(UInt8(ascii: "-")) }
        appendDecimal(value.magnitude)
    }

    /// Appends the low `digits` hexadecimal digits of `value` in lower case.
    @inlinable public mutating func appendHex(_ value: UInt64, digits: Int) {
        precondition(digits >= 0 && digits <= 16, "a 64-bit value has at most 16 digits")
        if digits == 0 { return }
        // All sixteen digits are written from the first wanted one on; those behind the last wanted one do not count.
        let shifted = value << UInt64((16 - digits) * 4)
        _ = write(minimum: 16) { target in
            target.storeBytes(of: UInt32(truncatingIfNeeded: shifted >> 32).hexDigits.bigEndian, as: UInt64.self)
            target.storeBytes(
                of: UInt32(truncatingIfNeeded: shifted).hexDigits.bigEndian, toByteOffset: 8, as: UInt64.self)
            return digits
        }
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

extension UInt32 {
    /// The eight lower-case hexadecimal digits, the first one in the highest byte.
    @inlinable var hexDigits: UInt64 {
        var spread = UInt64(self)
        spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF
        spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF
        spread = (spread | spread << 4) & 0x0F0F_0F0F_0F0F_0F0F
        // Adding 6 carries into the next nibble where a digit is a letter; letters lie 39 above the digits' row.
        let letters = (spread &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return spread &+ 0x3030_3030_3030_3030 &+ letters &* 39
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
