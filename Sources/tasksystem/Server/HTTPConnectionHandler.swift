import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// One connection: gathers a request, asks the responder, writes the answer, goes on or closes.
///
/// Requests that are pipelined wait in NIO's pipeline handler, so there is one exchange at a time here.
final class HTTPConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// How long the rest of a refused request is read and thrown away. Closing at once would reset the connection, and
    /// the reset could overtake the answer.
    private static let lingering = TimeAmount.seconds(1)

    private enum Phase {
        case idle
        case receiving(HTTPRequestHead, limit: Int?, since: RequestClock)
        case responding(Task<Void, Never>)
        /// The last answer of this connection is written.
        case finished
    }

    private let responder: any HTTPResponder
    private let connections: OpenConnections
    private var phase = Phase.idle
    private var body = ByteBuffer()
    private var bodySize = 0
    private var inputClosed = false

    init(responder: any HTTPResponder, connections: OpenConnections) {
        self.responder = responder
        self.connections = connections
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            begin(head, context: context)
        case .body(var part):
            take(&part, context: context)
        case .end:
            guard case .receiving(let head, let limit, let clock) = phase else { return }
            respond(to: head, keepsBody: limit != nil, since: clock, context: context)
        }
    }

    private func begin(_ head: HTTPRequestHead, context: ChannelHandlerContext) {
        guard case .idle = phase else { return }
        let limit = responder.bodyLimit(for: head)
        phase = .receiving(head, limit: limit, since: RequestClock())
        body.clear()
        bodySize = 0
        if let limit, let announced = head.headers.first(name: "content-length").flatMap({ Int($0) }), announced > limit
        {
            return refuseTooLarge(limit: limit, context: context)
        }
        if head.version != .http1_0, head.headers[canonicalForm: "expect"].contains("100-continue") {
            let goOn = HTTPResponseHead(version: .http1_1, status: .continue)
            context.writeAndFlush(wrapOutboundOut(.head(goOn)), promise: nil)
        }
    }

    private func take(_ part: inout ByteBuffer, context: ChannelHandlerContext) {
        guard case .receiving(_, let limit, _) = phase else { return }
        bodySize += part.readableBytes
        guard let limit else { return }
        if bodySize > limit {
            return refuseTooLarge(limit: limit, context: context)
        }
        body.writeBuffer(&part)
    }

    private func refuseTooLarge(limit: Int, context: ChannelHandlerContext) {
        finish(
            with: responder.refusal(
                .payloadTooLarge, detail: "A body may have at most \(limit) bytes.", of: requestUnderWay),
            context: context)
    }

    /// The request whose body is being read, as far as it is known.
    private var requestUnderWay: HTTPRequest? {
        guard case .receiving(let head, _, let clock) = phase else { return nil }
        return HTTPRequest(head: head, bodySize: bodySize, received: clock)
    }

    private func respond(
        to head: HTTPRequestHead, keepsBody: Bool, since clock: RequestClock, context: ChannelHandlerContext
    ) {
        let content = keepsBody ? Data(body.readableBytesView) : Data()
        let request = HTTPRequest(head: head, body: content, bodySize: bodySize, received: clock)
        let promise = context.eventLoop.makePromise(of: HTTPReply.self)
        phase = .responding(promise.completeWithTask { [responder] in await responder.respond(to: request) })
        connections.answerBegan()
        promise.futureResult.assumeIsolated().whenSuccess { reply in
            self.connections.answerEnded()
            guard case .responding = self.phase else { return }
            self.phase = .idle
            self.write(reply, to: head, context: context)
        }
    }

    private func write(_ reply: HTTPReply, to head: HTTPRequestHead, context: ChannelHandlerContext) {
        let bodiless = reply.status == .noContent || reply.status == .notModified
        var headers = reply.headers
        if !bodiless {
            headers.replaceOrAdd(name: "Content-Length", value: String(reply.body.count))
        }
        // A process that breaks down does not announce it, so a fault leaves the head as it would have been.
        let goesOn = head.isKeepAlive && !inputClosed
        if !goesOn {
            headers.replaceOrAdd(name: "Connection", value: "close")
        } else if head.version == .http1_0 {
            headers.replaceOrAdd(name: "Connection", value: "keep-alive")
        }
        write(reply.status, headers, context: context)

        let length = bodiless || head.method == .HEAD ? 0 : reply.body.count
        if reply.ending != .whole {
            write(reply.body.prefix(length / 2), context: context)
            context.flush()
            return cut(reply.ending, context: context)
        }
        write(reply.body.prefix(length), context: context)
        let written = context.writeAndFlush(wrapOutboundOut(.end(nil)))
        if !goesOn {
            phase = .finished
            written.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        }
    }

    private func write(_ status: HTTPResponseStatus, _ headers: HTTPHeaders, context: ChannelHandlerContext) {
        var headers = headers
        headers.replaceOrAdd(name: "Date", value: HTTPDate.text(Date()))
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
    }

    private func write(_ bytes: Data, context: ChannelHandlerContext) {
        guard !bytes.isEmpty else { return }
        context.write(wrapOutboundOut(.body(.byteBuffer(context.channel.allocator.buffer(bytes: bytes)))), promise: nil)
    }

    /// Ends the connection in the middle of an answer.
    private func cut(_ ending: HTTPReply.Ending, context: ChannelHandlerContext) {
        phase = .finished
        guard ending == .reset, let options = context.channel as? any SocketOptionProvider else {
            return context.close(promise: nil)
        }
        // With a linger time of zero, close() sends RST instead of FIN.
        options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).assumeIsolated().whenComplete { _ in
            context.close(promise: nil)
        }
    }

    /// Writes a last answer although the request has not been read to its end.
    private func finish(with reply: HTTPReply, context: ChannelHandlerContext) {
        var isHead = false
        if case .receiving(let head, _, _) = phase {
            isHead = head.method == .HEAD
        }
        phase = .finished
        var headers = reply.headers
        headers.replaceOrAdd(name: "Content-Length", value: String(reply.body.count))
        headers.replaceOrAdd(name: "Connection", value: "close")
        write(reply.status, headers, context: context)
        write(isHead ? Data() : reply.body, context: context)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        if inputClosed {
            return context.close(promise: nil)
        }
        context.close(mode: .output, promise: nil)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingering) { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError, context.channel.isActive else {
            return context.close(promise: nil)
        }
        switch phase {
        case .idle, .receiving:
            let refusal = responder.refusal(.badRequest, detail: "That is not HTTP/1.1.", of: requestUnderWay)
            finish(with: refusal, context: context)
        case .responding, .finished:
            context.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event {
            inputClosed = true
            // An answer that is under way closes the connection when it is written.
            if case .responding = phase { return }
            return context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .responding(let task) = phase {
            task.cancel()
        }
        phase = .finished
        context.fireChannelInactive()
    }
}
