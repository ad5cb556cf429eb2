internal import JSON

/// An upstream's `outlier`: a server that answers requests worse than it should gets none for a while.
package struct OutlierSection: Equatable, Sendable {
    /// `successRate`: servers that fail more often than the others do.
    package struct SuccessRate: Equatable, Sendable {
        /// `minServers`: fewer servers with enough requests are not compared, 2 to 1000. Default: 5.
        package var minServers = 5
        /// `minRequests`: a server with fewer requests in an interval is left out, 1 to 1 000 000. Default: 100.
        package var minRequests = 100
        /// `deviations`: how many standard deviations below the mean is too far, 0.1 to 10.0. Default: 1.9.
        package var deviations = 1.9

        static let keys = SectionKeys(["minServers", "minRequests", "deviations"])

        init() {}

        init(_ section: SectionReader) {
            section.integer("minServers", into: &minServers, 2...1000)
            section.integer("minRequests", into: &minRequests, 1...1_000_000)
            section.number("deviations", into: &deviations, 0.1...10)
        }

        var effective: JSONValue {
            .section([
                ("minServers", .number(minServers)), ("minRequests", .number(minRequests)),
                ("deviations", .real(deviations)),
            ])
        }
    }

    /// `latency`: servers that are slower than the others are.
    package struct Latency: Equatable, Sendable {
        /// `factor`: how many times the time of the others is too much, 1.1 to 1000.0. Default: 3.
        package var factor = 3.0
        /// `minRequests`: a server with fewer requests in an interval is left out, 1 to 1 000 000. Default: 100.
        package var minRequests = 100

        static let keys = SectionKeys(["factor", "minRequests"])

        init(_ section: SectionReader) {
            section.number("factor", into: &factor, 1.1...1000)
            section.integer("minRequests", into: &minRequests, 1...1_000_000)
        }

        var effective: JSONValue {
            .section([("factor", .real(factor)), ("minRequests", .number(minRequests))])
        }
    }

    /// `consecutive5xx`: answers with 5xx and gateway failures in a row after which a server is ejected, 0 to 1000; 0 for
    /// never. Default: 5.
    package var consecutive5xx = 5
    /// `consecutiveGatewayFailures`: connect failures, resets, timeouts, and answers with 502, 503 or 504 in a row after
    /// which a server is ejected, 0 to 1000; 0 for never. Default: 5.
    package var consecutiveGatewayFailures = 5
    /// `interval`: how often servers are compared; each that passes well takes one off the number of ejections. Default:
    /// 10 s.
    package var interval = Milliseconds.seconds(10)
    /// `baseEjection`: how long a server is ejected, times the number of ejections. Default: 30 s.
    package var baseEjection = Milliseconds.seconds(30)
    /// `maxEjection`: the longest ejection. Default: 300 s, or `baseEjection` where that is longer.
    package var maxEjection = Milliseconds.seconds(300)
    /// `maxEjected`: the share of the servers that may be ejected at a time, 0.0 to 1.0. Default: 0.5.
    package var maxEjected = 0.5
    /// `successRate`: servers that fail more often than the others do. Nil for `false`. Default: compared.
    package var successRate: SuccessRate? = SuccessRate()
    /// `latency`: servers that are slower than the others are. Default: nil, not compared.
    package var latency: Latency?

    static let keys = SectionKeys([
        "consecutive5xx", "consecutiveGatewayFailures", "interval", "baseEjection", "maxEjection", "maxEjected",
        "successRate", "latency",
    ])

    init() {}

    init(_ section: SectionReader) {
        section.integer("consecutive5xx", into: &consecutive5xx, 0...1000)
        section.integer("consecutiveGatewayFailures", into: &consecutiveGatewayFailures, 0...1000)
        section.duration("interval", into: &interval)
        section.duration("baseEjection", into: &baseEjection)
        section.duration("maxEjection", into: &maxEjection)
        section.raise("maxEjection", of: &maxEjection, to: "baseEjection", baseEjection)
        section.number("maxEjected", into: &maxEjected, 0...1)
        section.switched("successRate", SuccessRate.keys, into: &successRate) { SuccessRate($0) }
        section.switched("latency", Latency.keys, into: &latency) { Latency($0) }
    }

    var effective: JSONValue {
        .section([
            ("consecutive5xx", .number(consecutive5xx)),
            ("consecutiveGatewayFailures", .number(consecutiveGatewayFailures)),
            ("interval", .text(interval)),
            ("baseEjection", .text(baseEjection)),
            ("maxEjection", .text(maxEjection)),
            ("maxEjected", .real(maxEjected)),
            ("successRate", successRate?.effective ?? .bool(false)),
            ("latency", latency?.effective ?? .bool(false)),
        ])
    }
}
