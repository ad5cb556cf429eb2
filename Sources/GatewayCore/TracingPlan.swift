package import DistributedTracing
package import GatewayConfig
import Upstreams

/// What `gateway.tracing` and the environment come to: where the file is silent, OpenTelemetry's variables speak.
package struct TracingPlan: Sendable {
    /// Where spans go, and how.
    package private(set) var export: ExportSettings
    /// The share of the traces begun here that is sampled.
    let sampleRatio: Double
    /// In which forms upstreams are told of the trace.
    let propagate: [TracingSection.Propagation]
    /// Which requests are recorded.
    let recording: RecordingRules
    /// How many traces the admin listener shows.
    let recent: Int
    /// Where the collector is; nil where there is none.
    let target: ExportTarget?
    /// What is wrong with variables.
    package let warnings: [String]

    /// The plan of one process.
    package init(_ section: TracingSection, environment: [String: String]) {
        let variables = OpenTelemetryEnvironment(environment)
        var export = variables.settings
        var warnings = variables.warnings
        if let service = section.service { export.service = service }
        var target: ExportTarget?
        if let otlp = section.otlp {
            export.apply(otlp)
            if case .collector(let url) = otlp.destination { target = ExportTarget(url, otlp, export) }
        } else if case .collector(let text) = export.destination {
            do throws(ValueProblem) {
                target = ExportTarget(try ServerURL(parsing: text), nil, export)
            } catch {
                warnings.append("the collector of the environment is left out: \(error)")
                export.destination = .none
            }
        }
        if let host = target?.definition.servers.first?.address.host, export.compresses == nil {
            export.compresses = ExportSettings.compresses(to: host)
        }
        self.export = export
        self.target = target
        self.warnings = warnings
        sampleRatio = section.sampleRatio ?? variables.sampleRatio ?? 1
        recent = section.recent
        propagate =
            section.propagate ?? variables.propagators?.compactMap(TracingSection.Propagation.init)
            ?? [.tracecontext, .baggage]
        var rules = RecordingRules()
        rules.keepsErrors = section.keepErrors
        rules.slow = section.keepSlow?.nanoseconds
        rules.limit = section.tracesPerSecond
        rules.tellsQuery = section.query
        recording = rules
    }

    /// Whether anybody wants spans.
    var records: Bool { export.destination != .none || recent > 0 }
}

extension ExportSettings {
    /// Takes over what the file says.
    fileprivate mutating func apply(_ section: OTLPSection) {
        switch section.destination {
        case .standardOutput: destination = .standardOutput
        case .collector(let url): destination = .collector(url.description)
        }
        for field in section.headers {
            headers.removeAll { $0.name.lowercased() == field.name.lowercased() }
            headers.append(Header(name: field.name, value: field.value))
        }
        if let timeout = section.timeout { self.timeout = timeout.value }
        if let compress = section.compress { compresses = compress }
        if let queue = section.queue { self.queue = queue }
        if let batch = section.batch { self.batch = batch }
        if let delay = section.delay { self.delay = delay.value }
        batch = min(batch, queue)
    }
}

extension ExportTarget {
    /// The collector at `url`, by the TLS of the file, or that of the environment.
    fileprivate init(_ url: ServerURL, _ section: OTLPSection?, _ settings: ExportSettings) {
        var tls = UpstreamTLS()
        tls.authorities = section?.tls?.ca ?? settings.authorities
        tls.certificate = section?.tls?.certificate ?? settings.certificate
        tls.key = section?.tls?.key ?? settings.key
        tls.serverName = section?.tls?.serverName
        tls.verifies = section?.tls?.verify ?? true
        let address = EndpointAddress(
            isSecure: url.isSecure, host: url.host.bare, port: url.port, tls: tls)
        definition = UpstreamDefinition(name: "otlp", servers: [UpstreamDefinition.Server(address: address)])
        // A URL of the file is a base; one of the environment has its path already.
        path = section == nil || url.prefix.hasSuffix("/v1/traces") ? url.prefix : url.prefix + "/v1/traces"
        if path.isEmpty { path = "/" }
    }
}
