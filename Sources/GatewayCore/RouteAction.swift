import Aggregation
import ByteBuffers
import HTTPListener
import HTTPMessage
import Routing
import Upstreams

/// What a route does, compiled: everything that does not depend on the request is worked out when the configuration is
/// read. One set of these objects belongs to one worker, so that their reference counts are not shared.
enum RouteAction {
    case forward(ForwardPlan)
    case aggregate(AggregateRoutePlan)
    case respond(RespondPlan)
    case redirect(RedirectPlan)

    /// Bytes that the request's body may have.
    var bodyLimit: UInt64 {
        switch self {
        case .forward(let plan): plan.bodyLimit
        case .aggregate(let plan): plan.bodyLimit
        case .respond(let plan): plan.bodyLimit
        case .redirect(let plan): plan.bodyLimit
        }
    }

    /// The decisions that the route depends on.
    var flagSlots: [Int] {
        switch self {
        case .forward(let plan): plan.flagSlots
        case .aggregate(let plan): plan.flagSlots
        case .respond, .redirect: []
        }
    }
}

/// A request sent on to an upstream or a context.
final class ForwardPlan {
    let target: Target
    let flagSlots: [Int]
    let bodyLimit: UInt64
    let rewrite: RewriteTemplate?
    /// Whether requests may go over to WebSocket (RFC 6455).
    let allowsWebSocket: Bool
    /// What of the client's fields goes no further.
    let requestPolicy: FieldPolicy
    /// The same, and without the client's own deadline of a gRPC call, where a tighter one takes its place.
    let tightenedPolicy: FieldPolicy
    /// Whether the route leaves that deadline to the client and the gateway.
    let mayTighten: Bool
    /// Field lines that the route sets or adds, each with its line's end.
    let requestLines: [UInt8]
    let responsePolicy: FieldPolicy
    let responseLines: [UInt8]
    /// The route's own times in milliseconds; nil leaves the upstream's.
    let headTimeout: UInt64?
    let idleTimeout: UInt64?
    let totalTimeout: UInt64?
    /// How requests are repeated, in place of the upstream's rules; nil leaves those.
    let retry: RetryRules?
    /// When a second attempt is made beside a slow one, in place of the upstream's rule; nil leaves that.
    let hedge: HedgeRule?
    /// Whether a second attempt may be made at all.
    let hedges: Bool
    /// Whether requests that bear an `Idempotency-Key` may be repeated whatever their method.
    let repeatsWithKey: Bool

    init(
        target: Target, flagSlots: [Int], bodyLimit: UInt64, rewrite: RewriteTemplate?, allowsWebSocket: Bool,
        requestPolicy: FieldPolicy, tightenedPolicy: FieldPolicy, mayTighten: Bool,
        requestLines: [UInt8], responsePolicy: FieldPolicy, responseLines: [UInt8], headTimeout: UInt64?,
        idleTimeout: UInt64?, totalTimeout: UInt64?, retry: RetryRules? = nil, repeatsWithKey: Bool = false,
        hedge: HedgeRule? = nil, hedges: Bool = false
    ) {
        self.hedge = hedge
        self.hedges = hedges
        self.retry = retry
        self.repeatsWithKey = repeatsWithKey
        self.target = target
        self.flagSlots = flagSlots
        self.bodyLimit = bodyLimit
        self.rewrite = rewrite
        self.allowsWebSocket = allowsWebSocket
        self.requestPolicy = requestPolicy
        self.tightenedPolicy = tightenedPolicy
        self.mayTighten = mayTighten
        self.requestLines = requestLines
        self.responsePolicy = responsePolicy
        self.responseLines = responseLines
        self.headTimeout = headTimeout
        self.idleTimeout = idleTimeout
        self.totalTimeout = totalTimeout
    }
}

/// A fixed answer.
final class RespondPlan {
    let bodyLimit: UInt64
    private let status: UInt16
    private let lines: [UInt8]
    private let body: [UInt8]

    init(bodyLimit: UInt64, status: UInt16, lines: [UInt8], body: [UInt8]) {
        self.bodyLimit = bodyLimit
        self.status = status
        self.lines = lines
        self.body = body
    }

    func respond(_ exchange: Exchange) {
        exchange.beginHead(status: status)
        exchange.output.append(lines)
        exchange.appendOwnFields()
        if status == 204 || status == 304 {
            exchange.endHead(.none(declared: nil))
        } else if exchange.head.method == .head {
            exchange.endHead(.none(declared: UInt64(body.count)))
        } else {
            exchange.endHead(.length(UInt64(body.count)))
            exchange.write(body)
        }
        exchange.endResponse()
    }
}

/// A redirect: the client is sent elsewhere.
final class RedirectPlan {
    let bodyLimit: UInt64
    private let status: UInt16
    private let location: RewriteTemplate

    init(bodyLimit: UInt64, status: UInt16, location: RewriteTemplate) {
        self.bodyLimit = bodyLimit
        self.status = status
        self.location = location
    }

    func respond(_ exchange: Exchange) {
        var isSafe = true
        exchange.worker.draft { target, _ in
            location.append(exchange, to: &target)
            // To a client, `//host/x` is another site: no path that somebody sends may become one (CWE-601).
            isSafe = !(target.count > 1 && target[0] == UInt8(ascii: "/") && target[1] == UInt8(ascii: "/"))
            if isSafe { begin(exchange, to: target) }
        }
        guard isSafe else {
            exchange.fail(.badRequest, detail: "the path cannot be redirected")
            return
        }
        exchange.appendOwnFields()
        exchange.endHead(exchange.head.method == .head ? .none(declared: 0) : .length(0))
        exchange.endResponse()
    }

    private func begin(_ exchange: Exchange, to target: borrowing ByteBuffer) {
        exchange.beginHead(status: status)
        exchange.output.append("Location: ")
        exchange.output.append(target.span)
        exchange.output.append("\r\n")
    }
}

/// A path made of literal pieces and captured parts of the request's own path, which are in their encoded form already
/// and stay so: they can neither open nor close a segment that they did not when they came in.
struct RewriteTemplate: Equatable, Sendable {
    enum Piece: Equatable, Sendable {
        case text([UInt8])
        /// The capture with this number.
        case capture(Int)
    }

    var pieces: [Piece]

    func append(_ exchange: Exchange, to buffer: inout ByteBuffer) {
        for piece in pieces {
            switch piece {
            case .text(let text): buffer.append(text)
            case .capture(let number):
                guard number < exchange.captures.count else { continue }
                exchange.head.copy(exchange.captures[number], to: &buffer)
            }
        }
    }
}
