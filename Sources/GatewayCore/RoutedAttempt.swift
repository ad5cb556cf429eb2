import ByteBuffers
import DistributedTracing
import EventLoops
import Glibc
import HTTPListener
import HTTPMessage
import Telemetry
import Upstreams

/// An attempt that another one may follow: at the same upstream, by its rules for retries, or at the fallback of the context.
/// One object makes them in turn.
///
/// Nothing is sent twice that may have had an effect, unless its method says that this does no harm (RFC 9110 §9.2.2), or the
/// client and the route do; and nothing once a byte of an answer has been passed on.
class RoutedAttempt: RecordedAttempt {
    /// Held until the exchange is retired, to which it belongs, by itself or by its view.
    final let exchange: Exchange
    /// Those before the one under way, or the last one.
    private(set) final var earlier: [AttemptNote] = []
    /// Whether there are such.
    private(set) final var hasEarlier = false
    private final let meter = LoopCell(AttemptMeter())
    private final let courseCell = LoopCell(Course())
    private final var course: Course {
        _read { yield courseCell.value }
        _modify { yield &courseCell.value }
    }
    private final lazy var pause = RetryPause(self)
    /// What follows the answer that is being dropped.
    private final var dropping = Step.nothing

    /// What has been tried.
    private struct Course {
        /// Attempts at the present upstream.
        var attempts = 0
        var avoiding = AvoidedServers()
        var fallback = FallbackRules()
        /// The place that the attempt under way has in a budget, and the one that is kept for the next.
        var holds = Place.none
        var reserved = Place.none
        /// Whether the next attempt waits for its time.
        var isPausing = false
    }

    /// A place in the budget of an upstream.
    private enum Place: Equatable {
        case none
        /// Among the requests that are repeated there.
        case retry(Int)
        /// Among those that another upstream should have answered.
        case fallback(Int)
    }

    /// What follows an attempt whose answer, if there is one, is not passed on.
    private enum Step: Equatable {
        case nothing
        /// The same upstream is asked again, after so many milliseconds.
        case retry(UInt64)
        case fallback(FallbackReason)
    }

    init(_ exchange: Exchange) { self.exchange = exchange }

    // MARK: - What subclasses say

    /// Whether the request may be sent again though somebody may have seen it: it is here from its beginning, and its method
    /// or its client say that it does no harm.
    var mayBeSentAgain: Bool { false }

    /// Whether it may be sent to somebody else, of whom nobody knows it yet.
    var mayBeSentElsewhere: Bool { true }

    /// Milliseconds that are left for it.
    var timeLeft: UInt64 { .max }

    /// The rules for retries at the present upstream.
    var retryRules: RetryRules? { exchange.snapshot?.upstreams[upstream].retry }

    /// Takes over the present upstream's times.
    func useTimeouts(of plan: UpstreamPlan) { timeouts = plan.timeouts }

    /// An attempt is under way.
    func begun() {}

    /// The word for what went wrong, for spans.
    func word(for trouble: AttemptTrouble, _ end: AttemptEnd) -> StaticString { trouble.cause.name }

    /// Nothing more will be tried.
    func gaveUp(_ trouble: AttemptTrouble, _ end: AttemptEnd) {}

    // MARK: - Attempts

    /// Whether an attempt is under way, or about to follow.
    final var isUnderWay: Bool { isRunning || course.isPausing }

    /// Decides which upstream is asked for `target`, and who in its place.
    final func prepare(for target: Target, _ snapshot: WorkerSnapshot) {
        upstream = snapshot.upstream(for: target, exchange.decisions)
        course = Course()
        fallbackReason = nil
        dropping = .nothing
        if hasEarlier { earlier.removeAll(keepingCapacity: true) }
        hasEarlier = false
        if case .context(let number) = target { course.fallback = snapshot.contexts[number].fallback }
        if course.fallback.upstream == upstream { course.fallback = FallbackRules() }
        useTimeouts(of: snapshot.upstreams[upstream])
    }

    /// Makes an attempt, at the time `now`.
    final func attempt(at now: UInt64) {
        guard let snapshot = exchange.snapshot else { return }
        let plan = snapshot.upstreams[upstream]
        course.attempts += 1
        exchange.attempts += 1
        beginSpan(of: exchange, at: now)
        meter.value.begin(span, at: upstream, method: method, of: exchange)
        var order = UpstreamOrder(
            random: exchange.worker.ids.next(), hash: plan.hashKey.map { $0.hash(exchange) } ?? nil)
        order.avoiding = course.avoiding
        order.hasAlternative = course.fallback.upstream >= 0 && mayBeSentElsewhere
        if fallbackReason != nil { order.requestClass = .fallback }
        guard let refusal = plan.group.start(self, order) else {
            // It may have come to its end already, and with it the exchange.
            if isUnderWay { begun() }
            return
        }
        ended(by: .refusal(refusal), AttemptEnd(refusal))
    }

    /// Ends what runs, without another attempt.
    ///
    /// - Parameter isOutrun: whether another attempt has been answered first. The upstream may end its work then, so that the
    ///   connection is kept; where nobody is there to be answered it should not.
    final func stop(_ end: AttemptEnd, isOutrun: Bool = false) {
        finishAttempt(end)
        if course.reserved != .none {
            give(course.reserved)
            course.reserved = .none
        }
        if course.isPausing {
            course.isPausing = false
            pause.cancel()
        }
        dropping = .nothing
        if isRunning { endSpan(of: exchange) }
        if isOutrun { return abandon() }
        cancel(because: end.isTimeout ? .timeIsOver : .unwanted)
    }

    /// The attempt was answered to the end.
    final func succeeded() {
        finishAttempt(.ok)
        endSpan(of: exchange)
    }

    /// The attempt has come to nothing, and another one that is under way decides what follows.
    final func conclude(_ end: AttemptEnd, error: StaticString) {
        finishAttempt(end)
        endSpan(of: exchange, error: error)
    }

    private func finishAttempt(_ end: AttemptEnd) {
        meter.value.end(end, status: span.status, of: exchange)
        if course.holds != .none {
            give(course.holds)
            course.holds = .none
        }
    }

    private func give(_ place: Place) {
        guard let snapshot = exchange.snapshot else { return }
        switch place {
        case .none: break
        case .retry(let number): snapshot.upstreams[number].group.board.giveRetry()
        case .fallback(let number): snapshot.upstreams[number].group.board.giveFallback()
        }
    }

    override func failed(_ failure: UpstreamFailure) {
        let end = AttemptEnd(failure, of: self)
        guard dropping != .nothing else { return ended(by: .failure(failure), end) }
        finishAttempt(end)
        endSpan(of: exchange, error: word(for: .failure(failure), end))
        goOn()
    }

    /// The attempt has come to nothing.
    private func ended(by trouble: AttemptTrouble, _ end: AttemptEnd) {
        finishAttempt(end)
        endSpan(of: exchange, error: word(for: trouble, end))
        let step = next(after: trouble)
        if step == .nothing { return gaveUp(trouble, end) }
        dropping = step
        goOn()
    }

    // MARK: - What follows

    /// Whether an answer with this status, whose head has come, is not passed on: another attempt follows when it has been
    /// read, or at once where it is not all there.
    final func isDropped(status: UInt16) -> Bool {
        guard status >= 404, mayBeDropped(status) else { return false }
        let trouble = AttemptTrouble.status(status, retryAfter: Self.retryAfter(in: head))
        let step = next(after: trouble)
        guard step != .nothing else { return false }
        dropping = step
        return true
    }

    private func mayBeDropped(_ status: UInt16) -> Bool {
        if let reason = FallbackReason(status: status), course.fallback.count(reason) { return true }
        guard fallbackReason == nil, let rules = retryRules else { return false }
        return !rules.policy.on.isDisjoint(with: RetryConditions(status: Int(status)))
    }

    /// Whether what comes is an answer that is not passed on.
    final var isDropping: Bool { dropping != .nothing }

    /// The answer that is not passed on has ended, or was waited for no longer.
    final func dropped() {
        finishAttempt(.ok)
        endSpan(of: exchange)
        cancel()
        goOn()
    }

    private func next(after trouble: AttemptTrouble) -> Step {
        if fallbackReason == nil, let time = retryTime(after: trouble) { return .retry(time) }
        return fallback(after: trouble).map { .fallback($0) } ?? .nothing
    }

    /// After how many milliseconds the same upstream is asked again; nil where it is not. A place among the retries is taken
    /// then.
    private func retryTime(after trouble: AttemptTrouble) -> UInt64? {
        guard let snapshot = exchange.snapshot, let rules = retryRules else { return nil }
        let group = snapshot.upstreams[upstream].group
        let verdict = rules.policy.verdict(
            failure: trouble.condition, attemptNumber: course.attempts, timeLeft: timeLeft, mayRepeat: mayBeSentAgain,
            nothingSent: trouble.nothingWasSent && mayBeSentElsewhere,
            budgetAllows: group.board.takeRetry(live: group.live, by: rules.budget), retryAfter: trouble.retryAfter,
            random: exchange.worker.ids.next())
        exchange.worker.metrics.retryDecided(verdict, at: snapshot.metricNumbers.upstream(upstream))
        guard case .after(let time) = verdict else { return nil }
        course.reserved = .retry(upstream)
        return time
    }

    /// Why the context's fallback is asked; nil where it is not. A place among the fallbacks is taken then.
    private func fallback(after trouble: AttemptTrouble) -> FallbackReason? {
        let rules = course.fallback
        guard rules.upstream >= 0, let reason = trouble.fallbackReason, rules.count(reason), timeLeft > 0,
            trouble.nothingWasSent ? mayBeSentElsewhere : mayBeSentAgain, let snapshot = exchange.snapshot
        else { return nil }
        let group = snapshot.upstreams[rules.upstream].group
        let metrics = exchange.worker.metrics
        let number = snapshot.metricNumbers.upstream(upstream)
        let board = group.board
        guard board.takeFallback(live: group.live - board.fallbacksUnderWay, by: rules.budget) else {
            metrics.fellBack(nil, from: number)
            return nil
        }
        metrics.fellBack(reason, from: number)
        course.reserved = .fallback(rules.upstream)
        return reason
    }

    /// Makes the attempt that was decided for.
    private func goOn() {
        let step = dropping
        dropping = .nothing
        noteAttempt()
        course.holds = course.reserved
        course.reserved = .none
        switch step {
        case .nothing: break
        case .retry(let time):
            course.avoiding.insert(endpointNumber)
            if time == 0 { return attempt(at: EventLoop.nanoseconds) }
            course.isPausing = true
            pause.schedule(after: time)
        case .fallback(let reason):
            guard let snapshot = exchange.snapshot else { return }
            fallbackReason = reason
            upstream = course.fallback.upstream
            let place = course.holds
            course = Course()
            course.holds = place
            useTimeouts(of: snapshot.upstreams[upstream])
            attempt(at: EventLoop.nanoseconds)
        }
    }

    /// Keeps what spans tell of an attempt that another one follows.
    private func noteAttempt() {
        exchange.mark(.retried)
        if exchange.isRecorded {
            earlier.append(note)
            hasEarlier = true
        }
        span.status = 0
    }

    fileprivate func pauseIsOver() {
        course.isPausing = false
        attempt(at: EventLoop.nanoseconds)
    }

    private static func retryAfter(in head: borrowing ResponseHead) -> UInt64? {
        for index in 0..<head.fields.count where head.name(index).equalsIgnoringCase("retry-after") {
            return ExportRetry.wait(forField: head.value(index), now: Int64(time(nil)))
        }
        return nil
    }
}

/// The time between two attempts.
private final class RetryPause: EventLoops.Timer {
    private unowned let attempt: RoutedAttempt

    init(_ attempt: RoutedAttempt) {
        self.attempt = attempt
        super.init(loop: attempt.exchange.worker.loop)
    }

    override func fire() { attempt.pauseIsOver() }
}
