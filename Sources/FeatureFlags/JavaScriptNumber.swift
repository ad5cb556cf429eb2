import ByteBuffers

/// Numbers as JavaScript reads and writes them (ECMA-262: `Number(text)`, `parseFloat`, `String(number)`), because
/// JsonLogic's reference leaves coercion to its language.
enum JavaScriptNumber {
    /// `Number(text)`: the whole text must be a number; white space around it is ignored; empty text is 0.
    static func number(from text: Span<UInt8>) -> Double {
        let start = skipWhiteSpace(in: text, from: 0)
        let end = endWithoutWhiteSpace(in: text, from: start)
        let body = text.extracting(start..<end)
        if body.isEmpty { return 0 }
        if body.count > 2, body[0] == UInt8(ascii: "0"), let radix = radix(ofPrefix: body[1]) {
            return number(from: body.extracting(2..<body.count), radix: radix)
        }
        guard let (value, used) = decimalPrefix(of: body), used == body.count else { return .nan }
        return value
    }

    /// `parseFloat(text)`: the longest number at the beginning, after white space; NaN where there is none.
    static func leadingNumber(of text: Span<UInt8>) -> Double {
        let start = skipWhiteSpace(in: text, from: 0)
        return decimalPrefix(of: text.extracting(start..<text.count))?.value ?? .nan
    }

    /// `ToIntegerOrInfinity`: the fraction cut off, NaN as 0.
    static func integer(_ value: Double) -> Double {
        value.isNaN ? 0 : value.rounded(.towardZero)
    }

    /// `String(value)`: for the control plane.
    static func text(_ value: Double) -> String {
        var buffer = ByteBuffer()
        buffer.appendJavaScript(value)
        return buffer.text
    }

    // MARK: Reading

    private static func radix(ofPrefix byte: UInt8) -> UInt8? {
        switch byte.asciiLowercased {
        case UInt8(ascii: "x"): 16
        case UInt8(ascii: "o"): 8
        case UInt8(ascii: "b"): 2
        default: nil
        }
    }

    private static func number(from digits: Span<UInt8>, radix: UInt8) -> Double {
        // Beyond 2^53 the sum must not be rounded at every digit: the bits after the first 64 only decide the rounding.
        var high: UInt64 = 0
        var dropped = 0
        var sticky = false
        let bits = radix == 16 ? 4 : radix == 8 ? 3 : 1
        for index in 0..<digits.count {
            guard let digit = digits[index].hexValue, digit < radix else { return .nan }
            if high >> UInt64(60) == 0 {
                high = high << UInt64(bits) | UInt64(digit)
            } else {
                dropped += bits
                if digit != 0 { sticky = true }
            }
        }
        if sticky { high |= 1 }
        return dropped > 1100 ? .infinity : Double(sign: .plus, exponent: dropped, significand: Double(high))
    }

    /// The digits of a literal as far as a double holds them exactly.
    private struct Digits {
        var count = 0
        var value: UInt64 = 0
        /// Whether `value` holds all of them.
        var fit = true

        mutating func append(_ byte: UInt8) {
            count += 1
            if value < 900_719_925_474_099 {
                value = value * 10 + UInt64(byte &- UInt8(ascii: "0"))
            } else {
                fit = false
            }
        }
    }

    /// The decimal literal at the beginning of `text` and how many bytes it takes.
    private static func decimalPrefix(of text: Span<UInt8>) -> (value: Double, used: Int)? {
        var index = 0
        var isNegative = false
        if index < text.count, text[index] == UInt8(ascii: "-") || text[index] == UInt8(ascii: "+") {
            isNegative = text[index] == UInt8(ascii: "-")
            index += 1
        }
        if text.extracting(index..<min(text.count, index + 8)).equals("Infinity") {
            return (isNegative ? -.infinity : .infinity, index + 8)
        }
        var digits = Digits()
        var exponent = 0
        while index < text.count, text[index].isDigit {
            digits.append(text[index])
            index += 1
        }
        if index < text.count, text[index] == UInt8(ascii: "."),
            digits.count > 0 || (index + 1 < text.count && text[index + 1].isDigit)
        {
            index += 1
            while index < text.count, text[index].isDigit {
                digits.append(text[index])
                exponent -= 1
                index += 1
            }
        }
        guard digits.count > 0 else { return nil }
        var end = index
        if index < text.count, text[index].asciiLowercased == UInt8(ascii: "e") {
            index += 1
            var exponentIsNegative = false
            if index < text.count, text[index] == UInt8(ascii: "-") || text[index] == UInt8(ascii: "+") {
                exponentIsNegative = text[index] == UInt8(ascii: "-")
                index += 1
            }
            var written = 0
            let start = index
            while index < text.count, text[index].isDigit {
                if written < 100_000 { written = written * 10 + Int(text[index] &- UInt8(ascii: "0")) }
                index += 1
            }
            if index > start {
                exponent += exponentIsNegative ? -written : written
                end = index
            }
        }
        let magnitude: Double
        if digits.fit, digits.value == 0 {
            magnitude = 0
        } else if digits.fit, exponent >= -22, exponent <= 22 {
            // Both numbers are exact, so the one operation rounds correctly.
            magnitude =
                exponent < 0 ? Double(digits.value) / powers[-exponent] : Double(digits.value) * powers[exponent]
        } else {
            magnitude = correctlyRounded(text.extracting(0..<end))
        }
        return (isNegative ? -magnitude : magnitude, end)
    }

    /// The standard library's own reading of a decimal literal, without its sign.
    private static func correctlyRounded(_ literal: Span<UInt8>) -> Double {
        var text: [UInt8] = []
        for index in 0..<literal.count {
            let byte = literal[index]
            if text.isEmpty, byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+") { continue }
            if byte == UInt8(ascii: ".") {
                // The library wants digits on both sides of the point, JavaScript does not.
                guard index + 1 < literal.count, literal[index + 1].isDigit else { continue }
                if text.isEmpty { text.append(UInt8(ascii: "0")) }
            }
            text.append(byte)
        }
        return Double(String(decoding: text, as: UTF8.self)) ?? .nan
    }

    private static let powers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]

    // MARK: White space (ECMA-262 §12.2, §12.3)

    private static func skipWhiteSpace(in text: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while index < text.count {
            let length = whiteSpaceLength(in: text, at: index)
            if length == 0 { break }
            index += length
        }
        return index
    }

    private static func endWithoutWhiteSpace(in text: Span<UInt8>, from start: Int) -> Int {
        var end = start
        var index = start
        while index < text.count {
            let length = whiteSpaceLength(in: text, at: index)
            index += max(length, 1)
            if length == 0 { end = index }
        }
        return end
    }

    /// The length of the white-space character at `index`, 0 where there is none.
    private static func whiteSpaceLength(in text: Span<UInt8>, at index: Int) -> Int {
        let byte = text[index]
        if byte < 0x80 { return byte == 0x20 || byte &- 0x09 < 5 ? 1 : 0 }
        if byte == 0xC2 { return index + 1 < text.count && text[index + 1] == 0xA0 ? 2 : 0 }
        guard byte >= 0xE1, byte <= 0xEF, index + 2 < text.count else { return 0 }
        let scalar = UInt32(byte & 0x0F) << 12 | UInt32(text[index + 1] & 0x3F) << 6 | UInt32(text[index + 2] & 0x3F)
        switch scalar {
        case 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF: return 3
        default: return 0
        }
    }
}

extension ByteBuffer {
    /// Appends `value` as JavaScript's `String(value)` writes it (ECMA-262 §6.1.6.1.20): whole numbers without a
    /// fraction, the fewest digits that read back as the same number, an exponent below 1e-6 and from 1e21 on.
    mutating func appendJavaScript(_ value: Double) {
        if value.isNaN { return append("NaN") }
        if value.isInfinite { return append(value < 0 ? "-Infinity" : "Infinity") }
        if value.magnitude <= 9_007_199_254_740_991, value.rounded(.towardZero) == value {
            // Negative zero is written as 0, as its integer is.
            return appendDecimal(Int(value))
        }
        // The library's digits are the shortest ones too; only the layout differs.
        var digits: UInt64 = 0
        var count = 0
        var fraction: Int?
        var exponent = 0
        var inExponent = false
        var exponentIsNegative = false
        var text = value.magnitude.description
        text.withUTF8 { bytes in
            for byte in bytes {
                switch byte {
                case UInt8(ascii: "."): fraction = 0
                case UInt8(ascii: "e"): inExponent = true
                case UInt8(ascii: "+"): break
                case UInt8(ascii: "-"): exponentIsNegative = true
                default:
                    let digit = Int(byte &- UInt8(ascii: "0"))
                    if inExponent {
                        exponent = exponent * 10 + digit
                    } else {
                        digits = digits &* 10 &+ UInt64(digit)
                        count += digits == 0 ? 0 : 1
                        if let before = fraction { fraction = before + 1 }
                    }
                }
            }
        }
        if exponentIsNegative { exponent = -exponent }
        exponent -= fraction ?? 0
        while digits != 0, digits % 10 == 0 {
            digits /= 10
            count -= 1
            exponent += 1
        }
        if value < 0 { append(UInt8(ascii: "-")) }
        appendJavaScript(digits, count: count, exponent: exponent)
    }

    /// Appends `digits`, which are `count` long, times ten to the power of `exponent`.
    private mutating func appendJavaScript(_ digits: UInt64, count: Int, exponent: Int) {
        // Where the point stands, counted from the first digit.
        let point = count + exponent
        if exponent >= 0, point <= 21 {
            appendDecimal(digits)
            appendZeros(exponent)
        } else if point > 0, point <= 21 {
            append(digits, count: count, pointAt: point)
        } else if point > -6, point <= 0 {
            append("0.")
            appendZeros(-point)
            appendDecimal(digits)
        } else {
            append(digits, count: count, pointAt: 1)
            append(point > 0 ? "e+" : "e-")
            appendDecimal((point - 1).magnitude)
        }
    }

    /// Appends `digits`, which are `count` long, with a point before digit `place` unless that is the end.
    private mutating func append(_ digits: UInt64, count: Int, pointAt place: Int) {
        var power: UInt64 = 1
        for _ in place..<max(place, count) { power *= 10 }
        appendDecimal(digits / power)
        guard place < count else { return }
        append(UInt8(ascii: "."))
        var rest = digits % power
        while power > 1 {
            power /= 10
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / power))
            rest %= power
        }
    }

    private mutating func appendZeros(_ count: Int) {
        for _ in 0..<count { append(UInt8(ascii: "0")) }
    }
}
