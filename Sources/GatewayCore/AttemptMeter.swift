import DistributedTracing
import EventLoops
import HTTPMessage
import Upstreams

/// Measures one attempt at an upstream after the other.
struct AttemptMeter {
    private var span = TraceSpan(kind: .client, spanID: 0, parentID: 0, start: 0)
    private var upstream: UInt16 = 0
    private var method = Method.other
    private var isRunning = false

    /// An attempt begins, at the time and with the id of `span`, at the upstream with this number.
    mutating func begin(_ span: TraceSpan, at upstream: Int, method: Method, of exchange: Exchange) {
        self.span = span
        self.upstream = exchange.snapshot?.metricNumbers.upstream(upstream) ?? 0
        self.method = method
        isRunning = true
        exchange.worker.metrics.attemptBegan(at: self.upstream)
    }

    /// It has come to an end, with a head of this status or, with 0, without one. Once only: what ends it first counts.
    mutating func end(_ end: AttemptEnd, status: UInt16, of exchange: Exchange) {
        guard isRunning else { return }
        isRunning = false
        let now = EventLoop.nanoseconds
        exchange.worker.metrics.attemptEnded(
            at: upstream, method: method, status: status, end, duration: now &- span.start,
            exemplar: exchange.trace.exemplar(of: span.spanID, now &- span.start, at: now))
    }
}
