import ByteBuffers

/// What OpenTelemetry says in `tracestate` about the share of traces that is sampled (OpenTelemetry, tracestate handling and
/// consistent probability sampling): `ot=th:c` stands for a quarter.
extension TraceState {
    /// Says of a trace that begins here, whose list is empty, what share it was sampled with.
    ///
    /// - Parameter threshold: the least 56-bit number that is sampled, below 2^56.
    mutating func begin(threshold: UInt64) {
        var digits = 14
        var value = threshold & (1 << 56 - 1)
        while digits > 1, value & 0xF == 0 {
            value >>= 4
            digits -= 1
        }
        var text = ByteBuffer()
        text.append("ot=th:")
        text.appendHex(value, digits: digits)
        append(field: text.span)
    }

    /// Takes a caller's threshold away where it contradicts the caller's decision: what was sampled below its threshold, and
    /// what has one although it was not sampled at all.
    mutating func reconcileThreshold(isSampled: Bool, of traceID: TraceID) {
        guard let member = member("ot"), let threshold = value("th", in: member) else { return }
        var randomness = traceID.low & (1 << 56 - 1)
        if let named = value("rv", in: member), named.count == 14, let number = Self.hexadecimal(text, named) {
            randomness = number
        }
        if isSampled, threshold.count <= 14, let number = Self.hexadecimal(text, threshold),
            randomness >= number << UInt64(4 * (14 - threshold.count))
        {
            return
        }
        removeValue(threshold, nameLength: 3, of: member)
    }

    /// Where the value of the member with this key stands.
    private func member(_ key: StaticString) -> ByteRange? {
        var start = 0
        while start < text.count {
            let end = text.firstIndex(of: UInt8(ascii: ","), from: start) ?? text.count
            if let separator = text.firstIndex(of: UInt8(ascii: "="), from: start), separator < end,
                text.extracting(start..<separator).equals(key)
            {
                return ByteRange(start: separator + 1, count: end - separator - 1)
            }
            start = end + 1
        }
        return nil
    }

    /// Where the value of `name:value` stands among the parts of a member's value.
    private func value(_ name: StaticString, in member: ByteRange) -> ByteRange? {
        let end = Int(member.start) + Int(member.count)
        var start = Int(member.start)
        while start < end {
            let next = min(text.firstIndex(of: UInt8(ascii: ";"), from: start) ?? end, end)
            if let colon = text.firstIndex(of: UInt8(ascii: ":"), from: start), colon < next,
                text.extracting(start..<colon).equals(name)
            {
                return ByteRange(start: colon + 1, count: next - colon - 1)
            }
            start = next + 1
        }
        return nil
    }

    private static func hexadecimal(_ text: borrowing Span<UInt8>, _ range: ByteRange) -> UInt64? {
        guard (1...14).contains(range.count) else { return nil }
        var value: UInt64 = 0
        for index in Int(range.start)..<(Int(range.start) + Int(range.count)) {
            switch text[index] {
            case 0x30...0x39: value = value << 4 | UInt64(text[index] - 0x30)
            case 0x61...0x66: value = value << 4 | UInt64(text[index] - 0x57)
            default: return nil
            }
        }
        return value
    }
}
