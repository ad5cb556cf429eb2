package import ByteBuffers

/// The W3C `baggage` list: what travels with a request for the services' own use, and our flag decisions in it.
///
/// Members of trusted callers pass with their bytes and their order; a malformed member is dropped, and so is one that
/// speaks in our name (`feature_flag.`…). Our decisions stand first, so that they are never what a limit cuts off.
package struct Baggage: ~Copyable {
    /// The most members that are sent: what every platform has to take (W3C Baggage §Limits).
    package static let maximumMembers = 64
    /// The most bytes that are sent (W3C Baggage §Limits).
    package static let maximumSize = 8192

    private var decisions = ByteBuffer()
    private var decisionCount = 0
    private var received = ByteBuffer()
    private var receivedCount = 0

    /// An empty list.
    package init() {}

    /// Empties the list and keeps its memory.
    package mutating func reset() {
        decisions.removeAll()
        decisionCount = 0
        received.removeAll()
        receivedCount = 0
    }

    /// Whether there is nothing to send.
    package var isEmpty: Bool { decisionCount == 0 && receivedCount == 0 }

    /// Adds the members of one `baggage` field of a trusted caller, as far as the limits allow.
    package mutating func append(field: borrowing Span<UInt8>) {
        var start = 0
        while receivedCount < Self.maximumMembers {
            let end = field.firstIndex(of: UInt8(ascii: ","), from: start) ?? field.count
            let member = field.extracting(start..<end).trimmed()
            let size = received.count + member.count + (receivedCount > 0 ? 1 : 0)
            if size <= Self.maximumSize, Self.isMember(member), !Self.isOurs(member) {
                if receivedCount > 0 { received.append(UInt8(ascii: ",")) }
                received.append(member)
                receivedCount += 1
            }
            if end == field.count { return }
            start = end + 1
        }
    }

    /// Adds the member `feature_flag.<key>=<variant>`, percent-encoded where key or variant need it. A decision that
    /// would pass the limits is left out: whoever needs it evaluates the flag again and comes to the same result.
    package mutating func appendDecision(key: borrowing Span<UInt8>, variant: borrowing Span<UInt8>) {
        guard decisionCount < Self.maximumMembers else { return }
        let before = decisions.count
        if decisionCount > 0 { decisions.append(UInt8(ascii: ",")) }
        decisions.append("feature_flag.")
        for index in key.indices {
            Self.append(key[index], isPlain: key[index].isTokenCharacter, to: &decisions)
        }
        decisions.append(UInt8(ascii: "="))
        for index in variant.indices {
            Self.append(variant[index], isPlain: variant[index].isBaggageOctet, to: &decisions)
        }
        if decisions.count > Self.maximumSize {
            decisions.truncate(to: before)
        } else {
            decisionCount += 1
        }
    }

    /// Appends the list, our decisions first; members of the caller that would pass a limit are left out whole.
    package func write(to buffer: inout ByteBuffer) {
        buffer.append(decisions.span)
        var members = decisionCount
        var size = decisions.count
        let list = received.span
        var start = 0
        while start < list.count, members < Self.maximumMembers {
            let end = list.firstIndex(of: UInt8(ascii: ","), from: start) ?? list.count
            let separator = members > 0 ? 1 : 0
            if size + separator + end - start <= Self.maximumSize {
                if separator > 0 { buffer.append(UInt8(ascii: ",")) }
                buffer.append(list.extracting(start..<end))
                members += 1
                size += separator + end - start
            }
            start = end + 1
        }
    }

    private static func append(_ byte: UInt8, isPlain: Bool, to buffer: inout ByteBuffer) {
        if isPlain, byte != UInt8(ascii: "%") {
            buffer.append(byte)
        } else {
            let digits: StaticString = "0123456789ABCDEF"
            buffer.append(UInt8(ascii: "%"))
            // SAFETY: the literal has 16 characters and lives for ever; a nibble is below 16.
            buffer.append(digits.utf8Start[Int(byte >> 4)])
            buffer.append(digits.utf8Start[Int(byte & 15)])
        }
    }

    /// Whether `member` is `key OWS = OWS value *( OWS ; OWS property )` (W3C Baggage §Definition).
    private static func isMember(_ member: borrowing Span<UInt8>) -> Bool {
        var start = 0
        var isFirst = true
        while true {
            let end = member.firstIndex(of: UInt8(ascii: ";"), from: start) ?? member.count
            guard isPair(member.extracting(start..<end), needsValue: isFirst) else { return false }
            if end == member.count { return true }
            isFirst = false
            start = end + 1
        }
    }

    /// Whether `text` is a token, an equals sign and a value; a property may be a token alone.
    private static func isPair(_ text: borrowing Span<UInt8>, needsValue: Bool) -> Bool {
        let separator = text.firstIndex(of: UInt8(ascii: "="))
        if separator == nil, needsValue { return false }
        let key = text.extracting(0..<(separator ?? text.count)).trimmed()
        if key.isEmpty { return false }
        for index in key.indices where !key[index].isTokenCharacter { return false }
        guard let separator else { return true }
        let value = text.extracting((separator + 1)..<text.count).trimmed()
        for index in value.indices where !value[index].isBaggageOctet { return false }
        return true
    }

    /// Whether the key begins with `feature_flag.`, also where a reader that percent-decodes keys would see it so.
    private static func isOurs(_ member: borrowing Span<UInt8>) -> Bool {
        let prefix: StaticString = "feature_flag."
        var index = 0
        for position in 0..<prefix.utf8CodeUnitCount {
            guard index < member.count else { return false }
            var byte = member[index]
            if byte == UInt8(ascii: "%"), let value = member.hexadecimal(from: index + 1, digits: 2, anyCase: true) {
                byte = UInt8(truncatingIfNeeded: value)
                index += 2
            }
            // SAFETY: position is within the literal, which lives for ever.
            if byte != prefix.utf8Start[position] { return false }
            index += 1
        }
        return true
    }
}

extension UInt8 {
    /// Whether a value may contain it as it is: visible ASCII but `"`, `,`, `;` and `\` (W3C Baggage §value).
    fileprivate var isBaggageOctet: Bool {
        self >= 0x21 && self <= 0x7E && self != 0x22 && self != 0x2C && self != 0x3B && self != 0x5C
    }
}
