import ByteBuffers
import JSON

/// Writes the values of a run into a view: bytes as they were received, but where a shape says otherwise.
struct ViewWriter: ~Copyable {
    /// The greatest size of a view, in bytes: parts that are put into many places make one out of small answers.
    static let maximumSize = 32 * 1024 * 1024

    /// Whether the view has become too large; what is written then is not whole.
    private(set) var isTooLarge = false
    /// Whether the view gets a member `_errors`.
    private(set) var hasErrors = false
    /// The names of the object that is written.
    var contest: NameContest
    private var scratch = ByteBuffer()

    init() { contest = NameContest(seed: 0) }

    /// Begins anew.
    mutating func reset(_ conflicts: AggregateDefinition.Conflicts, hasErrors: Bool) {
        isTooLarge = false
        self.hasErrors = hasErrors
        contest.reset(conflicts)
        scratch.removeAll(keeping: 4096)
    }

    /// Writes the whole view.
    mutating func appendView(of run: borrowing AggregateRun, _ plan: AggregatePlan, to body: inout ByteBuffer) {
        if let output = plan.output {
            append(output, of: run, plan, to: &body)
        } else if plan.hasBase {
            appendBase(of: run, plan, to: &body)
        } else if plan.isMixed {
            appendMixedView(of: run, plan, to: &body)
        } else {
            body.append("{")
            var isFirst = true
            for part in plan.parts.indices where plan.parts[part].host == nil {
                if !isFirst { body.append(",") }
                isFirst = false
                body.append(contentsOf: plan.parts[part].label)
                appendPart(part, of: run, to: &body)
            }
            body.append("}")
        }
    }

    /// Writes what a part has: its value; of one that fans out an object from each value to its answer; or its default.
    mutating func appendPart(_ part: Int, of run: borrowing AggregateRun, to body: inout ByteBuffer) {
        guard let plan = run.plan else { return }
        let compiled = plan.parts[part]
        guard run.state(of: part) == .answered else {
            body.append(contentsOf: compiled.defaultText)
            return
        }
        guard compiled.fanOut != nil else {
            if let value = run.answers[part].value {
                append(value, of: part, compiled.shape, run, to: &body)
            }
            return
        }
        body.append("{")
        let range = run.records[part].values
        for value in range {
            if value > range.lowerBound { body.append(",") }
            body.appendJSONString(run.values.text(value))
            body.append(":")
            append(valueNumbered: value, of: compiled, run, to: &body)
        }
        body.append("}")
    }

    /// Writes one of the values of a part that fans out.
    private mutating func append(
        valueNumbered number: Int, of part: AggregatePlan.Part, _ run: borrowing AggregateRun, to body: inout ByteBuffer
    ) {
        let value = run.values[number]
        if value.state == .answered {
            append(value.node, of: value.call, part.shape, run, to: &body)
        } else {
            body.append(contentsOf: part.defaultText)
        }
    }

    /// Writes a value that stands in the answer of a call.
    mutating func append(
        _ place: JSONNodeID, of call: Int, _ shape: Shape?, _ run: borrowing AggregateRun, to body: inout ByteBuffer
    ) {
        if body.count > Self.maximumSize {
            isTooLarge = true
            return
        }
        let node = run.answers[call].index[place]
        switch node.kind {
        case .object:
            guard let shape, !shape.keepsMembers else { break }
            if shape.mayConflict {
                appendMixedObject(place, of: call, shape, run, to: &body)
                return
            }
            appendObject(place, of: call, shape, run, to: &body)
            return
        case .array:
            guard let shape, shape.elements != nil || !shape.indexed.isEmpty else { break }
            appendArray(place, of: call, shape, run, to: &body)
            return
        default: break
        }
        run.answers[call].appendBytes(of: node, to: &body)
    }

    private mutating func appendArray(
        _ place: JSONNodeID, of call: Int, _ shape: Shape, _ run: borrowing AggregateRun, to body: inout ByteBuffer
    ) {
        body.append("[")
        var child = run.answers[call].index.firstChild(of: place)
        var isFirst = true
        var number = -1
        while let current = child, !isTooLarge {
            child = run.answers[call].index.next(after: current)
            number += 1
            let inner = shape.element(number)
            if inner?.isOmitted == true { continue }
            if !isFirst { body.append(",") }
            isFirst = false
            append(current, of: call, inner, run, to: &body)
        }
        body.append("]")
    }

    /// Writes an object. Members that stay and stand together in the answer are copied together.
    private mutating func appendObject(
        _ place: JSONNodeID, of call: Int, _ shape: Shape, _ run: borrowing AggregateRun, to body: inout ByteBuffer
    ) {
        body.append("{")
        var isFirst = true
        let joins = available(shape, at: place, of: call, run)
        var joined = ~joins
        var run0 = ByteRange()
        func flush(_ run: borrowing AggregateRun, _ body: inout ByteBuffer) {
            guard !run0.isEmpty else { return }
            if !isFirst { body.append(",") }
            isFirst = false
            body.append(run.answers[call].body.span(run0))
            run0 = ByteRange()
        }
        var child = run.answers[call].index.firstChild(of: place)
        while let current = child, !isTooLarge {
            child = run.answers[call].index.next(after: current)
            let node = run.answers[call].index[current]
            let fate = Self.fate(of: node, shape, joins, run.answers[call])
            switch fate {
            case .kept:
                let start = run0.isEmpty ? Int(node.name.start) : Int(run0.start)
                run0 = ByteRange(start: start, count: node.range.end - start)
            case .leftOut:
                flush(run, &body)
            case .joined(let number):
                flush(run, &body)
                joined |= 1 << UInt64(number)
                if !isFirst { body.append(",") }
                isFirst = false
                append(shape.joins[number], at: place, of: call, run, to: &body)
            case .shaped(let inner):
                flush(run, &body)
                if !isFirst { body.append(",") }
                isFirst = false
                if let label = inner.label {
                    body.append(contentsOf: label)
                } else {
                    body.append(run.answers[call].body.span(node.name))
                    body.append(":")
                }
                append(current, of: call, inner, run, to: &body)
            }
        }
        flush(run, &body)
        for number in shape.joins.indices where joined & 1 << UInt64(number) == 0 {
            if !isFirst { body.append(",") }
            isFirst = false
            append(shape.joins[number], at: place, of: call, run, to: &body)
        }
        body.append("}")
    }

    /// What becomes of a member.
    enum Fate {
        case kept
        case leftOut
        /// The join of this number stands in its place.
        case joined(Int)
        case shaped(Shape)
    }

    static func fate(
        of node: JSONNode, _ shape: Shape, _ joins: UInt64, _ answer: borrowing PartAnswer
    ) -> Fate {
        if joins != 0, let join = shape.join(of: node, in: answer.body.span), joins & 1 << UInt64(join) != 0 {
            return .joined(join)
        }
        guard let inner = shape.member(node, in: answer.body.span) else {
            return shape.keepsOthers ? .kept : .leftOut
        }
        if inner.isPlain { return .kept }
        return inner.isOmitted ? .leftOut : .shaped(inner)
    }

    /// Writes a part that is put into the object at `place`, as a member of it.
    mutating func append(
        _ join: Shape.Join, at place: JSONNodeID, of call: Int, _ run: borrowing AggregateRun, to body: inout ByteBuffer
    ) {
        guard let plan = run.plan else { return }
        body.append(contentsOf: join.label)
        if let origin = join.origin, run.state(of: join.part) != .answered {
            appendBytes(at: origin, of: run.answers[0], to: &body)
            return
        }
        guard let key = join.key else {
            appendPart(join.part, of: run, to: &body)
            return
        }
        guard let text = text(at: key, from: place, of: run.answers[call]) else {
            // There is nothing to ask for, and so nothing that failed.
            body.append("null")
            return
        }
        let part = plan.parts[join.part]
        let range = run.state(of: join.part) == .answered ? run.records[join.part].values : 0..<0
        if text, let number = find(in: range, of: run) {
            append(valueNumbered: number, of: part, run, to: &body)
        } else {
            body.append(contentsOf: part.defaultText)
        }
    }

    /// Puts the text of the value that `key` leads to into the scratch buffer: false where it is empty, nil where there is no
    /// text.
    private mutating func text(
        at key: borrowing CompiledPointer, from place: JSONNodeID, of answer: borrowing PartAnswer
    ) -> Bool? {
        scratch.removeAll()
        guard let found = answer.index.find(key, from: place, in: answer.body.span) else { return nil }
        let node = answer.index[found]
        guard node.kind == .string || node.kind == .number else { return nil }
        _ = answer.appendText(of: node, to: &scratch)
        return !scratch.isEmpty
    }

    private func find(in range: Range<Int>, of run: borrowing AggregateRun) -> Int? {
        run.values.find(scratch.span, in: range)
    }
}
