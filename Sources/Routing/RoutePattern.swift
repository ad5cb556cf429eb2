import ByteBuffers

/// What a route matches: `[METHOD[|METHOD]] [host]/path`.
///
/// The path is matched segment by segment. A literal stands for itself, `{name}` for one segment that is not empty, and
/// `{name...}`, as the last segment only, for all that follows, also for nothing: `/users/{rest...}` matches `/users`,
/// `/users/` and everything below. Without a method all methods match, but for TRACE, which has to be named; GET serves
/// HEAD too. Without a host all hosts match; the port that a client names plays no part.
package struct RoutePattern: Equatable, Sendable, CustomStringConvertible {
    /// One piece of the path, between two slashes.
    package enum Segment: Equatable, Sendable {
        /// These bytes in normal form: percent-encoded unreserved characters decoded, other triplets in upper case.
        case literal([UInt8])
        /// Any one segment that is not empty.
        case parameter(String)
        /// The rest of the path, possibly empty.
        case rest(String)
    }

    /// The most segments that a pattern may have.
    package static let maximumSegments = 128

    /// The pattern as it was written.
    package let description: String
    /// The methods, in the order in which they were written; empty for all.
    package let methods: [String]
    /// The host in lower case, an IPv6 address with its brackets; nil for all.
    package let host: String?
    /// The pieces of the path: at least one, the empty literal for `/`.
    package let segments: [Segment]

    /// The names of the parameters from left to right: the order of the ranges in `RouteCaptures`.
    package var parameters: [String] {
        segments.compactMap {
            switch $0 {
            case .literal: nil
            case .parameter(let name), .rest(let name): name
            }
        }
    }

    /// Parses a pattern as it stands in the configuration.
    ///
    /// - Throws: ``RoutePatternError`` at the first place that does not fit, with what was expected there.
    package init(parsing text: String) throws(RoutePatternError) {
        var parser = RoutePatternParser(text)
        description = text
        methods = try parser.parseMethods()
        host = try parser.parseHost()
        segments = try parser.parseSegments()
    }
}

/// Why a text is not a route pattern.
package struct RoutePatternError: Error, Equatable, CustomStringConvertible {
    /// Where in the text, in bytes of UTF-8 from its beginning.
    package var offset: Int
    /// What is wrong and what was expected.
    package var message: String

    package var description: String { "at offset \(offset): \(message)" }
}

extension RoutePattern {
    /// Whether this pattern stands before `other` in the listing of routes in matching order: where both can match one
    /// path, the more specific one does.
    func precedes(_ other: RoutePattern) -> Bool? {
        for (mine, theirs) in zip(segments, other.segments) {
            switch (mine, theirs) {
            case (.literal(let left), .literal(let right)):
                if left != right { return left.lexicographicallyPrecedes(right) }
            case (.literal, _), (.parameter, .rest): return true
            case (_, .literal), (.rest, .parameter): return false
            case (.parameter, .parameter), (.rest, .rest): break
            }
        }
        if segments.count != other.segments.count { return segments.count < other.segments.count }
        if host != other.host {
            guard let host else { return false }
            guard let theirs = other.host else { return true }
            return host < theirs
        }
        if methods.isEmpty != other.methods.isEmpty { return !methods.isEmpty }
        return nil
    }
}
