import DistributedTracing
import EventLoops
import HTTP2Framing
import HTTPListener
package import Telemetry

/// What the control plane knows beside what workers count, at the moment of a scrape.
struct GatewayFigures {
    var service: String
    var generation: Int
    var floods: FloodCounts
    var mailboxes: [WorkerMailbox]
    var logLines: (written: UInt64, lost: UInt64)?
    /// What became of spans; nil where none are recorded.
    var spans: SpanQueue.Counts?
    /// By the numbers of the sockets.
    var listeners: [ListenerPlan]
    var upstreams: [UpstreamReport]
    var overload: OverloadState
    /// How many health probes were over.
    var probes: [(upstream: String, well: UInt64, unwell: UInt64)]
}

/// All figures of the process. It belongs to the control plane, which adds up what workers count when it is asked, and
/// never waits for one of them.
package final class GatewayMetrics {
    private var names = MetricVocabulary()
    private let admissions = MetricAdmissions()
    private var workers: [WorkerMetrics] = []
    private var listenerNames: [Int: String] = [:]
    private var reloads: UInt64 = 0
    private var refusedReloads: UInt64 = 0
    private var lastSuccess = ProcessFigures.wallClock
    private let startTime = ProcessFigures.wallClock
    private var registered: [(family: MetricFamily, read: () -> [MetricSample])] = []

    init() {}

    /// Has figures that somebody else keeps served with the others.
    ///
    /// - Parameters:
    ///   - family: their description; `docs/observability.md` tells of each.
    ///   - read: called on the control plane's thread for each scrape. What it names must be bounded by the configuration.
    package func register(_ family: MetricFamily, _ read: @escaping () -> [MetricSample]) {
        registered.append((family, read))
    }

    // MARK: - What the gateway tells

    /// What the worker with this index counts in.
    func worker(_ index: Int) -> WorkerMetrics {
        let metrics = WorkerMetrics(index: index, admissions)
        workers.append(metrics)
        return metrics
    }

    /// Gives what `snapshot` names the numbers by which it is counted.
    func number(_ snapshot: WorkerSnapshot) { snapshot.metricNumbers = MetricNumbers(snapshot, &names) }

    /// What the listener with this number is called: by the first of its addresses.
    func noteListener(_ index: Int, _ name: String) {
        if listenerNames[index] == nil { listenerNames[index] = name }
    }

    /// The configuration was read again.
    func noteReload(isRefused: Bool) {
        if isRefused {
            refusedReloads += 1
        } else {
            reloads += 1
            lastSuccess = ProcessFigures.wallClock
        }
    }

    // MARK: - A scrape

    /// All figures as text.
    func scrape(_ format: MetricsFormat, _ figures: GatewayFigures) -> (type: String, body: [UInt8]) {
        var text = MetricsText(
            format, wallClock: ProcessFigures.wallClock, monotonicClock: EventLoop.nanoseconds)
        writeRequests(&text)
        writeUpstreams(&text)
        writeEndpoints(&text, figures.upstreams)
        writeProbes(&text, figures)
        writeClients(&text, figures)
        writeConfiguration(&text, figures)
        writeProcess(&text, figures)
        for (family, read) in registered { text.write(family, read()) }
        return (format.contentType, text.finish())
    }

    private func totals(_ table: KeyPath<WorkerMetrics, MetricTable>) -> MetricTotals {
        MetricTotals(workers.map { $0[keyPath: table] })
    }

    /// By upstream: attempts that were begun, and requests that a fallback was asked for.
    func upstreamCounts() -> [String: (attempts: UInt64, diverted: UInt64)] {
        var counts: [String: (attempts: UInt64, diverted: UInt64)] = [:]
        for row in totals(\.begun).rows {
            counts[names.upstream(row.key).value, default: (0, 0)].attempts += row.counters[0]
        }
        // Without a reason the budget was used up, and nobody was asked.
        for row in totals(\.fallbacks).rows where row.key & 0xFF > 0 {
            counts[names.upstream(row.key >> 8).value, default: (0, 0)].diverted += row.counters[0]
        }
        return counts
    }

    private func writeRequests(_ text: inout MetricsText) {
        let bodies = totals(\.bodies)
        text.write(MetricCatalogue.requestDuration, totals(\.requests), 0, MetricShapes.duration, labels: names.request)
        text.write(MetricCatalogue.activeRequests, totals(\.active), labels: names.active)
        text.write(MetricCatalogue.requestSize, bodies, 0, MetricShapes.size, labels: names.body)
        text.write(MetricCatalogue.responseSize, bodies, 1, MetricShapes.size, labels: names.body)
        text.write(MetricCatalogue.decisions, totals(\.decisions), labels: names.decision)
        text.write(MetricCatalogue.parts, totals(\.parts), labels: names.part)
    }

    private func writeUpstreams(_ text: inout MetricsText) {
        typealias Figure = WorkerMetrics.PoolFigure
        let upstream = { (key: UInt64) in [self.names.upstream(key)] }
        text.write(MetricCatalogue.attemptDuration, totals(\.attempts), 0, MetricShapes.duration, labels: names.attempt)
        text.write(MetricCatalogue.attempts, totals(\.begun), labels: upstream)
        text.write(MetricCatalogue.timeouts, totals(\.timeouts), labels: names.timeout)
        text.write(MetricCatalogue.retries, totals(\.retries), labels: names.retry)
        text.write(MetricCatalogue.oldPathUsed, totals(\.fallbacks), labels: names.fallback)
        let connections = totals(\.connections)
        text.write(
            MetricCatalogue.openConnections,
            connections.rows.flatMap { row in
                [("active", Figure.active), ("idle", Figure.idle)].map { state, figure in
                    MetricSample(
                        upstream(row.key) + [MetricLabel("http_connection_state", state)],
                        .whole(row.counters[figure.rawValue]))
                }
            })
        text.write(MetricCatalogue.clientActive, connections, Figure.requests.rawValue, labels: upstream)
        text.write(MetricCatalogue.pending, connections, Figure.pending.rawValue, labels: upstream)
    }

    private func writeProbes(_ text: inout MetricsText, _ figures: GatewayFigures) {
        text.write(
            MetricCatalogue.probes,
            figures.probes.flatMap { probes in
                [("well", probes.well), ("unwell", probes.unwell)].map {
                    MetricSample(
                        [MetricLabel("upstream", probes.upstream), MetricLabel("result", $0)], .whole($1))
                }
            })
    }

    private func writeOverload(_ text: inout MetricsText, _ overload: OverloadState) {
        text.write(
            MetricCatalogue.overloaded,
            [(OverloadReason.memory, overload.isOverMemory ? 1 : 0), (.lag, overload.late)].map {
                MetricSample([MetricLabel("reason", "\($0.word)")], .whole(UInt64(max($1, 0))))
            })
        text.write(
            MetricCatalogue.overloadRefused,
            OverloadReason.allCases.map {
                MetricSample([MetricLabel("reason", "\($0.word)")], .whole(overload.refusals($0)))
            })
    }

    private func writeClients(_ text: inout MetricsText, _ figures: GatewayFigures) {
        typealias Figure = WorkerMetrics.ListenerFigure
        let listener = { (key: UInt64) in [MetricLabel("listener", self.listenerNames[Int(key)] ?? "")] }
        let listeners = totals(\.listeners)
        text.write(MetricCatalogue.downstream, listeners, Figure.open.rawValue, labels: listener)
        text.write(MetricCatalogue.accepted, listeners, Figure.accepted.rawValue, labels: listener)
        text.write(
            MetricCatalogue.cutOff,
            HTTP2Flood.allCases.map {
                MetricSample([MetricLabel("kind", "\($0.name)")], .whole(figures.floods[$0]))
            })
        let failures = figures.mailboxes.reduce(into: KindCounts<HandshakeFailure>()) { $0 += $1.handshakeFailures }
        let handshakes = listeners.rows.reduce(0) { $0 + $1.counters[Figure.handshakes.rawValue] }
        text.write(
            MetricCatalogue.handshakes,
            [MetricSample([MetricLabel("result", "ok")], .whole(handshakes))]
                + HandshakeFailure.allCases.map {
                    MetricSample([MetricLabel("result", "\($0.name)")], .whole(failures[$0]))
                })
        let pauses = figures.mailboxes.reduce(into: AcceptPauses()) { $0 += $1.acceptPauses }
        text.write(
            MetricCatalogue.acceptPauses,
            [("full", pauses.full), ("refused", pauses.refused)].map {
                MetricSample([MetricLabel("reason", $0)], .whole($1))
            })
        text.write(MetricCatalogue.gaveWay, .whole(pauses.gaveWay))
        writeOverload(&text, figures.overload)
    }

    private func writeConfiguration(_ text: inout MetricsText, _ figures: GatewayFigures) {
        text.write(
            MetricCatalogue.reloads,
            [("success", reloads), ("refused", refusedReloads)].map {
                MetricSample([MetricLabel("result", $0)], .whole($1))
            })
        text.write(MetricCatalogue.generation, .whole(UInt64(figures.generation)))
        text.write(MetricCatalogue.lastSuccess, .real(lastSuccess))
        text.write(
            MetricCatalogue.certificates,
            figures.listeners.enumerated().flatMap { index, listener in
                (listener.secure?.ends ?? []).enumerated().map { number, certificate in
                    MetricSample(
                        [
                            MetricLabel("listener", listenerNames[index] ?? ""),
                            MetricLabel("certificate", "\(number)"), MetricLabel("name", certificate.name),
                        ], .whole(UInt64(max(certificate.end, 0))))
                }
            })
        text.write(
            MetricCatalogue.logLines,
            figures.logLines.map { lines in
                [("written", lines.written), ("dropped", lines.lost)].map {
                    MetricSample([MetricLabel("result", $0)], .whole($1))
                }
            } ?? [])
        writeSpans(&text, figures.spans)
    }

    private func writeSpans(_ text: inout MetricsText, _ counts: SpanQueue.Counts?) {
        let results = counts.map { counts in
            [
                ("exported", counts.exported), ("overflowed", counts.overflowed), ("refused", counts.refused),
                ("failed", counts.failed),
            ]
        }
        text.write(
            MetricCatalogue.spans,
            (results ?? []).map { MetricSample([MetricLabel("result", $0)], .whole($1)) })
        text.write(MetricCatalogue.waitingSpans, Self.samples(counts?.waiting))
    }

    private func writeProcess(_ text: inout MetricsText, _ figures: GatewayFigures) {
        let process = ProcessFigures()
        text.write(MetricCatalogue.lag, totals(\.lag), 0, MetricShapes.lag) { [MetricLabel("worker", "\($0)")] }
        text.write(MetricCatalogue.cpu, .real(process.processorTime))
        text.write(MetricCatalogue.memory, Self.samples(process.residentMemory))
        text.write(MetricCatalogue.openDescriptors, Self.samples(process.openDescriptors))
        text.write(MetricCatalogue.mostDescriptors, Self.samples(process.mostDescriptors))
        text.write(MetricCatalogue.start, .real(startTime))
        text.write(
            MetricCatalogue.build, [MetricSample([MetricLabel("version", GatewayVersion.text)], .whole(1))])
        text.write(
            MetricCatalogue.target, [MetricSample([MetricLabel("service_name", figures.service)], .whole(1))])
    }

    private static func samples(_ value: UInt64?) -> [MetricSample] {
        value.map { [MetricSample([], .whole($0))] } ?? []
    }
}
