internal import JSON

/// The keys of a context that begin with `fallback`: who answers in place of an upstream that cannot.
///
/// What leads there in any case is that no answer came (no connection, the connection lost, time over, 502, 503, 504), or
/// that none was asked for (an open circuit, no server). What is sent there has to be safe to repeat.
package struct FallbackSection: Equatable, Sendable {
    /// Statuses that may lead to the fallback, too, though they are answers.
    package enum Status: String, CaseIterable, Sendable {
        case notFound = "404"
        case gone = "410"
        case internalError = "500"
        case notImplemented = "501"

        /// The status as a number.
        package var code: Int {
            switch self {
            case .notFound: 404
            case .gone: 410
            case .internalError: 500
            case .notImplemented: 501
            }
        }
    }

    /// `fallback`: the upstream. Required.
    package var upstream: String
    /// `fallbackOn`: statuses that lead there, too. Default: none.
    package var statuses: [Status] = []
    /// `fallbackBudget`: requests at the fallback at a time as a share of the live requests to it, 0.0 to 1.0. Default:
    /// 0.2.
    package var budget = 0.2
    /// `fallbackMinimum`: requests at the fallback at a time that there may be however few the live ones are, 0 to 1000.
    /// Default: 3.
    package var minimum = 3

    static let keys = ["fallback", "fallbackOn", "fallbackBudget", "fallbackMinimum"]

    /// What leads to the fallback in any case.
    private static let triggers: Set<String> = [
        "connect-failure", "reset", "timeout", "502", "503", "504", "circuit-open", "no-endpoint",
    ]

    /// Nil where the context has none. A key without a meaning is reported.
    init?(context section: SectionReader) {
        let session = section.session
        for key in Self.keys.dropFirst() where section.has(key) && !section.has("fallback") {
            session.reportName(section.pointer.appending(key), "\"\(key)\" needs \"fallback\"")
        }
        if let places = section.statedElements("fallbackOn", "status") {
            statuses = session.distinct(places.filter { !Self.isTrigger($0, session) }, allowsNumbers: true)
        }
        section.number("fallbackBudget", into: &budget, 0...1)
        section.integer("fallbackMinimum", into: &minimum, 0...1000)
        guard let upstream = section.reference("fallback") else { return nil }
        self.upstream = upstream
        if budget == 0, minimum == 0 {
            session.warn(
                section.pointer.appending("fallback"), "never used: \"fallbackBudget\" and \"fallbackMinimum\" are 0")
        }
    }

    /// Whether what stands at `place` leads to the fallback anyway, which is reported.
    private static func isTrigger(_ place: SectionPlace, _ session: ReadingSession) -> Bool {
        var text = session.digits(place)
        if case .string(let written) = place.value { text = written }
        guard let text, triggers.contains(text) else { return false }
        session.report(place.pointer, "\(ValueProblem.quoted(text)) leads to the fallback anyway: leave it out")
        return true
    }

    /// The members of the context.
    var effective: [(String, JSONValue?)] {
        [
            ("fallback", .string(upstream)),
            ("fallbackOn", statuses.isEmpty ? nil : .array(statuses.map { .string($0.rawValue) })),
            ("fallbackBudget", .real(budget)),
            ("fallbackMinimum", .number(minimum)),
        ]
    }
}
