import Aggregation
import DistributedTracing
import FeatureFlags
import HTTPListener
import HTTPMessage
import Telemetry
import Upstreams

/// How many sets of labels each table may have, over all workers.
struct MetricAdmissions: Sendable {
    let requests = MetricAdmission()
    let active = MetricAdmission()
    let bodies = MetricAdmission()
    let attempts = MetricAdmission()
    let begun = MetricAdmission()
    let timeouts = MetricAdmission()
    let retries = MetricAdmission()
    let fallbacks = MetricAdmission()
    let connections = MetricAdmission()
    let decisions = MetricAdmission()
    let parts = MetricAdmission()
    let listeners = MetricAdmission()
    let lag = MetricAdmission()
}

/// What one worker counts. It alone writes, without a lock, and the control plane reads whenever it is asked.
final class WorkerMetrics: Sendable {
    /// The times of requests, by ``MetricKey/request(route:status:method:version:isSecure:cause:)``.
    let requests: MetricTable
    /// Requests in work, by method and scheme.
    let active: MetricTable
    /// The sizes of both bodies, by route and method.
    let bodies: MetricTable
    /// The times of attempts.
    let attempts: MetricTable
    /// How many attempts were begun, by upstream.
    let begun: MetricTable
    /// Which time was over, by upstream.
    let timeouts: MetricTable
    /// What became of failed attempts that might be repeated, by upstream.
    let retries: MetricTable
    /// Requests that another upstream should have answered, by that and the reason.
    let fallbacks: MetricTable
    /// What the pools know, by upstream: the indices are ``PoolFigure``'s.
    let connections: MetricTable
    /// What flags decided.
    let decisions: MetricTable
    /// What became of parts of views.
    let parts: MetricTable
    /// Connections of clients, by listener: the indices are ``ListenerFigure``'s.
    let listeners: MetricTable
    /// How late the loop was, by worker.
    let lag: MetricTable
    private let index: UInt64

    /// The figures of connections to upstreams.
    enum PoolFigure: Int, CaseIterable { case active, idle, pending, requests }

    /// The figures of a listener.
    enum ListenerFigure: Int, CaseIterable { case open, accepted, handshakes }

    init(index: Int, _ admissions: MetricAdmissions) {
        self.index = UInt64(index)
        requests = MetricTable(admissions.requests, histograms: [MetricShapes.duration])
        active = MetricTable(admissions.active, counters: 1)
        bodies = MetricTable(admissions.bodies, histograms: [MetricShapes.size, MetricShapes.size])
        attempts = MetricTable(admissions.attempts, histograms: [MetricShapes.duration])
        begun = MetricTable(admissions.begun, counters: 1)
        timeouts = MetricTable(admissions.timeouts, counters: 1)
        retries = MetricTable(admissions.retries, counters: 1)
        fallbacks = MetricTable(admissions.fallbacks, counters: 1)
        connections = MetricTable(admissions.connections, counters: PoolFigure.allCases.count)
        decisions = MetricTable(admissions.decisions, counters: 1)
        parts = MetricTable(admissions.parts, counters: 1)
        listeners = MetricTable(admissions.listeners, counters: ListenerFigure.allCases.count)
        lag = MetricTable(admissions.lag, histograms: [MetricShapes.lag])
    }

    // MARK: - Requests

    /// A request is in work.
    func began(_ exchange: Exchange) {
        let key = MetricKey.active(method: exchange.head.method, isSecure: exchange.isSecure)
        exchange.countedAs = key
        active.add(to: 0, of: key)
    }

    /// A request is over at the time `now`, whatever became of it.
    func ended(_ exchange: Exchange, at now: UInt64) {
        guard let snapshot = exchange.snapshot else { return }
        active.add(0 &- 1, to: 0, of: exchange.countedAs)
        let route = snapshot.metricNumbers.route(exchange.route)
        let method = exchange.head.method
        let duration = now &- exchange.receivedAt
        let key = MetricKey.request(
            route: route, status: exchange.status, method: method, version: exchange.head.version,
            isSecure: exchange.countedAs & 1 == 1, cause: exchange.cause)
        requests.observe(
            duration, of: key,
            exemplar: exchange.trace.exemplar(of: exchange.trace.serverSpan.spanID, duration, at: now))
        let body = MetricKey.body(route: route, method: method)
        bodies.observe(exchange.bytesReceived, in: 0, of: body)
        bodies.observe(exchange.bytesSent, in: 1, of: body)
        exchange.countParts(self)
    }

    /// A part of a view was had, or not.
    func partEnded(_ part: Int, of route: Int, _ snapshot: WorkerSnapshot, _ failure: PartFailure?) {
        let numbers = snapshot.metricNumbers
        let outcome = PartOutcome(failure)
        parts.add(
            to: 0,
            of: MetricKey.part(route: numbers.route(route), part: numbers.part(part, of: route), outcome: outcome))
    }

    /// A flag was decided.
    func decided(_ slot: Int, _ result: FlagResult, _ snapshot: WorkerSnapshot) {
        let numbers = snapshot.metricNumbers
        let variant = numbers.variant(result.variant, of: slot)
        decisions.add(to: 0, of: MetricKey.decision(flag: numbers.flag(slot), variant: variant, result))
    }

    // MARK: - Attempts

    func attemptBegan(at upstream: UInt16) { begun.add(to: 0, of: UInt64(upstream)) }

    func attemptEnded(
        at upstream: UInt16, method: Method, status: UInt16, _ end: AttemptEnd, duration: UInt64,
        exemplar: MetricExemplar?
    ) {
        attempts.observe(
            duration, of: MetricKey.attempt(upstream: upstream, method: method, status: status, end: end),
            exemplar: exemplar)
        if end.timeout != nil { timeouts.add(to: 0, of: MetricKey.timeout(upstream: upstream, end)) }
    }

    /// A failed attempt is followed by another one at the same upstream, or would be if that were allowed.
    func retryDecided(_ verdict: RetryPolicy.Verdict, at upstream: UInt16) {
        // What was not to be tried again is no retry that did not come about.
        if let result = RetryResult(verdict) {
            retries.add(to: 0, of: MetricKey.retry(upstream: upstream, result))
        }
    }

    /// A second attempt is made beside a slow one.
    func hedged(at upstream: UInt16) { retries.add(to: 0, of: MetricKey.retry(upstream: upstream, .hedged)) }

    /// A request went to the fallback for this reason; nil: it should have, and its budget was used up.
    func fellBack(_ reason: FallbackReason?, from upstream: UInt16) {
        fallbacks.add(to: 0, of: MetricKey.fallback(upstream: upstream, reason))
    }

    // MARK: - Connections of clients

    func count(_ amount: UInt64, _ figure: ListenerFigure, listener: Int) {
        listeners.add(amount, to: figure.rawValue, of: UInt64(listener))
    }

    // MARK: - What is looked at from time to time

    /// The loop came to what was due so many nanoseconds too late.
    func noteLag(_ nanoseconds: UInt64) { lag.observe(nanoseconds, of: index) }

    /// Publishes what the pools of the upstreams know.
    func publish(_ snapshot: WorkerSnapshot) {
        for (number, upstream) in snapshot.upstreams.enumerated() {
            let figures = upstream.group.figures
            let key = UInt64(snapshot.metricNumbers.upstream(number))
            connections.set(UInt64(figures.open - figures.idle), in: PoolFigure.active.rawValue, of: key)
            connections.set(UInt64(figures.idle), in: PoolFigure.idle.rawValue, of: key)
            connections.set(UInt64(figures.waiting), in: PoolFigure.pending.rawValue, of: key)
            connections.set(UInt64(figures.active), in: PoolFigure.requests.rawValue, of: key)
        }
    }

    /// Says of upstreams that another configuration has no more that they have nothing.
    func forgetUpstreams(without snapshot: WorkerSnapshot) {
        for row in 0..<connections.rowCount {
            let key = connections.key(ofRow: row)
            if snapshot.metricNumbers.hasUpstream(key) { continue }
            for figure in PoolFigure.allCases { connections.set(0, in: figure.rawValue, of: key) }
        }
    }
}

extension TraceContext {
    /// What points from a bucket to the trace, where it is sampled: others cannot be looked up.
    borrowing func exemplar(of span: UInt64, _ value: UInt64, at now: UInt64) -> MetricExemplar? {
        guard flags.contains(.sampled) else { return nil }
        return MetricExemplar(trace: (traceID.high, traceID.low), span: span, value: value, time: now)
    }
}
