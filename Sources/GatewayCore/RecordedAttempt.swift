import ByteBuffers
import DistributedTracing
import EventLoops
import HTTPMessage
import Upstreams

/// What spans tell of one attempt.
struct AttemptNote {
    var span: TraceSpan
    /// Why there is no usable answer.
    var error: StaticString?
    /// The number of the upstream that was asked, -1 for none.
    var upstream: Int
    var endpoint: Endpoint?
    /// Whether another connection had to take it over.
    var wasReplaced: Bool
    /// Why somebody else was asked than was decided for.
    var fallback: FallbackReason?
}

/// An attempt at an upstream that a span can tell of.
class RecordedAttempt: UpstreamAttempt {
    /// The span; its start is 0 before the attempt has begun, its end 0 before it has ended.
    final var span = TraceSpan(kind: .client, spanID: 0, parentID: 0, start: 0)
    /// Why there is no usable answer: a bounded word.
    final var error: StaticString?
    /// The number of the upstream that was asked, -1 for none.
    final var upstream = -1
    /// Why the context's fallback was asked; nil where it was not.
    final var fallbackReason: FallbackReason?

    /// The part of a view that it is for; empty where it is for the whole request.
    var partName: [UInt8] { [] }

    /// Appends the method that was sent.
    func appendMethod(to buffer: inout ByteBuffer) {}

    /// Appends the path that `endpoint` was asked for, with a prefix of the server's, without the query. The head is that
    /// of the client's request.
    func appendPath(of head: borrowing RequestHead, at endpoint: Endpoint, to buffer: inout ByteBuffer) {}

    /// What spans tell of it.
    final var note: AttemptNote {
        AttemptNote(
            span: span, error: error, upstream: upstream, endpoint: endpoint, wasReplaced: wasReplaced,
            fallback: fallbackReason)
    }

    /// Begins the span of an attempt of `exchange`.
    final func beginSpan(of exchange: Exchange, at now: UInt64) {
        span = exchange.trace.beginAttempt(ids: &exchange.worker.ids, at: now)
        error = nil
    }

    /// Forgets the last one.
    final func forgetSpan() {
        span.start = 0
        error = nil
        upstream = -1
    }

    /// The attempt has ended.
    final func endSpan(of exchange: Exchange, error word: StaticString? = nil) {
        guard exchange.isRecorded, span.end == 0 else { return }
        span.end = EventLoop.nanoseconds
        error = word
    }
}
