import ByteBuffers
import EventLoops
import HTTPMessage
import Upstreams

/// A question to one server whether it is well, asked again and again. Nothing of it counts as a request of a client.
///
/// This one asks for a connection and nothing more; subclasses send something, and read the answer.
class HealthProbe: UpstreamAttempt {
    private let done: (HealthFinding) -> Void
    private var timer: ActionTimer?
    private var isUnderWay = false
    private let limit: UInt64

    /// - Parameters:
    ///   - limit: how long it may take, in milliseconds.
    ///   - done: called with what each time has come to, once for each ``ask(_:random:)`` that was not given up.
    init(loop: EventLoop, limit: UInt64, done: @escaping (HealthFinding) -> Void) {
        self.limit = limit
        self.done = done
        super.init()
        timeouts.connect = limit
        // The limit is for all of it together, and the one time that counts.
        timeouts.head = .max
        timeouts.idle = .max
        bodyIsAtHand = true
        timer = ActionTimer(loop: loop) { [unowned self] in timeIsOver() }
    }

    /// What `check` asks, in the way that suits it.
    static func make(
        for check: HealthCheck, loop: EventLoop, done: @escaping (HealthFinding) -> Void
    ) -> HealthProbe {
        switch check.question {
        case .connection: HealthProbe(loop: loop, limit: check.timeout, done: done)
        case .http(let path, let statuses, let text):
            HTTPHealthProbe(
                path: path, statuses: statuses, text: text, host: check.host, loop: loop, limit: check.timeout,
                done: done)
        case .grpc(let service):
            GRPCHealthProbe(service: service, host: check.host, loop: loop, limit: check.timeout, done: done)
        }
    }

    /// Asks the server of `upstream`, which has one.
    final func ask(_ upstream: Upstream, random: UInt64) {
        giveUp()
        isUnderWay = true
        timer?.schedule(after: limit)
        if upstream.start(self, UpstreamOrder(random: random)) != nil { conclude(.failed(.overloaded)) }
    }

    /// Ends what is under way; nobody is told.
    final func giveUp() {
        isUnderWay = false
        timer?.cancel()
        cancel()
    }

    /// It is known how the server does: what is left of the answer is not awaited.
    final func conclude(_ finding: HealthFinding) {
        guard isUnderWay else { return }
        giveUp()
        done(finding)
    }

    private func timeIsOver() { conclude(.failed(isStarted ? .timeout : .connectTimeout)) }

    /// Who asks, and for whom: what every head has.
    final func appendFields(host: [UInt8], to buffer: inout ByteBuffer) {
        buffer.append("Host: ")
        if let endpoint, host.isEmpty { buffer.append(endpoint.hostField) } else { buffer.append(host) }
        buffer.append("\r\nUser-Agent: banyan-health/")
        buffer.append(GatewayVersion.text)
        buffer.append("\r\n")
    }

    override func started() { conclude(.well) }

    override final func failed(_ failure: UpstreamFailure) { conclude(.failed(failure)) }
}

/// A `GET` whose answer has to have one of some statuses, and to contain a text.
private final class HTTPHealthProbe: HealthProbe {
    private let path: [UInt8]
    private let statuses: [ClosedRange<UInt16>]
    private let host: [UInt8]
    private let awaitsText: Bool
    private var search: TextSearch
    /// How much of the answer's body has come.
    private var received = 0

    /// How much of an answer is looked at, in bytes.
    private static let mostBody = 65_536

    init(
        path: [UInt8], statuses: [ClosedRange<UInt16>], text: [UInt8], host: [UInt8], loop: EventLoop, limit: UInt64,
        done: @escaping (HealthFinding) -> Void
    ) {
        self.path = path
        self.statuses = statuses
        self.host = host
        awaitsText = !text.isEmpty
        search = TextSearch(text)
        super.init(loop: loop, limit: limit, done: done)
    }

    override func writeHead(into buffer: inout ByteBuffer) {
        search.reset()
        received = 0
        guard let endpoint else { return }
        buffer.append("GET ")
        buffer.append(endpoint.pathPrefix)
        buffer.append(path)
        buffer.append(" HTTP/1.1\r\n")
        appendFields(host: host, to: &buffer)
        buffer.append("Accept: */*\r\n")
        if !endpoint.isHTTP2 { buffer.append("Connection: close\r\n") }
        buffer.append("\r\n")
    }

    override func started() {}

    override func headReceived() {
        let status = answeredWith
        if !statuses.contains(where: { $0.contains(status) }) { conclude(.status(status)) }
    }

    override func bodyReceived(_ bytes: Span<UInt8>) {
        let piece = bytes.extracting(first: Self.mostBody - received)
        received += piece.count
        if awaitsText {
            search.take(piece)
            if search.isFound { return conclude(.well) }
        }
        if received == Self.mostBody { conclude(verdict) }
    }

    override func ended() { conclude(verdict) }

    private var verdict: HealthFinding { search.isFound ? .well : .missingText }
}

/// A call of `grpc.health.v1.Health/Check`.
private final class GRPCHealthProbe: HealthProbe {
    private let host: [UInt8]
    private let limit: UInt64
    private let message: [UInt8]
    private var answer = ByteBuffer()

    /// How much of an answer is looked at, in bytes.
    private static let mostBody = 4_096
    /// The most that a `grpc-timeout` may say, in eight digits.
    private static let mostTimeout: UInt64 = 99_999_999

    init(
        service: [UInt8], host: [UInt8], loop: EventLoop, limit: UInt64, done: @escaping (HealthFinding) -> Void
    ) {
        self.host = host
        self.limit = limit
        var message = ByteBuffer()
        GRPCHealth.appendRequest(for: service, to: &message)
        self.message = message.withUnsafeBytes { Array($0) }
        super.init(loop: loop, limit: limit, done: done)
        method = .post
        framing = .length(UInt64(self.message.count))
    }

    override func writeHead(into buffer: inout ByteBuffer) {
        answer.removeAll()
        guard let endpoint else { return }
        buffer.append("POST ")
        buffer.append(endpoint.pathPrefix)
        buffer.append(GRPCHealth.path)
        buffer.append(" HTTP/1.1\r\n")
        appendFields(host: host, to: &buffer)
        buffer.append("Content-Type: application/grpc\r\nTE: trailers\r\ngrpc-timeout: ")
        buffer.appendDecimal(min(limit, Self.mostTimeout))
        buffer.append("m\r\nContent-Length: ")
        buffer.appendDecimal(message.count)
        buffer.append("\r\n\r\n")
    }

    override func started() {
        let message = message
        send(message.span)
        endBody()
    }

    override func headReceived() {
        if answeredWith != 200 { conclude(.status(answeredWith)) }
    }

    override func bodyReceived(_ bytes: Span<UInt8>) {
        answer.append(bytes)
        if answer.count > Self.mostBody { conclude(.failed(.protocolError("a health answer of many bytes"))) }
    }

    override func ended() {
        // A call that fails at once may say so in its head, which is all there is then.
        guard let code = GRPCHealth.code(inLines: trailers.text) ?? head.grpcStatus() else {
            return conclude(.callFailed(nil))
        }
        guard code == 0 else { return conclude(.callFailed(code)) }
        guard let status = GRPCHealth.status(in: answer.span) else {
            return conclude(.failed(.protocolError("no message of gRPC")))
        }
        conclude(status == GRPCHealth.serving ? .well : .notServing(status))
    }
}

extension ResponseHead {
    /// The value of `grpc-status`; nil where there is none.
    fileprivate borrowing func grpcStatus() -> UInt64? {
        for index in 0..<fields.count where name(index).equalsIgnoringCase("grpc-status") {
            return UInt64(value(index).text)
        }
        return nil
    }
}
