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

    /// Which of the client's fields the parts get.
    package enum PassedHeaders: Equatable, Sendable {
        /// Those that most services need to know who asks and for what: the language, the credentials, the cookies, the
        /// user agent, and the fields of `gateway.identity`.
        case standard
        /// `"*"`: every end-to-end field that is not about the view itself.
        case all
        /// These, in any case, and those of `gateway.identity`.
        case only([String])
    }

    /// The members of `aggregate` in file order, which is the order of the view's members; at least one.
    package var parts: [PartSection]
    /// `timeout` beside `aggregate`: for the whole view; then 504. Default: 5 s.
    package var timeout = Milliseconds.seconds(5)
    /// `maxBody` beside `aggregate`: bytes of the request's body, or `"unlimited"`; beyond it 413. Default: nil, 1 MiB, or
    /// `gateway.limits.body` if that is less or no template needs the body.
    package var maxBody: SizeLimit?
    /// `errors` beside `aggregate`: where failed optional parts are named. Default: `header`.
    package var errors = Errors.header
    /// `passHeaders` beside `aggregate`: which of the client's fields the parts get. Default: `standard`.
    package var passHeaders = PassedHeaders.standard
    /// `base` beside `aggregate`: a call whose answer is the view, and of which parts replace something. Default: nil.
    package var base: PartSection?
    /// `output` beside `aggregate`: what the view looks like, JSON whose strings are templates. Default: nil, an object with
    /// a member for each part.
    package var output: JSONValue?
    /// `onConflict` beside `aggregate`: which of two members of one name stays. Default: `first`.
    package var conflicts = Conflicts.first

    /// The keys of a route that have no meaning beside another action.
    static let routeKeys = ["base", "errors", "passHeaders", "output", "onConflict"]

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
        if let section = route.section("base", PartSection.baseKeys) { base = PartSection(name: "base", section) }
        route.duration("timeout", into: &timeout)
        if route.has("maxBody") {
            var limit = SizeLimit.unlimited
            route.sizeLimit("maxBody", into: &limit)
            maxBody = limit
        }
        route.choice("errors", into: &errors)
        output = route.place("output").map { session.json($0) }
        route.choice("onConflict", into: &conflicts)
        passHeaders = Self.passedHeaders(route)
        if parts.isEmpty { return nil }
    }

    /// Reads `passHeaders`: a list of names, or `"*"`.
    private static func passedHeaders(_ route: SectionReader) -> PassedHeaders {
        guard let place = route.place("passHeaders") else { return .standard }
        let session = route.session
        if case .string = place.value {
            if session.string(place) == "*" { return .all }
            session.report(place.pointer, "expected an array of header names, or \"*\" for all")
            return .standard
        }
        var names: [String] = []
        for element in route.elements("passHeaders") {
            guard let name = session.string(element) else { continue }
            if name == "*" {
                session.report(element.pointer, "\"*\" stands instead of the list, not in it")
            } else if !FieldRules.isName(name) {
                session.report(element.pointer, "\(ValueProblem.quoted(name)) is not a header name")
            } else if let reason = FieldRules.reasonAgainstPassing(name) {
                session.report(element.pointer, "\(ValueProblem.quoted(name)) cannot be passed on: it \(reason)")
            } else if names.contains(where: { $0.lowercased() == name.lowercased() }) {
                session.report(element.pointer, "\(ValueProblem.quoted(name)) stands here twice")
            }
            names.append(name)
        }
        return .only(names)
    }

    /// The members of the route.
    var effective: [(String, JSONValue?)] {
        [
            ("aggregate", .section(parts.map { ($0.name, $0.effective) })),
            ("base", base?.effectiveBase), ("timeout", .text(timeout)),
            ("maxBody", maxBody.map { .text($0) }), ("errors", .string(errors.rawValue)),
            ("passHeaders", passHeaders.effective),
            ("output", output), ("onConflict", .string(conflicts.rawValue)),
        ]
    }
}

extension AggregateSection.PassedHeaders {
    fileprivate var effective: JSONValue? {
        switch self {
        case .standard: nil
        case .all: .string("*")
        case .only(let names): .array(names.map { .string($0) })
        }
    }
}
