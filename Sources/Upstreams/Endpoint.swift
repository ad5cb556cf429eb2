import ByteBuffers
import EventLoops

/// One server of an upstream, as one worker sees it.
package final class Endpoint {
    package let server: UpstreamDefinition.Server
    /// The value of a `Host` field for it.
    package let hostField: [UInt8]
    /// What stands before the path of each request.
    package let pathPrefix: [UInt8]
    /// Host and port, for logs.
    package let text: [UInt8]
    /// The same as a string of JSON.
    package let textInJSON: [UInt8]
    /// Scheme, host and port as a URL has them, without a slash behind.
    package let origin: [UInt8]
    /// What whoever uses the endpoint keeps with it; no transport looks at it.
    package var note: [UInt8] {
        get { kept }
        set { kept = newValue }
    }
    private var kept: [UInt8] = []
    /// The host, an IPv6 address without brackets.
    package let host: [UInt8]
    package var port: UInt16 { server.address.port }
    package var isSecure: Bool { server.address.isSecure }
    /// Whether HTTP/2 is spoken with it.
    package let isHTTP2: Bool
    /// The time of the worker's loop, in milliseconds.
    var now: UInt64 { loop.now }
    private let loop: EventLoop
    /// Requests that are under way from this worker.
    package var active: Int { underWay }
    /// Requests that this worker has sent it.
    package var total: UInt64 { begun }
    /// How it is kept from harm, by the configuration in force.
    var rules = UpstreamRules()
    /// What all workers know of it, and of its upstream.
    let board: EndpointBoard
    private let upstreamBoard: UpstreamBoard
    private var underWay = 0
    private var begun: UInt64 = 0
    let bounds: UpstreamBounds
    let pool: EndpointPool

    init(
        _ server: UpstreamDefinition.Server, loop: EventLoop, curl: ConnectMulti, bounds: UpstreamBounds,
        board: EndpointBoard, of upstreamBoard: UpstreamBoard
    ) {
        self.server = server
        self.bounds = bounds
        self.board = board
        self.upstreamBoard = upstreamBoard
        self.loop = loop
        hostField = Array(server.address.hostField.utf8)
        pathPrefix = Array(server.pathPrefix.utf8)
        origin = Array((server.address.isSecure ? "https://" : "http://").utf8) + hostField
        let text = Array(server.address.text.utf8)
        self.text = text
        var quoted = ByteBuffer()
        quoted.appendJSONString(text.span)
        textInJSON = quoted.withUnsafeBytes { Array($0) }
        host = Array(server.address.host.utf8)
        isHTTP2 = server.address.carrier == .http2 || server.address.carrier == .http2Transfers
        let address = server.address
        if address.candidates.isEmpty {
            pool = UnresolvedPool(address: address, loop: loop, bounds: bounds)
            return
        }
        switch address.carrier {
        case .connection:
            pool = ConnectionPool(address: address, loop: loop, curl: curl, bounds: bounds)
        case .http2:
            pool = HTTP2UpstreamPool(address: address, loop: loop, curl: curl, bounds: bounds)
        case .transfers, .http2Transfers:
            let isHTTP2 = address.carrier == .http2Transfers
            pool = TransferPool(address: address, isHTTP2: isHTTP2, loop: loop, bounds: bounds)
        }
    }

    func attemptBegan() {
        underWay += 1
        begun &+= 1
        board.attemptBegan()
    }

    /// The head of an answer has come after so many nanoseconds.
    func measured(_ nanoseconds: UInt64) { upstreamBoard.measured(nanoseconds: nanoseconds, live: bounds.live) }

    /// An attempt goes on at another endpoint.
    func attemptLeft() {
        underWay -= 1
        board.attemptEnded()
    }

    /// Nothing is under way any more in the place of an attempt.
    func placeIsFree() {
        underWay -= 1
        bounds.giveRequest()
        board.attemptEnded()
    }

    /// An attempt has ended with `outcome`, after so many milliseconds.
    ///
    /// - Parameter keepsPlace: whether ``placeIsFree()`` follows later.
    func attemptEnded(
        _ outcome: OutlierOutcome, milliseconds: UInt64, _ tickets: BreakerTickets, at now: UInt64, random: UInt64,
        keepsPlace: Bool
    ) {
        if !keepsPlace { placeIsFree() }
        guard rules.watchesAttempts else { return }
        upstreamBoard.record(
            outcome, milliseconds: milliseconds, tickets, of: board, at: now, random: random, by: rules)
    }

    /// No new requests come: idle connections are closed, others when their request has ended.
    ///
    /// - Parameter successors: the endpoints that take its place.
    func retire(for successors: [Endpoint] = []) {
        pool.retire()
        pool.handOver(to: successors)
    }
}
