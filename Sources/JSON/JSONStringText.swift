package import ByteBuffers

extension ByteBuffer {
    /// Appends what the JSON string `quoted` (with its quotes) stands for, as UTF-8.
    ///
    /// `quoted` is a string that `JSONIndex` has accepted. Of anything else it makes some bytes, never a trap.
    package mutating func appendDecodedJSONString(_ quoted: Span<UInt8>) {
        var index = 1
        let end = quoted.count - 1
        var plainStart = index
        while index < end {
            guard quoted[unchecked: index] == UInt8(ascii: "\\") else {
                index += 1
                continue
            }
            append(quoted.extracting(plainStart..<index))
            let (scalar, length) = quoted.jsonEscape(at: index)
            appendUTF8(scalar)
            index += length
            plainStart = index
        }
        if plainStart < end { append(quoted.extracting(plainStart..<end)) }
    }

    /// Appends the UTF-8 form of a Unicode scalar value.
    mutating func appendUTF8(_ scalar: UInt32) {
        var bytes = UTF8Bytes(scalar)
        while let byte = bytes.next() { append(byte) }
    }
}

extension Span where Element == UInt8 {
    /// Whether this JSON string, with its quotes, stands for exactly the bytes `plain`.
    package func jsonStringEquals(_ plain: Span<UInt8>) -> Bool {
        var index = 1
        var matched = 0
        let end = count - 1
        while index < end {
            let byte = self[unchecked: index]
            guard byte == UInt8(ascii: "\\") else {
                guard matched < plain.count, plain[unchecked: matched] == byte else { return false }
                index += 1
                matched += 1
                continue
            }
            let (scalar, length) = jsonEscape(at: index)
            index += length
            var encoded = UTF8Bytes(scalar)
            while let next = encoded.next() {
                guard matched < plain.count, plain[unchecked: matched] == next else { return false }
                matched += 1
            }
        }
        return matched == plain.count
    }

    /// The scalar that the escape at `index` stands for, and how many bytes the escape takes (RFC 8259 §7).
    /// Of what is no valid escape it makes U+FFFD.
    func jsonEscape(at index: Int) -> (scalar: UInt32, length: Int) {
        guard index + 1 < count else { return (0xFFFD, 1) }
        switch self[index + 1] {
        case UInt8(ascii: "b"): return (0x08, 2)
        case UInt8(ascii: "f"): return (0x0C, 2)
        case UInt8(ascii: "n"): return (0x0A, 2)
        case UInt8(ascii: "r"): return (0x0D, 2)
        case UInt8(ascii: "t"): return (0x09, 2)
        case UInt8(ascii: "u"):
            guard let first = jsonHexDigits(at: index + 2) else { return (0xFFFD, 2) }
            guard first & 0xF800 == 0xD800 else { return (first, 6) }
            guard first < 0xDC00, index + 7 < count, self[index + 6] == UInt8(ascii: "\\"),
                self[index + 7] == UInt8(ascii: "u"), let second = jsonHexDigits(at: index + 8),
                second & 0xFC00 == 0xDC00
            else { return (0xFFFD, 6) }
            let upper: UInt32 = (first & 0x3FF) << 10
            let lower: UInt32 = second & 0x3FF
            return (0x10000 + upper + lower, 12)
        case let literal: return (UInt32(literal), 2)
        }
    }

    /// The value of the four hexadecimal digits at `index`, or nil where there are none.
    func jsonHexDigits(at index: Int) -> UInt32? {
        guard index + 4 <= count else { return nil }
        var value: UInt32 = 0
        for offset in index..<(index + 4) {
            guard let digit = self[offset].hexValue else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}

/// The one to four bytes of a scalar's UTF-8 form (RFC 3629 §3), in order.
private struct UTF8Bytes {
    private let scalar: UInt32
    private let length: UInt32
    private var given: UInt32 = 0

    init(_ scalar: UInt32) {
        self.scalar = scalar
        length =
            switch scalar {
            case 0..<0x80: 1
            case 0x80..<0x800: 2
            case 0x800..<0x10000: 3
            default: 4
            }
    }

    mutating func next() -> UInt8? {
        guard given < length else { return nil }
        given += 1
        let bits: UInt32 = scalar >> (6 * (length - given))
        if given > 1 { return UInt8(truncatingIfNeeded: (bits & 0x3F) | 0x80) }
        let marker: UInt32 =
            switch length {
            case 1: 0
            case 2: 0xC0
            case 3: 0xE0
            default: 0xF0
            }
        return UInt8(truncatingIfNeeded: marker | bits)
    }
}
