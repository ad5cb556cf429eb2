import ByteBuffers
import DistributedTracing
import EventLoops
import HTTPListener
import HTTPMessage
import Upstreams

/// When a second attempt is made beside the first, which has not been answered yet.
enum HedgeRule: Equatable, Sendable {
    /// After the time within which so many of a hundred requests by the route are answered.
    case percentile(Int)
    /// After so many milliseconds.
    case after(UInt64)
}

/// The second attempt at a request whose first one is slow (a hedge): whoever answers first is passed on, and the other is cut
/// off.
final class HedgeAttempt: RecordedAttempt {
    // SAFETY: the exchange of the first attempt owns it, and has cancelled it before it goes.
    private unowned(unsafe) let first: ForwardExchange
    private var meter = AttemptMeter()
    private var board: UpstreamBoard?

    init(_ first: ForwardExchange) { self.first = first }

    /// Begins, unless too many requests are being repeated, or there is no other endpoint to ask; returns whether it has.
    func begin(_ exchange: Exchange, avoiding endpoint: Int, by rules: RetryRules, _ plan: UpstreamPlan) -> Bool {
        forgetSpan()
        guard plan.group.hasAvailable(besides: endpoint),
            plan.group.board.takeRetry(live: plan.group.live, by: rules.budget)
        else { return false }
        board = plan.group.board
        forgetTimes(measuring: first.isMeasured)
        method = first.method
        framing = .none
        timeouts = first.timeouts
        upstream = first.upstream
        beginSpan(of: exchange, at: EventLoop.nanoseconds)
        meter.begin(span, at: upstream, method: method, of: exchange)
        exchange.attempts += 1
        var order = UpstreamOrder(
            random: exchange.worker.ids.next(), hash: plan.hashKey.map { $0.hash(exchange) } ?? nil)
        order.avoiding.insert(endpoint)
        guard let refusal = plan.group.start(self, order) else { return true }
        end(AttemptEnd(refusal), error: AttemptTrouble.refusal(refusal).cause.name)
        return false
    }

    /// Gives it up, unless it is over.
    ///
    /// - Parameter isOutrun: whether the first attempt has been answered before it.
    func stop(_ end: AttemptEnd, isOutrun: Bool = false) {
        guard isRunning else { return self.end(end) }
        self.end(end)
        if isOutrun { return abandon() }
        cancel(because: end.isTimeout ? .timeIsOver : .unwanted)
    }

    private func end(_ end: AttemptEnd, error: StaticString? = nil) {
        meter.end(end, status: span.status, of: first.exchange)
        endSpan(of: first.exchange, error: error)
        board?.giveRetry()
        board = nil
    }

    override func writeHead(into buffer: inout ByteBuffer) { first.writeHead(of: self, into: &buffer) }

    override func appendMethod(to buffer: inout ByteBuffer) { first.appendMethod(to: &buffer) }

    override func appendPath(of head: borrowing RequestHead, at endpoint: Endpoint, to buffer: inout ByteBuffer) {
        first.appendPath(of: head, at: endpoint, to: &buffer)
    }

    override func headReceived() {
        _ = noteHead()
        span.status = head.status
        first.hedgeAnswered()
    }

    override func bodyReceived(_ bytes: Span<UInt8>) { first.passOn(bytes, from: self) }

    override func piecesEnded() { first.exchange.flush() }

    override func ended() {
        end(.ok)
        first.hedgeEnded()
    }

    override func failed(_ failure: UpstreamFailure) {
        end(AttemptEnd(failure, of: self), error: Cause(failure).name)
        first.hedgeFailed(failure)
    }
}

/// The time after which a second attempt is made.
final class HedgePause: EventLoops.Timer {
    private unowned let first: ForwardExchange

    init(_ first: ForwardExchange) {
        self.first = first
        super.init(loop: first.exchange.worker.loop)
    }

    override func fire() { first.hedgeIsDue() }
}
