import ByteBuffers
import JSON

/// What the owner of a run has to do.
package enum AggregateAction: Equatable, Sendable, BitwiseCopyable {
    /// Send the request of this part.
    case start(Int)
    /// Stop the request of this part: nobody waits for its answer any more.
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

    /// Where a part is.
    package enum PartState: UInt8, Sendable, BitwiseCopyable {
        case waiting, running, answered, failed, cancelled
    }

    struct PartRecord: BitwiseCopyable {
        var state = PartState.waiting
        var failure: PartFailure?
        var status: UInt16 = 0
        var target = ByteRange()
        var headerLines = ByteRange()
        var body = ByteRange()
    }

    /// What the client sent, for the templates; filled in between `prepare` and `begin`.
    package var inputs = TemplateInputs()
    /// The view's plan; nil before the first `prepare`.
    package private(set) var plan: AggregatePlan?
    /// How the run ended; nil as long as it goes on.
    package private(set) var outcome: AggregateOutcome?

    var answers = PartAnswers()
    private var records = PlainList<PartRecord>()
    private var requests = ByteBuffer()
    private var scratch = ByteBuffer()
    private var actions = PlainList<AggregateAction>()
    private var nextActionIndex = 0
    private var answeredMask: UInt64 = 0
    private var failedMask: UInt64 = 0
    private let hashSeed: UInt64

    /// A run that can be used for one view after another. `hashSeed` is a random number: upstreams that know it could
    /// make the member names of their answers collide.
    package init(hashSeed: UInt64) {
        self.hashSeed = hashSeed
    }

    // MARK: - Beginning

    /// Forgets the last view and gets ready for one by `plan`.
    package mutating func prepare(_ plan: AggregatePlan) {
        reset()
        self.plan = plan
        records.append(repeating: PartRecord(), count: plan.parts.count)
        answers.grow(to: plan.parts.count, hashSeed: hashSeed)
        inputs.prepare(for: plan.inputs)
    }

    /// Forgets the view, its plan and its answers; memory of an uncommonly large one is given back.
    package mutating func reset() {
        for part in 0..<records.count { answers[part].reset() }
        records.removeAll()
        requests.removeAll(keeping: 64 * 1024)
        scratch.removeAll(keeping: 64 * 1024)
        actions.removeAll()
        nextActionIndex = 0
        answeredMask = 0
        failedMask = 0
        outcome = nil
        plan = nil
    }

    /// Starts every part whose inputs are there.
    package mutating func begin() {
        settle()
    }

    /// What is to be done next, in order; nil when there is nothing left for now.
    package mutating func nextAction() -> AggregateAction? {
        guard nextActionIndex < actions.count else {
            actions.removeAll()
            nextActionIndex = 0
            return nil
        }
        nextActionIndex += 1
        return actions[nextActionIndex - 1]
    }

    // MARK: - Requests of parts that were started

    /// The path and query to send.
    @_lifetime(borrow self)
    package borrowing func target(of part: Int) -> Span<UInt8> { requests.span(records[part].target) }

    /// The fields to send, as lines that end with CR LF; empty for none.
    @_lifetime(borrow self)
    package borrowing func headerLines(of part: Int) -> Span<UInt8> { requests.span(records[part].headerLines) }

    /// The body to send, JSON; empty where the part has none.
    @_lifetime(borrow self)
    package borrowing func body(of part: Int) -> Span<UInt8> { requests.span(records[part].body) }

    /// Where a part is.
    package func state(of part: Int) -> PartState { records[part].state }

    /// Why a part failed, or nil.
    package func failure(of part: Int) -> PartFailure? { records[part].failure }

    /// The status that a part answered with, 0 where no head of an answer came.
    package func status(of part: Int) -> UInt16 { records[part].status }

    // MARK: - Events

    /// The head of an answer to `part` came. What an earlier attempt may have left is forgotten.
    package mutating func answerBegan(_ part: Int, status: UInt16) {
        guard isRunning(part) else { return }
        answers[part].reset()
        records[part].status = status
        if !(200...299).contains(status) || status == 206 {
            fail(part, PartFailure(.badStatus, status: status), isInFlight: true)
        }
    }

    /// The answer has this `Cache-Control` field (each line of it).
    package mutating func answerHas(cacheControl value: Span<UInt8>, _ part: Int) {
        if isRunning(part) { answers[part].freshness.read(cacheControl: value) }
    }

    /// The answer has this `Age` field.
    package mutating func answerHas(age value: Span<UInt8>, _ part: Int) {
        if isRunning(part) { answers[part].freshness.read(age: value) }
    }

    /// The answer has this `Vary` field (each line of it).
    package mutating func answerHas(vary value: Span<UInt8>, _ part: Int) {
        guard isRunning(part) else { return }
        if !answers[part].vary.isEmpty { answers[part].vary.append(UInt8(ascii: ",")) }
        answers[part].vary.append(value)
    }

    /// The answer has this `Content-Encoding` field. Nothing encoded was asked for, and nothing is decoded here: so a
    /// small answer cannot become a large one.
    package mutating func answerHas(contentEncoding value: Span<UInt8>, _ part: Int) {
        guard isRunning(part), !value.trimmed.isEmpty, !value.trimmed.equalsIgnoringCase("identity") else { return }
        fail(part, PartFailure(.invalidJSON), isInFlight: true)
    }

    /// The answer has this `Content-Length`: one that is too large is refused before it is read.
    package mutating func answerHas(contentLength length: UInt64, _ part: Int) {
        guard isRunning(part), length > UInt64(Self.maximumAnswer) else { return }
        fail(part, PartFailure(.tooLarge), isInFlight: true)
    }

    /// Bytes of the answer's body came.
    package mutating func answerReceived(_ bytes: Span<UInt8>, _ part: Int) {
        guard isRunning(part) else { return }
        if answers[part].body.count + bytes.count > Self.maximumAnswer {
            fail(part, PartFailure(.tooLarge), isInFlight: true)
        } else {
            answers[part].body.append(bytes)
        }
    }

    /// The answer is whole.
    package mutating func answerEnded(_ part: Int) {
        guard isRunning(part), let plan else { return }
        if let failure = answers[part].readBody(plan.parts[part]) {
            fail(part, failure, isInFlight: false)
            return
        }
        records[part].state = .answered
        answeredMask |= 1 << UInt64(part)
        settle()
    }

    /// The part's request failed, retries included.
    package mutating func partFailed(_ part: Int, _ failure: PartFailure) {
        guard isRunning(part) else { return }
        fail(part, failure, isInFlight: false)
    }

    /// The time of the whole view is over: optional parts get their defaults, a required one that is missing fails it.
    package mutating func viewTimedOut() {
        guard outcome == nil, let plan else { return }
        let timeout = PartFailure(.timeout)
        for part in 0..<records.count where isOpen(part) && !plan.parts[part].isOptional {
            fail(part, timeout, isInFlight: records[part].state == .running)
            return
        }
        for part in 0..<records.count where isOpen(part) {
            if records[part].state == .running { cancel(part) }
            records[part].state = .failed
            records[part].failure = timeout
        }
        finish(.view(isPartial: true))
    }

    /// The client has left.
    package mutating func abandon() {
        if outcome == nil { finish(.abandoned) }
    }

    // MARK: - Rules

    private func isRunning(_ part: Int) -> Bool {
        outcome == nil && part < records.count && records[part].state == .running
    }

    private func isOpen(_ part: Int) -> Bool {
        records[part].state == .waiting || records[part].state == .running
    }

    /// A part failed: a required one fails the view.
    private mutating func fail(_ part: Int, _ failure: PartFailure, isInFlight: Bool) {
        if isInFlight { cancel(part) }
        if mark(part, failure) { settle() }
    }

    /// Notes a failure; false where it has ended the run.
    private mutating func mark(_ part: Int, _ failure: PartFailure) -> Bool {
        guard let plan else { return false }
        records[part].state = .failed
        records[part].failure = failure
        failedMask |= 1 << UInt64(part)
        if plan.parts[part].isOptional { return true }
        let status = failure.viewStatus(pathHoldsInput: plan.parts[part].pathHoldsInput)
        finish(.failed(status: status, part: part, failure))
        return false
    }

    /// Starts what can start, fails what waits for a part that failed, until nothing changes; and ends the run when no
    /// part is open any more.
    private mutating func settle() {
        guard outcome == nil, let plan else { return }
        var hasChanged = true
        while hasChanged {
            hasChanged = false
            for part in 0..<records.count where records[part].state == .waiting {
                let needed = plan.parts[part].dependencies
                var problem: PartFailure?
                if needed & failedMask != 0 {
                    problem = PartFailure(.missingInput)
                } else if needed & ~answeredMask == 0 {
                    problem = write(plan.parts[part], part)
                } else {
                    continue
                }
                guard let problem else {
                    records[part].state = .running
                    actions.append(.start(part))
                    continue
                }
                if !mark(part, problem) { return }
                hasChanged = true
            }
        }
        for part in 0..<records.count where isOpen(part) { return }
        finish(.view(isPartial: failedMask != 0))
    }

    /// Writes the request of a part whose inputs are there.
    private mutating func write(_ part: AggregatePlan.Part, _ number: Int) -> PartFailure? {
        var start = requests.count
        if let problem = expand(part.pathTemplate) { return Self.failure(problem) }
        records[number].target = ByteRange(start: start, count: requests.count - start)
        start = requests.count
        for field in part.headerTemplates {
            let line = requests.count
            requests.append(field.name.span)
            requests.append(": ")
            if let problem = expand(field.value) {
                requests.truncate(to: line)
                // A field that the client did not send is not sent on; a value that a part owes is not done without.
                if problem == TemplateProblem(kind: .missing, isClients: true) { continue }
                return Self.failure(problem)
            }
            requests.append("\r\n")
        }
        records[number].headerLines = ByteRange(start: start, count: requests.count - start)
        guard let body = part.bodyTemplate else { return nil }
        start = requests.count
        if let problem = expand(body) { return Self.failure(problem) }
        records[number].body = ByteRange(start: start, count: requests.count - start)
        return nil
    }

    private mutating func expand(_ template: Template) -> TemplateProblem? {
        template.append(to: &requests, inputs: inputs, answers: answers, scratch: &scratch)
    }

    private static func failure(_ problem: TemplateProblem) -> PartFailure {
        PartFailure(problem.kind == .missing ? .missingInput : .badInput, isClients: problem.isClients)
    }

    private mutating func cancel(_ part: Int) {
        // What was not yet begun need not be stopped.
        for index in nextActionIndex..<actions.count where actions[index] == .start(part) {
            actions.remove(at: index)
            return
        }
        actions.append(.cancel(part))
    }

    private mutating func finish(_ outcome: AggregateOutcome) {
        for part in 0..<records.count where isOpen(part) {
            if records[part].state == .running { cancel(part) }
            records[part].state = .cancelled
        }
        self.outcome = outcome
        actions.append(.finished)
    }
}

extension PartAnswer {
    /// Reads the whole body: checks that it is JSON, and finds what goes into the view.
    mutating func readBody(_ part: AggregatePlan.Part) -> PartFailure? {
        let limits = JSONIndex.Limits(depth: AggregateRun.maximumDepth, indexedDepth: part.indexedDepth)
        do throws(JSONScanError) {
            try Self.scan(body, into: &index, limits)
        } catch {
            return PartFailure(error.reason == .tooManyNodes || error.reason == .tooLarge ? .tooLarge : .invalidJSON)
        }
        value = index.find(part.pick, in: body.span)
        return value == nil ? PartFailure(.missingValue) : nil
    }

    private static func scan(
        _ text: borrowing ByteBuffer, into index: inout JSONIndex, _ limits: JSONIndex.Limits
    ) throws(JSONScanError) {
        try index.scan(text.span, limits: limits)
    }
}
