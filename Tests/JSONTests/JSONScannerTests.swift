import ByteBuffers
import Testing

@testable import JSON

/// What is JSON and what is not, by the section of RFC 8259 that says so. Where jansson is stricter than the RFC
/// (it converts numbers, and its strings end at U+0000) or laxer (it takes duplicate names), the case says so.
@Suite struct JSONScannerTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var section: String
        var text: [UInt8]
        var janssonDiffers: Bool
        var testDescription: String { "§\(section) \(String(decoding: text.prefix(60), as: UTF8.self))" }

        init(_ section: String, _ text: String, janssonDiffers: Bool = false) {
            self.init(section, Array(text.utf8), janssonDiffers: janssonDiffers)
        }

        init(_ section: String, _ text: [UInt8], janssonDiffers: Bool = false) {
            self.section = section
            self.text = text
            self.janssonDiffers = janssonDiffers
        }
    }

    private func expect<T: Equatable>(_ found: T, _ expected: T, _ location: SourceLocation = #_sourceLocation) {
        #expect(found == expected, sourceLocation: location)
    }

    static func accepts(_ text: [UInt8]) -> Bool {
        var index = JSONIndex(seed: 7)
        return (try? index.scan(text.span)) != nil
    }

    private func scanError(_ text: [UInt8], limits: JSONIndex.Limits = JSONIndex.Limits()) -> JSONScanError? {
        var index = JSONIndex(seed: 1)
        do throws(JSONScanError) {
            try index.scan(text.span, limits: limits)
            return nil
        } catch {
            return error
        }
    }

    static func janssonAccepts(_ text: [UInt8]) -> Bool {
        do throws(JSONSyntaxError) {
            _ = try JSONDocument(parsing: text)
            return true
        } catch {
            return false
        }
    }

    static let valid: [Case] = [
        Case("2", "null"), Case("2", " \t\r\n true \n"), Case("2", "false"), Case("2", "0"), Case("2", "\"\""),
        Case("2", "[]"), Case("2", "{}"), Case("2", "[ ]"), Case("2", "{\n}"), Case("2", "[1 , 2]"),
        Case("2", "{ \"a\" : 1 , \"b\" : 2 }"),
        Case("4", "{\"\":0}"), Case("4", "{\"a\":{\"a\":{}}}"), Case("4", "{\"a\":1,\"A\":2}"),
        Case("4", "{\"a\":{\"x\":1},\"b\":{\"x\":1}}"), Case("4", "[{\"x\":1},{\"x\":1}]"),
        Case("4", "{\"a\\u0000\":1}", janssonDiffers: true),
        Case("5", "[[],[[]],{}]"), Case("5", "[1,\"a\",null,true,false,{},[]]"),
        Case("6", "-0"), Case("6", "0.0"), Case("6", "-0.0"), Case("6", "1.5"), Case("6", "1e5"), Case("6", "1E+5"),
        Case("6", "1e-05"), Case("6", "0e0"), Case("6", "123456789"), Case("6", "1.0000000000000000000000000001"),
        Case("6", "12345678901234567890", janssonDiffers: true), Case("6", "1e999999", janssonDiffers: true),
        Case("6", "-1e999999", janssonDiffers: true), Case("6", "1e-999999"),
        Case("6", String(repeating: "9", count: 20_000), janssonDiffers: true),
        Case("7", #""\"\\\/\b\f\n\r\t""#), Case("7", #""\u00e9\u00E9""#), Case("7", #""\ud83d\ude00""#),
        Case("7", #""\uDBFF\uDFFF""#), Case("7", #""\u0000""#, janssonDiffers: true), Case("7", #""\u001f""#),
        Case("7", "\"\u{7F}\""), Case("7", "\"\u{2028}\u{2029}\""), Case("7", "\"aéß€😀\u{10FFFF}\u{FFFF}\""),
        Case("7", "\"\u{FEFF}\""), Case("7", #""\u007f\uFFFE""#), Case("7", "\"12345678\""),
        Case("7", "\"1234567\\n\""),
        Case("8.1", "\"\u{80}\u{7FF}\u{800}\u{D7FF}\u{E000}\u{10000}\""),
    ]

    private func scanError(_ text: String) -> JSONScanError? { scanError(Array(text.utf8)) }

    @Test(arguments: valid)
    func accepted(_ example: Case) {
        #expect(Self.accepts(example.text))
        #expect(Self.janssonAccepts(example.text) != example.janssonDiffers)
    }

    static let invalid: [Case] = [
        Case("2", ""), Case("2", " "), Case("2", "nul"), Case("2", "nullx"), Case("2", "Null"), Case("2", "TRUE"),
        Case("2", "tru "), Case("2", "1 2"), Case("2", "{}{}"), Case("2", "[]]"), Case("2", "{}}"), Case("2", "1,"),
        Case("2", "'a'"), Case("2", "a"), Case("2", "/**/1"), Case("2", "1//"), Case("2", "#"), Case("2", "\u{A0}1"),
        Case("2", "1\u{0B}"), Case("2", "\u{0C}1"), Case("2", "undefined"), Case("2", [0]), Case("2", [0x31, 0]),
        Case("2", [0x7B, 0x7D, 0, 0x78]),
        Case("2", "<html>"), Case("2", ")]}'\n{}"), Case("2", "\u{2028}1"), Case("2", "*"), Case("2", ":"),
        Case("4", "{"), Case("4", "}"), Case("4", "{\"a\""), Case("4", "{\"a\":"), Case("4", "{\"a\":1"),
        Case("4", "{\"a\":1,"), Case("4", "{\"a\":1,}"), Case("4", "{,}"), Case("4", "{\"a\" 1}"),
        Case("4", "{\"a\"::1}"), Case("4", "{a:1}"), Case("4", "{1:1}"), Case("4", "{'a':1}"), Case("4", "{\"a\":}"),
        Case("4", "{\"a\":1 \"b\":2}"), Case("4", "{\"a\":1,,\"b\":2}"), Case("4", "{\"a\",1}"), Case("4", "{[]:1}"),
        Case("4", "{\"a\":1]"), Case("4", "{\"a\"}"), Case("4", "{\"a\":1;}"), Case("4", "{null:1}"),
        Case("4", "{\"a\":1,\"a\":2}", janssonDiffers: true),
        Case("4", "{\"a\":1,\"b\":2,\"\\u0061\":3}", janssonDiffers: true),
        Case("4", "{\"\":1,\"\":2}", janssonDiffers: true),
        Case("4", "{\"\u{1F600}\":1,\"\\ud83d\\ude00\":2}", janssonDiffers: true),
        Case("4", "[{\"x\":{\"a\":1,\"a\":1}}]", janssonDiffers: true),
        Case("5", "["), Case("5", "]"), Case("5", "[1"), Case("5", "[1,"), Case("5", "[1,]"), Case("5", "[,]"),
        Case("5", "[,1]"), Case("5", "[1,,2]"), Case("5", "[1 2]"), Case("5", "[1:2]"), Case("5", "[1}"),
        Case("5", "[\"a\":1]"), Case("5", "[[]"), Case("5", "[1;2]"), Case("5", "[...]"), Case("5", "[\"a\",\n"),
        Case("6", "01"), Case("6", "-01"), Case("6", "00"), Case("6", "+1"), Case("6", ".5"), Case("6", "1."),
        Case("6", "1.e5"), Case("6", "1e"), Case("6", "1e+"), Case("6", "1e1.5"), Case("6", "-"), Case("6", "--1"),
        Case("6", "- 1"), Case("6", "0x1F"), Case("6", "1_000"), Case("6", "1,000"), Case("6", "NaN"),
        Case("6", "-NaN"), Case("6", "Infinity"), Case("6", "-Infinity"), Case("6", "1e5e5"), Case("6", "1..2"),
        Case("6", "1f"), Case("6", "１"), Case("6", "0e"), Case("6", "[-]"), Case("6", "[1.]"), Case("6", "-a"),
        Case("7", "\""), Case("7", "\"a"), Case("7", "\"\\"), Case("7", "\"\\\""), Case("7", #""\a""#),
        Case("7", #""\x41""#), Case("7", #""\u""#), Case("7", #""\u12""#), Case("7", #""\u12g4""#),
        Case("7", #""\U0041""#), Case("7", #""\'""#), Case("7", #""\0""#), Case("7", "\"\u{00}\""),
        Case("7", "\"\n\""), Case("7", "\"\t\""), Case("7", "\"\u{1F}\""), Case("7", "\"12345678\u{01}\""),
        Case("7", "\"1234567\n\""), Case("7", "\"a\\\n\""), Case("7", "\"a\"b"), Case("7", #""\u+041""#),
        Case("8.2", #""\ud800""#), Case("8.2", #""\udc00""#), Case("8.2", #""\ud800\u0041""#),
        Case("8.2", #""\ud800\ud800""#), Case("8.2", #""\udc00\ud800""#), Case("8.2", #""\ud800x""#),
        Case("8.2", #""\ud800\n""#), Case("8.2", #""\ud83d\ude0""#), Case("8.2", #"{"\ud800":1}"#),
        Case("8.1", "\u{FEFF}{}"), Case("8.1", [0xFF, 0xFE, 0x7B, 0, 0x7D, 0]), Case("8.1", [0, 0x7B, 0, 0x7D]),
        Case("8.1", [0x22, 0x80, 0x22]), Case("8.1", [0x22, 0xC0, 0xAF, 0x22]), Case("8.1", [0x22, 0xC3, 0x22]),
        Case("8.1", [0x22, 0xE0, 0x80, 0x80, 0x22]), Case("8.1", [0x22, 0xED, 0xA0, 0x80, 0x22]),
        Case("8.1", [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22]), Case("8.1", [0x22, 0xF5, 0x80, 0x80, 0x80, 0x22]),
        Case("8.1", [0x22, 0xFF, 0x22]), Case("8.1", [0x22, 0xE2, 0x82, 0x22]), Case("8.1", [0x22, 0xE2, 0x82]),
        Case("8.1", [0x22, 0xF0, 0x9F, 0x98, 0x22]), Case("8.1", [0xE9]),
        Case("8.1", [0x22, 0xF0, 0x80, 0x80, 0x80, 0x22]),
        Case("8.1", [0x7B, 0x22, 0xE9, 0x22, 0x3A, 0x31, 0x7D]),
    ]

    @Test(arguments: invalid)
    func refused(_ example: Case) {
        #expect(!Self.accepts(example.text))
        #expect(Self.janssonAccepts(example.text) == example.janssonDiffers)
    }

    static let errors: [(String, JSONScanError)] = [
        ("", JSONScanError(.unexpectedEnd, at: 0)), ("[1,", JSONScanError(.unexpectedEnd, at: 3)),
        ("[1,x]", JSONScanError(.unexpectedByte, at: 3)), ("{} {}", JSONScanError(.trailingText, at: 3)),
        ("\u{FEFF}1", JSONScanError(.byteOrderMark, at: 0)), ("[1.x]", JSONScanError(.invalidNumber, at: 3)),
        (#"["ab\q"]"#, JSONScanError(.invalidEscape, at: 4)), (#"["\ud800"]"#, JSONScanError(.loneSurrogate, at: 2)),
        ("[\"ab\n\"]", JSONScanError(.controlCharacter, at: 4)),
        (#"{"a":1, "b":2, "a":3}"#, JSONScanError(.duplicateName, at: 15)),
        ("tru]", JSONScanError(.unexpectedByte, at: 3)), ("{\"a\":1,}", JSONScanError(.unexpectedByte, at: 7)),
    ]

    @Test(arguments: errors)
    func errorsNameTheByte(_ text: String, _ expected: JSONScanError) {
        #expect(scanError(Array(text.utf8)) == expected)
        #expect(!expected.message.description.isEmpty)
    }

    @Test func anIndexIsEmptyAfterAnError() throws {
        var index = JSONIndex(seed: 1)
        try index.scan([0x5B, 0x5D].span)
        expect(index.count, 1)
        #expect(throws: JSONScanError(.unexpectedEnd, at: 1)) { try index.scan([0x5B].span) }
        expect(index.root, nil)
    }

    @Test func invalidUTF8IsFoundWhereItStands() {
        for lead in 0..<24 {
            let text = [0x22] + [UInt8](repeating: 0x61, count: lead) + [0xC3, 0x28, 0x22]
            expect(scanError(text), JSONScanError(.invalidUTF8, at: lead + 1))
        }
    }

    /// Sequences of bytes at the borders of RFC 3629 §4, against the validation of the standard library.
    @Test(arguments: [1, 2, 3, 4])
    func utf8IsWhatTheStandardLibrarySays(_ length: Int) {
        let leads: [UInt8] = [
            0x41, 0x7F, 0x80, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4,
            0xF5, 0xFF,
        ]
        let others: [UInt8] = [0x41, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0]
        var sequences = leads.map { [$0] }
        for _ in 1..<length { sequences = sequences.flatMap { sequence in others.map { sequence + [$0] } } }
        var index = JSONIndex(seed: 1)
        var differences: [[UInt8]] = []
        for sequence in sequences {
            let isValid = String(validating: sequence, as: UTF8.self) != nil
            for tail in [[0x22], [0x61, 0x22]] as [[UInt8]] {
                let text = [0x22] + sequence + tail
                if ((try? index.scan(text.span)) != nil) != isValid { differences.append(text) }
            }
        }
        #expect(differences == [])
    }

    @Test func depthIsLimitedWithoutRecursion() throws {
        for (opening, closing, end) in [("[", "]", ""), ("{\"a\":", "}", "1")] {
            func nested(_ depth: Int) -> [UInt8] {
                let text = String(repeating: opening, count: depth) + end + String(repeating: closing, count: depth)
                return Array(text.utf8)
            }
            #expect(Self.accepts(nested(128)))
            #expect(!Self.accepts(nested(129)))
            #expect(!Self.accepts(nested(100_000)))
            var index = JSONIndex(seed: 1)
            try index.scan(nested(100_000).span, limits: JSONIndex.Limits(depth: 100_000))
            expect(
                scanError(nested(3), limits: JSONIndex.Limits(depth: 2)),
                JSONScanError(.tooDeep, at: 2 * opening.utf8.count))
        }
    }

    @Test func nodesAreLimited() throws {
        let text = Array("[1,2,[3,4,5],6]".utf8)
        var index = JSONIndex(seed: 1)
        expect(scanError(text, limits: JSONIndex.Limits(nodes: 7)), JSONScanError(.tooManyNodes, at: 13))
        try index.scan(text.span, limits: JSONIndex.Limits(indexedDepth: 1, nodes: 5))
        expect(index.count, 5)
        try index.scan(text.span, limits: JSONIndex.Limits(indexedDepth: 0, nodes: 1))
        expect(index.count, 1)
    }

    /// Strings are read eight bytes at a time: any byte, anywhere within the eight and behind them.
    @Test func anyByteAnywhereInAString() {
        for length in 1...26 {
            for place in 0..<length {
                for byte in UInt8.min...UInt8.max {
                    var text = [UInt8](repeating: UInt8(ascii: "~"), count: length)
                    text[place] = byte
                    let error = scanError([UInt8(ascii: "\"")] + text + [UInt8(ascii: "\"")])
                    let expected: JSONScanError? =
                        switch byte {
                        case 0..<0x20: JSONScanError(.controlCharacter, at: 1 + place)
                        case UInt8(ascii: "\""): JSONScanError(.trailingText, at: 2 + place)
                        case UInt8(ascii: "\\") where place == length - 1: JSONScanError(.unexpectedEnd, at: 2 + length)
                        case UInt8(ascii: "\\"): JSONScanError(.invalidEscape, at: 1 + place)
                        case 0x80...: JSONScanError(.invalidUTF8, at: 1 + place)
                        default: nil
                        }
                    expect(error, expected)
                }
            }
        }
    }

    /// Names that differ in one byte, wherever it is, are different; the same names are found, however they are spelled
    /// and wherever the text ends behind them.
    @Test(arguments: 0...20) func namesThatLookAlike(_ length: Int) {
        let name = String("abcdefghijklmnopqrst".prefix(length))
        #expect(scanError(#"{"\#(name)":1,"\#(name)":2}"#)?.reason == .duplicateName)
        #expect(scanError(#"{"x":{"\#(name)":1,"\#(name)":2},"longer than a word":3}"#)?.reason == .duplicateName)
        #expect(scanError(#"{"\#(name)":1,"\#(name)x":2}"#) == nil)
        for place in name.indices {
            var other = name
            other.replaceSubrange(place...place, with: "A")
            #expect(scanError(#"{"\#(name)":1,"\#(other)":2}"#) == nil)
            #expect(scanError(#"{"\#(name)":1,"\#(other)":2,"\#(name)":3}"#)?.reason == .duplicateName)
            other = name
            other.replaceSubrange(place...place, with: "\\u00" + String(name.utf8[place], radix: 16))
            #expect(scanError(#"{"\#(name)":1,"\#(other)":2}"#)?.reason == .duplicateName)
            #expect(scanError(#"{"\#(other)":1,"\#(other)":2}"#)?.reason == .duplicateName)
        }
    }

    @Test(arguments: [15, 16, 17, 18, 31, 32, 33, 34, 1000, 20_000])
    func duplicatesAreFoundInObjectsOfAnySize(_ size: Int) throws {
        func object(_ names: [String]) -> [UInt8] {
            Array(("{" + names.map { "\"\($0)\":0" }.joined(separator: ",") + "}").utf8)
        }
        var names = (0..<size).map { "name number \($0)" }
        var index = JSONIndex(seed: 3)
        try index.scan(object(names).span)
        expect(index.count, size + 1)
        for place in [0, size / 2, size - 2] {
            names[size - 1] = names[place]
            #expect(scanError(object(names))?.reason == .duplicateName)
            // The same name in another spelling.
            names[size - 1] = "\\u006e" + names[place].dropFirst()
            #expect(scanError(object(names))?.reason == .duplicateName)
        }
    }

    @Test func manyObjectsShareOneTable() throws {
        let inner = "{" + (0..<40).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}"
        let text = "[" + Array(repeating: inner, count: 50).joined(separator: ",") + "]"
        var index = JSONIndex(seed: 3)
        for _ in 0..<3 { try index.scan(Array(text.utf8).span) }
        expect(index.count, 1 + 50 * 41)
    }
}
