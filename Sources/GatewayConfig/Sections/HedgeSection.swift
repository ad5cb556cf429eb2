internal import JSON

/// `hedge` of an upstream, and of a route with `to` or a part in its place: when a request that only reads and is not
/// answered yet is sent a second time, to another server. The first good answer wins, and the other try is given up. A
/// second try counts against the budget of `retry`.
package enum HedgeSection: Equatable, Sendable {
    /// `false`: never.
    case off
    /// `after`: `"p90"`, `"p95"` or `"p99"`: when the request has taken longer than that share, in percent, of those
    /// before it.
    case percentile(Int)
    /// `after`: this long after the first try was sent.
    case after(Milliseconds)

    static let keys = SectionKeys(["after"])
    private static let percentiles = ["p90": 90, "p95": 95, "p99": 99]

    /// The value of `hedge` in `section`; nil where it is absent. `true` is after `p95`.
    static func read(_ section: SectionReader) -> HedgeSection? {
        guard section.has("hedge") else { return nil }
        var hedge: HedgeSection? = .off
        section.switched("hedge", keys, into: &hedge) { inner in
            guard let place = inner.durationPlace("after", ", or \"p95\""), let text = inner.session.string(place)
            else { return .percentile(95) }
            if let percentile = percentiles[text] { return .percentile(percentile) }
            do throws(ValueProblem) {
                let span = try Milliseconds(parsing: text)
                if span.value > 0 { return .after(span) }
                inner.session.report(place.pointer, "expected a duration longer than 0")
            } catch {
                inner.session.report(
                    place.pointer,
                    "expected \"p90\", \"p95\", \"p99\" or a duration such as \"20ms\", found \(ValueProblem.quoted(text))"
                )
            }
            return .percentile(95)
        }
        return hedge ?? .off
    }

    var effective: JSONValue {
        switch self {
        case .off: .bool(false)
        case .percentile(let percent): .section([("after", .string("p\(percent)"))])
        case .after(let span): .section([("after", .text(span))])
        }
    }
}
