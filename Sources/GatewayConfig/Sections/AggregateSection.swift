package import JSON

/// A route with `aggregate`: a view composed of the answers of several calls.
package struct AggregateSection: Equatable, Sendable {
    /// Where it is said that an optional part failed.
    package enum Errors: String, CaseIterable, Sendable {
        /// In the header `Banyan-Partial`, which is always there.
        case header
        /// In a member `_errors` of the body, too.
        case body
    }

    /// The members of `aggregate` in file order, which is the order of the view's members; at least one.
    package var parts: [PartSection]
    /// `timeout` beside `aggregate`: for the whole view; then 504. Default: 5 s.
    package var timeout = Milliseconds.seconds(5)
    /// `errors` beside `aggregate`: where failed optional parts are named. Default: `header`.
    package var errors = Errors.header

    /// `output` beside `aggregate`: what the view looks like, JSON whose strings are templates. Default: nil, an object with
    /// a member for each part.
    package var output: JSONValue?
    /// `onConflict` beside `aggregate`: which of two members of one name stays. Default: `first`.
    package var conflicts = Conflicts.first

    /// The keys of a route that have no meaning beside another action.
    static let routeKeys = ["errors", "output", "onConflict"]

    /// What happens where members of one name meet.
    package enum Conflicts: String, CaseIterable, Sendable {
        case first
        case last
        /// The view fails.
        case error
    }

    /// Nil where `aggregate` is not an object or none of its parts can be read.
    init?(_ route: SectionReader) {
        let session = route.session
        let listed = route.named("aggregate", areNames: false)
        if route.isObject("aggregate"), listed.isEmpty {
            session.report(route.pointer.appending("aggregate"), "a view needs at least one part")
        }
        parts = listed.compactMap { name, place in
            if let reason = PartSection.reasonAgainst(name: name) { session.reportName(place.pointer, reason) }
            return session.section(place, PartSection.keys).flatMap { PartSection(name: name, $0) }
        }
        route.duration("timeout", into: &timeout)
        route.choice("errors", into: &errors)
        output = route.place("output").map { session.json($0) }
        route.choice("onConflict", into: &conflicts)
        if parts.isEmpty { return nil }
    }

    /// The members of the route.
    var effective: [(String, JSONValue?)] {
        [
            ("aggregate", .section(parts.map { ($0.name, $0.effective) })),
            ("timeout", .text(timeout)),
            ("errors", .string(errors.rawValue)),
            ("output", output), ("onConflict", .string(conflicts.rawValue)),
        ]
    }
}
