import EventLoops

/// Watches the socket of a connection.
final class HTTP2ConnectionPoll: Poll {
    private unowned let connection: HTTP2UpstreamConnection

    init(_ connection: HTTP2UpstreamConnection, loop: EventLoop) {
        self.connection = connection
        super.init(loop: loop)
    }

    override func ready(_ events: Events) {
        let connection = connection
        connection.ready(events)
    }
}

/// The deadline of whatever a connection waits for.
final class HTTP2ConnectionDeadline: EventLoops.Timer {
    private unowned let connection: HTTP2UpstreamConnection

    init(_ connection: HTTP2UpstreamConnection, loop: EventLoop) {
        self.connection = connection
        super.init(loop: loop)
    }

    override func fire() {
        let connection = connection
        connection.timeIsOver()
    }
}

/// What a connection puts off to the end of a turn.
final class HTTP2ConnectionWork: DeferredWork {
    private weak var connection: HTTP2UpstreamConnection?

    init(_ connection: HTTP2UpstreamConnection) { self.connection = connection }

    override func run() { connection?.workLater() }
}
