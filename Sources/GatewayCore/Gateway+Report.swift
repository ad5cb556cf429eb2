package import DistributedTracing
package import FeatureFlags
package import GatewayConfig
package import HTTPListener
package import JSON
import Telemetry

// What the admin listener shows.

extension Gateway {
    /// The configuration in force, secrets hidden.
    package var effectiveConfiguration: JSONValue { loaded.configuration.effective(workers: workers.count) }

    /// How many clients were cut off since the start, by the kind of their flood.
    package var floods: FloodCounts { floodReport.counts }

    /// How many clients did not get through their TLS handshakes since the start, by cause.
    package var handshakeFailures: KindCounts<HandshakeFailure> {
        workers.reduce(into: KindCounts()) { $0 += $1.mailbox.handshakeFailures }
    }

    /// The admin section of the configuration.
    package var admin: AdminSection? { loaded.configuration.gateway.admin }

    /// The flags in force.
    package var flags: FlagSnapshot { loaded.flags }

    /// How many lines of the access log were written, and how many were lost; nil where there is none.
    package var accessLogLines: (written: UInt64, lost: UInt64)? {
        accessLog.map { sink in
            let counts = sink.counts
            return (counts.written, counts.dropped)
        }
    }

    /// All figures, in the format that suits this `Accept`.
    package func scrape(accepting accept: String) -> (type: String, body: [UInt8]) {
        metrics.scrape(
            MetricsFormat(accepting: accept),
            GatewayFigures(
                service: loaded.tracing.export.service, generation: generation, floods: floods,
                mailboxes: workers.map(\.mailbox), logLines: accessLogLines, spans: spanCounts,
                listeners: listeners, upstreams: upstreamReports, overload: overload, probes: prober.counts))
    }

    /// What became of the spans that were recorded; nil where none are.
    package var spanCounts: SpanQueue.Counts? { spans?.queue.counts }
}
