internal import JSON

/// A route's `when`: conditions that all have to hold for the route to match.
package struct WhenSection: Equatable, Sendable {
    /// What is asked of one header field or query parameter.
    package enum Expectation: Equatable, Sendable {
        /// Text: the value is exactly this, case included.
        case equals(String)
        /// `true`: it is there, whatever its value.
        case present
        /// `false`: it is not there.
        case absent
    }

    /// A condition on one header field or query parameter.
    package struct Condition: Equatable, Sendable {
        /// The name of the field, in lower case, or of the parameter, decoded and with its case.
        package var name: String
        /// What is asked of it.
        package var expectation: Expectation
    }

    /// `header`: conditions on header fields. Default: none.
    package var header: [Condition] = []
    /// `query`: conditions on query parameters. Default: none.
    package var query: [Condition] = []

    static let keys = SectionKeys(["header", "query"])

    /// Whether nothing is asked.
    package var isEmpty: Bool { header.isEmpty && query.isEmpty }

    init() {}

    init(_ section: SectionReader) {
        let session = section.session
        var seen: Set<String> = []
        for (name, place) in section.named("header", areNames: false) {
            guard FieldRules.isName(name) else {
                session.reportName(place.pointer, "\(ValueProblem.quoted(name)) is not a header name")
                continue
            }
            if !seen.insert(name.lowercased()).inserted {
                session.reportName(place.pointer, "the header \(ValueProblem.quoted(name)) is asked for twice")
            }
            guard let expectation = Self.expectation(place, session) else { continue }
            if case .equals(let value) = expectation, !FieldRules.isValue(value) {
                session.report(
                    place.pointer, "no header can have this value: it has control characters or outer blanks")
            }
            header.append(Condition(name: name.lowercased(), expectation: expectation))
        }
        for (name, place) in section.named("query", areNames: false) {
            guard !name.isEmpty else {
                session.reportName(place.pointer, "a query parameter needs a name")
                continue
            }
            if let expectation = Self.expectation(place, session) {
                query.append(Condition(name: name, expectation: expectation))
            }
        }
    }

    private static func expectation(_ place: SectionPlace, _ session: ReadingSession) -> Expectation? {
        switch place.value {
        case .bool(let isPresent): return isPresent ? .present : .absent
        case .string: return session.string(place).map { .equals($0) }
        default:
            session.report(
                place.pointer,
                "expected a string (the exact value), true (present) or false (absent), found "
                    + place.value.kindName)
            return nil
        }
    }

    var effective: JSONValue {
        let list = { (conditions: [Condition]) -> JSONValue? in
            conditions.isEmpty ? nil : .section(conditions.map { ($0.name, Self.effective($0.expectation)) })
        }
        return .section([("header", list(header)), ("query", list(query))])
    }

    private static func effective(_ expectation: Expectation) -> JSONValue {
        switch expectation {
        case .equals(let text): .string(text)
        case .present: .bool(true)
        case .absent: .bool(false)
        }
    }
}
