import ByteBuffers

/// Items of structured fields (RFC 9651).
enum StructuredItem {
    /// `name` as an item: a Token where it is one (§3.3.4), else a String (§3.3.3), else a Display String (§3.3.8).
    static func bytes(for name: String) -> [UInt8] {
        let utf8 = Array(name.utf8)
        if let first = utf8.first, first.isLetter || first == UInt8(ascii: "*"),
            utf8.allSatisfy({ $0.isTokenCharacter || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "/") })
        {
            return utf8
        }
        let quote = UInt8(ascii: "\"")
        if utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) {
            let isSpecial = { (byte: UInt8) in byte == quote || byte == UInt8(ascii: "\\") }
            return [quote] + utf8.flatMap { isSpecial($0) ? [UInt8(ascii: "\\"), $0] : [$0] } + [quote]
        }
        var text = ByteBuffer()
        text.append("%\"")
        for byte in utf8 {
            if byte >= 0x20, byte < 0x7F, byte != quote, byte != UInt8(ascii: "%") {
                text.append(byte)
            } else {
                text.append(UInt8(ascii: "%"))
                text.appendHex(UInt64(byte), digits: 2)
            }
        }
        text.append(quote)
        return Array(text.text.utf8)
    }
}

extension UInt8 {
    fileprivate var isLetter: Bool { (self | 0x20) &- UInt8(ascii: "a") < 26 }
}
