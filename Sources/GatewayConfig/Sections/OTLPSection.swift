internal import JSON

/// `gateway.tracing.otlp`: where spans are exported to, written as an object or, short, as a URL or `"stdout"`.
package struct OTLPSection: Equatable, Sendable {
    /// Where spans go.
    package enum Destination: Equatable, Sendable {
        /// A collector (OTLP/HTTP). Without a path of its own, `/v1/traces` is asked for.
        case collector(ServerURL)
        /// `"stdout"`: standard output, an object of JSON a line. For development.
        case standardOutput
    }

    /// `url`: the collector, or `"stdout"`. Required.
    package var destination = Destination.standardOutput
    /// `headers`: fields of every request to the collector, `Authorization` for instance. Default: none.
    package var headers: [HeaderEditsSection.Field] = []
    /// `timeout`: for one request. Default: 10 s, or `OTEL_EXPORTER_OTLP_TIMEOUT`.
    package var timeout: Milliseconds?
    /// `compress`: whether requests are compressed by gzip. Default: `OTEL_EXPORTER_OTLP_COMPRESSION`, or else
    /// true but for a collector on this host.
    package var compress: Bool?
    /// `tls`: how an `https` collector is verified, and with which certificate we come.
    package var tls: UpstreamTLSSection?
    /// `queue`: the most spans that wait for the collector, 1 to 10 000 000; beyond it the oldest are dropped and counted.
    /// Default: 32 768, or `OTEL_BSP_MAX_QUEUE_SIZE`.
    package var queue: Int?
    /// `batch`: the most spans in one request, 1 to 100 000. Default: 2048, or `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`.
    package var batch: Int?
    /// `delay`: how long spans wait for others at most. Default: 1 s, or `OTEL_BSP_SCHEDULE_DELAY`.
    package var delay: Milliseconds?

    static let keys = SectionKeys(["url", "headers", "timeout", "compress", "tls", "queue", "batch", "delay"])
    private static let expected = "a URL such as \"http://127.0.0.1:4318\", \"stdout\", or an object"

    /// Nil where it cannot be read, which is reported.
    init?(at place: SectionPlace, _ session: ReadingSession) {
        if case .string = place.value {
            guard let destination = Self.destination(place, session) else { return nil }
            self.destination = destination
            return
        }
        guard let section = session.section(place, Self.keys, expected: Self.expected) else { return nil }
        headers = HeaderEditsSection.fields("headers", section, FieldRules.reasonAgainstRequest)
        if section.has("timeout") {
            var value = Milliseconds.seconds(10)
            section.duration("timeout", into: &value)
            timeout = value
        }
        if section.has("compress") {
            var value = true
            section.bool("compress", into: &value)
            compress = value
        }
        if let tls = section.section("tls", UpstreamTLSSection.keys) { self.tls = UpstreamTLSSection(tls) }
        queue = section.integer("queue", 1...10_000_000)
        batch = section.integer("batch", 1...100_000)
        if section.has("delay") {
            var value = Milliseconds.seconds(1)
            section.duration("delay", into: &value)
            delay = value
        }
        guard let place = section.place("url", isRequired: true),
            let destination = Self.destination(place, session)
        else { return nil }
        self.destination = destination
    }

    private static func destination(_ place: SectionPlace, _ session: ReadingSession) -> Destination? {
        session.parsed(place) { (text) throws(ValueProblem) in
            text == "stdout" ? .standardOutput : .collector(try ServerURL(parsing: text))
        }
    }

    var effective: JSONValue {
        let url: JSONValue =
            switch destination {
            case .standardOutput: .string("stdout")
            case .collector(let url): .text(url)
            }
        return .section([
            ("url", url),
            ("headers", headers.isEmpty ? nil : .section(headers.map { ($0.name, $0.effective) })),
            ("timeout", timeout.map { .text($0) }), ("compress", compress.map { .bool($0) }),
            ("tls", tls?.effective),
            ("queue", queue.map { .integer(Int64($0)) }), ("batch", batch.map { .integer(Int64($0)) }),
            ("delay", delay.map { .text($0) }),
        ])
    }
}
