/// One timed piece of work in a trace: the exchange with the client, or one attempt at an upstream.
///
/// A fixed record that lives in the exchange and costs nothing but its bytes; the access log reads its ids and its
/// duration, and an exporter can take it as it is.
package struct TraceSpan: Equatable, Sendable {
    /// On which side of a call the work was done.
    package enum Kind: UInt8, Sendable {
        /// The answering of a request.
        case server
        /// The sending of one.
        case client
        /// Work in between, which crosses no process.
        case `internal`
    }

    /// The side.
    package var kind: Kind
    /// The span's own id.
    package var spanID: UInt64
    /// The span that caused this one; 0 where the trace begins here.
    package var parentID: UInt64
    /// When it began, in nanoseconds of the loop's monotonic clock.
    package var start: UInt64
    /// When it ended, on the same clock; 0 while it runs.
    package var end: UInt64 = 0
    /// The status code of the answer; 0 while there is none.
    package var status: UInt16 = 0

    /// A span that begins at `start`.
    package init(kind: Kind, spanID: UInt64, parentID: UInt64, start: UInt64) {
        self.kind = kind
        self.spanID = spanID
        self.parentID = parentID
        self.start = start
    }

    /// Ends the span at `now` with the status that was received or sent, 0 for none.
    package mutating func finish(at now: UInt64, status: UInt16) {
        end = now
        self.status = status
    }

    /// The nanoseconds from begin to end; 0 while it runs, or where the clock went backwards.
    package var duration: UInt64 { end > start ? end - start : 0 }
}
