import ByteBuffers
import JSON

/// Views that are another system's answer, of which parts are replaced.
extension ViewWriter {
    /// Writes the base, or what replaces all of it, with the parts in their places. Where nothing is replaced the bytes are
    /// those that came.
    mutating func appendBase(of run: borrowing AggregateRun, _ plan: AggregatePlan, to body: inout ByteBuffer) {
        var source = 0
        if let successor = plan.successor, run.state(of: successor) == .answered { source = successor }
        guard let value = run.answers[source].value else { return }
        let isAlone = plan.parts.indices.dropFirst().allSatisfy {
            plan.parts[$0].replaces && run.state(of: $0) != .answered
        }
        if source == 0, isAlone, plan.parts[0].pick.count == 0 {
            body.append(run.answers[0].body.span)
        } else if hasErrors, run.answers[source].index[value].kind == .object {
            appendMixedObject(
                value, of: source, plan.parts[0].shape ?? Shape.plain, run, reserving: "_errors", to: &body)
        } else {
            append(value, of: source, plan.parts[0].shape, run, to: &body)
        }
    }

    /// The parts that are put into an object, one bit each: those that replace something only where they have an answer,
    /// or where the base has what the other answer lacks.
    func available(
        _ shape: Shape, at place: JSONNodeID, of call: Int, _ run: borrowing AggregateRun
    ) -> UInt64 {
        var mask: UInt64 = 0
        for (number, join) in shape.joins.enumerated() where isAvailable(join, at: place, of: call, run) {
            mask |= 1 << UInt64(number)
        }
        return mask
    }

    private func isAvailable(
        _ join: Shape.Join, at place: JSONNodeID, of call: Int, _ run: borrowing AggregateRun
    ) -> Bool {
        guard let origin = join.origin else { return true }
        guard run.state(of: join.part) == .answered else {
            return call != 0 && run.answers[0].find(origin) != nil
        }
        guard let key = join.key else { return true }
        guard let number = valueNumber(at: key, from: place, of: call, join.part, run) else { return false }
        return run.values[number].state == .answered
    }

    /// The number of the value that a part was asked with for the object at `place`.
    private func valueNumber(
        at key: borrowing CompiledPointer, from place: JSONNodeID, of call: Int, _ part: Int,
        _ run: borrowing AggregateRun
    ) -> Int? {
        guard let found = run.answers[call].index.find(key, from: place, in: run.answers[call].body.span) else {
            return nil
        }
        let node = run.answers[call].index[found]
        guard node.kind == .string || node.kind == .number else { return nil }
        var text = ByteBuffer()
        _ = run.answers[call].appendText(of: node, to: &text)
        return run.values.find(text.span, in: run.records[part].values)
    }

    /// Writes what the base has at a place.
    func appendBytes(at origin: borrowing CompiledPointer, of base: borrowing PartAnswer, to body: inout ByteBuffer) {
        if let node = base.find(origin) { base.appendBytes(of: node, to: &body) } else { body.append("null") }
    }
}
