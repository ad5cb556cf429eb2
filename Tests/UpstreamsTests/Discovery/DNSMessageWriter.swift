@testable import Upstreams

/// Builds DNS messages, right ones and wrong ones.
struct DNSMessageWriter {
    static let a: UInt16 = 1
    static let cname: UInt16 = 5
    static let aaaa: UInt16 = 28
    static let srv: UInt16 = 33

    private(set) var bytes: [UInt8]
    private var counts: [UInt16] = [0, 0, 0]

    /// A message with its question. An answer without faults has the flags 0x8180.
    init(
        id: UInt16 = 0x1234, flags: UInt16 = 0x8180, questions: UInt16 = 1, name: String = "_users._tcp.example",
        type: UInt16 = srv, recordClass: UInt16 = 1
    ) {
        bytes = []
        for number in [id, flags, questions, 0, 0, 0] { put(number) }
        putName(name)
        put(type)
        put(recordClass)
    }

    mutating func put(_ number: UInt16) { bytes += [UInt8(number >> 8), UInt8(number & 255)] }

    mutating func putName(_ name: String) { bytes += Self.name(name) }

    static func name(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    static func pointer(_ offset: Int) -> [UInt8] { [0xC0 | UInt8(offset >> 8), UInt8(offset & 255)] }

    /// A record of a section (0 answer, 1 authority, 2 additional).
    mutating func record(
        section: Int = 0, name: [UInt8] = pointer(12), type: UInt16, recordClass: UInt16 = 1, ttl: UInt32 = 60,
        data: [UInt8], length: Int? = nil
    ) {
        counts[section] += 1
        let place = 6 + 2 * section
        (bytes[place], bytes[place + 1]) = (UInt8(counts[section] >> 8), UInt8(counts[section] & 255))
        bytes += name
        put(type)
        put(recordClass)
        put(UInt16(ttl >> 16))
        put(UInt16(ttl & 0xFFFF))
        put(UInt16(length ?? data.count))
        bytes += data
    }

    mutating func service(
        _ priority: UInt16 = 1, _ weight: UInt16 = 1, _ port: UInt16 = 80, target: [UInt8], name: [UInt8] = pointer(12),
        ttl: UInt32 = 60
    ) {
        let numbers = [priority, weight, port].flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
        record(name: name, type: Self.srv, ttl: ttl, data: numbers + target)
    }

    /// Reads it.
    func read(id: UInt16? = 0x1234, name: String? = "_users._tcp.example") throws(DNSError) -> ServiceRecords {
        try ServiceRecords(message: bytes.span, id: id, name: name)
    }
}
