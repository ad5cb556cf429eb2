/// The `traceparent` of a request: its trace, the caller's span in it, and what the caller decided
/// (W3C Trace Context, level 2).
struct TraceParent: Equatable, Sendable {
    static let sampled: UInt8 = 0x01
    static let random: UInt8 = 0x02

    var trace: TraceIdentifier
    var span: UInt64
    /// The two flags that level 2 knows; others mean nothing yet.
    var flags: UInt8

    var isSampled: Bool { flags & Self.sampled != 0 }

    init(trace: TraceIdentifier, span: UInt64, flags: UInt8) {
        self.trace = trace
        self.span = span
        self.flags = flags
    }

    /// The parent that these `traceparent` fields of one request name. Two of them contradict each other, so they name
    /// none.
    init?(fields: [String]) {
        guard fields.count == 1, let text = fields.first else { return nil }
        self.init(text)
    }

    /// Reads one value; nil means that a new trace begins.
    ///
    /// Version 00 has exactly 55 characters. One from 01 to fe may go on after another dash with what is not known here,
    /// and ff is no version (§version, §Versioning of traceparent).
    init?(_ text: String) {
        let bytes = Array(text.utf8).trimmed
        guard bytes.count >= 55, bytes[2] == Self.dash, bytes[35] == Self.dash, bytes[52] == Self.dash,
            let version = Self.number(bytes[0..<2]), version != 0xFF,
            bytes.count == 55 || (version > 0 && bytes[55] == Self.dash),
            let high = Self.number(bytes[3..<19]), let low = Self.number(bytes[19..<35]),
            let span = Self.number(bytes[36..<52]), let flags = Self.number(bytes[53..<55]),
            high != 0 || low != 0, span != 0
        else { return nil }
        trace = TraceIdentifier(high: high, low: low)
        self.span = span
        self.flags = UInt8(flags) & (Self.sampled | Self.random)
    }

    private static let dash = UInt8(ascii: "-")

    /// The value of at most 16 hexadecimal digits, which are written in lower case (§HEXDIGLC).
    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }
}

extension Array<UInt8> {
    /// The bytes without spaces and tabs at both ends (RFC 9110 §5.6.3).
    fileprivate var trimmed: [UInt8] {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        return Array(drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    }
}
