/// A span of time from the configuration, in whole milliseconds: written as a whole number with its unit, `"250ms"`,
/// `"2s"`, `"1m"` or `"1h"`.
///
/// A bare number is refused, because nobody can see its unit. The most is 365 days (`"8760h"`), so that adding a span
/// to a clock never overflows, whatever the unit of the clock.
package struct Milliseconds: Hashable, Sendable {
    /// The span in milliseconds, at most ``maximum``.
    package let value: UInt64

    /// The longest span that can be configured: 365 days.
    package static let maximum: UInt64 = 365 * 24 * 3_600_000

    /// `value` milliseconds, at most ``maximum``.
    package init(_ value: UInt64) {
        self.value = min(value, Self.maximum)
    }

    /// `count` seconds, at most ``maximum``.
    package static func seconds(_ count: UInt64) -> Milliseconds {
        let (value, overflow) = count.multipliedReportingOverflow(by: 1000)
        return Milliseconds(overflow ? maximum : value)
    }

    /// The span in nanoseconds; cannot overflow because of ``maximum``.
    package var nanoseconds: UInt64 { value * 1_000_000 }

    /// Reads digits and a unit.
    ///
    /// - Throws: ``ValueProblem`` where `text` has no unit, another unit, a sign, a fraction, blanks, or is too long.
    package init(parsing text: String) throws(ValueProblem) {
        try self.init(parsing: text, expected: "a duration such as \"250ms\", \"2s\" or \"1m\"")
    }

    fileprivate init(parsing text: String, expected: String) throws(ValueProblem) {
        let digits = text.utf8.prefix { $0 >= 0x30 && $0 <= 0x39 }
        guard !digits.isEmpty else { throw ValueProblem(expected: expected, found: text) }
        let factor: UInt64
        switch String(text.utf8.dropFirst(digits.count)) {
        case "ms": factor = 1
        case "s": factor = 1000
        case "m": factor = 60_000
        case "h": factor = 3_600_000
        case "": throw ValueProblem("a duration needs its unit (ms, s, m or h), found \(ValueProblem.quoted(text))")
        default: throw ValueProblem(expected: expected, found: text)
        }
        guard let count = UInt64(String(digits) ?? ""), count <= Self.maximum / factor else {
            throw ValueProblem("a duration is at most 8760h, found \(ValueProblem.quoted(text))")
        }
        value = count * factor
    }
}

extension Milliseconds: CustomStringConvertible {
    /// The shortest way to write the span: the largest unit that divides it.
    package var description: String {
        if value == 0 { return "0s" }
        if value % 3_600_000 == 0 { return "\(value / 3_600_000)h" }
        if value % 60_000 == 0 { return "\(value / 60_000)m" }
        if value % 1000 == 0 { return "\(value / 1000)s" }
        return "\(value)ms"
    }
}

extension Milliseconds: Comparable {
    package static func < (left: Milliseconds, right: Milliseconds) -> Bool { left.value < right.value }
}

/// A time limit that can be switched off: a duration, or `"none"`.
package enum TimeLimit: Hashable, Sendable {
    /// Waits as long as it takes.
    case none
    /// Gives up after this long, which is more than nothing.
    case after(Milliseconds)

    /// Reads `"none"` or a duration.
    ///
    /// - Throws: ``ValueProblem`` as ``Milliseconds/init(parsing:)`` does.
    package init(parsing text: String) throws(ValueProblem) {
        let expected = "a duration such as \"250ms\", \"2s\" or \"1m\", or \"none\""
        self = text == "none" ? .none : .after(try Milliseconds(parsing: text, expected: expected))
    }

    /// The limit, or nil where there is none.
    package var milliseconds: Milliseconds? {
        switch self {
        case .none: nil
        case .after(let span): span
        }
    }
}

extension TimeLimit: CustomStringConvertible {
    /// As it is written in the file.
    package var description: String { milliseconds?.description ?? "none" }
}
