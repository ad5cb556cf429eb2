import ByteBuffers

extension ForwardingHeaders {
    /// Whether a `Via` field of the request names this gateway: the request has been here before (RFC 9110 §7.6.3).
    package static func viaNamesGateway(_ head: borrowing RequestHead) -> Bool {
        var next = head.fields.first(.via)
        while let index = next {
            if ViaField.names("banyan", in: head.value(index)) { return true }
            next = head.fields.firstIndex(of: .via, after: index)
        }
        return false
    }
}

/// Reads `Via` values: `1#( received-protocol RWS received-by [ RWS comment ] )` (RFC 9110 §7.6.3).
enum ViaField {
    /// Whether an element was received by `pseudonym` (in lower case), with or without a port.
    static func names(_ pseudonym: StaticString, in value: Span<UInt8>) -> Bool {
        var index = 0
        while index < value.count {
            index = skip(value, from: index) { $0.isBlank || $0 == UInt8(ascii: ",") }
            let elementStart = index
            index = skip(value, from: index) { !$0.isBlank && $0 != UInt8(ascii: ",") }
            index = skip(value, from: index) { $0.isBlank }
            let start = index
            index = skip(value, from: index) {
                !$0.isBlank && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "(")
            }
            if start > elementStart, value.extracting(start..<index).equalsIgnoringCase(pseudonym) { return true }
            index = elementEnd(value, from: index)
        }
        return false
    }

    @inline(__always)
    private static func skip(_ value: Span<UInt8>, from start: Int, while holds: (UInt8) -> Bool) -> Int {
        var index = start
        while index < value.count, holds(value[unchecked: index]) { index += 1 }
        return index
    }

    /// The next comma that stands outside of comments (RFC 9110 §5.6.5), or the end.
    private static func elementEnd(_ value: Span<UInt8>, from start: Int) -> Int {
        var index = start
        var depth = 0
        while index < value.count {
            switch value[index] {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"): depth -= depth > 0 ? 1 : 0
            case UInt8(ascii: "\\") where depth > 0: index += 1
            case UInt8(ascii: ",") where depth == 0: return index
            default: break
            }
            index += 1
        }
        return value.count
    }
}
