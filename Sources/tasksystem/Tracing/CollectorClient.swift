import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Sends batches to the collector, one after another, on a connection that is kept.
///
/// It has an event loop of its own, so that nothing a collector does is felt by a request.
final class CollectorClient: Sendable {
    private let settings: ExportSettings
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    /// The connection of the last request.
    private let kept = Mutex<(any Channel)?>(nil)

    init(_ settings: ExportSettings) {
        self.settings = settings
    }

    /// Sends one batch. The end of the task ends the attempt.
    func post(_ body: Data) async -> CollectorVerdict {
        let old = kept.withLock { $0.take() }
        if let old, old.isActive {
            do {
                return CollectorVerdict(try await exchange(body, on: old.eventLoop.makeSucceededFuture(old)))
            } catch CollectorFailure.closed {
                // It was closed while nobody used it: no failure of the collector.
            } catch {
                return Self.verdict(error)
            }
        }
        do {
            return CollectorVerdict(try await exchange(body, on: connect()))
        } catch {
            return Self.verdict(error)
        }
    }

    /// Closes the connection.
    func close() async {
        try? await kept.withLock { $0.take() }?.close()
        try? await group.shutdownGracefully()
    }

    private func connect() -> EventLoopFuture<any Channel> {
        let settings = settings
        return ClientBootstrap(group: group)
            .connectTimeout(TimeAmount(settings.timeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AnswerBound())
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(CollectorExchange(settings))
                }
            }
            .connect(host: settings.host, port: settings.port)
    }

    /// One request and its answer, on a connection that is there or will be.
    private func exchange(_ body: Data, on connection: EventLoopFuture<any Channel>) async throws -> CollectorAnswer {
        let promise = connection.eventLoop.makePromise(of: CollectorAnswer.self)
        let answer = promise.futureResult
        let patience = connection.eventLoop.scheduleTask(in: TimeAmount(settings.timeout)) {
            promise.fail(CollectorFailure.silent)
        }
        answer.whenComplete { _ in patience.cancel() }
        connection.whenFailure { promise.fail($0) }
        connection.whenSuccess { channel in
            // Also a connection that comes when nobody waits for it any more is closed.
            answer.whenFailure { _ in channel.close(promise: nil) }
            answer.whenSuccess { _ in self.kept.withLock { $0 = channel } }
            channel.writeAndFlush(CollectorCall(body: body, promise: promise)).whenFailure { promise.fail($0) }
        }
        return try await withTaskCancellationHandler {
            try await answer.get()
        } onCancel: {
            promise.fail(CancellationError())
        }
    }

    private static func verdict(_ error: any Error) -> CollectorVerdict {
        switch error {
        case CollectorFailure.tooLong: .refused("its answer is too long")
        case CollectorFailure.silent: .later("it does not answer in time", after: nil)
        case CollectorFailure.closed: .later("it closes the connection", after: nil)
        case is CancellationError: .later("there was no more time", after: nil)
        case is HTTPParserError: .later("its answer is not HTTP", after: nil)
        default: .later("there is no connection", after: nil)
        }
    }
}

/// Why there is no answer.
enum CollectorFailure: Error {
    case silent, closed, tooLong
}

/// A request that is handed to the connection.
struct CollectorCall: Sendable {
    var body: Data
    var promise: EventLoopPromise<CollectorAnswer>
}

/// Lets at most so many bytes of an answer in, whatever they are: head, content, chunk headers, interim answers.
private final class AnswerBound: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private static let longest = 65_536
    private var received = 0

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        received = 0
        context.write(data, promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += unwrapInboundIn(data).readableBytes
        if received > Self.longest {
            context.fireErrorCaught(CollectorFailure.tooLong)
            return context.close(promise: nil)
        }
        context.fireChannelRead(data)
    }
}

/// The exchanges of one connection.
private final class CollectorExchange: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = CollectorCall
    typealias OutboundOut = HTTPClientRequestPart

    private let settings: ExportSettings
    private var promise: EventLoopPromise<CollectorAnswer>?
    private var answer = CollectorAnswer(status: 0)
    private var isKept = true

    init(_ settings: ExportSettings) {
        self.settings = settings
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let call = unwrapOutboundIn(data)
        self.promise = call.promise
        answer = CollectorAnswer(status: 0)
        var headers: HTTPHeaders = ["Host": settings.authority, "User-Agent": "OTel-OTLP-Exporter-Swift/tasksystem"]
        for pair in settings.headers { headers.replaceOrAdd(name: pair.name, value: pair.value) }
        headers.replaceOrAdd(name: "Content-Type", value: "application/json")
        headers.replaceOrAdd(name: "Content-Length", value: String(call.body.count))
        headers.remove(name: "Transfer-Encoding")
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: settings.target, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let bytes = context.channel.allocator.buffer(bytes: call.body)
        context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
        context.write(wrapOutboundOut(.end(nil)), promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            answer.status = Int(head.status.code)
            answer.retryAfter = head.headers.first(name: "retry-after")
            isKept = head.isKeepAlive
        case .body(let bytes):
            answer.body += bytes.readableBytesView
        case .end:
            // Taken first: closing is the end of an exchange that has no answer.
            let answered = promise
            promise = nil
            // Who refuses may not have read what was sent: the rest would be taken for the next request.
            if !isKept || !(200..<300).contains(answer.status) || answered == nil { context.close(promise: nil) }
            answered?.succeed(answer)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(CollectorFailure.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(error)
        context.close(promise: nil)
    }

    private func fail(_ error: any Error) {
        promise?.fail(error)
        promise = nil
    }
}
