import ByteBuffers
import JSON

@testable import Aggregation

/// Drives a run as its owner does, with answers that come in any order and in any pieces, and holds what it does against
/// the model.
final class ViewDriver {
    /// One thing that happens to a call.
    private enum Move {
        case begin(UInt16)
        case unusable
        case length
        case bytes([UInt8])
        case end
        case fail(PartFailure)
    }

    /// What is still to happen to a call that runs.
    private struct Script {
        var moves: [Move]
        var result: SeenCall.End
    }

    /// Used for one view after the other, so that nothing of one may stay for the next.
    private var run = AggregateRun(hashSeed: 7)
    private var composer = ViewComposer()

    private var answers = AnswerGenerator(random: SeededGenerator(state: 0))
    private var spec = ViewSpec(parts: [])
    private var tick = 0
    private var calls: [SeenCall] = []
    /// The numbers of calls as the run has them, and where they stand in `calls`.
    private var places: [Int: Int] = [:]
    private var scripts: [Int: Script] = [:]
    /// Calls that have to be cancelled, as they failed in the middle of an answer.
    private var doomed: Set<Int> = []
    private var cancelled: Set<Int> = []
    private var isFinished = false
    private var isLoose = false
    private var complaints: [String] = []
    private(set) var log: [String] = []
    /// How many views were composed whole, and how many in part.
    private(set) var (whole, partial) = (0, 0)

    /// Runs one view; returns what is wrong.
    func drive(_ spec: ViewSpec, _ plan: AggregatePlan, seed: UInt64) -> [String] {
        (self.spec, tick, calls, places, scripts) = (spec, 0, [], [:], [:])
        (doomed, cancelled, isFinished, isLoose, complaints, log) = ([], [], false, false, [], [])
        answers = AnswerGenerator(random: SeededGenerator(state: seed))
        answers.isKind = answers.random.chance(70)
        let query: [UInt8]? = answers.random.chance(80) ? Array(answers.random.pick(["q 1", "", "..", "é"]).utf8) : nil
        let timeoutAfter = answers.random.chance(15) ? answers.random.below(20) : nil
        let abandonAfter = answers.random.chance(3) ? answers.random.below(20) : nil

        // Whose flags lead to whom the base is asked of.
        let replacing = spec.parts.indices.filter { spec.parts[$0].replacing != .nothing }
        let share = replacing.isEmpty ? 0 : answers.random.pick([0, 0, 30, 100])
        let served = Set(replacing.filter { _ in answers.random.chance(share) })
        if !served.isEmpty { log.append("served \(served.sorted())") }
        run.prepare(plan, served: served.reduce(0) { $0 | 1 << UInt64($1) })
        for slot in 0..<plan.inputs.count {
            if let query { run.inputs.set(slot, to: query.span) }
        }
        run.begin()
        perform()
        var (timeout, abandoned): (Int?, Int?)
        while run.outcome == nil {
            let moving = scripts.keys.filter { scripts[$0]?.moves.isEmpty == false }.sorted()
            tick += 1
            if tick == abandonAfter {
                abandoned = tick
                run.abandon()
            } else if tick == timeoutAfter || moving.isEmpty {
                if scripts.isEmpty { complaints.append("nothing runs, and the view has no outcome") }
                timeout = tick
                run.viewTimedOut()
            } else {
                move(answers.random.pick(moving))
            }
            perform()
        }
        checkEnd()

        var model = ViewModel(spec, served: served, query: query, calls: calls, isLoose: isLoose)
        let expected = model.end(timeout: timeout, abandoned: abandoned)
        check(expected)
        checkReport()
        if case .view(let isPartial) = expected, complaints.isEmpty { checkView(&model, isPartial) }
        return complaints + model.complaints
    }

    // MARK: - Calls

    private func perform() {
        while let action = run.nextAction() {
            log.append("\(tick) \(action)")
            if isFinished { complaints.append("\(action) after the end") }
            switch action {
            case .start(let call): start(call)
            case .cancel(let call):
                if doomed.remove(call) == nil, scripts.removeValue(forKey: call) == nil {
                    complaints.append("\(call) is cancelled though it does not run")
                }
                if run.outcome == nil, places[call].map({ calls[$0].end == nil }) == true {
                    complaints.append("\(call) is cancelled for no reason")
                }
                if !cancelled.insert(call).inserted { complaints.append("\(call) is cancelled twice") }
            case .finished: isFinished = true
            }
        }
        if !doomed.isEmpty { complaints.append("\(doomed) are not cancelled") }
    }

    private func start(_ call: Int) {
        if places[call] != nil { complaints.append("\(call) is started twice") }
        let part = run.part(of: call)
        let seen = SeenCall(
            part: part, target: run.target(of: call).text, headerLines: run.headerLines(of: call).text,
            body: Array(run.body(of: call).text.utf8), start: tick)
        log.append("  part \(part) \(seen.target) \(seen.headerLines)\(String(decoding: seen.body, as: UTF8.self))")
        if calls.contains(where: {
            $0.part == part && $0.target == seen.target && $0.headerLines == seen.headerLines && $0.body == seen.body
        }) {
            complaints.append("part \(part) asks twice for \(seen.target)")
        }
        if let other = scripts.keys.first(where: { spec.parts[part].isStep || spec.parts[run.part(of: $0)].isStep }) {
            complaints.append("\(call) is started beside \(other), and one of them writes")
        }
        run.requestSent(call)
        places[call] = calls.count
        calls.append(seen)
        scripts[call] = script(part)
        let running = scripts.keys.filter { run.part(of: $0) == part }.count
        if running > spec.parts[part].fanOut?.concurrency ?? 1 {
            complaints.append("part \(part) has \(running) calls")
        }
        // Some fail at once, while others are still being started.
        if answers.random.chance(answers.isKind ? 0 : 3) {
            isLoose = true
            tick += 1
            scripts[call] = Script(
                moves: [.fail(PartFailure(.circuitOpen))], result: .failed(PartFailure(.circuitOpen)))
            move(call)
        }
    }

    /// What is going to happen to a call of `part`.
    private func script(_ part: Int) -> Script {
        var asked: [[UInt8]] = []
        if spec.parts[part].fanOut?.isBatch == true {
            for value in run.records[part].values { asked.append(Self.text(of: value, run)) }
        }
        let answer = answers.answer(of: part, spec, asked: asked)
        let text = answers.text(of: answer)
        let half = Array(text.prefix(text.count / 2))
        let begin = Move.begin(answers.random.pick([200, 200, 201, 203]))
        var moves: [Move] = []
        if answers.random.chance(3) { moves = [.begin(200), .bytes(Array("{\"a".utf8))] }
        if answers.isKind ? answers.random.chance(97) : answers.random.chance(65) {
            var pieces = [begin]
            var rest = text[...]
            while !rest.isEmpty {
                let count = answers.random.chance(50) ? rest.count : 1 + answers.random.below(rest.count)
                pieces.append(.bytes(Array(rest.prefix(count))))
                rest = rest.dropFirst(count)
            }
            return Script(moves: moves + pieces + [.end], result: .answered(answer))
        }
        switch answers.random.below(12) {
        case 0, 1, 2, 3:
            let status = answers.random.pick([404, 410, 401, 403, 400, 422, 500, 503, 301, 304, 206, 429] as [UInt16])
            return Script(
                moves: moves + [.begin(status)], result: .failed(PartFailure(.badStatus, status: status)))
        case 4, 5:
            var invalid = answers.invalidText(insteadOf: answer)
            // Nothing at all is an answer to a step.
            if spec.parts[part].isStep, invalid.isEmpty { invalid = Array("{".utf8) }
            return Script(moves: moves + [begin, .bytes(invalid), .end], result: .failed(PartFailure(.invalidJSON)))
        case 6: return Script(moves: moves + [begin, .unusable], result: .failed(PartFailure(.invalidJSON)))
        case 7: return Script(moves: moves + [begin, .length], result: .failed(PartFailure(.tooLarge)))
        case 8: return Script(moves: moves + [begin, .bytes(half)], result: .none)
        default:
            let reasons: [PartFailure.Reason] = [
                .timeout, .connectFailed, .dnsFailed, .tlsFailed, .upstreamClosed, .upstreamTruncated,
                .upstreamOverloaded,
                .circuitOpen, .noHealthyEndpoint,
            ]
            let failure = PartFailure(answers.random.pick(reasons))
            let before: [Move] = answers.random.chance(50) ? [] : [begin, .bytes(half)]
            return Script(moves: moves + before + [.fail(failure)], result: .failed(failure))
        }
    }

    private static func text(of value: Int, _ run: borrowing AggregateRun) -> [UInt8] {
        var text = ByteBuffer()
        append(value, run.values, to: &text)
        return Array(text.text.utf8)
    }

    private static func append(_ value: Int, _ values: borrowing FanOutValues, to text: inout ByteBuffer) {
        text.append(values.text(value))
    }

    private func move(_ call: Int) {
        guard var script = scripts[call], let place = places[call] else { return }
        let move = script.moves.removeFirst()
        scripts[call] = script
        var isOver = script.moves.isEmpty
        if case .none = script.result { isOver = false }
        if isOver {
            calls[place].end = tick
            calls[place].result = script.result
            scripts[call] = nil
            switch (move, script.result) {
            case (.begin, .failed), (.unusable, _), (.length, _): doomed.insert(call)
            default: break
            }
        }
        switch move {
        case .begin(let status):
            log.append("\(tick) \(call) \(status)")
            calls[place].status = status
            run.answerBegan(call, status: status)
        case .unusable: run.answerIsUnusable(call, .invalidJSON)
        case .length: run.answerHas(contentLength: .max, call)
        case .bytes(let bytes):
            log.append("\(tick) \(call) + \(String(decoding: bytes, as: UTF8.self))")
            run.answerReceived(bytes.span, call)
        case .end:
            log.append("\(tick) \(call) ends")
            run.answerEnded(call)
        case .fail(let failure):
            log.append("\(tick) \(call) fails: \(failure.reason.word)")
            run.partFailed(call, failure)
        }
    }

    // MARK: - Checks

    private func checkEnd() {
        if !isFinished { complaints.append("the end was not told") }
        if !scripts.isEmpty { complaints.append("\(scripts.keys.sorted()) still run after the end") }
        let outcome = run.outcome
        for call in 0..<run.callCount {
            run.answerBegan(call, status: 200)
            run.answerReceived(Array("[]".utf8).span, call)
            run.answerEnded(call)
            run.partFailed(call, PartFailure(.timeout))
        }
        run.viewTimedOut()
        run.abandon()
        if run.outcome != outcome { complaints.append("the outcome changed after the end") }
        while let action = run.nextAction() { complaints.append("\(action) after the end") }
    }

    private func check(_ expected: ViewModel.Outcome) {
        let found = run.outcome
        let isRight: Bool
        switch (found, expected) {
        case (.abandoned, .abandoned): isRight = true
        case (.view(let found), .view(let expected)): isRight = found == expected
        case (.failed(let status, let part, let failure), .failed(let endings)):
            isRight = endings.contains { $0.status == status && $0.part == part && $0.failure == failure }
        default: isRight = false
        }
        if !isRight { complaints.append("the outcome is \(String(describing: found)), not \(expected)") }
    }

    /// What is told of each step has to follow from what was seen of its calls.
    private func checkReport() {
        for part in spec.parts.indices where spec.parts[part].isStep {
            let own = calls.filter { $0.part == part }
            let report = run.report(of: part)
            let isRight: Bool
            switch report.state {
            case .done: isRight = own.allSatisfy { 200...299 ~= $0.status }
            case .failed: isRight = !own.isEmpty && own.allSatisfy { $0.status > 0 }
            case .unknown: isRight = own.contains { $0.status == 0 }
            case .notStarted: isRight = own.isEmpty
            }
            let values = report.values.map { $0.done == own.count { 200...299 ~= $0.status } } ?? true
            if !isRight || !values { complaints.append("part \(part) is told to be \(report): \(own)") }
        }
    }

    private func checkView(_ model: inout ViewModel, _ isPartial: Bool) {
        var body = ByteBuffer()
        let obstacle = composer.compose(run, into: &body)
        let text = body.text
        let expected = model.document()
        if model.hasConflict || obstacle != nil {
            let isRight = model.hasConflict && obstacle == .nameConflict
            if !isRight {
                complaints.append("obstacle \(String(describing: obstacle)), conflict \(model.hasConflict): \(text)")
            }
            return
        }
        if isPartial { partial += 1 } else { whole += 1 }
        var index = JSONIndex(seed: 1)
        do {
            try Self.scan(body, &index)
            let found = try ModelParser.parse(Array(text.utf8))
            if found != expected { complaints.append("the view is\n\(found.json)\nnot\n\(expected.json)") }
        } catch {
            complaints.append("the view is no JSON, \(error): \(text)\nnot\n\(expected.json)")
        }
        let told = composer.partial().text
        if told != model.partial { complaints.append("Banyan-Partial is \(told), not \(model.partial)") }
        let fallback = composer.fallback().text
        if fallback != model.fallback { complaints.append("Banyan-Fallback is \(fallback), not \(model.fallback)") }
        let caching = composer.cacheControl().text
        let tag = composer.etag().text
        if (caching == "no-store") != isPartial || tag.isEmpty != isPartial {
            complaints.append("Cache-Control is \(caching), ETag \(tag)")
        }
    }

    private static func scan(_ text: borrowing ByteBuffer, _ index: inout JSONIndex) throws(JSONScanError) {
        try index.scan(text.span)
    }
}
