import ByteBuffers

extension ByteBuffer {
    /// Appends `bytes` so that they mean themselves wherever in a URI they stand: all but the unreserved characters of
    /// RFC 3986 §2.3 become `%XX`. No delimiter comes through, so a value stays within its segment or query value.
    mutating func appendPercentEncoded(_ bytes: Span<UInt8>) {
        for index in 0..<bytes.count {
            let byte = bytes[unchecked: index]
            if byte.isURIUnreserved {
                append(byte)
            } else {
                append(UInt8(ascii: "%"))
                append(UInt8.hexDigit(byte >> 4))
                append(UInt8.hexDigit(byte & 15))
            }
        }
    }

    /// Appends `text` with every `%XX` replaced by its byte (RFC 3986 §2.1), and with `plusIsSpace` every `+` by a
    /// space, as HTML forms write a query. A `%` without two hexadecimal digits stands for itself.
    mutating func appendPercentDecoded(_ text: Span<UInt8>, plusIsSpace: Bool = false) {
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: "%"), let decoded = text.percentDecoded(at: index) {
                append(decoded)
                index += 3
                continue
            }
            append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            index += 1
        }
    }
}

extension Span where Element == UInt8 {
    /// The byte that the `%XX` at `index` stands for, or nil where there is none.
    func percentDecoded(at index: Int) -> UInt8? {
        guard index + 2 < count, self[index] == UInt8(ascii: "%"), let high = self[index + 1].hexValue,
            let low = self[index + 2].hexValue
        else { return nil }
        return high << 4 | low
    }

    /// Whether one of the segments of this path is `.` or `..`, in any spelling (RFC 3986 §6.2.2.2): whoever normalises
    /// the path would take it, or the segment before it, away.
    var hasDotSegment: Bool {
        var index = 0
        while index < count {
            // At the first byte of a segment.
            var dots = 0
            var isOnlyDots = true
            while index < count, self[index] != UInt8(ascii: "/") {
                let decoded = percentDecoded(at: index)
                if (decoded ?? self[index]) == UInt8(ascii: ".") { dots += 1 } else { isOnlyDots = false }
                index += decoded == nil ? 1 : 3
            }
            if isOnlyDots, dots == 1 || dots == 2 { return true }
            index += 1
        }
        return false
    }

    /// Whether these bytes can stand in a path as they are: characters of a path (RFC 3986 §3.3) and slashes alone.
    var isPathText: Bool {
        var index = 0
        while index < count {
            if self[index] == UInt8(ascii: "%") {
                guard let decoded = percentDecoded(at: index), decoded != 0 else { return false }
                index += 3
            } else {
                guard self[index].isURIPathCharacter else { return false }
                index += 1
            }
        }
        return true
    }
}

extension UInt8 {
    /// Whether this is a letter, a digit or one of `-._~` (RFC 3986 §2.3).
    var isURIUnreserved: Bool {
        switch self {
        case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// Whether this is a slash or a `pchar` of RFC 3986 §3.3 other than `%`.
    var isURIPathCharacter: Bool {
        switch self {
        case UInt8(ascii: "!"), UInt8(ascii: "$"), 0x26...0x2C, UInt8(ascii: ";"), UInt8(ascii: "="),
            UInt8(ascii: ":"), UInt8(ascii: "@"), UInt8(ascii: "/"):
            true
        default: isURIUnreserved
        }
    }

    /// Whether this may stand in a token (RFC 9110 §5.6.2).
    var isTokenCharacter: Bool {
        switch self {
        case UInt8(ascii: "!"), 0x23...0x27, UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"),
            UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"),
            UInt8(ascii: "~"), 0x30...0x39, 0x41...0x5A, 0x61...0x7A:
            true
        default: false
        }
    }

    /// The upper-case hexadecimal digit for 0...15.
    static func hexDigit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? nibble &+ UInt8(ascii: "0") : nibble &+ (UInt8(ascii: "A") - 10)
    }
}
