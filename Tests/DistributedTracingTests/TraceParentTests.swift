import ByteBuffers
import Testing

@testable import DistributedTracing

/// W3C Trace Context level 2, §traceparent Header, and the cases of the public test harness (w3c/trace-context, test/).
struct TraceParentTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var source: String
        var value: String
        var flags: UInt8?
        var testDescription: String { "\(source): \(value.debugDescription)" }
    }

    static let trace = "12345678901234567890123456789012"
    static let span = "1234567890123456"

    static let cases = [
        Case(source: "§Examples", value: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", flags: 1),
        Case(source: "§Examples", value: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", flags: 0),
        // Flags are masked, never compared (§trace-flags).
        Case(source: "§random-trace-id-flag", value: "00-\(trace)-\(span)-02", flags: 2),
        Case(source: "§random-trace-id-flag", value: "00-\(trace)-\(span)-03", flags: 3),
        Case(source: "§Other Flags", value: "00-\(trace)-\(span)-ff", flags: 3),
        Case(source: "§Other Flags", value: "00-\(trace)-\(span)-fc", flags: 0),
        Case(source: "test_traceparent_version_0x00", value: "00-\(trace)-\(span)-01.", flags: nil),
        Case(source: "test_traceparent_version_0x00", value: "00-\(trace)-\(span)-01-what-the-future-will-be-like"),
        Case(source: "test_traceparent_version_0xcc", value: "cc-\(trace)-\(span)-01", flags: 1),
        Case(
            source: "test_traceparent_version_0xcc", value: "cc-\(trace)-\(span)-01-what-the-future-will-be-like",
            flags: 1),
        Case(source: "test_traceparent_version_0xcc", value: "cc-\(trace)-\(span)-01.what-the-future-will-be-like"),
        Case(source: "§Versioning", value: "01-\(trace)-\(span)-01-", flags: 1),
        Case(source: "§Versioning", value: "fe-\(trace)-\(span)-03-x", flags: 3),
        Case(source: "§Versioning", value: "01-\(trace)-\(span)-0"),
        Case(source: "§Versioning", value: "01-\(trace)-\(span)-010"),
        Case(source: "test_traceparent_version_0xff", value: "ff-\(trace)-\(span)-01"),
        Case(source: "test_traceparent_version_illegal_characters", value: ".0-\(trace)-\(span)-01"),
        Case(source: "test_traceparent_version_illegal_characters", value: "0.-\(trace)-\(span)-01"),
        Case(source: "test_traceparent_version_too_long", value: "000-\(trace)-\(span)-01"),
        Case(source: "test_traceparent_version_too_long", value: "0000-\(trace)-\(span)-01"),
        Case(source: "test_traceparent_version_too_short", value: "0-\(trace)-\(span)-01"),
        Case(source: "test_traceparent_trace_id_all_zero", value: "00-00000000000000000000000000000000-\(span)-01"),
        Case(
            source: "test_traceparent_trace_id_illegal_characters",
            value: "00-.2345678901234567890123456789012-\(span)-01"),
        Case(
            source: "test_traceparent_trace_id_illegal_characters",
            value: "00-1234567890123456789012345678901.-\(span)-01"),
        Case(source: "test_traceparent_trace_id_too_long", value: "00-\(trace)3-\(span)-01"),
        Case(source: "test_traceparent_trace_id_too_short", value: "00-1234567890123456789012345678901-\(span)-01"),
        Case(source: "test_traceparent_parent_id_all_zero", value: "00-\(trace)-0000000000000000-01"),
        Case(source: "test_traceparent_parent_id_illegal_characters", value: "00-\(trace)-.234567890123456-01"),
        Case(source: "test_traceparent_parent_id_illegal_characters", value: "00-\(trace)-123456789012345.-01"),
        Case(source: "test_traceparent_parent_id_too_long", value: "00-\(trace)-\(span)7-01"),
        Case(source: "test_traceparent_parent_id_too_short", value: "00-\(trace)-123456789012345-01"),
        Case(source: "test_traceparent_trace_flags_illegal_characters", value: "00-\(trace)-\(span)-.0"),
        Case(source: "test_traceparent_trace_flags_illegal_characters", value: "00-\(trace)-\(span)-0."),
        Case(source: "test_traceparent_trace_flags_too_long", value: "00-\(trace)-\(span)-001"),
        Case(source: "test_traceparent_trace_flags_too_short", value: "00-\(trace)-\(span)-1"),
        Case(source: "test_traceparent_ows_handling", value: " 00-\(trace)-\(span)-01", flags: 1),
        Case(source: "test_traceparent_ows_handling", value: "\t00-\(trace)-\(span)-01", flags: 1),
        Case(source: "test_traceparent_ows_handling", value: "00-\(trace)-\(span)-01 ", flags: 1),
        Case(source: "test_traceparent_ows_handling", value: "00-\(trace)-\(span)-01\t", flags: 1),
        Case(source: "test_traceparent_ows_handling", value: "\t 00-\(trace)-\(span)-01 \t", flags: 1),
        // Lower-case digits only (§traceparent Header Field Values).
        Case(source: "HEXDIGLC", value: "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"),
        Case(source: "HEXDIGLC", value: "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01"),
        Case(source: "HEXDIGLC", value: "0A-\(trace)-\(span)-01"),
        Case(source: "HEXDIGLC", value: "00-\(trace)-\(span)-0A"),
        // Two fields, joined as RFC 9110 §5.3 has it.
        Case(source: "test_traceparent_duplicated", value: "00-\(trace)-\(span)-01,00-\(trace)-\(span)-01"),
        Case(source: "dashes", value: "00_\(trace)-\(span)-01"),
        Case(source: "dashes", value: "00-\(trace)_\(span)-01"),
        Case(source: "dashes", value: "00-\(trace)-\(span)_01"),
        Case(source: "empty", value: ""),
        Case(source: "empty", value: " \t "),
        Case(source: "dashes", value: String(repeating: "-", count: 55)),
    ]

    @Test(arguments: cases)
    func parses(_ example: Case) throws {
        let parsed = parsedTraceParent(example.value)
        #expect(parsed?.flags.rawValue == example.flags)
        guard let parsed else { return }
        var buffer = ByteBuffer()
        parsed.write(to: &buffer)
        let core = example.value.drop { $0 == " " || $0 == "\t" }.dropFirst(2).prefix(51)
        #expect(buffer.text == "00\(core)0\(parsed.flags.rawValue)")
        #expect(buffer.count == TraceParent.length)
    }

    /// Every string that differs from a good one in one byte, against the grammar as a regular expression.
    @Test(arguments: ["00-\(trace)-\(span)-01", "cc-\(trace)-\(span)-01-x"])
    func everyByteAtEveryPlace(_ good: String) throws {
        let grammar = try Regex(
            "(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?)")
        for place in good.utf8.indices {
            let offset = good.utf8.distance(from: good.startIndex, to: place)
            for byte in UInt8(0x21)...0x7E {
                var bytes = Array(good.utf8)
                bytes[offset] = byte
                let text = String(decoding: bytes, as: UTF8.self)
                let isExact = text.utf8.count == 55 || !text.hasPrefix("00")
                let isGood =
                    isExact && !text.hasPrefix("ff") && text.wholeMatch(of: grammar) != nil
                #expect((TraceParent(parsing: bytes.span) != nil) == isGood, "\(text)")
            }
        }
    }

    @Test("random bytes neither crash the parser nor pass it")
    func randomBytes() {
        var generator = SeededGenerator(state: 1)
        let alphabet = Array("0123456789abcdefF-,. \t\u{0}\u{7f}".utf8) + [0x80, 0xFF]
        for _ in 0..<20_000 {
            let length = Int.random(in: 0...70, using: &generator)
            let bytes = (0..<length).map { _ in alphabet.randomElement(using: &generator) ?? 0 }
            #expect(TraceParent(parsing: bytes.span) == nil)
        }
    }

    @Test("what is written parses to itself")
    func roundTrip() {
        var ids = IDGenerator(seed: 1, 2, 3, 4)
        for flags in [0, 1, 2, 3] as [UInt8] {
            for _ in 0..<500 {
                let parent = TraceParent(
                    traceID: ids.nextTraceID(), spanID: ids.nextSpanID(), flags: TraceFlags(rawValue: flags))
                var buffer = ByteBuffer()
                parent.write(to: &buffer)
                #expect(TraceParent(parsing: buffer.span) == parent)
            }
        }
    }
}
