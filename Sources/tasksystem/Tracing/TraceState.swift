/// The `tracestate` of a request, which a span keeps so that a collector can read what share of traces was sampled
/// (W3C Trace Context, level 2).
struct TraceState: Equatable, Sendable {
    /// Members that a list may have.
    static let largestCount = 32
    /// Bytes that are kept at most; a longer list is left out. A participant should bear 512 of them.
    static let largestSize = 1024

    /// The list, as one value.
    let text: String

    /// Several fields are one list (RFC 9110 §5.3). One member that is wrong makes the whole list void, and so nil, as
    /// does a list without any.
    init?(fields: [String]) {
        var members: [String] = []
        for field in fields {
            for part in field.utf8.split(separator: UInt8(ascii: ",")) {
                let member = Self.trimmed(part)
                if member.isEmpty { continue }
                guard Self.isMember(member), members.count < Self.largestCount else { return nil }
                members.append(String(decoding: member, as: UTF8.self))
            }
        }
        text = members.joined(separator: ",")
        guard !text.isEmpty, text.utf8.count <= Self.largestSize else { return nil }
    }

    private static func trimmed(_ part: Substring.UTF8View) -> [UInt8] {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        return part.drop(while: isBlank).reversed().drop(while: isBlank).reversed()
    }

    /// Whether it is `key=value` (§key, §value).
    private static func isMember(_ member: [UInt8]) -> Bool {
        guard let equals = member.firstIndex(of: UInt8(ascii: "=")) else { return false }
        let key = member[..<equals], value = member[(equals + 1)...]
        guard (1...256).contains(key.count), (1...256).contains(value.count), let first = key.first else {
            return false
        }
        let isPlain = { (byte: UInt8) in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        return isPlain(first) && key.allSatisfy { isPlain($0) || "_-*/@".utf8.contains($0) }
            && value.allSatisfy { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "=") }
    }
}
