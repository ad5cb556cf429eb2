import NIOHTTP1

@testable import tasksystem

/// Tells when a request has arrived, so that a test need not guess.
struct AnnouncingResponder: HTTPResponder {
    let inner: TaskSystem
    let arrivals: AsyncStream<String>.Continuation

    func bodyLimit(for head: HTTPRequestHead) -> Int? { inner.bodyLimit(for: head) }

    func refusal(_ status: HTTPResponseStatus, detail: String, of request: HTTPRequest?) -> HTTPReply {
        inner.refusal(status, detail: detail, of: request)
    }

    func respond(to request: HTTPRequest) async -> HTTPReply {
        arrivals.yield(request.head.uri)
        return await inner.respond(to: request)
    }
}
