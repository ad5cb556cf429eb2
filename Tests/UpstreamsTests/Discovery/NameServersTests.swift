import Testing

@testable import Upstreams

/// What is asked, and who is.
@Suite struct NameServersTests {
    @Test(
        arguments: [
            ("", ["127.0.0.1"], 2_000, 2),
            ("nameserver 10.0.0.1\nnameserver\t10.0.0.2 # two\n", ["10.0.0.1", "10.0.0.2"], 2_000, 2),
            ("# nameserver 1.1.1.1\n;nameserver 1.1.1.2\n nameserver ::1", ["::1"], 2_000, 2),
            (
                "nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\nnameserver 1.0.0.4",
                ["1.0.0.1", "1.0.0.2", "1.0.0.3"], 2_000, 2
            ),
            ("search a b\noptions ndots:5 timeout:1 attempts:3 rotate\nnameserver 10.0.0.1", ["10.0.0.1"], 1_000, 3),
            ("options timeout:99 attempts:99 timeout: attempts:x timeout:-1\nnameserver", ["127.0.0.1"], 5_000, 3),
            ("options timeout:0 attempts:0", ["127.0.0.1"], 2_000, 2),
        ] as [(String, [String], UInt64, Int)])
    func theFileOfTheSystemIsRead(_ text: String, _ hosts: [String], _ patience: UInt64, _ rounds: Int) {
        let servers = NameServers(configuration: text)
        #expect(servers.addresses == hosts.map { NameServers.Address(host: $0) })
        #expect(servers.patience == patience && servers.rounds == rounds)
    }

    @Test func aQuestionIsWrittenAsTheRFCSays() throws {
        let question = try #require(DNSQuestion("a.bc.", .srv, id: 0x1234))
        #expect(question.name == "a.bc")
        #expect(
            question.message == [
                0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0x61, 2, 0x62, 0x63, 0, 0, 33, 0, 1, 0, 0, 41, 4, 0xD0, 0,
                0, 0, 0, 0, 0,
            ])
    }

    @Test(arguments: [
        "", ".", "a..b", ".a", String(repeating: "x", count: 64) + ".a",
        Array(repeating: String(repeating: "x", count: 63), count: 4).joined(separator: "."),
    ])
    func whatCanBeNoNameIsNotAskedFor(_ name: String) {
        #expect(DNSQuestion(name, .a, id: 1) == nil)
    }
}

/// Answers with addresses, right and wrong.
@Suite struct AddressRecordsTests {
    private typealias Writer = DNSMessageWriter

    private func read(_ type: DNSQuestion.RecordType = .a, _ write: (inout DNSMessageWriter) -> Void) throws
        -> AddressRecords
    {
        let question = try #require(DNSQuestion("Host.example", type, id: 0x1234))
        var message = Writer(name: "host.example", type: type.rawValue)
        write(&message)
        return try AddressRecords(message: message.bytes.span, question)
    }

    @Test func addressesAreReadInAnOrderOfTheirOwn() throws {
        let found = try read { message in
            message.record(type: Writer.a, ttl: 60, data: [10, 0, 0, 2])
            message.record(type: Writer.a, ttl: 30, data: [10, 0, 0, 1])
            message.record(type: Writer.a, ttl: 60, data: [10, 0, 0, 2])
            message.record(name: Writer.name("other.example"), type: Writer.a, ttl: 1, data: [10, 0, 0, 3])
        }
        #expect(found.numbers == ["10.0.0.1", "10.0.0.2"] && found.timeToLive == 30)
    }

    @Test func aliasesAreFollowed() throws {
        let found = try read(.aaaa) { message in
            message.record(type: Writer.cname, ttl: 5, data: Writer.name("real.example"))
            message.record(
                name: Writer.name("real.example"), type: Writer.aaaa, ttl: 60,
                data: [UInt8](repeating: 0, count: 15) + [1])
        }
        #expect(found.numbers == ["::1"] && found.timeToLive == 5)
    }

    @Test func noAddressIsAnAnswer() throws {
        let found = try read { _ in }
        #expect(found.numbers.isEmpty && found.timeToLive == nil)
    }

    @Test(arguments: [3, 5, 16]) func anAddressHasItsLength(_ length: Int) {
        #expect(throws: DNSError.malformed("")) {
            try read { $0.record(type: Writer.a, data: [UInt8](repeating: 1, count: length)) }
        }
    }

    @Test func answersToOtherQuestionsAreNone() throws {
        let question = try #require(DNSQuestion("host.example", .a, id: 7))
        for message in [
            Writer(id: 8, name: "host.example", type: Writer.a), Writer(id: 7, name: "hosts.example", type: Writer.a),
            Writer(id: 7, name: "host.example", type: Writer.aaaa),
            Writer(id: 7, flags: 0x0100, name: "host.example", type: Writer.a),
        ] {
            #expect(throws: DNSError.mismatched) { try AddressRecords(message: message.bytes.span, question) }
        }
    }

    @Test func noiseIsRefused() throws {
        var generator = SystemRandomNumberGenerator()
        let question = try #require(DNSQuestion("host.example", .a, id: 0x1234))
        var message = Writer(name: "host.example", type: Writer.a)
        message.record(type: Writer.cname, data: Writer.pointer(12))
        message.record(type: Writer.a, data: [1, 2, 3, 4])
        for _ in 0..<20_000 {
            var bytes = message.bytes
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = bytes.indices.randomElement(using: &generator) ?? 0
                bytes[place] = .random(in: 0 ... .max, using: &generator)
            }
            if Bool.random(using: &generator) { bytes.removeLast(.random(in: 0...8, using: &generator)) }
            _ = try? AddressRecords(message: bytes.span, question)
        }
    }
}
