internal import JSON

/// `retry` of an upstream, and of a route with `to` or a part in its place: which failures are followed by another try,
/// and how many of those there may be. Only what may be repeated is (RFC 9110 §9.2.2), or what never reached a server.
package struct RetrySection: Equatable, Sendable {
    /// A failure of a try.
    package enum Condition: String, CaseIterable, Sendable {
        /// No connection came to be: nothing was sent.
        case connectFailure = "connect-failure"
        /// The server refused the stream without having worked on it (RFC 9113 §8.7).
        case refusedStream = "refused-stream"
        /// The connection or the stream was lost before the answer's head.
        case reset
        /// The time for the answer's head was over.
        case timeout
        /// The server answered 502.
        case badGateway = "502"
        /// The server answered 503.
        case unavailable = "503"
        /// The server answered 504.
        case gatewayTimeout = "504"
    }

    /// `backoff`: how long a repetition waits: a random time up to a bound, `base` for the first, then 3, 7, 15, … times
    /// that.
    package struct Backoff: Equatable, Sendable {
        /// `base`: the bound for the first repetition. Default: 25 ms.
        package var base = Milliseconds(25)
        /// `max`: what the bound grows to. Default: 250 ms, or `base` where that is longer.
        package var max = Milliseconds(250)

        static let keys = SectionKeys(["base", "max"])
    }

    /// `attempts`: repetitions after the first try, 0 to 10; 0 for `false`. Default: 1.
    package var attempts = 1
    /// `on`: what is followed by another try. Default: `connect-failure` and `refused-stream`.
    package var conditions = [Condition.connectFailure, .refusedStream]
    /// `budget`: repetitions at a time as a share of the live requests to the upstream, 0.0 to 1.0; hedged requests
    /// count. Default: 0.2.
    package var budget = 0.2
    /// `budgetMinimum`: repetitions at a time that there may be however few the requests are, 0 to 1000. Default: 3.
    package var budgetMinimum = 3
    /// `backoff`: how long a repetition waits.
    package var backoff = Backoff()
    /// `tryTimeout`: from a try being sent to the end of the answer's head. Default: none, `timeout` bounds it.
    package var tryTimeout = TimeLimit.none

    static let keys = SectionKeys(["attempts", "on", "budget", "budgetMinimum", "backoff", "tryTimeout"])

    init() {}

    init(_ section: SectionReader) {
        let session = section.session
        section.integer("attempts", into: &attempts, 0...10)
        if let places = section.statedElements("on", "failure; \"retry\": false repeats nothing") {
            conditions = session.distinct(places, allowsNumbers: true)
        }
        section.number("budget", into: &budget, 0...1)
        section.integer("budgetMinimum", into: &budgetMinimum, 0...1000)
        if let inner = section.section("backoff", Backoff.keys) {
            inner.duration("base", into: &backoff.base)
            inner.duration("max", into: &backoff.max)
            inner.raise("max", of: &backoff.max, to: "base", backoff.base)
        }
        section.timeLimit("tryTimeout", into: &tryTimeout)
    }

    /// The value of `retry` in `section`; nil where it is absent. `false` is no repetition, which leaves the budget to
    /// what is hedged.
    static func read(_ section: SectionReader) -> RetrySection? {
        guard section.has("retry") else { return nil }
        var retry: RetrySection? = RetrySection()
        section.switched("retry", keys, into: &retry) { RetrySection($0) }
        if let retry { return retry }
        var off = RetrySection()
        off.attempts = 0
        return off
    }

    var effective: JSONValue {
        .section([
            ("attempts", .number(attempts)),
            ("on", .array(conditions.map { .string($0.rawValue) })),
            ("budget", .real(budget)),
            ("budgetMinimum", .number(budgetMinimum)),
            ("backoff", .section([("base", .text(backoff.base)), ("max", .text(backoff.max))])),
            ("tryTimeout", .text(tryTimeout)),
        ])
    }
}
