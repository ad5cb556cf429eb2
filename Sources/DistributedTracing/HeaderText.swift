import ByteBuffers

extension Swift.Span where Element == UInt8 {
    /// The number in `digits` hexadecimal digits (at most 16) from `start`, or nil where one is missing or not a digit.
    /// Upper-case digits count as digits only where `anyCase` is set.
    func hexadecimal(from start: Int, digits: Int, anyCase: Bool = false) -> UInt64? {
        guard start >= 0, digits <= 16, count - start >= digits else { return nil }
        var value: UInt64 = 0
        for index in start..<(start + digits) {
            let byte = self[index]
            guard let digit = byte.hexValue, anyCase || byte & 0x60 != 0x40 else { return nil }
            value = value << 4 | UInt64(digit)
        }
        return value
    }

    /// The bytes without spaces and tabs at either end (optional white space, RFC 9110 §5.6.3).
    @_lifetime(copy self)
    func trimmed() -> Span<UInt8> {
        var start = 0
        var end = count
        while start < end, self[start].isWhitespace { start += 1 }
        while end > start, self[end - 1].isWhitespace { end -= 1 }
        return extracting(start..<end)
    }
}

extension UInt8 {
    /// Whether it is a space or a horizontal tab.
    var isWhitespace: Bool { self == 0x20 || self == 0x09 }

    /// Whether a token may contain it (RFC 9110 §5.6.2).
    var isTokenCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
