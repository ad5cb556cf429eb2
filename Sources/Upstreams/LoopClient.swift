import EventLoops

/// What has a deadline, and work that it puts off.
protocol LoopClient: AnyObject {
    /// The time of what is waited for is over.
    func timeIsOver()
    /// The turn is at its end: what was put off is to be done.
    func workLater()
}

/// What has a socket of its own.
protocol SocketClient: AnyObject {
    /// Something has happened on the socket.
    func ready(_ events: Poll.Events)
}

// Clients own these, and may end while they are told of something: they are kept until they have heard it.

/// The deadline of whatever a client waits for.
final class Deadline<Client: LoopClient>: EventLoops.Timer {
    private unowned let client: Client

    init(_ client: Client, loop: EventLoop) {
        self.client = client
        super.init(loop: loop)
    }

    override func fire() {
        let client = client
        client.timeIsOver()
    }
}

/// What a client puts off to the end of a turn, in which it may end itself.
final class LaterWork<Client: LoopClient>: DeferredWork {
    private weak var client: Client?

    init(_ client: Client) { self.client = client }

    override func run() { client?.workLater() }
}

/// Watches the socket of a client.
final class SocketPoll<Client: SocketClient>: Poll {
    private unowned let client: Client

    init(_ client: Client, loop: EventLoop) {
        self.client = client
        super.init(loop: loop)
    }

    override func ready(_ events: Events) {
        let client = client
        client.ready(events)
    }
}
