internal import JSON

/// An upstream's `breaker`: where too many calls fail or are slow, further ones are refused at once with 503 until a few
/// that are let through go well.
package struct BreakerSection: Equatable, Sendable {
    /// What is broken off.
    package enum Scope: String, CaseIterable, Sendable {
        /// The upstream as a whole.
        case upstream
        /// Each server by itself.
        case endpoint
        /// Both.
        case both
    }

    /// `failureRate`: the share of failed calls at which the circuit opens, 0.01 to 1.0. Default: 0.5.
    package var failureRate = 0.5
    /// `slowRate`: the share of slow calls at which the circuit opens, 0.01 to 1.0. Default: 1.0.
    package var slowRate = 1.0
    /// `slowAfter`: a call whose answer's head takes longer is slow. Default: none, slow calls do not count.
    package var slowAfter = TimeLimit.none
    /// `minRequests`: calls within the window below which nothing is judged, 1 to 1 000 000. Default: 20.
    package var minRequests = 20
    /// `window`: how far back calls count. Default: 10 s.
    package var window = Milliseconds.seconds(10)
    /// `openTime`: how long the circuit is open, less or more by chance; doubled each time that it opens again. Default:
    /// 5 s.
    package var openTime = Milliseconds.seconds(5)
    /// `maxOpenTime`: the longest that the circuit is open. Default: 60 s, or `openTime` where that is longer.
    package var maxOpenTime = Milliseconds.seconds(60)
    /// `probes`: calls that are let through then, all of which have to go well, 1 to 1000. Default: 3.
    package var probes = 3
    /// `scope`: what is broken off. Default: `upstream`.
    package var scope = Scope.upstream

    static let keys = SectionKeys([
        "failureRate", "slowRate", "slowAfter", "minRequests", "window", "openTime", "maxOpenTime", "probes", "scope",
    ])

    init(_ section: SectionReader) {
        section.number("failureRate", into: &failureRate, 0.01...1)
        section.number("slowRate", into: &slowRate, 0.01...1)
        section.timeLimit("slowAfter", into: &slowAfter)
        section.integer("minRequests", into: &minRequests, 1...1_000_000)
        section.duration("window", into: &window)
        section.duration("openTime", into: &openTime)
        section.duration("maxOpenTime", into: &maxOpenTime)
        section.raise("maxOpenTime", of: &maxOpenTime, to: "openTime", openTime)
        section.integer("probes", into: &probes, 1...1000)
        section.choice("scope", into: &scope)
    }

    var effective: JSONValue {
        .section([
            ("failureRate", .real(failureRate)),
            ("slowRate", .real(slowRate)),
            ("slowAfter", .text(slowAfter)),
            ("minRequests", .number(minRequests)),
            ("window", .text(window)),
            ("openTime", .text(openTime)),
            ("maxOpenTime", .text(maxOpenTime)),
            ("probes", .number(probes)),
            ("scope", .string(scope.rawValue)),
        ])
    }
}
