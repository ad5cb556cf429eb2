import ByteBuffers

/// One condition of a route's `when`: all of them have to hold, besides the pattern.
///
/// Where a field or a query parameter comes more than once, the first one counts.
package struct RouteCondition: Equatable, Sendable {
    /// What is looked at.
    package enum Subject: Equatable, Hashable, Sendable {
        /// The header field of this name, in any case.
        case header(String)
        /// The query parameter of this name, compared after percent-decoding; `+` is a space.
        case query(String)
    }

    /// What it has to be.
    package enum Requirement: Equatable, Sendable {
        /// There, and exactly this.
        case equals(String)
        /// There, whatever its value.
        case present
        /// Not there.
        case absent
    }

    /// What is looked at.
    package var subject: Subject
    /// What it has to be.
    package var requirement: Requirement

    /// The condition that `subject` meets `requirement`.
    package init(_ subject: Subject, _ requirement: Requirement) {
        switch subject {
        case .header(let name): self.subject = .header(name.lowercased())
        case .query: self.subject = subject
        }
        self.requirement = requirement
    }

    /// Whether no request can meet both this condition and `other`.
    func excludes(_ other: RouteCondition) -> Bool {
        guard subject == other.subject else { return false }
        switch (requirement, other.requirement) {
        case (.equals(let mine), .equals(let theirs)): return !mine.utf8.elementsEqual(theirs.utf8)
        case (.absent, .absent), (.present, .present), (.present, .equals), (.equals, .present): return false
        case (.absent, _), (_, .absent): return true
        }
    }
}

/// A route as the table takes it: what it matches and under which conditions. Its place in the list is its id.
package struct RouteDefinition: Equatable, Sendable {
    /// What it matches.
    package var pattern: RoutePattern
    /// The conditions of its `when`.
    package var conditions: [RouteCondition]

    /// A route of this pattern and these conditions.
    package init(_ pattern: RoutePattern, when conditions: [RouteCondition] = []) {
        self.pattern = pattern
        self.conditions = conditions
    }
}

/// Why a list of routes is not a good table. Routes are named by their place in the list.
package enum RouteIssue: Equatable, Sendable {
    /// Two routes can match one request and neither is more specific.
    case conflict(Int, Int)
    /// A route has two conditions on one header or query parameter.
    case repeatedCondition(route: Int, condition: Int)
    /// The routes name more methods beyond the common ones than a table can tell apart.
    case tooManyMethods(route: Int)

    /// What is wrong, as a sentence for the operator.
    package func message(in routes: [RouteDefinition]) -> String {
        switch self {
        case .conflict(let first, let second):
            let left = routes[first].pattern.description
            let right = routes[second].pattern.description
            let whens = routes[first].conditions.isEmpty ? "" : " with conditions that can both hold"
            return left == right && whens.isEmpty
                ? "\"\(left)\" is routed twice"
                : "\"\(left)\" and \"\(right)\"\(whens) can match one request, and neither is more specific"
        case .repeatedCondition(let route, let condition):
            let name =
                switch routes[route].conditions[condition].subject {
                case .header(let name): "header \(name)"
                case .query(let name): "query parameter \(name)"
                }
            return "the \(name) has two conditions"
        case .tooManyMethods:
            return "at most \(MethodTable.maximumExtensions) different methods beyond the common ones can be routed"
        }
    }
}
