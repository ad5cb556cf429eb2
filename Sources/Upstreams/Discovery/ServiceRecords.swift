/// Where an instance of a service is, as the name service says (RFC 2782).
package struct ServiceRecord: Hashable, Sendable {
    /// The lowest is tried first.
    package var priority: UInt16
    /// The share among those of one priority.
    package var weight: UInt16
    /// Where it listens.
    package var port: UInt16
    /// The host, in lower case, without a dot at its end.
    package var target: String

    /// A record.
    package init(priority: UInt16, weight: UInt16, port: UInt16, target: String) {
        self.priority = priority
        self.weight = weight
        self.port = port
        self.target = target
    }

    /// The weight for a balancer: a weight of 0 ("a very small chance") is the smallest there is.
    package var balancerWeight: Int { max(Int(weight), 1) }
}

/// An answer to a question for SRV records. The order of what it holds does not depend on that of the answer, so that
/// two answers can be compared.
package struct ServiceRecords: Equatable, Sendable {
    /// An address of a target that came along.
    package struct Address: Hashable, Comparable, Sendable {
        /// The host, as in ``ServiceRecord/target``.
        package var host: String
        /// Four bytes, or sixteen.
        package var bytes: [UInt8]

        /// An address.
        package init(host: String, bytes: [UInt8]) {
            self.host = host
            self.bytes = bytes
        }

        /// By host, IPv4 first, then by bytes.
        package static func < (left: Address, right: Address) -> Bool {
            if left.host != right.host { return left.host < right.host }
            if left.bytes.count != right.bytes.count { return left.bytes.count < right.bytes.count }
            return left.bytes.lexicographicallyPrecedes(right.bytes)
        }
    }

    /// An answer with more records is refused.
    package static let mostRecords = DNSReader.mostRecords

    /// The instances, each once, the preferred ones first. Empty: the service is decidedly not there.
    package private(set) var records: [ServiceRecord] = []
    /// The addresses of targets that came along: maybe not all, maybe none.
    package private(set) var addresses: [Address] = []
    /// For how many seconds all of it holds; nil where there is no record.
    package private(set) var timeToLive: UInt32?

    /// The instances of the lowest priority: the others are for when none of these can be reached.
    package var preferred: ArraySlice<ServiceRecord> {
        records.prefix { $0.priority == records.first?.priority }
    }

    private enum RecordType {
        static let a: UInt16 = 1
        static let cname: UInt16 = 5
        static let aaaa: UInt16 = 28
        static let srv: UInt16 = 33
        static let options: UInt16 = 41
    }

    /// Reads a whole DNS message.
    ///
    /// - Parameters:
    ///   - id: the number of the question; nil: not checked (the resolver library has).
    ///   - name: what was asked for; nil: whatever the message says was asked.
    package init(message: Span<UInt8>, id: UInt16? = nil, name: String? = nil) throws(DNSError) {
        var reader = DNSReader(message)
        let start = try reader.answer(to: .srv, id: id, name: name)

        // Names of services may be aliases: the records' owner is where the chain of aliases ends.
        var owner = start.name
        for _ in 0..<start.answers {
            let record = try reader.record()
            guard record.recordClass == 1, record.name == owner else { continue }
            switch record.type {
            case RecordType.cname:
                owner = try reader.name(in: record.data)
                lower(record.ttl)
            case RecordType.srv:
                if let service = try Self.service(in: record.data, &reader) { records.append(service) }
                lower(record.ttl)
            default: break
            }
        }
        for _ in 0..<start.authorities { _ = try reader.record() }
        for _ in 0..<start.additional {
            let record = try reader.record()
            guard record.type != RecordType.options, record.recordClass == 1 else { continue }
            let length = record.type == RecordType.a ? 4 : record.type == RecordType.aaaa ? 16 : 0
            guard length > 0, records.contains(where: { $0.target == record.name }) else { continue }
            guard record.data.count == length else { throw .malformed("an address of a wrong length") }
            addresses.append(Address(host: record.name, bytes: reader.bytes(record.data)))
            lower(record.ttl)
        }
        guard reader.isAtEnd else { throw .malformed("bytes behind the message") }
        records = Set(records).sorted {
            ($0.priority, $0.target, $0.port, $0.weight) < ($1.priority, $1.target, $1.port, $1.weight)
        }
        addresses = Set(addresses).sorted()
    }

    private mutating func lower(_ ttl: UInt32) {
        timeToLive = min(timeToLive ?? ttl, ttl)
    }

    /// The data of an SRV record; nil where its target is the root: the service is not there (RFC 2782). Names in it
    /// should not be compressed, but some are.
    private static func service(in data: Range<Int>, _ reader: inout DNSReader) throws(DNSError) -> ServiceRecord? {
        // Three numbers, and a name of one byte at least.
        guard data.count > 6 else { throw .malformed("a service of a wrong length") }
        reader.seek(data.lowerBound)
        let priority = try reader.uint16()
        let weight = try reader.uint16()
        let port = try reader.uint16()
        let target = try reader.name(in: reader.offset..<data.upperBound)
        return target.isEmpty ? nil : ServiceRecord(priority: priority, weight: weight, port: port, target: target)
    }
}
