import Aggregation
import ByteBuffers
import DistributedTracing
import EventLoops
import HTTPListener
import HTTPMessage
import Routing
import Telemetry
import Upstreams

/// A view, compiled for one worker.
final class AggregateRoutePlan {
    let plan: AggregatePlan
    /// Where each part goes, by its number.
    let targets: [Target]
    let flagSlots: [Int]
    let bodyLimit: UInt64
    /// What beside their templates the requests of the parts are made of, by part.
    let requests: [PartRequestPlan]
    let methods: [Method]
    let methodNames: [[UInt8]]
    let names: [[UInt8]]
    /// How a request is sent on to whom the base is asked of, where the view is the base's answer as it is.
    let base: ForwardPlan?

    init(
        plan: AggregatePlan, targets: [Target], flagSlots: [Int], bodyLimit: UInt64,
        requests: [PartRequestPlan], base: ForwardPlan?
    ) {
        self.plan = plan
        self.targets = targets
        self.flagSlots = flagSlots
        self.bodyLimit = bodyLimit
        self.requests = requests
        self.base = base
        methodNames = plan.parts.map { Array($0.method.utf8) }
        methods = plan.parts.map { Method.named(Array($0.method.utf8).span) }
        names = plan.parts.map { Array($0.name.utf8) }
    }
}

/// Composes one view: carries out what the run decides, and answers with what came of it.
final class AggregateExchange {
    /// Held until the exchange is retired, to which it belongs.
    let exchange: Exchange
    var run: AggregateRun {
        _read { yield runCell.value }
        _modify { yield &runCell.value }
    }
    private let runCell: LoopCell<AggregateRun>
    var plan: AggregateRoutePlan?
    /// The view that begins when the client's body is whole.
    var awaited: AggregateRoutePlan?
    private var composer: ViewComposer {
        _read { yield composerCell.value }
        _modify { yield &composerCell.value }
    }
    private var body: ByteBuffer {
        _read { yield bodyCell.value }
        _modify { yield &bodyCell.value }
    }
    private let composerCell = LoopCell(ViewComposer())
    private let bodyCell = LoopCell(ByteBuffer())
    /// By the numbers of calls.
    private var attempts: [PartAttempt] {
        _read { yield attemptsCell.value }
        _modify { yield &attemptsCell.value }
    }
    private let attemptsCell = LoopCell<[PartAttempt]>([])
    /// How many of them know nothing of earlier views. Calls beyond were not started: their requests could not be written.
    private var readyAttempts = 0
    private lazy var deadline = ViewDeadline(self)
    private var isPerforming = false
    private var isMeasured = false

    init(_ exchange: Exchange) {
        self.exchange = exchange
        runCell = LoopCell(AggregateRun(hashSeed: exchange.worker.ids.next()))
    }

    // MARK: - The run

    /// Begins, as soon as the client's body is there, if it is needed.
    func begin(_ plan: AggregateRoutePlan) {
        if plan.plan.readsBody { return awaitBody(for: plan) }
        exchange.sendContinue()
        compose(plan)
    }

    /// Starts every part whose inputs are known.
    func compose(_ plan: AggregateRoutePlan) {
        self.plan = plan
        if exchange.isRecorded { exchange.beginComposition() }
        isMeasured = exchange.snapshot?.measuresTime == true
        readyAttempts = 0
        ready(plan.plan.parts.count)
        run.prepare(plan.plan, served: servedByBase(plan))
        run.isStrict = exchange.handlesStrictly
        exchange.head.fill(
            &run.inputs, plan.plan.inputs, exchange.captures, user: exchange.identity.user)
        deadline.schedule(after: ViewTime.forParts(of: min(plan.plan.timeout, exchange.patience)))
        run.begin()
        perform()
    }

    /// Does what the run wants, until it wants nothing. A part may fail while it is started: what follows from that is
    /// done by the loop that is running already.
    func perform() {
        guard !isPerforming else { return }
        isPerforming = true
        while let action = run.nextAction() {
            switch action {
            case .start(let call):
                ready(call + 1)
                attempts[call].start()
            case .cancel(let call): attempts[call].stop()
            case .finished: respond()
            }
        }
        isPerforming = false
    }

    /// The parts that need not be asked: their flags lead to whom the base is asked of.
    private func servedByBase(_ plan: AggregateRoutePlan) -> UInt64 {
        guard plan.plan.hasBase, let snapshot = exchange.snapshot else { return 0 }
        let base = snapshot.upstream(for: plan.targets[0], exchange.decisions)
        var served: UInt64 = 0
        for (number, part) in plan.plan.parts.enumerated() where part.replaces {
            if snapshot.upstream(for: plan.targets[number], exchange.decisions) == base {
                served |= 1 << UInt64(number)
            }
        }
        return served
    }

    /// Appends the path and query that the base is asked for, where the view is its answer as it is; false where the view has
    /// to be composed.
    func appendBaseTarget(_ plan: AggregateRoutePlan, to target: inout ByteBuffer) -> Bool {
        let served = servedByBase(plan)
        guard plan.plan.isBaseItself(served: served) else { return false }
        run.prepare(plan.plan, served: served)
        exchange.head.fill(&run.inputs, plan.plan.inputs, exchange.captures, user: exchange.identity.user)
        defer { run.reset() }
        return run.appendTarget(of: 0, to: &target)
    }

    /// Makes sure of what carries out the first `count` calls.
    private func ready(_ count: Int) {
        while readyAttempts < count {
            if attempts.count == readyAttempts { attempts.append(PartAttempt(self, number: readyAttempts)) }
            attempts[readyAttempts].forget(measuring: isMeasured)
            readyAttempts += 1
        }
    }

    /// Ends what runs, without an answer.
    func stop() {
        awaited = nil
        deadline.cancel()
        run.abandon()
        perform()
    }

    /// Milliseconds that the parts have left.
    var timeLeft: UInt64 {
        let now = exchange.worker.loop.now
        return deadline.deadline > now ? deadline.deadline - now : 0
    }

    /// Milliseconds that a part has left of its own time, which begins with its first call.
    func timeLeft(of part: Int, _ timeout: UInt64) -> UInt64 { attempts[part].partTimeLeft(timeout) }

    fileprivate func timeIsOver() {
        run.viewTimedOut()
        perform()
    }

    // MARK: - The answer

    private func respond() {
        deadline.cancel()
        exchange.endComposition()
        switch run.outcome {
        case .view(let isPartial):
            if isPartial { exchange.mark(.partial) }
            if hasFallenBack { exchange.mark(.fallback) }
            respondWithView()
        case .failed(let status, _, let failure):
            exchange.fail(Cause(failure.reason), status: status, detail: Self.detail(failure.reason))
        case .abandoned, nil: break
        }
    }

    private var hasFallenBack: Bool {
        guard let plan, plan.plan.hasBase else { return false }
        return plan.plan.parts.indices.contains { run.fellBack($0) }
    }

    private func respondWithView() {
        body.removeAll(keeping: 65_536)
        ageAnswers()
        let (method, hasCredentials) = Self.request(exchange.head)
        if let obstacle = composer.compose(run, hasCredentials: hasCredentials, into: &body) {
            body.removeAll(keeping: 65_536)
            exchange.fail(.partFailed, detail: Self.detail(obstacle))
            return
        }
        let isConditional = method == .get || method == .head
        let isUnmodified = isConditional && exchange.head.names(composer)
        if isUnmodified { exchange.mark(.notModified) }
        exchange.beginHead(status: isUnmodified ? 304 : 200)
        Self.write(composer, exchange, isUnmodified: isUnmodified, to: &exchange.output)
        if isUnmodified {
            exchange.endHead(.none(declared: nil))
        } else if method == .head {
            exchange.endHead(.none(declared: UInt64(body.count)))
        } else {
            exchange.endHead(.length(UInt64(body.count)))
            Self.write(body, to: exchange)
        }
        exchange.endResponse()
    }

    /// Answers have grown older since they were asked for, while the view waited for others.
    private func ageAnswers() {
        for call in 0..<readyAttempts {
            let seconds = attempts[call].age / 1000
            if seconds > 0 { run.answerIsOlder(call, by: UInt32(clamping: seconds)) }
        }
    }

    private static func request(_ head: borrowing RequestHead) -> (Method, hasCredentials: Bool) {
        (head.method, head.fields.contains(.authorization))
    }

    /// Writes the fields of the answer.
    private static func write(
        _ composer: borrowing ViewComposer, _ exchange: Exchange, isUnmodified: Bool, to output: inout ByteBuffer
    ) {
        if !isUnmodified { output.append("Content-Type: application/json\r\n") }
        composer.appendFields(to: &output)
        exchange.appendOwnFields(to: &output)
    }

    private static func write(_ body: borrowing ByteBuffer, to exchange: Exchange) { exchange.write(body.span) }

    private static func detail(_ obstacle: ViewComposer.Obstacle) -> StaticString {
        switch obstacle {
        case .tooLarge: "the view would be too large"
        case .nameConflict: "two parts of the view have a member of the same name"
        }
    }

    private static func detail(_ reason: PartFailure.Reason) -> StaticString {
        switch reason {
        case .timeout: "a part of the view did not come in time"
        case .badStatus: "a part of the view was answered with an error"
        case .notJSON, .badCoding, .invalidJSON, .tooLarge, .missingValue, .tooManyValues:
            "a part of the view was answered with something unusable"
        case .missingInput, .badInput: "a part of the view lacks a usable input"
        default: "a part of the view could not be had"
        }
    }

    /// Whether what the parts have come to belongs into an answer: something may have been done by then.
    var owesReport: Bool { plan?.plan.isWrite == true && run.hasStarted }

    /// Whether nobody should ask for the view again without a thought.
    var mayHaveWritten: Bool { run.mayHaveWritten }

    /// Appends what each part has come to as a field.
    func appendReport(to fields: inout ByteBuffer) {
        fields.append("Banyan-Parts: ")
        run.appendReport(to: &fields)
        fields.append("\r\n")
    }

    /// Makes what each part has come to a member of the problem document that has just been written.
    func appendReport(toDocument document: inout ByteBuffer) {
        document.truncate(to: document.count - 1)
        document.append(",")
        run.appendReport(toDocument: &document)
        document.append("}")
    }

    // MARK: - The log

    /// The times of the part that took longest, and when the last part was over; nil where none was measured.
    var slowestTimes: (times: AttemptTimes, over: UInt64)? {
        var slowest = -1
        var over: UInt64 = 0
        for call in 0..<readyAttempts where attempts[call].times.endedAt > 0 {
            if slowest < 0 || attempts[call].duration > attempts[slowest].duration { slowest = call }
            over = max(over, attempts[call].times.endedAt)
        }
        return slowest < 0 ? nil : (attempts[slowest].times, over)
    }

    /// Whether a part was carried by a second connection.
    var tookSecondConnection: Bool {
        attempts.prefix(readyAttempts).contains { $0.wasReplaced }
    }

    /// Counts what became of the parts.
    func countParts(_ metrics: WorkerMetrics) {
        guard let plan, let snapshot = exchange.snapshot else { return }
        Self.count(run, of: plan.plan, exchange.route, snapshot, metrics)
    }

    private static func count(
        _ run: borrowing AggregateRun, of plan: AggregatePlan, _ route: Int, _ snapshot: WorkerSnapshot,
        _ metrics: WorkerMetrics
    ) {
        for part in plan.parts.indices where run.state(of: part) != .skipped {
            let failure = run.state(of: part) == .cancelled ? PartFailure(.cancelled) : run.failure(of: part)
            metrics.partEnded(part, of: route, snapshot, failure)
        }
    }

    /// Adds what became of the parts.
    func fillParts(_ record: inout AccessLogRecord) {
        guard let plan, let snapshot = exchange.snapshot else { return }
        for number in plan.plan.parts.indices where run.state(of: number) != .skipped {
            let (upstream, duration) = longestCall(of: number)
            var cause = ByteBuffer()
            if let failure = run.failure(of: number) { cause.append(failure.reason.word) }
            record.addPart(
                plan.names[number], upstream < 0 ? [] : snapshot.upstreams[upstream].name,
                status: run.status(of: number), cause: cause, duration: duration,
                state: plan.plan.isWrite ? run.report(of: number).state.word : "")
        }
    }

    /// The upstream that a part was asked of, -1 for none, and how long it took; where it fans out, its longest call.
    private func longestCall(of part: Int) -> (upstream: Int, duration: UInt64) {
        var found = (upstream: -1, duration: UInt64(0))
        for call in 0..<readyAttempts where run.part(of: call) == part && attempts[call].upstream >= 0 {
            found = (attempts[call].upstream, max(found.duration, attempts[call].duration))
        }
        return found
    }

    // MARK: - The end

    /// Tells of each part that was asked for.
    func eachCall(_ body: (RecordedAttempt, AttemptNote?, Int) -> Void) {
        var number = 0
        for attempt in attempts.prefix(readyAttempts) where attempt.span.start > 0 {
            if attempt.hasEarlier {
                for note in attempt.earlier {
                    number += 1
                    body(attempt, note, number)
                }
            }
            number += 1
            body(attempt, nil, number)
        }
    }

    /// Forgets the view; of one with uncommonly many calls, what carried them out, too.
    func finish() {
        plan = nil
        run.reset()
        readyAttempts = 0
        if attempts.count > Self.keptAttempts { attempts.removeLast(attempts.count - Self.keptAttempts) }
    }

    private static let keptAttempts = 64

    /// Lets go of what holds it.
    func retired() { attempts.removeAll() }
}

/// The time that the whole view may take.
private final class ViewDeadline: EventLoops.Timer {
    private unowned let view: AggregateExchange

    init(_ view: AggregateExchange) {
        self.view = view
        super.init(loop: view.exchange.worker.loop)
    }

    override func fire() { view.timeIsOver() }
}
