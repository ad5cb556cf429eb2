import Testing

@testable import Upstreams

/// Answers with SRV records (RFC 2782), right and wrong.
@Suite struct ServiceRecordsTests {
    typealias Writer = DNSMessageWriter

    @Test func readsAnAnswer() throws {
        var message = Writer()
        message.service(20, 0, 8082, target: Writer.name("C.example"), ttl: 300)
        message.service(10, 5, 8080, target: Writer.name("a.example"), ttl: 120)
        message.service(10, 7, 8081, target: Writer.name("b.example"), ttl: 60)
        message.record(section: 1, type: 2, ttl: 5, data: Writer.name("ns.example"))
        message.record(section: 2, name: Writer.name("b.example"), type: Writer.aaaa, ttl: 90, data: Array(1...16))
        message.record(section: 2, name: Writer.name("b.example"), type: Writer.a, ttl: 45, data: [10, 0, 0, 2])
        message.record(section: 2, name: Writer.name("other.example"), type: Writer.a, ttl: 1, data: [10, 0, 0, 9])
        message.record(section: 2, name: [0], type: 41, recordClass: 1232, ttl: 0, data: [])
        let answer = try message.read()
        #expect(
            answer.records == [
                ServiceRecord(priority: 10, weight: 5, port: 8080, target: "a.example"),
                ServiceRecord(priority: 10, weight: 7, port: 8081, target: "b.example"),
                ServiceRecord(priority: 20, weight: 0, port: 8082, target: "c.example"),
            ])
        #expect(Array(answer.preferred) == Array(answer.records.prefix(2)))
        #expect(answer.records.map(\.balancerWeight) == [5, 7, 1])
        #expect(
            answer.addresses == [
                ServiceRecords.Address(host: "b.example", bytes: [10, 0, 0, 2]),
                ServiceRecords.Address(host: "b.example", bytes: Array(1...16)),
            ])
        #expect(answer.timeToLive == 45)
    }

    /// The order of an answer, and what comes twice, do not matter.
    @Test func answersCanBeCompared() throws {
        var left = Writer()
        left.service(1, 1, 80, target: Writer.name("a.example"))
        left.service(1, 1, 80, target: Writer.name("b.example"))
        var right = Writer()
        right.service(1, 1, 80, target: Writer.name("b.example"))
        right.service(1, 1, 80, target: Writer.name("A.EXAMPLE"))
        right.service(1, 1, 80, target: Writer.name("b.example"))
        #expect(try left.read() == right.read())
    }

    @Test func namesMayBeCompressed() throws {
        var message = Writer()
        // The question's name is at 12; its last label, "example", at 24.
        message.service(1, 1, 80, target: [1, UInt8(ascii: "a")] + Writer.pointer(24))
        message.service(1, 1, 81, target: Writer.pointer(24))
        let answer = try message.read()
        #expect(answer.records.map(\.target) == ["a.example", "example"])
    }

    @Test func aliasesAreFollowed() throws {
        var message = Writer()
        message.record(type: Writer.cname, ttl: 7, data: Writer.name("_real._tcp.example"))
        message.service(1, 1, 80, target: Writer.name("a.example"), name: Writer.name("_real._tcp.example"))
        message.service(1, 1, 81, target: Writer.name("b.example"), name: Writer.name("_stranger._tcp.example"))
        let answer = try message.read()
        #expect(answer.records.map(\.target) == ["a.example"])
        #expect(answer.timeToLive == 7)
    }

    /// The root as target: "decidedly not available".
    @Test func aServiceThatIsNotThereHasNoRecords() throws {
        var message = Writer()
        message.service(0, 0, 0, target: [0])
        let answer = try message.read()
        #expect(answer.records.isEmpty)
        #expect(answer.timeToLive == 60)
        #expect(try Writer().read().timeToLive == nil)
    }

    @Test func aTimeToLiveWithTheHighestBitIsNone() throws {
        var message = Writer()
        message.service(target: Writer.name("a.example"), ttl: 0x8000_0001)
        #expect(try message.read().timeToLive == 0)
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var message: Writer
        var error: DNSError = .malformed("")
    }

    private static func message(_ build: (inout Writer) -> Void) -> Writer {
        var writer = Writer()
        build(&writer)
        return writer
    }

    static let faults = [
        Fault(testDescription: "another id", message: Writer(id: 0x4321), error: .mismatched),
        Fault(testDescription: "a question", message: Writer(flags: 0x0100), error: .mismatched),
        Fault(testDescription: "another kind of request", message: Writer(flags: 0x9180), error: .mismatched),
        Fault(testDescription: "another name", message: Writer(name: "_tasks._tcp.example"), error: .mismatched),
        Fault(testDescription: "another type", message: Writer(type: 1), error: .mismatched),
        Fault(testDescription: "another class", message: Writer(recordClass: 3), error: .mismatched),
        Fault(testDescription: "no question", message: Writer(questions: 0), error: .mismatched),
        Fault(testDescription: "cut off", message: Writer(flags: 0x8380), error: .truncated),
        Fault(testDescription: "no such name", message: Writer(flags: 0x8183), error: .noSuchName),
        Fault(testDescription: "server failure", message: Writer(flags: 0x8182), error: .refused(code: 2)),
        Fault(
            testDescription: "a pointer to itself",
            message: message { $0.service(target: Writer.pointer($0.bytes.count + 18)) }),
        Fault(
            testDescription: "two pointers to each other",
            message: message {
                $0.service(target: Writer.pointer($0.bytes.count + 20) + Writer.pointer($0.bytes.count + 18))
            }),
        Fault(testDescription: "a pointer forward", message: message { $0.service(target: Writer.pointer(0x3FFF)) }),
        Fault(testDescription: "a pointer into the header", message: message { $0.service(target: Writer.pointer(4)) }),
        Fault(
            testDescription: "a name that goes round through a label",
            message: message {
                $0.service(target: [1, UInt8(ascii: "a")] + Writer.pointer($0.bytes.count + 18))
            }),
        Fault(testDescription: "a label of an unknown kind", message: message { $0.service(target: [0x41, 1, 0]) }),
        Fault(
            testDescription: "a byte that names do not have",
            message: message { $0.service(target: [3, 0x61, 0x2F, 0x62, 0]) }),
        Fault(
            testDescription: "a dot inside a label", message: message { $0.service(target: [3, 0x61, 0x2E, 0x62, 0]) }),
        Fault(
            testDescription: "a name that is too long",
            message: message {
                $0.service(target: (0..<128).flatMap { _ in [1, UInt8(ascii: "a")] as [UInt8] } + [0])
            }),
        Fault(
            testDescription: "data that is too short",
            message: message { $0.record(type: Writer.srv, data: [0, 1, 0, 1, 0]) }),
        Fault(
            testDescription: "data that is too short, with a record behind it",
            message: message {
                $0.record(type: Writer.srv, data: [0, 1])
                $0.service(target: Writer.name("a.example"))
            }),
        Fault(
            testDescription: "data that is too long",
            message: message {
                $0.record(type: Writer.srv, data: [0, 1, 0, 1, 0, 80] + Writer.name("a.example") + [0])
            }),
        Fault(
            testDescription: "a name beyond its record",
            message: message {
                $0.record(type: Writer.srv, data: [0, 1, 0, 1, 0, 80] + Writer.name("a.example"), length: 8)
            }),
        Fault(
            testDescription: "a record beyond the message",
            message: message { $0.record(type: 16, data: [1], length: 2) }),
        Fault(
            testDescription: "bytes behind the message",
            message: message {
                $0.service(target: Writer.name("a.example"))
                $0.put(0)
            }),
        Fault(
            testDescription: "an address of a wrong length",
            message: message {
                $0.service(target: Writer.name("a.example"))
                $0.record(section: 2, name: Writer.name("a.example"), type: Writer.a, data: [1, 2, 3])
            }),
        Fault(
            testDescription: "more records than there may be",
            message: message {
                for _ in 0..<1_025 { $0.service(target: Writer.pointer(24)) }
            }),
    ]

    @Test(arguments: faults) func refuses(_ fault: Fault) {
        #expect(throws: fault.error) { try fault.message.read() }
    }

    @Test func theLongestNameIsRead() throws {
        var message = Writer()
        let label = Array(repeating: UInt8(ascii: "a"), count: 63)
        let name = ([63] + label) + ([63] + label) + ([63] + label) + ([61] + label.prefix(61)) + [0]
        #expect(name.count == 255)
        message.service(target: name)
        #expect(try message.read().records.first?.target.utf8.count == 253)
    }

    /// Cut off anywhere, it is refused.
    @Test func everyPrefixIsRefused() throws {
        var message = Writer()
        message.service(target: Writer.name("a.example"))
        message.record(section: 2, name: Writer.name("a.example"), type: Writer.a, data: [1, 2, 3, 4])
        _ = try message.read()
        for count in 0..<message.bytes.count {
            let prefix = Array(message.bytes.prefix(count))
            #expect(throws: DNSError.malformed("")) { try ServiceRecords(message: prefix.span) }
        }
    }

    /// Whatever bytes come: it ends, without a trap, with names that are names.
    @Test(arguments: 1...4 as ClosedRange<UInt64>) func anyBytesAreReadOrRefused(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var message = Writer()
        message.record(type: Writer.cname, data: Writer.name("_r.example"))
        for port in 0..<4 as Range<UInt16> {
            message.service(1, 2, port, target: Writer.pointer(24), name: Writer.name("_r.example"))
        }
        message.record(section: 2, name: Writer.pointer(24), type: Writer.a, data: [1, 2, 3, 4])
        message.record(section: 2, name: Writer.pointer(24), type: Writer.aaaa, data: Array(1...16))
        var read = 0
        for _ in 0..<40_000 {
            var bytes = message.bytes
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch generator.next() % 4 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: generator.next())
                case 1: bytes[place] = 0xC0
                case 2: bytes.remove(at: place)
                default: bytes.insert(UInt8(truncatingIfNeeded: generator.next()), at: place)
                }
            }
            guard let answer = try? ServiceRecords(message: bytes.span) else { continue }
            read += 1
            for record in answer.records {
                holds(!record.target.isEmpty && record.target.utf8.count <= 253)
                holds(
                    record.target.utf8.allSatisfy {
                        $0 == 0x2D || $0 == 0x2E || $0 == 0x5F || $0 >= 0x30 && $0 <= 0x39 || $0 >= 0x61 && $0 <= 0x7A
                    }, record.target)
            }
            holds(answer.records.isEmpty == answer.preferred.isEmpty)
        }
        #expect(read > 8_000)
        for _ in 0..<20_000 {
            let noise = (0..<Int.random(in: 0...80, using: &generator)).map { _ in
                UInt8(truncatingIfNeeded: generator.next())
            }
            _ = try? ServiceRecords(message: noise.span)
        }
    }

    /// Records in their right form, with any data in them.
    @Test(arguments: 1...4 as ClosedRange<UInt64>) func anyDataIsReadOrRefused(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var read = 0
        for _ in 0..<20_000 {
            var message = Writer()
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let types = [Writer.srv, Writer.cname, Writer.a, Writer.aaaa]
                let type = types.randomElement(using: &generator) ?? Writer.srv
                var data = (0..<Int.random(in: 0...9, using: &generator)).map { _ in
                    UInt8.random(in: 0...3, using: &generator)
                }
                if generator.chance(0.7) { data += Writer.pointer(24) }
                message.record(section: generator.chance(0.7) ? 0 : 2, type: type, data: data)
            }
            if (try? message.read()) != nil { read += 1 }
        }
        #expect(read > 200)
    }

    @Test(
        arguments: [
            (nil, 30_000), (0, 1_000), (1, 1_000), (60, 60_000), (300, 300_000), (301, 300_000), (.max, 300_000),
        ] as [(UInt32?, UInt64)])
    func theIntervalIsBounded(timeToLive: UInt32?, milliseconds: UInt64) {
        #expect(LookupInterval.milliseconds(timeToLive: timeToLive) == milliseconds)
    }

    @Test(arguments: [(0, 1_000), (1_500, 1_500), (30_000, 2_000), (.max, 2_000)] as [(UInt64, UInt64)])
    func aFailureIsTriedAgainSoon(interval: UInt64, milliseconds: UInt64) {
        #expect(LookupInterval.afterFailure(interval: interval) == milliseconds)
    }
}
