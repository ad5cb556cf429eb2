package import ByteBuffers
import JSON

/// What follows from what: which parts start, and what a failure means.
extension AggregateRun {
    /// Starts what can start, fails what waits for a part that failed, until nothing changes; and ends the run when no
    /// part is open any more.
    mutating func settle() {
        guard outcome == nil, let plan else { return }
        var hasChanged = true
        while hasChanged {
            hasChanged = false
            for part in 0..<records.count where records[part].state == .waiting && !(part == 0 && holdsBase) {
                let needed = plan.parts[part].dependencies
                var problem: PartFailure?
                if needed & failedMask != 0 {
                    problem = PartFailure(.missingInput)
                } else if needed & ~answeredMask == 0, plan.parts[part].predecessors & ~(answeredMask | failedMask) == 0
                {
                    records[part].state = .running
                    problem = start(plan.parts[part], part)
                    if outcome != nil { return }
                    hasChanged = hasChanged || records[part].state == .answered
                } else {
                    continue
                }
                if let problem {
                    if !mark(part, problem) { return }
                    hasChanged = true
                }
            }
        }
        for part in 0..<records.count where isOpen(part) && !(part == 0 && holdsBase) { return }
        if holdsBase { records[0].state = .skipped }
        finish(.view(isPartial: isPartial(plan)))
    }

    /// The time of the whole view is over: optional parts get their defaults, a required one that is missing fails it.
    /// Of parts that fan out, values that were answered stay.
    package mutating func viewTimedOut() {
        guard outcome == nil, let plan else { return }
        let timeout = PartFailure(.timeout)
        // What the base has in the place of a part that is not there would come too late.
        for part in 0..<records.count where isOpen(part) && plan.parts[part].replaces { holdsBase = false }
        if holdsBase { records[0].state = .skipped }
        for part in 0..<records.count where isOpen(part) && isRequired(part, of: plan) {
            cancelCalls(of: part)
            _ = mark(part, timeout)
            return
        }
        for part in 0..<records.count where isOpen(part) {
            cancelCalls(of: part)
            if records[part].state == .running, !records[part].values.isEmpty {
                failOpenValues(of: part, timeout)
                complete(part)
            } else {
                records[part].state = .failed
                records[part].failure = timeout
            }
        }
        finish(.view(isPartial: isPartial(plan)))
    }

    /// Whether something is missing in whose place the base has nothing.
    private func isPartial(_ plan: AggregatePlan) -> Bool {
        for part in 0..<records.count where records[part].failure != nil && !plan.parts[part].replaces { return true }
        return false
    }

    /// Begins with a part whose inputs are there.
    private mutating func start(_ part: AggregatePlan.Part, _ number: Int) -> PartFailure? {
        guard let fanOut = part.fanOut else { return call(number, part, asking: 0..<0) }
        if let problem = gatherValues(fanOut, number), let plan, isRequired(number, of: plan) { return problem }
        let range = records[number].values
        if range.isEmpty {
            complete(number)
        } else if fanOut.isBatch {
            for value in range { values[value].state = .running }
            guard let problem = call(number, part, asking: range) else { return nil }
            return callFailed(of: number, problem) ? nil : problem
        } else {
            askForMore(number)
        }
        return nil
    }

    /// Writes the request of a call, and starts it.
    private mutating func call(_ call: Int, _ part: AggregatePlan.Part, asking: Range<Int>) -> PartFailure? {
        if let problem = write(part, call, asking) { return problem }
        calls[call].isRunning = true
        records[calls[call].part].running += 1
        actions.append(.start(call))
        return nil
    }

    /// Starts calls of a part that fans out, as many as may run at the same time; one that has no more is complete.
    mutating func askForMore(_ part: Int) {
        guard let plan, let fanOut = plan.parts[part].fanOut, outcome == nil else { return }
        while records[part].running < fanOut.concurrency, records[part].nextValue < records[part].values.upperBound {
            let value = records[part].nextValue
            records[part].nextValue += 1
            var problem: PartFailure? = PartFailure(.tooManyValues)
            if let number = addCall(of: part, for: value) {
                values[value].call = number
                values[value].state = .running
                problem = call(number, plan.parts[part], asking: value..<(value + 1))
            }
            if let problem, !valueFailed(value, of: part, problem) { return }
        }
        if records[part].running == 0, records[part].state == .running { complete(part) }
    }

    /// A part has its value.
    mutating func complete(_ part: Int) {
        records[part].state = .answered
        answeredMask |= 1 << UInt64(part)
    }

    // MARK: - Failures

    /// A call failed. What that means depends on how much hangs on it.
    mutating func fail(_ call: Int, _ failure: PartFailure, isInFlight: Bool) {
        let part = calls[call].part
        if isInFlight {
            cancel(call)
        } else {
            calls[call].isRunning = false
            records[part].running -= 1
        }
        if calls[call].value >= 0 {
            guard valueFailed(calls[call].value, of: part, failure) else { return }
            askForMore(part)
        } else if !callFailed(of: part, failure), !mark(part, failure) {
            return
        }
        settle()
    }

    /// The one call of a part failed: a batch that may fail owes each of its values then, as if they had been asked for one
    /// by one. False where the part itself failed with it.
    private mutating func callFailed(of part: Int, _ failure: PartFailure) -> Bool {
        guard let plan, !records[part].values.isEmpty, !isRequired(part, of: plan) else { return false }
        failOpenValues(of: part, failure)
        complete(part)
        return true
    }

    /// One of a part's values has no answer; false where that has ended the run.
    mutating func valueFailed(_ value: Int, of part: Int, _ failure: PartFailure) -> Bool {
        values[value].state = .failed
        values[value].failure = failure
        records[part].missing += 1
        guard let plan, !isRequired(part, of: plan) else {
            _ = mark(part, failure)
            return false
        }
        if records[part].failure == nil { records[part].failure = failure }
        if plan.parts[part].replaces { holdsBase = false }
        return true
    }

    /// Gives up the values of a part that have no answer yet.
    mutating func failOpenValues(of part: Int, _ failure: PartFailure) {
        for value in records[part].values where values[value].state != .answered && values[value].state != .failed {
            _ = valueFailed(value, of: part, failure)
        }
    }

    /// Notes the failure of a whole part; false where it has ended the run.
    mutating func mark(_ part: Int, _ failure: PartFailure) -> Bool {
        guard let plan else { return false }
        records[part].state = .failed
        records[part].failure = failure
        failedMask |= 1 << UInt64(part)
        if plan.parts[part].replaces { holdsBase = false }
        if !isRequired(part, of: plan) { return true }
        let status = failure.viewStatus(
            holdsInput: plan.parts[part].requestHoldsInput, isOfMany: plan.parts[part].fanOut != nil,
            isStep: plan.parts[part].isStep)
        // The calls of a part that has failed are nobody's to wait for.
        records[part].state = .running
        finish(.failed(status: status, part: part, failure))
        records[part].state = .failed
        return false
    }

    // MARK: - Requests

    /// Whether the client has sent what the parts need that the view cannot go without. If not, the run has ended.
    mutating func checkInputs() -> Bool {
        guard let plan else { return false }
        for part in plan.parts.indices where isRequired(part, of: plan) {
            guard let problem = obstacle(plan.parts[part]) else { continue }
            return mark(part, Self.failure(problem))
        }
        return true
    }

    private mutating func obstacle(_ part: AggregatePlan.Part) -> TemplateProblem? {
        if let problem = obstacle(part.pathTemplate) { return problem }
        for field in part.headerTemplates {
            if let problem = obstacle(field.value), problem.kind != .missing { return problem }
        }
        return part.bodyTemplate.flatMap { obstacle($0) }
    }

    private mutating func obstacle(_ template: Template) -> TemplateProblem? {
        template.obstacle(inputs, draft: &requests, scratch: &scratch)
    }

    /// Appends the path and query of a part that needs no other one, as soon as the client's inputs are there; false where
    /// one that it needs is missing or unusable.
    package mutating func appendTarget(of part: Int, to target: inout ByteBuffer) -> Bool {
        guard let plan, expand(plan.parts[part].pathTemplate, 0..<0) == nil else { return false }
        target.append(requests.span)
        requests.removeAll()
        return true
    }

    private mutating func write(_ part: AggregatePlan.Part, _ call: Int, _ asked: Range<Int>) -> PartFailure? {
        var start = requests.count
        if let problem = expand(part.pathTemplate, asked) { return Self.failure(problem) }
        calls[call].target = ByteRange(start: start, count: requests.count - start)
        start = requests.count
        for field in part.headerTemplates {
            let line = requests.count
            requests.append(field.name.span)
            requests.append(": ")
            if let problem = expand(field.value, asked) {
                requests.truncate(to: line)
                // A field that the client did not send is not sent on; a value that a part owes is not done without.
                if problem == TemplateProblem(kind: .missing, isClients: true) { continue }
                return Self.failure(problem)
            }
            requests.append("\r\n")
        }
        calls[call].headerLines = ByteRange(start: start, count: requests.count - start)
        guard let body = part.bodyTemplate else { return nil }
        start = requests.count
        if let problem = expand(body, asked) { return Self.failure(problem) }
        calls[call].body = ByteRange(start: start, count: requests.count - start)
        return nil
    }

    private mutating func expand(_ template: Template, _ asked: Range<Int>) -> TemplateProblem? {
        template.append(
            to: &requests, inputs: inputs, answers: answers, values: values, asked: asked, scratch: &scratch)
    }

    private static func failure(_ problem: TemplateProblem) -> PartFailure {
        PartFailure(problem.kind == .missing ? .missingInput : .badInput, isClients: problem.isClients)
    }
}
