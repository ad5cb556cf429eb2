/// Why an answer of the name service is of no use. Bounded: the words go into logs.
package enum DNSError: Error, Equatable, Sendable {
    /// The bytes break the rules of RFC 1035, or go beyond our bounds; the detail is fixed text.
    case malformed(StaticString)
    /// It is no answer to our question.
    case mismatched
    /// It did not fit: ask again over TCP.
    case truncated
    /// There is no such name (NXDOMAIN).
    case noSuchName
    /// The server could not or would not answer; its code.
    case refused(code: UInt8)

    /// Whether both are of one kind; the detail of broken bytes does not count.
    package static func == (left: DNSError, right: DNSError) -> Bool {
        switch (left, right) {
        case (.malformed, .malformed), (.mismatched, .mismatched), (.truncated, .truncated), (.noSuchName, .noSuchName):
            true
        case (.refused(let left), .refused(let right)): left == right
        default: false
        }
    }
}

/// Reads the pieces of a DNS message (RFC 1035 §4.1), each within its bounds.
struct DNSReader: ~Copyable, ~Escapable {
    /// A whole record but for its data.
    struct Record {
        var name: String
        var type: UInt16
        var recordClass: UInt16
        var ttl: UInt32
        /// Where the data is.
        var data: Range<Int>
    }

    /// The longest name as text (RFC 1035 §2.3.4: 255 octets on the wire).
    private static let longestName = 255
    /// What stands before the first name.
    private static let headerLength = 12

    private let message: Span<UInt8>
    private(set) var offset = 0

    @_lifetime(copy message)
    init(_ message: Span<UInt8>) {
        self.message = message
    }

    /// Whether all bytes have been read.
    var isAtEnd: Bool { offset == message.count }

    mutating func byte() throws(DNSError) -> UInt8 {
        guard offset < message.count else { throw .malformed("the message ends early") }
        defer { offset += 1 }
        return message[offset]
    }

    mutating func uint16() throws(DNSError) -> UInt16 {
        UInt16(try byte()) << 8 | UInt16(try byte())
    }

    mutating func uint32() throws(DNSError) -> UInt32 {
        UInt32(try uint16()) << 16 | UInt32(try uint16())
    }

    /// A name, in lower case, without a dot at its end; the root is empty.
    mutating func name() throws(DNSError) -> String {
        var text: [UInt8] = []
        var wire = 1
        var position = offset
        // A pointer has to lead to before the name, and the next one to before that: so there is no loop.
        var bound = offset
        var hasJumped = false
        while true {
            guard position < message.count else { throw .malformed("a name ends early") }
            let length = Int(message[position])
            if length == 0 {
                if !hasJumped { offset = position + 1 }
                return String(decoding: text, as: UTF8.self)
            }
            if length & 0xC0 == 0xC0 {
                guard position + 1 < message.count else { throw .malformed("a name ends early") }
                let target = (length & 0x3F) << 8 | Int(message[position + 1])
                guard target < bound, target >= Self.headerLength else {
                    throw .malformed("a pointer in a name does not lead back to one")
                }
                if !hasJumped { offset = position + 2 }
                hasJumped = true
                bound = target
                position = target
                continue
            }
            guard length < 64 else { throw .malformed("a label of an unknown kind") }
            wire += length + 1
            guard wire <= Self.longestName else { throw .malformed("a name of more than 255 octets") }
            guard position + length < message.count else { throw .malformed("a name ends early") }
            if !text.isEmpty { text.append(UInt8(ascii: ".")) }
            for index in (position + 1)...(position + length) { text.append(try Self.nameByte(message[index])) }
            position += length + 1
        }
    }

    /// Only what host and service names are made of: other bytes would mean something where names are written down.
    private static func nameByte(_ byte: UInt8) throws(DNSError) -> UInt8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "_"):
            return byte
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): return byte | 0x20
        default: throw .malformed("a byte that names do not have")
        }
    }

    /// A question (RFC 1035 §4.1.2).
    mutating func question() throws(DNSError) -> (name: String, type: UInt16, recordClass: UInt16) {
        (try name(), try uint16(), try uint16())
    }

    /// A record (RFC 1035 §4.1.3); goes on behind its data.
    mutating func record() throws(DNSError) -> Record {
        let name = try name()
        let type = try uint16()
        let recordClass = try uint16()
        let ttl = try uint32()
        let length = Int(try uint16())
        guard length <= message.count - offset else { throw .malformed("a record ends early") }
        let data = offset..<(offset + length)
        offset = data.upperBound
        // A time to live with the highest bit set is 0 (RFC 2181 §8).
        return Record(name: name, type: type, recordClass: recordClass, ttl: ttl >> 31 == 0 ? ttl : 0, data: data)
    }

    /// The head and the question of an answer (RFC 1035 §4.1.1).
    struct AnswerHead {
        /// What was asked for.
        var name: String
        var answers: Int
        var authorities: Int
        var additional: Int
    }

    /// An answer with more records is refused.
    static let mostRecords = 1_024

    /// Reads up to the records of an answer to a question for `type`.
    ///
    /// - Parameters:
    ///   - id: the number of the question; nil: not checked.
    ///   - name: what was asked for; nil: whatever the message says was asked.
    mutating func answer(to type: DNSQuestion.RecordType, id: UInt16?, name: String?) throws(DNSError) -> AnswerHead {
        let messageID = try uint16()
        let flags = try uint16()
        let questions = try uint16()
        let answers = Int(try uint16())
        let authorities = Int(try uint16())
        let additional = Int(try uint16())
        guard id == nil || messageID == id, flags >> 15 == 1, flags >> 11 & 15 == 0 else { throw .mismatched }
        guard flags >> 9 & 1 == 0 else { throw .truncated }
        switch UInt8(flags & 15) {
        case 0: break
        case 3: throw .noSuchName
        case let code: throw .refused(code: code)
        }
        guard questions == 1 else { throw .mismatched }
        guard answers + authorities + additional <= Self.mostRecords else { throw .malformed("too many records") }
        let question = try question()
        guard question.type == type.rawValue, question.recordClass == 1,
            name == nil || name.map(Self.normal) == question.name
        else { throw .mismatched }
        return AnswerHead(name: question.name, answers: answers, authorities: authorities, additional: additional)
    }

    /// A name that fills what is left of a record's data.
    mutating func name(in data: Range<Int>) throws(DNSError) -> String {
        seek(data.lowerBound)
        let name = try name()
        guard offset == data.upperBound else { throw .malformed("a record of a wrong length") }
        return name
    }

    private static func normal(_ name: String) -> String {
        let lower = name.utf8.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }
        return String(decoding: lower.last == UInt8(ascii: ".") ? lower.dropLast() : lower[...], as: UTF8.self)
    }

    /// Goes to a place that was read before.
    mutating func seek(_ place: Int) {
        offset = min(max(place, 0), message.count)
    }

    /// The bytes of a range.
    func bytes(_ range: Range<Int>) -> [UInt8] {
        range.clamped(to: 0..<message.count).map { message[$0] }
    }
}
