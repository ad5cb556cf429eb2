import GatewayConfig
import Testing

/// Durations and sizes as they are written in the file.
@Suite struct DurationTests {
    @Test(
        arguments: [
            ("1ms", 1), ("250ms", 250), ("2s", 2000), ("1m", 60_000), ("1h", 3_600_000), ("0s", 0), ("007s", 7000),
            ("8760h", 31_536_000_000), ("31536000000ms", 31_536_000_000),
        ] as [(String, UInt64)])
    func readsDuration(_ text: String, _ expected: UInt64) throws {
        let span = try Milliseconds(parsing: text)
        #expect(span.value == expected)
        #expect(span.nanoseconds == expected * 1_000_000)
        #expect(try TimeLimit(parsing: text) == .after(span))
    }

    @Test(arguments: [
        "", "s", "1", "1 s", " 1s", "1s ", "+1s", "-1s", "1.5s", "1S", "1sec", "1d", "1us", "1s1ms", "0x1s", "١s",
        "1ms\n",
        "8761h", "31536000001ms", "18446744073709551616ms", "99999999999999999999999999h", "none",
    ])
    func refusesDuration(_ text: String) {
        #expect(throws: ValueProblem.self) { try Milliseconds(parsing: text) }
    }

    @Test(arguments: ["1ms", "250ms", "2s", "90s", "1m", "1h", "36h", "0s", "1001ms"])
    func writesDurationAsItWasRead(_ text: String) throws {
        #expect(try Milliseconds(parsing: text).description == text)
    }

    @Test func takesTheLargestUnitThatFits() throws {
        #expect(try Milliseconds(parsing: "60000ms").description == "1m")
        #expect(try Milliseconds(parsing: "120m").description == "2h")
    }

    @Test func hasNoLimitWhereNoneIsWritten() throws {
        #expect(try TimeLimit(parsing: "none") == .none)
        #expect(try TimeLimit(parsing: "none").milliseconds == nil)
        #expect(throws: ValueProblem.self) { try TimeLimit(parsing: "None") }
    }

    @Test func clampsNumbersFromCode() {
        #expect(Milliseconds(.max).value == Milliseconds.maximum)
        #expect(Milliseconds.seconds(.max).value == Milliseconds.maximum)
        #expect(ByteSize(.max).bytes == ByteSize.maximum)
    }
}

@Suite struct ByteSizeTests {
    @Test(
        arguments: [
            ("0", 0), ("1", 1), ("65536", 65536), ("64KiB", 65536), ("10MiB", 10 << 20), ("1GiB", 1 << 30),
            ("1TiB", 1 << 40), ("5B", 5), ("1024TiB", 1 << 50), ("1125899906842624", 1 << 50),
        ] as [(String, UInt64)])
    func readsSize(_ text: String, _ expected: UInt64) throws {
        #expect(try ByteSize(parsing: text).bytes == expected)
        #expect(try SizeLimit(parsing: text).bytes == expected)
    }

    @Test(arguments: [
        "", "KiB", "-1", "+1", "1.5KiB", "1 KiB", "1k", "1K", "1KB", "1kB", "1MB", "1mib", "1GB", "1PiB", "0x10",
        "1025TiB", "1125899906842625", "18446744073709551616", "unlimited",
    ])
    func refusesSize(_ text: String) {
        #expect(throws: ValueProblem.self) { try ByteSize(parsing: text) }
    }

    @Test(arguments: [-1, 1 << 50 + 1, .max, .min] as [Int64]) func refusesNumber(_ number: Int64) {
        #expect(throws: ValueProblem.self) { try ByteSize(number: number) }
    }

    @Test(arguments: ["0B", "1B", "1023B", "1KiB", "1025B", "64KiB", "10MiB", "3GiB", "1TiB", "1024TiB"])
    func writesSizeAsItWasRead(_ text: String) throws {
        #expect(try ByteSize(parsing: text).description == text)
    }

    @Test func hasNoLimitWhereNoneIsWritten() throws {
        #expect(try SizeLimit(parsing: "unlimited") == .unlimited)
        #expect(try SizeLimit(parsing: "unlimited").bytes == nil)
    }
}
