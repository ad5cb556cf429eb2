import ByteBuffers
import Testing

@testable import DistributedTracing

/// W3C Trace Context level 2, §tracestate Header, and the cases of the public test harness.
struct TraceStateTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var source: String
        var fields: [String]
        var sent: String
        var testDescription: String { "\(source): \(fields)" }
        init(_ source: String, _ fields: String..., sent: String) {
            self.source = source
            self.fields = fields
            self.sent = sent
        }
    }

    static let longKey = String(repeating: "z", count: 256)
    static let everyKeyCharacter = "0123456789abcdefghijklmnopqrstuvwxyz_-*/@"
    static let everyValueCharacter = String(
        decoding: (UInt8(0x20)...0x7E).filter { $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "=") }, as: UTF8.self)

    static let cases = [
        Case("test_tracestate_included_traceparent_included", "foo=1,bar=2", sent: "foo=1,bar=2"),
        Case("test_tracestate_empty_header", "", sent: ""),
        Case("test_tracestate_empty_header", "foo=1", "", sent: "foo=1"),
        Case("test_tracestate_empty_header", "", "foo=1", sent: "foo=1"),
        Case(
            "test_tracestate_multiple_headers_different_keys", "foo=1,bar=2", "rojo=1,congo=2", "baz=3",
            sent: "foo=1,bar=2,rojo=1,congo=2,baz=3"),
        // Either is allowed; the list is left as it came.
        Case("test_tracestate_duplicated_keys", "foo=1,foo=1", sent: "foo=1,foo=1"),
        Case("test_tracestate_duplicated_keys", "foo=1,foo=2", sent: "foo=1,foo=2"),
        Case("test_tracestate_duplicated_keys", "foo=1", "foo=2", sent: "foo=1,foo=2"),
        Case(
            "test_tracestate_all_allowed_characters", "\(everyKeyCharacter)=\(everyValueCharacter)",
            sent: "\(everyKeyCharacter)=\(everyValueCharacter)"),
        Case("test_tracestate_ows_handling", "foo=1 \t , \t bar=2, \t baz=3", sent: "foo=1,bar=2,baz=3"),
        Case("test_tracestate_ows_handling", "foo=1\t \t,\t \tbar=2,\t \tbaz=3", sent: "foo=1,bar=2,baz=3"),
        Case("test_tracestate_ows_handling", " foo=1", sent: "foo=1"),
        Case("test_tracestate_ows_handling", "\tfoo=1", sent: "foo=1"),
        Case("test_tracestate_ows_handling", "foo=1 ", sent: "foo=1"),
        Case("test_tracestate_ows_handling", "foo=1\t", sent: "foo=1"),
        Case("test_tracestate_ows_handling", "\t foo=1 \t", sent: "foo=1"),
        Case("test_tracestate_key_illegal_characters", "foo =1", sent: ""),
        Case("test_tracestate_key_illegal_characters", "FOO=1", sent: ""),
        Case("test_tracestate_key_illegal_characters", "foo.bar=1", sent: ""),
        // Level 1 refused these; level 2 takes an @ anywhere but at the beginning.
        Case("test_tracestate_key_illegal_vendor_format", "foo@=1,bar=2", sent: "foo@=1,bar=2"),
        Case("test_tracestate_key_illegal_vendor_format", "@foo=1,bar=2", sent: ""),
        Case("test_tracestate_key_illegal_vendor_format", "foo@@bar=1,bar=2", sent: "foo@@bar=1,bar=2"),
        Case("test_tracestate_key_illegal_vendor_format", "foo@bar@baz=1,bar=2", sent: "foo@bar@baz=1,bar=2"),
        Case("§key", "_foo=1", sent: ""),
        Case("§key", "1foo=1", sent: "1foo=1"),
        Case("§key", "=1", sent: ""),
        Case("test_tracestate_key_length_limit", "\(longKey)=1", sent: "\(longKey)=1"),
        Case("test_tracestate_key_length_limit", "\(longKey)z=1", sent: ""),
        Case(
            "test_tracestate_key_length_limit", String(repeating: "t", count: 241) + "@v=1",
            sent: String(repeating: "t", count: 241) + "@v=1"),
        Case(
            "test_tracestate_key_length_limit", String(repeating: "t", count: 242) + "@v=1",
            sent: String(repeating: "t", count: 242) + "@v=1"),
        Case("test_tracestate_value_illegal_characters", "foo=bar=baz", sent: ""),
        Case("test_tracestate_value_illegal_characters", "foo=,bar=3", sent: ""),
        Case("§value", "foo=a\u{7F}", sent: ""),
        Case("§value", "foo=a\u{1}b", sent: ""),
        Case("§value", "foo=a\tb", sent: ""),
        Case("§value", "foo=é", sent: ""),
        Case("§value", "foo= leading stays", sent: "foo= leading stays"),
        Case("§value", "foo=" + String(repeating: "v", count: 256), sent: "foo=" + String(repeating: "v", count: 256)),
        Case("§value", "foo=" + String(repeating: "v", count: 257), sent: ""),
        Case("§list", "foo", sent: ""),
        // Empty members are accepted, and not worth sending on.
        Case("§list", "foo=1,,bar=2", sent: "foo=1,bar=2"),
        Case("§list", ",foo=1, \t ,bar=2,", sent: "foo=1,bar=2"),
        Case("§list", ", ,\t,", sent: ""),
        // One bad member anywhere takes all away, also across fields.
        Case("§A traceparent is Received", "foo=1", "BAD=1", "bar=2", sent: ""),
    ]

    @Test(arguments: cases)
    func resends(_ example: Case) {
        let (text, count) = resentTraceState(example.fields)
        #expect(text == example.sent)
        #expect(count == (example.sent.isEmpty ? 0 : example.sent.split(separator: ",").count))
    }

    /// test_tracestate_member_count_limit
    @Test func memberCountLimit() {
        let members = (1...32).map { "bar\($0)=\($0)" }
        #expect(resentTraceState([members.joined(separator: ",")]).text == members.joined(separator: ","))
        #expect(resentTraceState(members).count == 32)
        #expect(resentTraceState([members.joined(separator: ",") + ",bar33=33"]).text.isEmpty)
        #expect(resentTraceState(members + ["bar33=33"]).text.isEmpty)
        // Empty members do not count.
        #expect(resentTraceState([members.joined(separator: ", ,")]).count == 32)
    }

    @Test("a reset list takes members again")
    func reset() {
        var state = TraceState()
        state.append(field: Array("BAD".utf8).span)
        state.append(field: Array("a=1".utf8).span)
        #expect(state.count == 0)
        state.reset()
        state.append(field: Array("a=1".utf8).span)
        #expect(state.text.text == "a=1")
    }

    struct Cut: Sendable {
        var list: String
        var limit: Int
        var sent: String
    }

    static let big = "big=" + String(repeating: "b", count: 130)
    static let huge = "huge=" + String(repeating: "h", count: 250)

    /// §tracestate Limits: whole members only, those above 128 characters first, each time from the right.
    @Test(arguments: [
        Cut(list: "a=1,b=2,c=3", limit: 11, sent: "a=1,b=2,c=3"),
        Cut(list: "a=1,b=2,c=3", limit: 10, sent: "a=1,b=2"),
        Cut(list: "a=1,b=2,c=3", limit: 7, sent: "a=1,b=2"),
        Cut(list: "a=1,b=2,c=3", limit: 3, sent: "a=1"),
        Cut(list: "a=1,b=2,c=3", limit: 2, sent: ""),
        Cut(list: "a=1,\(big),c=3", limit: 137, sent: "a=1,c=3"),
        Cut(list: "\(big),b=2,c=3", limit: 141, sent: "b=2,c=3"),
        Cut(list: "a=1,b=2,\(big)", limit: 140, sent: "a=1,b=2"),
        Cut(list: "\(huge),a=1,\(big),b=2", limit: 263, sent: "\(huge),a=1,b=2"),
        Cut(list: "\(huge),a=1,\(big),b=2", limit: 200, sent: "a=1,b=2"),
        Cut(list: big, limit: 100, sent: ""),
    ])
    func cuts(_ example: Cut) {
        let (text, count) = resentTraceState([example.list], limit: example.limit)
        #expect(text == example.sent)
        #expect(count == (example.sent.isEmpty ? 0 : example.sent.split(separator: ",").count))
    }

    @Test("far more than the 512 bytes that should pass do pass")
    func roomForCommonLists() {
        let list = (0..<32).map { "key\($0)=" + String(repeating: "v", count: 200) }.joined(separator: ",")
        #expect(resentTraceState([list]).text == list)
        let wide = (0..<32).map { "key\($0)=" + String(repeating: "v", count: 256) }.joined(separator: ",")
        let (text, _) = resentTraceState([wide])
        #expect(text.utf8.count <= TraceState.maximumSize && wide.hasPrefix(text) && text.utf8.count > 7900)
    }

    /// Generated lists against a second implementation on strings.
    @Test func generated() {
        var generator = SeededGenerator(state: 7)
        let pieces = ["a", "b=1", "c@d=2 3", "=", ",", " ", "\t", "E=1", "f=", "g=h=i", ",,", "z9_-*/@= ~"]
        for _ in 0..<5_000 {
            let fields = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
                (0..<Int.random(in: 0...8, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? ""
                }
                .joined()
            }
            #expect(resentTraceState(fields).text == Self.reference(fields), "\(fields)")
        }
    }

    static func reference(_ fields: [String]) -> String {
        let members = fields.joined(separator: ",").split(separator: ",", omittingEmptySubsequences: true)
            .map { $0.trimming { $0 == " " || $0 == "\t" } }.filter { !$0.isEmpty }
        let areGood = members.allSatisfy {
            $0.wholeMatch(
                of: /[a-z0-9][a-z0-9_\-*\/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]/)
                != nil
        }
        return areGood && members.count <= 32 ? members.joined(separator: ",") : ""
    }
}

extension StringProtocol {
    func trimming(where isBlank: (Character) -> Bool) -> String {
        let start = drop(while: isBlank)
        let count = start.reversed().drop(while: isBlank).count
        return String(start.prefix(count))
    }
}
