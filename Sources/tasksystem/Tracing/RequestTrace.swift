import GRDB
import Synchronization

/// The spans of one request while it is answered.
final class RequestTrace: Sendable {
    let clock: RequestClock

    private let server: SpanRecord
    private let tracer: Tracer
    private let children = Mutex<[SpanRecord]>([])

    init(server: SpanRecord, clock: RequestClock, tracer: Tracer) {
        self.server = server
        self.clock = clock
        self.tracer = tracer
    }

    /// Adds a span for what the database was asked, which ends now.
    ///
    /// - Parameters:
    ///   - operation: what the transaction is there for; others may be in it.
    ///   - error: what it ended with. Only what the database itself says is a failure of it: a record that does not exist
    ///     is an answer.
    func asked(_ operation: DatabaseOperation, _ table: String, from start: UInt64, error: (any Error)? = nil) {
        var span = SpanRecord(
            trace: server.trace, span: tracer.identifier(), parent: server.span, state: server.state,
            flags: server.flags & ~SpanRecord.parentIsRemote, name: "\(operation.rawValue) \(table)", kind: .client,
            start: start, end: clock.now)
        span.add("db.system.name", "sqlite")
        span.add("db.operation.name", operation.rawValue)
        span.add("db.collection.name", table)
        if let error = error as? DatabaseError {
            let code = String(error.extendedResultCode.rawValue)
            span.add("db.response.status_code", code)
            span.fail(code)
        }
        children.withLock { $0.append(span) }
    }

    /// Ends the request's span, and hands on all spans.
    ///
    /// - Parameter status: what was answered; nil where nobody was there to read it, which is nobody's failure.
    func end(status: Int?) {
        var server = server
        server.end = clock.now
        if let status {
            server.add("http.response.status_code", status)
            if status >= 500 { server.fail(String(status)) }
        }
        tracer.record([server] + children.withLock { $0 })
    }
}
