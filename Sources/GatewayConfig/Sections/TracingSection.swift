internal import JSON

/// `gateway.tracing`: which trace headers are understood and written, which traces are sampled, where spans go, and who is
/// told.
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
    /// is continued keeps its mark. Where the file is silent, `OTEL_TRACES_SAMPLER` may say it.
    package var sampleRatio: Double?
    /// `tracesPerSecond`: the most traces begun here in a second that are sampled, 0.001 to 1 000 000, all workers
    /// together. Default: no bound.
    package var tracesPerSecond: Double?
    /// `keepErrors`: whether requests that are answered with 5xx are exported although their trace is not sampled. What
    /// other services did for them is not. Default: false.
    package var keepErrors = false
    /// `keepSlow`: requests that take longer are exported, too. Default: none.
    package var keepSlow: Milliseconds?
    /// `query`: whether spans tell of queries, which may hold secrets. Default: false.
    package var query = false
    /// `otlp`: where spans are exported to. Default: nowhere, or what `OTEL_EXPORTER_OTLP_ENDPOINT` says.
    package var otlp: OTLPSection?
    /// `recent`: how many traces are kept for `/traces` of the admin listener, 0 to 10 000. Default: 0, which is none.
    package var recent = 0
    /// `propagate`: what is written to upstreams. Default: `tracecontext` and `baggage`, or what `OTEL_PROPAGATORS` says. An
    /// empty list writes nothing.
    package var propagate: [Propagation]?
    /// `service`: the name of this gateway in traces, 1 to 255 characters. Default: `banyan`, or `OTEL_SERVICE_NAME`.
    package var service: String?
    /// `respond`: in which form answers tell clients of their trace. A route's `traceResponse` wins. Default: `none`.
    package var respond = Response.none
    /// `respondTo`: which clients are told. Default: `trusted`.
    package var respondTo = Audience.trusted

    static let keys = SectionKeys(
        [
            "sampleRatio", "tracesPerSecond", "keepErrors", "keepSlow", "query", "otlp", "recent", "propagate",
            "service",
            "respond", "respondTo",
        ])

    init() {}

    init(_ section: SectionReader) {
        if section.has("sampleRatio") {
            var ratio = 1.0
            section.number("sampleRatio", into: &ratio, 0...1)
            sampleRatio = ratio
        }
        if section.has("tracesPerSecond") {
            var rate = 1.0
            section.number("tracesPerSecond", into: &rate, 0.001...1_000_000)
            tracesPerSecond = rate
        }
        section.bool("keepErrors", into: &keepErrors)
        if section.has("keepSlow") {
            var duration = Milliseconds.seconds(1)
            section.duration("keepSlow", into: &duration)
            keepSlow = duration
        }
        section.bool("query", into: &query)
        if let place = section.place("otlp") { otlp = OTLPSection(at: place, section.session) }
        section.integer("recent", into: &recent, 0...10_000)
        if section.isArray("propagate") {
            propagate = section.session.distinct(section.elements("propagate"))
        } else {
            _ = section.elements("propagate")
        }
        service = section.line("service", upTo: 255)
        section.choice("respond", into: &respond)
        section.choice("respondTo", into: &respondTo)
    }

    var effective: JSONValue {
        .section([
            ("sampleRatio", sampleRatio.map { .real($0) }),
            ("tracesPerSecond", tracesPerSecond.map { .real($0) }),
            ("keepErrors", .bool(keepErrors)), ("keepSlow", keepSlow.map { .text($0) }), ("query", .bool(query)),
            ("otlp", otlp?.effective), ("recent", .integer(Int64(recent))),
            ("propagate", propagate.map { .array($0.map { .string($0.rawValue) }) }),
            ("service", service.map { .string($0) }),
            ("respond", .string(respond.rawValue)),
            ("respondTo", .string(respondTo.rawValue)),
        ])
    }
}
