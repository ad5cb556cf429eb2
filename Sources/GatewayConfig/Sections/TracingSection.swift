internal import JSON

/// `gateway.tracing`: which trace headers are understood and written, how many new traces are sampled, and who is told.
package struct TracingSection: Equatable, Sendable {
    /// A form in which a trace travels.
    package enum Propagation: String, CaseIterable, Sendable {
        /// `traceparent` and `tracestate` (W3C Trace Context).
        case tracecontext
        /// `baggage` (W3C Baggage), which carries the flag decisions, too.
        case baggage
        /// The single header `b3` of Zipkin.
        case b3
        /// The headers `X-B3-*` of Zipkin.
        case b3multi
    }

    /// In which form an answer tells the client of its trace.
    package enum Response: String, CaseIterable, Sendable {
        /// Not at all.
        case none
        /// As a metric of `Server-Timing`, with how long the answer took.
        case serverTiming = "server-timing"
        /// In the field `traceresponse`.
        case traceresponse
    }

    /// Who is told.
    package enum Audience: String, CaseIterable, Sendable {
        /// Peers in `trustedProxies`, and who comes by a unix socket.
        case trusted
        /// Every client.
        case all
    }

    /// `sampleRatio`: the share of traces begun here that is marked as sampled, 0.0 to 1.0. Default: 1.0. A trace that
    /// is continued keeps its mark.
    package var sampleRatio = 1.0
    /// `propagate`: what is written to upstreams. Default: `tracecontext` and `baggage`. An empty list writes nothing.
    package var propagate: [Propagation] = [.tracecontext, .baggage]
    /// `service`: the name of this gateway in traces, 1 to 255 characters. Default: `banyan`.
    package var service = "banyan"
    /// `respond`: in which form answers tell clients of their trace. A route's `traceResponse` wins. Default: `none`.
    package var respond = Response.none
    /// `respondTo`: which clients are told. Default: `trusted`.
    package var respondTo = Audience.trusted

    static let keys = SectionKeys(["sampleRatio", "propagate", "service", "respond", "respondTo"], later: ["otlp"])

    init() {}

    init(_ section: SectionReader) {
        section.number("sampleRatio", into: &sampleRatio, 0...1)
        if section.isArray("propagate") {
            propagate = section.session.distinct(section.elements("propagate"))
        } else {
            _ = section.elements("propagate")
        }
        if let service = section.line("service", upTo: 255) { self.service = service }
        section.choice("respond", into: &respond)
        section.choice("respondTo", into: &respondTo)
    }

    var effective: JSONValue {
        .section([
            ("sampleRatio", .real(sampleRatio)),
            ("propagate", .array(propagate.map { .string($0.rawValue) })),
            ("service", .string(service)),
            ("respond", .string(respond.rawValue)),
            ("respondTo", .string(respondTo.rawValue)),
        ])
    }
}
