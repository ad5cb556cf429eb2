import ByteBuffers
import Testing

@testable import FeatureFlags

/// ECMA-262 §7.1.4.1 (`Number(text)`), §19.2.4 (`parseFloat`), §6.1.6.1.20 (`String(number)`).
@Suite struct JavaScriptNumberTests {
    @Test(
        arguments: [
            ("", 0), (" ", 0), ("\t\n\u{B}\u{C}\r ", 0), ("\u{A0}1\u{FEFF}", 1), ("\u{3000}2\u{2028}", 2), ("1", 1),
            ("-1", -1),
            ("+1", 1), ("1.5", 1.5), (".5", 0.5), ("5.", 5), ("5.e2", 500), ("1e3", 1000), ("1E-3", 0.001),
            ("1e+2", 100),
            ("0x10", 16), ("0XfF", 255), ("0b101", 5), ("0o17", 15), ("Infinity", .infinity), ("-Infinity", -.infinity),
            ("1e400", .infinity), ("1e-400", 0), ("00012", 12), ("9007199254740993", 9_007_199_254_740_992),
            ("0.1", 0.1), ("123456789012345678901234567890", 1.2345678901234568e29),
            ("4.9e-324", .leastNonzeroMagnitude),
            ("2.2250738585072014e-308", 2.2250738585072014e-308), ("1.7976931348623157e308", 1.7976931348623157e308),
            (".00000000000000000000000000000000000000001", 1e-41), ("0x20000000000001", 9_007_199_254_740_992),
            ("0x20000000000003000", 36_893_488_147_419_119_616), ("0", 0), ("000000000000000000000000.5", 0.5),
        ] as [(String, Double)])
    func numbers(text: String, expected: Double) {
        #expect(JavaScriptNumber.number(from: Array(text.utf8).span) == expected)
    }

    @Test(arguments: [
        "1abc", "abc", "1 2", "0x", "0xg", "-0x10", "+0b1", "1e", "1e+", ".", "-", "+", "+-1", "e5", "1_000",
        "infinity",
        "INFINITY", "NaN", "1,5", "0x1.8", "--1", ".e1", "1..2", "١",
    ])
    func noNumbers(text: String) {
        #expect(JavaScriptNumber.number(from: Array(text.utf8).span).isNaN)
    }

    @Test(
        arguments: [
            ("1abc", 1), ("  12.5px", 12.5), ("3.", 3), (".5.6", 0.5), ("1e5x", 100_000), ("1e", 1), ("1e+", 1),
            ("-0x10", 0), ("0x10", 0), ("Infinityx", .infinity), ("-Infinity!", -.infinity), ("1,2", 1),
            ("\u{A0}7", 7), ("1.5.2", 1.5),
        ] as [(String, Double)])
    func leadingNumbers(text: String, expected: Double) {
        #expect(JavaScriptNumber.leadingNumber(of: Array(text.utf8).span) == expected)
    }

    @Test(arguments: ["", " ", "abc", "-", ".", "e1", "NaN", "true", "null"])
    func noLeadingNumbers(text: String) {
        #expect(JavaScriptNumber.leadingNumber(of: Array(text.utf8).span).isNaN)
    }

    @Test(
        arguments: [
            (0, "0"), (-0.0, "0"), (1, "1"), (-1, "-1"), (1.5, "1.5"), (-0.25, "-0.25"), (100, "100"),
            (1e20, "100000000000000000000"),
            (123_456_789_012_345_683_968, "123456789012345680000"), (1e21, "1e+21"), (1.5e21, "1.5e+21"),
            (1e300, "1e+300"),
            (1e-6, "0.000001"), (1e-7, "1e-7"), (1.5e-7, "1.5e-7"), (0.000_012_3, "0.0000123"), (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"), (9_007_199_254_740_991, "9007199254740991"),
            (9_007_199_254_740_992, "9007199254740992"), (1.7976931348623157e308, "1.7976931348623157e+308"),
            (.leastNonzeroMagnitude, "5e-324"), (-1.25e-9, "-1.25e-9"), (123.456, "123.456"),
            (4_294_967_296.5, "4294967296.5"),
            (.nan, "NaN"), (.infinity, "Infinity"), (-.infinity, "-Infinity"), (1.2, "1.2"), (1e22, "1e+22"),
            (18_014_398_509_481_984, "18014398509481984"), (1_234_567.000_000_1, "1234567.0000001"),
        ] as [(Double, String)])
    func writes(value: Double, expected: String) {
        #expect(JavaScriptNumber.text(value) == expected)
    }

    /// Whatever is written reads back as the same number.
    @Test func roundTrips() {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<20_000 {
            let value = Double(bitPattern: generator.next())
            guard value.isFinite else { continue }
            let text = JavaScriptNumber.text(value)
            #expect(JavaScriptNumber.number(from: Array(text.utf8).span) == value, "\(text)")
        }
    }
}

/// SplitMix64: the same numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
