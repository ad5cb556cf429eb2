internal import JSON

/// An upstream's `maxRequests` as `"adaptive"` or `{ "adaptive": … }`: how many requests may be at work is learnt from how
/// long they take.
package struct AdaptiveLimitSection: Equatable, Sendable {
    /// `min`: the least limit, 1 to 1 048 576. Default: 10.
    package var min = 10
    /// `max`: the greatest limit, 1 to 1 048 576. Default: 1024.
    package var max = 1024
    /// `start`: the limit before anything is known. Default: 100, or what is nearest to it between `min` and `max`.
    package var start = 100

    /// The one key of `maxRequests` as an object.
    static let outerKeys = SectionKeys(["adaptive"])
    static let keys = SectionKeys(["min", "max", "start"])
    private static let range = 1...1_048_576

    init() {}

    init(_ section: SectionReader) {
        section.integer("min", into: &min, Self.range)
        section.integer("max", into: &max, Self.range)
        if min > max {
            let key = section.has("max") ? "max" : "min"
            section.session.report(
                section.pointer.appending(key), "\"max\" is at least \"min\", but they are \(max) and \(min)")
            max = min
        }
        if let start = section.integer("start", Self.range) {
            if start < min || start > max {
                section.session.report(
                    section.pointer.appending("start"),
                    "expected a number between \"min\" and \"max\", which are \(min) and \(max), found \(start)")
            }
            self.start = start
        } else {
            start = Swift.min(Swift.max(start, min), max)
        }
    }

    /// The value of `maxRequests` where it is no number; nil where it cannot be read, which is reported.
    static func read(_ place: SectionPlace, _ session: ReadingSession) -> AdaptiveLimitSection? {
        if case .string = place.value {
            guard let text = session.string(place) else { return nil }
            if text == "adaptive" { return AdaptiveLimitSection() }
            session.report(
                place.pointer,
                "expected a whole number, \"adaptive\" or { \"adaptive\": … }, found \(ValueProblem.quoted(text))"
                    + ValueProblem.hint(text, ["adaptive"]))
            return nil
        }
        let expected = "a whole number, \"adaptive\" or { \"adaptive\": … }"
        guard let outer = session.section(place, outerKeys, expected: expected) else { return nil }
        return outer.section("adaptive", keys, isRequired: true).map { AdaptiveLimitSection($0) }
    }

    var effective: JSONValue {
        .section([
            ("adaptive", .section([("min", .number(min)), ("max", .number(max)), ("start", .number(start))]))
        ])
    }
}
