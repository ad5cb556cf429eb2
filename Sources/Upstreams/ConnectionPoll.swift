import EventLoops

/// Watches the socket of a connection.
final class ConnectionPoll: Poll {
    private unowned let connection: UpstreamConnection

    init(_ connection: UpstreamConnection, loop: EventLoop) {
        self.connection = connection
        super.init(loop: loop)
    }

    override func ready(_ events: Events) {
        let connection = connection
        connection.ready(events)
    }
}

/// The deadline of whatever a connection waits for.
final class ConnectionDeadline: EventLoops.Timer {
    private unowned let connection: UpstreamConnection

    init(_ connection: UpstreamConnection, loop: EventLoop) {
        self.connection = connection
        super.init(loop: loop)
    }

    override func fire() {
        let connection = connection
        connection.timeIsOver()
    }
}

/// What a connection puts off to the end of a turn.
final class ConnectionWork: DeferredWork {
    private weak var connection: UpstreamConnection?

    init(_ connection: UpstreamConnection) { self.connection = connection }

    override func run() { connection?.workLater() }
}
