import ByteBuffers
import Foundation
import Testing

struct JSONTextTests {
    /// RFC 8259 §7, one byte at a time: what a string of valid UTF-8 has to look like.
    static func reference(_ bytes: [UInt8]) -> String {
        var text = "\""
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\u{8}": text += "\\b"
            case "\t": text += "\\t"
            case "\n": text += "\\n"
            case "\u{C}": text += "\\f"
            case "\r": text += "\\r"
            case "\u{0}"..<" ", "\u{7F}"..."\u{9F}":
                text += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            case "\u{2028}": text += "\\u2028"
            case "\u{2029}": text += "\\u2029"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }

    func written(_ bytes: [UInt8]) -> String {
        var buffer = ByteBuffer()
        buffer.appendJSONString(bytes.span)
        return buffer.text
    }

    @Test("every ASCII byte at every place of strings around whole words", arguments: 1...42)
    func everyPlace(_ length: Int) {
        for place in 0..<length {
            for byte in 0...0x7F as ClosedRange<UInt8> {
                var bytes = (0..<length).map { UInt8(ascii: "C") + UInt8($0) % 24 }
                bytes[place] = byte
                #expect(written(bytes) == Self.reference(bytes))
            }
        }
    }

    @Test("sequences of UTF-8 across the borders of words")
    func sequences() {
        for scalar in [
            "é", "€", "\u{2028}", "\u{2029}", "\u{2027}", "😀", "\u{80}", "\u{85}", "\u{9F}", "\u{A0}", "\u{FFFF}",
            "\u{10FFFF}",
        ] {
            for before in 0...9 {
                let bytes = Array((String(repeating: "~", count: before) + scalar + scalar + "\"z").utf8)
                #expect(written(bytes) == Self.reference(bytes))
            }
        }
    }

    @Test(
        "each byte that is not UTF-8 becomes one replacement character",
        arguments: [
            ([0x80], 1), ([0xFF, 0xFE], 2), ([0xC0, 0x8A], 2), ([0xED, 0xA0, 0x80], 3), ([0xF0, 0x9F, 0x98], 3),
            ([0x61, 0xC3], 1), ([0xF5, 0x80, 0x80, 0x80], 4),
        ] as [([UInt8], Int)])
    func invalid(_ bytes: [UInt8], _ count: Int) throws {
        let text = written(bytes)
        #expect(text.components(separatedBy: "\\ufffd").count - 1 == count)
        let value = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
        #expect((value as? String)?.unicodeScalars.count { $0 == "\u{FFFD}" } == count)
    }
}
