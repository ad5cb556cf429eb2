import Foundation
import GRDB
import NIOHTTP1

/// One process of the Task Management System: some contexts, served over HTTP.
struct TaskSystem: HTTPResponder {
    /// `monolith`, or the name of the one context that is served.
    let name: String
    let router: Router
    /// Where a line per request goes; nil logs nothing.
    let log: (@Sendable (String) -> Void)?
    /// Where errors go that are the system's own fault.
    let diagnostics: @Sendable (String) -> Void
    /// Records requests; nil records none.
    let tracer: Tracer?

    /// The largest body of a request for a record.
    static let bodyLimit = 1 << 20

    init(
        name: String, store: Store, log: (@Sendable (String) -> Void)? = nil,
        diagnostics: @escaping @Sendable (String) -> Void, tracer: Tracer? = nil,
        now: @escaping @Sendable () -> String = { Timestamp.text(Date()) }
    ) {
        self.name = name
        self.log = log
        self.diagnostics = diagnostics
        self.tracer = tracer
        let contextRoutes = ContextRoutes(store: store, now: now)
        let routes = store.contexts.flatMap(contextRoutes.routes)
        let health = Route(.GET, "/healthz") { _ in
            _ = try await store.database.read { db in try Int.fetchOne(db, sql: "SELECT 1") }
            return try .json(["process": name, "status": "ok"])
        }
        let overview = ServiceOverview(name: name, contexts: store.contexts, routes: routes)
        router = Router(routes: routes + [health, Route(.GET, "/") { _ in try .json(overview) }])
    }

    func bodyLimit(for head: HTTPRequestHead) -> Int? {
        isDebug(HTTPRequest.segments(of: head.uri)) ? nil : Self.bodyLimit
    }

    func respond(to request: HTTPRequest) async -> HTTPReply {
        let start = ContinuousClock.now
        var request = request
        request.trace = tracer?.begin(request, route: pattern(of: request.path))
        var isWanted = true
        var reply: HTTPReply
        do {
            reply = try await answer(request)
        } catch let problem as Problem {
            reply = problem.reply
        } catch is CancellationError {
            // Nobody is there to read it.
            isWanted = false
            reply = Problem(.serviceUnavailable, "The request was given up.").reply
        } catch {
            diagnostics("\(name): \(request.method.rawValue) \(request.head.uri): \(error)")
            reply = Problem(.internalServerError, "The request could not be carried out.").reply
        }
        reply.headers.replaceOrAdd(name: "Served-By", value: name)
        log?(RequestLogLine(name: name, request: request, reply: reply, duration: .now - start).text)
        request.trace?.end(status: isWanted ? Int(reply.status.code) : nil)
        return reply
    }

    func refusal(_ status: HTTPResponseStatus, detail: String, of request: HTTPRequest?) -> HTTPReply {
        if let request {
            tracer?.begin(request, route: pattern(of: request.path))?.end(status: Int(status.code))
        }
        var reply = Problem(status, detail).reply
        reply.headers.replaceOrAdd(name: "Served-By", value: name)
        return reply
    }

    /// The whole way of a request: the faults that it asks for, then its route.
    private func answer(_ request: HTTPRequest) async throws -> HTTPReply {
        let faults = try FaultInjection(query: request.query)
        if let delay = faults.delay {
            try await Task.sleep(for: delay)
        }
        var reply: HTTPReply
        if let asked = faults.reply {
            reply = asked
        } else if isDebug(request.path) {
            reply = try .json(RequestEcho(request))
        } else {
            do {
                reply = try await router.respond(to: request)
            } catch let problem as Problem {
                reply = problem.reply
            }
        }
        reply.ending = faults.ending
        return reply
    }

    private func pattern(of path: [String]) -> String? {
        isDebug(path) ? "/debug/request" : router.pattern(of: path)
    }

    private func isDebug(_ path: [String]) -> Bool {
        path == ["debug", "request"]
    }
}

/// What `GET /` tells a newcomer.
private struct ServiceOverview: Encodable {
    var process: String
    var contexts: [String]
    var routes: [String]

    init(name: String, contexts: [BoundedContext], routes: [Route]) {
        process = name
        self.contexts = contexts.map(\.rawValue)
        self.routes = routes.map { "\($0.method.rawValue) \($0.pattern)" } + ["GET /healthz", "GET /debug/request"]
    }
}

/// What `/debug/request` gives back: the request as it arrived, so that a test can see what a proxy made of it.
private struct RequestEcho: Encodable {
    /// As received; the HTTP version is written out again from its numbers.
    var requestLine: String
    var method: String
    var target: String
    var version: String
    /// `[name, value]` in the order received, spelled as received, duplicates kept; the white space before a value is gone.
    var headers: [[String]]
    /// Bytes of content, chunked framing taken off.
    var bodySize: Int

    enum CodingKeys: String, CodingKey {
        case method, target, version, headers
        case requestLine = "request_line"
        case bodySize = "body_size"
    }

    init(_ request: HTTPRequest) {
        method = request.method.rawValue
        target = request.head.uri
        version = "HTTP/\(request.head.version.major).\(request.head.version.minor)"
        requestLine = "\(method) \(target) \(version)"
        headers = request.head.headers.map { [$0.name, $0.value] }
        bodySize = request.bodySize
    }
}
