import EventLoops
import Glibc

/// What is looked up: the addresses of a host, or the servers of a service.
struct NameQuestion: Hashable, Sendable {
    var name: String
    /// Whether SRV records say where the servers are.
    var isService: Bool
}

/// Where a name leads to.
struct NameAnswer: Equatable, Sendable {
    /// A host that serves.
    struct Host: Hashable, Sendable {
        var name: String
        /// Port and weight, where the name service knows of them.
        var record: ServiceRecord?
        /// Its addresses in numbers; at least one.
        var numbers: [String]
    }

    /// At least one.
    var hosts: [Host]
    /// For how many seconds that holds, as far as the name service says so.
    var timeToLive: UInt32?
    /// Whether it says so of all of it.
    var isTimed: Bool
}

/// One look-up. It blocks.
struct NameLookup: Sendable {
    /// Name servers that are asked instead of the system's resolver.
    var servers: NameServers?

    /// Looks a name up.
    ///
    /// - Returns: nil where there is nothing, or nobody could say.
    func answer(to question: NameQuestion) -> NameAnswer? {
        if question.isService { return service(question.name) }
        guard let found = addresses(of: question.name) else { return nil }
        return NameAnswer(
            hosts: [NameAnswer.Host(name: question.name, numbers: found.numbers)], timeToLive: found.timeToLive,
            isTimed: found.isTimed)
    }

    /// More servers than these are not taken from one name, whatever a name server says: each costs every worker something.
    static let mostServers = 1_024

    // MARK: - Services

    /// It took so long to find the addresses of a service's hosts that they are not worth waiting for: what is known stays.
    private struct TookTooLong: Error {}

    /// A service takes at most so many times as long as a question that nobody answers. Its hosts are asked for one after the
    /// other, and there may be a thousand.
    private static let patience: UInt64 = 4

    private func service(_ name: String) -> NameAnswer? {
        let servers = servers ?? .ofSystem()
        let client = NameServerClient(servers)
        let end = Self.now + Self.patience * servers.longestQuestion
        guard let question = DNSQuestion(name, .srv, id: .random(in: 0 ... .max)),
            case .answer(let found) = client.ask(
                question,
                { (message) throws(DNSError) in
                    try ServiceRecords(message: message, id: question.id, name: question.name)
                })
        else { return nil }
        // Those of a higher number are there for when none of a lower one is (RFC 2782).
        var rest = found.records[...]
        while let priority = rest.first?.priority {
            let records = rest.prefix { $0.priority == priority }
            rest = rest.dropFirst(records.count)
            do throws(TookTooLong) {
                if let answer = try answer(of: records, found, until: end) { return answer }
            } catch {
                return nil
            }
        }
        return nil
    }

    private static var now: UInt64 { EventLoop.nanoseconds / 1_000_000 }

    private func answer(
        of records: ArraySlice<ServiceRecord>, _ found: ServiceRecords, until end: UInt64
    ) throws(TookTooLong) -> NameAnswer? {
        var left = Self.mostServers
        var answer = NameAnswer(hosts: [], timeToLive: found.timeToLive, isTimed: true)
        var known: [String: Addresses?] = [:]
        for record in records where left > 0 {
            let came = found.addresses.filter { $0.host == record.target }
                .compactMap { AddressRecords.number(of: $0.bytes) }
            let addresses: Addresses?
            if let before = known[record.target] {
                addresses = before
            } else if came.isEmpty {
                guard Self.now < end else { throw TookTooLong() }
                addresses = self.addresses(of: record.target)
            } else {
                addresses = Addresses(numbers: Self.usable(came), isTimed: true)
            }
            known[record.target] = .some(addresses)
            guard let addresses else { continue }
            let numbers = Array(addresses.numbers.prefix(left))
            left -= numbers.count
            answer.hosts.append(NameAnswer.Host(name: record.target, record: record, numbers: numbers))
            if !addresses.isTimed { answer.isTimed = false }
            if let time = addresses.timeToLive { answer.timeToLive = min(answer.timeToLive ?? time, time) }
        }
        return answer.hosts.isEmpty ? nil : answer
    }

    // MARK: - Addresses

    private struct Addresses {
        var numbers: [String]
        var timeToLive: UInt32?
        /// Whether the time is known, here or from what named the host.
        var isTimed: Bool
    }

    private func addresses(of host: String) -> Addresses? {
        if NumericHost.isNumeric(host) { return Addresses(numbers: [host], isTimed: true) }
        // Whom a name server takes for its local host is nobody whom this machine does (RFC 6761 §6.3).
        guard let servers, host != "localhost", !host.hasSuffix(".localhost") else { return ofSystem(host) }
        let client = NameServerClient(servers)
        var addresses = Addresses(numbers: [], isTimed: true)
        for type in [DNSQuestion.RecordType.a, .aaaa] {
            guard let question = DNSQuestion(host, type, id: .random(in: 0 ... .max)) else { return nil }
            let outcome = client.ask(question) { (message) throws(DNSError) in
                try AddressRecords(message: message, question)
            }
            switch outcome {
            case .answer(let found):
                addresses.numbers += found.numbers
                if let time = found.timeToLive { addresses.timeToLive = min(addresses.timeToLive ?? time, time) }
            case .noSuchName: continue
            // Half of the addresses are not taken for all of them.
            case .failed: return nil
            }
        }
        addresses.numbers = Array(Self.usable(addresses.numbers).prefix(Self.mostServers))
        return addresses.numbers.isEmpty ? nil : addresses
    }

    /// What the system's resolver says, which reads its files, too, and knows no times.
    private func ofSystem(_ host: String) -> Addresses? {
        guard let numbers = AddressLookup.numbers(of: host) else { return nil }
        // The order changes with each look-up, and is not of interest.
        let usable = Self.usable(numbers.sorted())
        return usable.isEmpty ? nil : Addresses(numbers: usable, isTimed: false)
    }

    /// Those to which this machine has a route; all where it has none to any: that may change.
    private static func usable(_ numbers: [String]) -> [String] {
        let hasIPv6 = numbers.contains { $0.contains(":") }
        guard hasIPv6, numbers.contains(where: { !$0.contains(":") }) else { return numbers }
        let usable = numbers.filter { !$0.contains(":") || NumericHost.hasRoute(toIPv6: $0) }
        return usable.isEmpty ? numbers : usable
    }
}

/// Hosts that are no names.
enum NumericHost {
    /// Whether `host` is an address in numbers.
    static func isNumeric(_ host: String) -> Bool {
        var bytes = in6_addr()
        return inet_pton(AF_INET, host, &bytes) == 1 || inet_pton(AF_INET6, host, &bytes) == 1
    }

    /// Whether the system would know how to reach an IPv6 address. Nothing is sent.
    static func hasRoute(toIPv6 host: String) -> Bool {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = UInt16(53).bigEndian
        guard inet_pton(AF_INET6, host, &address.sin6_addr) == 1 else { return true }
        guard let socket = Descriptor.socket(AF_INET6, isStream: false) else { return false }
        return withUnsafePointer(to: &address) { pointer in
            // SAFETY: a sockaddr_in6 begins with what a sockaddr has, and the length says how long it is.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket.number, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
            }
        }
    }
}
