import ByteBuffers
import JSON

/// What the owner of a run has to do. Calls have numbers: the first call of a part has the part's number, further ones of
/// parts that fan out have those behind the last part.
package enum AggregateAction: Equatable, Sendable, BitwiseCopyable {
    /// Send the request of this call.
    case start(Int)
    /// Stop the request of this call: nobody waits for its answer any more.
    case cancel(Int)
    /// The run has its outcome.
    case finished
}

/// How a run ended.
package enum AggregateOutcome: Equatable, Sendable {
    /// Every part has a value; where optional parts failed, their defaults.
    case view(isPartial: Bool)
    /// A required part failed: the view is this status, caused by this part.
    case failed(status: UInt16, part: Int, PartFailure)
    /// The client left.
    case abandoned
}

/// One view on its way: events in, actions out. Without sockets and clocks; reused from view to view.
///
/// ```
/// waiting ─► running ─► answered
///    │          ├─────► failed      (an optional part; a required one ends the run)
///    ├──────────┴─────► cancelled   (the run ended without it)
///    └────────────────► failed      (an input of its request is missing)
/// ```
/// The order of calls: `prepare`, the inputs, `begin`; then events of parts, each followed by taking `nextAction` until
/// there is none. Events of parts that are not running are ignored, so that late ones do no harm.
package struct AggregateRun: ~Copyable {
    /// The greatest size of a part's answer, in bytes.
    package static let maximumAnswer = 8 * 1024 * 1024
    /// How deep arrays and objects of an answer may nest.
    package static let maximumDepth = 128
    /// The greatest size of all answers of a view together, in bytes.
    package static let maximumAnswers = 32 * 1024 * 1024
    /// The most calls of a view beside the first ones of its parts.
    package static let maximumCalls = 1024

    /// Where a part is.
    package enum PartState: UInt8, Sendable, BitwiseCopyable {
        case waiting, running, answered, failed, cancelled
        /// It was not asked: the base has what it would replace, or nothing of the base is needed.
        case skipped
    }

    struct PartRecord: BitwiseCopyable {
        var state = PartState.waiting
        /// Why it failed; of one that fans out, why the first of its values failed that did.
        var failure: PartFailure?
        /// The status of its last answer.
        var status: UInt16 = 0
        /// Why somebody else answered than was decided for; nil where nobody had to.
        var elsewhere: StaticString?
        private var firstValue = 0
        private var valueCount = 0
        /// The first value that was not asked for yet.
        var nextValue = 0
        /// Its calls in flight.
        var running = 0
        /// How many of its values have no answer.
        var missing = 0

        /// The values it asks for.
        var values: Range<Int> {
            get { firstValue..<(firstValue + valueCount) }
            set { (firstValue, valueCount) = (newValue.lowerBound, newValue.count) }
        }
    }

    struct CallRecord: BitwiseCopyable {
        var part: Int
        /// The value it asks for, -1 where it asks for none or for all.
        var value = -1
        var isRunning = false
        /// Whether its service may have got something of the request.
        var wasSent = false
        /// The status of its answer, 0 before one.
        var status: UInt16 = 0
        var target = ByteRange()
        var headerLines = ByteRange()
        var body = ByteRange()
    }

    /// What the client sent, for the templates; filled in between `prepare` and `begin`, but for the body, which is read
    /// before.
    package var inputs: TemplateInputs
    /// The view's plan; nil before the first `prepare`.
    package private(set) var plan: AggregatePlan?
    /// Whether a part that is optional fails the view all the same; set between `prepare` and `begin`.
    package var isStrict = false
    /// Whether something was to be sent.
    package private(set) var hasStarted = false
    /// How the run ended; nil as long as it goes on.
    package private(set) var outcome: AggregateOutcome?

    /// Whether somebody else answered for a part than was decided for.
    private(set) var hasAnswersFromElsewhere = false
    var answers = PartAnswers()
    var values: FanOutValues
    var records = PlainList<PartRecord>()
    var calls = PlainList<CallRecord>()
    var requests = ByteBuffer()
    var scratch = ByteBuffer()
    var actions = PlainList<AggregateAction>()
    private var nextActionIndex = 0
    var answeredMask: UInt64 = 0
    var failedMask: UInt64 = 0
    private var received = 0
    /// Whether the base is not asked unless something turns out to be needed of it.
    var holdsBase = false
    private let hashSeed: UInt64

    /// A run that can be used for one view after another. `hashSeed` is a random number: upstreams that know it could
    /// make the member names of their answers collide.
    package init(hashSeed: UInt64) {
        self.hashSeed = hashSeed
        inputs = TemplateInputs(hashSeed: hashSeed)
        values = FanOutValues(seed: hashSeed)
    }

    // MARK: - Beginning

    /// Forgets the last view and gets ready for one by `plan`. Of the parts that replace something of the base those in
    /// `served` are not asked, one bit each: whom the base is asked of would answer for them, too.
    package mutating func prepare(_ plan: AggregatePlan, served: UInt64 = 0) {
        forget()
        self.plan = plan
        records.append(repeating: PartRecord(), count: plan.parts.count)
        for part in plan.parts.indices { calls.append(CallRecord(part: part)) }
        answers.grow(to: plan.parts.count, hashSeed: hashSeed)
        inputs.prepare(for: plan.inputs)
        if plan.hasBase { decideOnBase(plan, served) }
    }

    private mutating func decideOnBase(_ plan: AggregatePlan, _ served: UInt64) {
        var isNeeded = plan.successor == nil
        for part in plan.parts.indices.dropFirst() {
            if plan.parts[part].replaces, served & 1 << UInt64(part) != 0 {
                records[part].state = .skipped
                isNeeded = true
            } else if plan.parts[part].dependencies & 1 != 0 {
                isNeeded = true
            }
        }
        holdsBase = !isNeeded
    }

    /// Forgets the view, its plan, what the client sent and the answers; memory of an uncommonly large one is given back.
    package mutating func reset() {
        forget()
        inputs.body.reset()
    }

    /// Forgets the view, but not the client's body, which is there before it is begun.
    private mutating func forget() {
        for call in 0..<calls.count { answers[call].reset() }
        answers.shrink(to: Self.keptAnswers)
        calls.removeAll(keeping: 256)
        records.removeAll()
        values.removeAll()
        received = 0
        holdsBase = false
        requests.removeAll(keeping: 64 * 1024)
        scratch.removeAll(keeping: 64 * 1024)
        actions.removeAll()
        nextActionIndex = 0
        answeredMask = 0
        failedMask = 0
        outcome = nil
        isStrict = false
        hasStarted = false
        plan = nil
    }

    /// How many answers keep their memory for the next view.
    private static let keptAnswers = 64

    /// A further call of `part`, for this value; nil where there are too many.
    mutating func addCall(of part: Int, for value: Int) -> Int? {
        guard let plan, calls.count - plan.parts.count < Self.maximumCalls else { return nil }
        let call = calls.count
        calls.append(CallRecord(part: part, value: value))
        if answers.count <= call { answers.grow(to: max(call + 1, answers.count * 2), hashSeed: hashSeed) }
        return call
    }

    /// Starts every part whose inputs are there. Of a view that writes nothing is begun where the client has not sent what
    /// its last part needs.
    package mutating func begin() {
        if plan?.isWrite == true, !checkInputs() { return }
        settle()
    }

    /// Whether there is something to be done.
    package var wantsAction: Bool { nextActionIndex < actions.count }

    /// What is to be done next, in order; nil when there is nothing left for now.
    package mutating func nextAction() -> AggregateAction? {
        guard nextActionIndex < actions.count else {
            actions.removeAll()
            nextActionIndex = 0
            return nil
        }
        nextActionIndex += 1
        if case .start = actions[nextActionIndex - 1] { hasStarted = true }
        return actions[nextActionIndex - 1]
    }

    // MARK: - Requests of calls that were started

    /// The part that a call belongs to.
    package func part(of call: Int) -> Int { calls[call].part }

    /// How many calls there are so far.
    package var callCount: Int { calls.count }

    /// The path and query to send.
    @_lifetime(borrow self)
    package borrowing func target(of call: Int) -> Span<UInt8> { requests.span(calls[call].target) }

    /// The fields to send, as lines that end with CR LF; empty for none.
    @_lifetime(borrow self)
    package borrowing func headerLines(of call: Int) -> Span<UInt8> { requests.span(calls[call].headerLines) }

    /// The body to send, JSON; empty where the part has none.
    @_lifetime(borrow self)
    package borrowing func body(of call: Int) -> Span<UInt8> { requests.span(calls[call].body) }

    /// Whether an answer to a call is part of the view.
    func hasAnswer(_ call: Int) -> Bool { !calls[call].isRunning && answers[call].value != nil }

    /// Where a part is.
    package func state(of part: Int) -> PartState { records[part].state }

    /// Why a part failed, or some of the values that it asks for; or nil.
    package func failure(of part: Int) -> PartFailure? { records[part].failure }

    /// Whether a part that was to replace something has failed, so that the view has what the base says.
    package func fellBack(_ part: Int) -> Bool {
        guard let plan, plan.parts[part].replaces, records[part].failure != nil else { return false }
        return records[0].state == .answered
    }

    /// Why somebody else answered for a part than was decided for; nil where nobody had to.
    package func elsewhere(_ part: Int) -> StaticString? { records[part].elsewhere }

    /// How many of the values that a part asks for have no answer; 0 for a part that asks once.
    package func missingValues(of part: Int) -> Int { records[part].missing }

    /// The status that a part was answered with last, 0 where no head of an answer came.
    package func status(of part: Int) -> UInt16 { records[part].status }

    // MARK: - Events

    /// The answer that is about to end comes from somebody else than was decided for, for this reason, which is a word.
    package mutating func answerIsFromElsewhere(_ call: Int, _ reason: StaticString) {
        guard isRunning(call) else { return }
        records[calls[call].part].elsewhere = reason
        hasAnswersFromElsewhere = true
    }

    /// The head of an answer came. What an earlier attempt may have left is forgotten.
    package mutating func answerBegan(_ call: Int, status: UInt16) {
        guard isRunning(call) else { return }
        answers[call].reset()
        records[calls[call].part].status = status
        calls[call].status = status
        if !(200...299).contains(status) || status == 206 {
            fail(call, PartFailure(.badStatus, status: status), isInFlight: true)
        }
    }

    /// The answer has this `Cache-Control` field (each line of it).
    package mutating func answerHas(cacheControl value: Span<UInt8>, _ call: Int) {
        if isRunning(call) { answers[call].freshness.read(cacheControl: value) }
    }

    /// The answer has this `Age` field.
    package mutating func answerHas(age value: Span<UInt8>, _ call: Int) {
        if isRunning(call) { answers[call].freshness.read(age: value) }
    }

    /// So many seconds have passed from the time when the answer was asked for until the view is put together.
    package mutating func answerIsOlder(_ call: Int, by seconds: UInt32) {
        if hasAnswer(call) { answers[call].freshness.grow(older: seconds) }
    }

    /// The answer has this `Vary` field (each line of it).
    package mutating func answerHas(vary value: Span<UInt8>, _ call: Int) {
        guard isRunning(call) else { return }
        if !answers[call].vary.isEmpty { answers[call].vary.append(UInt8(ascii: ",")) }
        answers[call].vary.append(value)
    }

    /// The answer has an `Expires` field.
    package mutating func answerExpires(_ call: Int) {
        if isRunning(call) { answers[call].freshness.noteExpires() }
    }

    /// The answer cannot be used, though more of it may come.
    package mutating func answerIsUnusable(_ call: Int, _ reason: PartFailure.Reason) {
        guard isRunning(call) else { return }
        fail(call, PartFailure(reason), isInFlight: true)
    }

    /// The answer has this `Content-Length`: one that is too large is refused before it is read.
    package mutating func answerHas(contentLength length: UInt64, _ call: Int) {
        guard isRunning(call), length > UInt64(Self.maximumAnswer) else { return }
        fail(call, PartFailure(.tooLarge), isInFlight: true)
    }

    /// Bytes of the answer's body came.
    package mutating func answerReceived(_ bytes: Span<UInt8>, _ call: Int) {
        guard isRunning(call) else { return }
        if answers[call].body.count + bytes.count > Self.maximumAnswer || received + bytes.count > Self.maximumAnswers {
            fail(call, PartFailure(.tooLarge), isInFlight: true)
        } else {
            received += bytes.count
            answers[call].body.append(bytes)
        }
    }

    /// The answer is whole.
    package mutating func answerEnded(_ call: Int) {
        guard isRunning(call), let plan else { return }
        let part = calls[call].part
        let isEmpty = plan.parts[part].isStep && answers[call].body.isEmpty
        if isEmpty { answers[call].body.append("null") }
        if let failure = answers[call].readBody(plan.parts[part], isEmpty: isEmpty) {
            fail(call, failure, isInFlight: false)
            return
        }
        calls[call].isRunning = false
        records[part].running -= 1
        if let fanOut = plan.parts[part].fanOut {
            guard takeValues(of: call, fanOut) else { return }
        } else {
            complete(part)
        }
        settle()
    }

    /// The call's request failed, retries included.
    package mutating func partFailed(_ call: Int, _ failure: PartFailure) {
        guard isRunning(call) else { return }
        fail(call, failure, isInFlight: false)
    }

    /// The client has left.
    package mutating func abandon() {
        if outcome == nil { finish(.abandoned) }
    }

    // MARK: - Ends

    /// Whether the answer to a call is awaited.
    package func isRunning(_ call: Int) -> Bool { outcome == nil && call < calls.count && calls[call].isRunning }

    /// Whether the view fails with a part: what replaces something of the base need not be there.
    func isRequired(_ part: Int, of plan: AggregatePlan) -> Bool {
        !plan.parts[part].replaces && (isStrict || !plan.parts[part].isOptional)
    }

    func isOpen(_ part: Int) -> Bool { records[part].state == .waiting || records[part].state == .running }

    /// Stops the calls of a part.
    mutating func cancelCalls(of part: Int) {
        if records[part].running == 0 { return }
        for call in 0..<calls.count where calls[call].part == part && calls[call].isRunning { cancel(call) }
    }

    /// Stops a call.
    mutating func cancel(_ call: Int) {
        calls[call].isRunning = false
        records[calls[call].part].running -= 1
        // What was not yet begun need not be stopped.
        for index in nextActionIndex..<actions.count where actions[index] == .start(call) {
            actions.remove(at: index)
            return
        }
        actions.append(.cancel(call))
    }

    mutating func finish(_ outcome: AggregateOutcome) {
        for part in 0..<records.count where isOpen(part) {
            cancelCalls(of: part)
            records[part].state = .cancelled
        }
        self.outcome = outcome
        actions.append(.finished)
    }
}
