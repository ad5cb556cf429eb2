@testable import Aggregation

/// What was seen of one call from outside. Times are numbers of events.
struct SeenCall {
    enum End {
        case none
        case answered(ModelValue)
        case failed(PartFailure)
    }

    var part: Int
    var target: String
    var headerLines: String
    var body: [UInt8]
    var start: Int
    var end: Int?
    /// The last status that came, 0 for none.
    var status: UInt16 = 0
    var result = End.none
}

/// A view, worked out one part after the other from what was seen of the calls: without buffers, indices and callbacks,
/// and without anything of the code that it is held against.
struct ViewModel {
    /// One value of a part that fans out.
    struct Value {
        var text: [UInt8]
        var isString: Bool
        var answer: ModelValue?
        var failure: PartFailure?
    }

    /// What became of a part; open as long as it has no time.
    struct State {
        var time: Int?
        var isFailed = false
        var failure: PartFailure?
        /// The whole answer, and what `pick` leaves of it.
        var answer: ModelValue?
        var value: ModelValue?
        var values: [Value]?
        /// It need not be asked: the base has what it would replace, or nothing of the base is needed.
        var isSkipped = false
        var isAnswered: Bool { time != nil && !isFailed && !isSkipped }
        var missing: Int { (values ?? []).filter { $0.failure != nil }.count }
    }

    /// How the view has to end.
    enum Outcome {
        case open
        case abandoned
        case view(isPartial: Bool)
        /// One of these: they failed in the same moment.
        case failed([(status: UInt16, part: Int, failure: PartFailure)])
    }

    let spec: ViewSpec
    /// The parameter `q` of the query, where the client sent it.
    let query: [UInt8]?
    private let calls: [SeenCall]
    private(set) var states: [State]
    /// Calls that differ from what they have to be.
    private(set) var complaints: [String] = []
    private var used: [Int]
    private var absent: [(part: Int, time: Int)] = []
    /// Whether calls may start later than they became possible: some failed while others were still being started.
    private let isLoose: Bool
    /// Whether two members of an object had one name, and that must not be.
    var hasConflict = false
    /// Whether the base is asked only when something that replaces a part of it fails.
    private let isHeld: Bool

    /// `served`: the parts that replace something and whose flags lead to whom the base is asked of.
    init(_ spec: ViewSpec, served: Set<Int>, query: [UInt8]?, calls: [SeenCall], isLoose: Bool) {
        self.spec = spec
        isHeld = spec.successor != nil && served.isEmpty && !spec.parts.contains { $0.dependencies.contains(0) }
        self.query = query
        self.calls = calls
        self.isLoose = isLoose
        states = spec.parts.map { _ in State() }
        used = spec.parts.map { _ in 0 }
        for part in served { (states[part].isSkipped, states[part].time) = (true, 0) }
        var done = served
        while done.count < spec.parts.count {
            let next = spec.parts.indices.first {
                !done.contains($0)
                    && done.isSuperset(of: spec.parts[$0].dependencies + spec.predecessors(of: $0))
                    && !($0 == 0 && isHeld && !done.isSuperset(of: replacing))
            }
            guard let next else { break }
            evaluate(next)
            done.insert(next)
        }
        for part in spec.parts.indices {
            let seen = calls.filter { $0.part == part }.count
            if seen > used[part] { complaints.append("part \(part) asked \(seen) times instead of \(used[part])") }
        }
    }

    /// The parts that replace something of the base.
    private var replacing: [Int] { spec.parts.indices.filter { spec.parts[$0].replacing != .nothing } }

    /// The outcome, where the time of the view was over, or the client left, at these times.
    mutating func end(timeout: Int?, abandoned: Int?) -> Outcome {
        let failing = spec.parts.indices.filter { states[$0].isFailed && !spec.parts[$0].isDispensable }
        let time = failing.compactMap { states[$0].time }.min()
        for call in absent where !isLoose && call.time < time ?? timeout ?? abandoned ?? .max {
            complaints.append("part \(call.part) did not ask at \(call.time)")
        }
        if let time {
            return .failed(failing.filter { states[$0].time == time }.compactMap(ending))
        }
        if abandoned != nil { return .abandoned }
        if let timeout {
            let open = spec.parts.indices.filter { states[$0].time == nil }
            var required = open.filter { !spec.parts[$0].isDispensable }
            // What the base says in the place of a part that is not there comes too late.
            if states[0].isSkipped, open.contains(where: replacing.contains) { required.append(0) }
            if !required.isEmpty { return .failed(required.map { (504, $0, PartFailure(.timeout)) }) }
            for part in open { giveUp(part, PartFailure(.timeout), at: timeout) }
        }
        if states.contains(where: { $0.time == nil }) { return .open }
        return .view(isPartial: isPartial)
    }

    var isPartial: Bool {
        spec.parts.indices.contains { states[$0].failure != nil && spec.parts[$0].replacing == .nothing }
    }

    private func ending(_ part: Int) -> (status: UInt16, part: Int, failure: PartFailure)? {
        guard let failure = states[part].failure else { return nil }
        let isInBody =
            spec.parts[part].body?.references.contains { if case .query = $0 { true } else { false } } == true
        let hasInput = spec.parts[part].path.contains(where: \.isInput) || spec.parts[part].isStep && isInBody
        let isOfMany = spec.parts[part].fanOut != nil
        let status: UInt16
        switch (failure.reason, failure.status) {
        case (.timeout, _): status = 504
        case (.circuitOpen, _), (.upstreamOverloaded, _), (.noHealthyEndpoint, _): status = 503
        case (.missingInput, _), (.badInput, _): status = failure.isClients ? 400 : 502
        case (.badStatus, 401), (.badStatus, 403): status = failure.status
        case (.badStatus, 404), (.badStatus, 410): status = isOfMany ? 502 : failure.status
        case (.badStatus, 400), (.badStatus, 422): status = hasInput ? failure.status : 502
        default: status = 502
        }
        return (status, part, failure)
    }

    // MARK: - Parts

    private mutating func evaluate(_ part: Int) {
        var released = 0
        if part == 0, isHeld {
            guard let time = replacing.filter({ states[$0].isFailed }).compactMap({ states[$0].time }).min() else {
                (states[0].isSkipped, states[0].time) = (true, 0)
                return
            }
            released = time
        }
        let needed = spec.parts[part].dependencies.map { states[$0] }
        if let time = needed.filter(\.isFailed).compactMap(\.time).min() {
            fail(part, PartFailure(.missingInput), at: max(time, released))
            return
        }
        let before = spec.predecessors(of: part).map { states[$0] }
        guard needed.allSatisfy(\.isAnswered), before.allSatisfy({ $0.time != nil }) else { return }
        let ready = max((needed + before).compactMap(\.time).max() ?? 0, released)
        guard let fanOut = spec.parts[part].fanOut else {
            askOnce(part, [], at: ready)
            return
        }
        var values = self.values(of: fanOut)
        if values.count > fanOut.limit {
            guard spec.parts[part].isDispensable else {
                fail(part, PartFailure(.tooManyValues), at: ready)
                return
            }
            states[part].failure = PartFailure(.tooManyValues)
            values = Array(values.prefix(fanOut.limit))
        }
        states[part].values = values
        if values.isEmpty {
            states[part].time = ready
        } else if fanOut.isBatch {
            askOnce(part, values, at: ready)
        } else {
            askForEach(part, fanOut.concurrency, at: ready)
        }
    }

    /// A part without a value. One that fans out and may fail does so value by value.
    private mutating func fail(_ part: Int, _ failure: PartFailure, at time: Int) {
        if spec.parts[part].isDispensable, states[part].values != nil {
            giveUp(part, failure, at: time)
        } else {
            states[part].isFailed = true
            states[part].failure = failure
            states[part].time = time
        }
    }

    private mutating func giveUp(_ part: Int, _ failure: PartFailure, at time: Int) {
        guard let values = states[part].values else {
            states[part].isFailed = true
            states[part].failure = failure
            states[part].time = time
            return
        }
        for value in values.indices where values[value].answer == nil && values[value].failure == nil {
            lose(value, of: part, failure)
        }
        states[part].time = time
    }

    private mutating func lose(_ value: Int, of part: Int, _ failure: PartFailure) {
        states[part].values?[value].failure = failure
        states[part].failure = states[part].failure ?? failure
    }

    private mutating func askOnce(_ part: Int, _ values: [Value], at ready: Int) {
        let request: ViewRequest
        do throws(ViewRequest.Problem) {
            request = try self.request(part, asking: values)
        } catch {
            fail(part, error.failure, at: ready)
            return
        }
        guard let call = take(part, request, at: ready), let end = call.end else { return }
        switch call.result {
        case .none: return
        case .failed(let failure): fail(part, failure, at: end)
        case .answered(let answer):
            guard let value = answer.value(at: spec.parts[part].pick) else {
                fail(part, PartFailure(.missingValue), at: end)
                return
            }
            if let fanOut = spec.parts[part].fanOut {
                for index in values.indices {
                    states[part].values?[index].answer = Self.share(of: values[index].text, in: value, fanOut.key)
                }
                // What has no answer is missing.
                if states[part].values?.contains(where: { $0.answer == nil }) == true {
                    fail(part, PartFailure(.missingValue), at: end)
                    return
                }
            }
            states[part].answer = answer
            states[part].value = value
            states[part].time = end
        }
    }

    /// What a batch's answer says of one value.
    private static func share(of text: [UInt8], in answer: ModelValue, _ key: [String]) -> ModelValue? {
        switch answer {
        case .object(let members): members.first { $0.name == text }?.value
        case .array(let elements): elements.first { $0.value(at: key)?.text == text }
        default: nil
        }
    }

    private mutating func askForEach(_ part: Int, _ concurrency: Int, at ready: Int) {
        guard let values = states[part].values else { return }
        var time = ready
        var next = 0
        // The calls that run, by value, with what is known of their ends.
        var running: [(value: Int, call: SeenCall?)] = []
        while true {
            while running.count < concurrency, next < values.count {
                do throws(ViewRequest.Problem) {
                    let request = try self.request(part, asking: [values[next]])
                    running.append((next, take(part, request, at: time)))
                } catch {
                    lose(next, of: part, error.failure)
                    if !spec.parts[part].isDispensable {
                        states[part].isFailed = true
                        states[part].time = time
                        return
                    }
                }
                next += 1
            }
            if running.isEmpty { break }
            let ended = running.indices.filter { running[$0].call?.end != nil }
            guard let first = ended.min(by: { running[$0].call?.end ?? 0 < running[$1].call?.end ?? 0 }),
                let call = running[first].call, let end = call.end
            else { return }
            let value = running.remove(at: first).value
            time = end
            var failure: PartFailure?
            switch call.result {
            case .none: return
            case .failed(let reason): failure = reason
            case .answered(let answer):
                if let picked = answer.value(at: spec.parts[part].pick) {
                    states[part].values?[value].answer = picked
                } else {
                    failure = PartFailure(.missingValue)
                }
            }
            if let failure {
                lose(value, of: part, failure)
                if !spec.parts[part].isDispensable {
                    states[part].isFailed = true
                    states[part].time = time
                    return
                }
            }
        }
        states[part].time = time
    }

    /// The next call of a part, which has to be this one.
    private mutating func take(_ part: Int, _ request: ViewRequest, at time: Int) -> SeenCall? {
        let own = calls.filter { $0.part == part }
        guard used[part] < own.count else {
            absent.append((part, time))
            return nil
        }
        let call = own[used[part]]
        used[part] += 1
        if call.target != request.target {
            complaints.append("part \(part) asked \(call.target), not \(request.target)")
        }
        if call.headerLines != request.headerLines {
            complaints.append("part \(part) sent \(call.headerLines), not \(request.headerLines)")
        }
        if (try? request.body.map { try ModelParser.parse(call.body) == $0 } ?? call.body.isEmpty) != true {
            complaints.append(
                "part \(part) sent \(String(decoding: call.body, as: UTF8.self)), not \(request.body?.json ?? "")")
        }
        if isLoose ? call.start < time : call.start != time {
            complaints.append("part \(part) asked \(call.target) at \(call.start), not at \(time)")
        }
        return call
    }

    // MARK: - Values to ask for

    private func values(of fanOut: ViewSpec.FanOut) -> [Value] {
        let source = states[fanOut.source]
        let tops = source.values.map { $0.compactMap(\.answer) } ?? [source.answer].compactMap { $0 }
        var values: [Value] = []
        for place in tops.flatMap({ Self.places(fanOut.steps[...], from: $0) }) {
            var isString = false
            switch place {
            case .string: isString = true
            case .number: break
            default: continue
            }
            guard let text = place.text, !text.isEmpty, !values.contains(where: { $0.text == text }) else { continue }
            values.append(Value(text: text, isString: isString))
        }
        return values
    }

    private static func places(_ steps: ArraySlice<ViewSpec.Step>, from value: ModelValue) -> [ModelValue] {
        switch steps.first {
        case nil: [value]
        case .every?: value.children.flatMap { places(steps.dropFirst(), from: $0) }
        case .name(let name)?: value.child(name).map { places(steps.dropFirst(), from: $0) } ?? []
        }
    }
}
