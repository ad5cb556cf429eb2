import Glibc

/// An answer to a question for A or AAAA records.
struct AddressRecords: Equatable, Sendable {
    /// The addresses in numbers, each once, in an order that does not depend on the answer's. Empty: the name has none of
    /// this kind.
    private(set) var numbers: [String] = []
    /// For how many seconds they hold; nil where there is none.
    private(set) var timeToLive: UInt32?

    private static let alias: UInt16 = 5

    /// Reads a whole DNS message.
    init(message: Span<UInt8>, _ question: DNSQuestion) throws(DNSError) {
        var reader = DNSReader(message)
        let start = try reader.answer(to: question.type, id: question.id, name: question.name)
        // The records' owner is where the chain of aliases ends.
        var owner = start.name
        let length = question.type == .a ? 4 : 16
        for _ in 0..<start.answers {
            let record = try reader.record()
            guard record.recordClass == 1, record.name == owner else { continue }
            if record.type == Self.alias {
                owner = try reader.name(in: record.data)
            } else if record.type == question.type.rawValue {
                guard record.data.count == length, let number = Self.number(of: reader.bytes(record.data)) else {
                    throw .malformed("an address of a wrong length")
                }
                numbers.append(number)
            } else {
                continue
            }
            timeToLive = min(timeToLive ?? record.ttl, record.ttl)
        }
        for _ in 0..<(start.authorities + start.additional) { _ = try reader.record() }
        guard reader.isAtEnd else { throw .malformed("bytes behind the message") }
        numbers = Set(numbers).sorted()
    }

    /// The text of four or sixteen bytes of an address.
    static func number(of bytes: [UInt8]) -> String? {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count)) != nil else {
            return nil
        }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
