/// A question to a name server (RFC 1035 §4.1).
struct DNSQuestion: Sendable {
    /// What is asked for.
    enum RecordType: UInt16, Sendable {
        case a = 1
        case aaaa = 28
        case srv = 33
    }

    let id: UInt16
    let name: String
    let type: RecordType
    /// The whole message.
    let message: [UInt8]

    /// How long an answer over UDP may be (EDNS, RFC 6891): what goes through every network in one piece. Longer ones are
    /// asked for over TCP.
    static let longestDatagram = 1_232

    /// nil where `name` can be none (RFC 1035 §2.3.4).
    init?(_ name: String, _ type: RecordType, id: UInt16) {
        self.id = id
        self.type = type
        let bytes = name.utf8.last == UInt8(ascii: ".") ? name.dropLast() : name[...]
        self.name = String(bytes)
        // One question and one additional record; recursion is desired.
        var message: [UInt8] = [UInt8(id >> 8), UInt8(id & 255), 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]
        let headerLength = message.count
        for label in bytes.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            guard (1...63).contains(label.count) else { return nil }
            message.append(UInt8(label.count))
            message += label
        }
        message.append(0)
        guard message.count - headerLength <= 255 else { return nil }
        message += [UInt8(type.rawValue >> 8), UInt8(type.rawValue & 255), 0, 1]
        message += [0, 0, 41, UInt8(Self.longestDatagram >> 8), UInt8(Self.longestDatagram & 255), 0, 0, 0, 0, 0, 0]
        self.message = message
    }
}
