import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Answers requests. Called from many connections at once.
protocol HTTPResponder: Sendable {
    /// Bytes of body to keep for this request, beyond which it is refused with 413; nil counts the bytes and keeps none.
    func bodyLimit(for head: HTTPRequestHead) -> Int?
    func respond(to request: HTTPRequest) async -> HTTPReply
    /// The answer to a request that was not read to its end: its body is too large, or it is not HTTP.
    ///
    /// - Parameter request: without its body; nil where not even its head could be read.
    func refusal(_ status: HTTPResponseStatus, detail: String, of request: HTTPRequest?) -> HTTPReply
}

/// An HTTP/1.1 server on SwiftNIO: one event loop moves bytes, the responder's work runs beside it.
final class HTTPServer: Sendable {
    /// The port that is listened on, also when port 0 was asked for.
    let port: Int
    let host: String

    private let group: MultiThreadedEventLoopGroup
    private let listener: any Channel
    private let connections: OpenConnections

    private init(
        host: String, port: Int, group: MultiThreadedEventLoopGroup, listener: any Channel, connections: OpenConnections
    ) {
        self.host = host
        self.port = port
        self.group = group
        self.listener = listener
        self.connections = connections
    }

    /// Listens, and returns as soon as connections are accepted.
    ///
    /// - Throws: `IOError` or `SocketAddressError` when the address cannot be had.
    static func start(host: String, port: Int, responder: any HTTPResponder) async throws -> HTTPServer {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let connections = OpenConnections()
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // A client may shut down its sending side and still wait for the answer (printf … | nc does).
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                connections.add(channel)
                return channel.eventLoop.makeCompletedFuture {
                    // Errors are answered by our own handler, so that every answer bears Served-By.
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: false)
                    try channel.pipeline.syncOperations.addHandler(
                        HTTPConnectionHandler(responder: responder, connections: connections))
                }
            }
        do {
            let listener = try await bootstrap.bind(host: host, port: port).get()
            return HTTPServer(
                host: host, port: listener.localAddress?.port ?? port, group: group, listener: listener,
                connections: connections)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// How long a responder whose client was cut off may take to give up.
    private static let givingUp = Duration.seconds(1)

    /// Stops listening, closes idle connections at once, lets answers that are under way end, and after `grace` closes
    /// what is left.
    func shutdown(grace: Duration) async {
        try? await listener.close()
        connections.quiesce()
        if await !connections.empty(within: grace) {
            connections.close()
            // The loop must outlive every task that will report to it.
            guard await connections.empty(within: Self.givingUp) else { return }
        }
        try? await group.shutdownGracefully()
    }
}

/// The connections that are open and the answers under way on them, so that a shutdown can reach and await them.
final class OpenConnections: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var answersUnderWay = 0
    }

    private let state = Mutex(State())

    func add(_ channel: any Channel) {
        let key = ObjectIdentifier(channel)
        state.withLock { $0.channels[key] = channel }
        channel.closeFuture.whenComplete { _ in
            self.state.withLock { _ = $0.channels.removeValue(forKey: key) }
        }
    }

    func answerBegan() {
        state.withLock { $0.answersUnderWay += 1 }
    }

    func answerEnded() {
        state.withLock { $0.answersUnderWay -= 1 }
    }

    /// Tells each connection to close as soon as it has nothing under way.
    func quiesce() {
        for channel in state.withLock({ Array($0.channels.values) }) {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
    }

    func close() {
        for channel in state.withLock({ Array($0.channels.values) }) {
            channel.close(promise: nil)
        }
    }

    /// Waits until no connection is open and no answer is under way; false when that took too long.
    func empty(within patience: Duration) async -> Bool {
        let end = ContinuousClock.now.advanced(by: patience)
        while state.withLock({ !$0.channels.isEmpty || $0.answersUnderWay > 0 }) {
            guard ContinuousClock.now < end else { return false }
            try? await Task.sleep(for: .milliseconds(2))
        }
        return true
    }
}
