import ByteBuffers
import JSON

/// The values that parts fan out over.
extension AggregateRun {
    /// Gathers the values of a part that fans out, each once, in the order in which they stand.
    mutating func gatherValues(_ fanOut: FanOut, _ part: Int) -> PartFailure? {
        guard let plan else { return nil }
        let first = values.count
        records[part].values = first..<first
        records[part].nextValue = first
        let limit = first + fanOut.limit
        if plan.parts[fanOut.source].fanOut == nil {
            if let top = answers[fanOut.source].index.root {
                gather(fanOut.path, 0, at: top, of: fanOut.source, from: first, limit)
            }
        } else {
            for value in records[fanOut.source].values where values[value].state == .answered {
                let (node, call) = (values[value].node, values[value].call)
                gather(fanOut.path, 0, at: node, of: call, from: first, limit)
            }
        }
        // One more than there may be was looked for, to know of it.
        var problem: PartFailure?
        if values.count > limit {
            problem = PartFailure(.tooManyValues)
            records[part].failure = problem
        }
        records[part].values = first..<min(values.count, limit)
        return problem
    }

    /// Adds what the way from its `step`th part on leads to.
    private mutating func gather(
        _ path: CompiledPath, _ step: Int, at place: JSONNodeID, of call: Int, from first: Int, _ limit: Int
    ) {
        guard values.count <= limit, let found = Self.find(path.pointers[step], place, answers[call]) else { return }
        if step == path.pointers.count - 1 {
            let node = answers[call].index[found]
            guard node.kind == .string || node.kind == .number else { return }
            scratch.removeAll()
            Self.read(node, of: call, answers, into: &scratch)
            if !scratch.isEmpty { Self.add(scratch, isString: node.kind == .string, to: &values, from: first) }
            return
        }
        var child = answers[call].index.firstChild(of: found)
        while let current = child, values.count <= limit {
            gather(path, step + 1, at: current, of: call, from: first, limit)
            child = answers[call].index.next(after: current)
        }
    }

    private static func find(
        _ pointer: borrowing CompiledPointer, _ place: JSONNodeID, _ answer: borrowing PartAnswer
    ) -> JSONNodeID? {
        answer.index.find(pointer, from: place, in: answer.body.span)
    }

    private static func add(
        _ text: borrowing ByteBuffer, isString: Bool, to values: inout FanOutValues, from first: Int
    ) {
        values.add(text.span, isString: isString, from: first)
    }

    // MARK: - Answers

    /// A call of a part that fans out was answered; false where that has ended the run.
    mutating func takeValues(of call: Int, _ fanOut: FanOut) -> Bool {
        let part = calls[call].part
        if fanOut.isBatch {
            takeBatch(call, fanOut)
            for value in records[part].values where values[value].state == .running {
                guard valueFailed(value, of: part, PartFailure(.missingValue)) else { return false }
            }
            complete(part)
        } else if let node = answers[call].value {
            values[calls[call].value].state = .answered
            values[calls[call].value].node = node
            askForMore(part)
        }
        return outcome == nil
    }

    /// Finds out which element of a batch's answer is whose: by its key; or by its name, where the answer is an object.
    private mutating func takeBatch(_ call: Int, _ fanOut: FanOut) {
        guard let top = answers[call].value else { return }
        let range = records[calls[call].part].values
        let isObject = answers[call].index[top].kind == .object
        var child = answers[call].index.firstChild(of: top)
        while let current = child {
            child = answers[call].index.next(after: current)
            scratch.removeAll()
            if isObject {
                let name = answers[call].index[current].name
                Self.readName(name, of: call, answers, into: &scratch)
            } else {
                guard let key = Self.find(fanOut.key, current, answers[call]) else { continue }
                let node = answers[call].index[key]
                Self.read(node, of: call, answers, into: &scratch)
            }
            guard let value = Self.find(scratch, in: range, values), values[value].state == .running else { continue }
            values[value].state = .answered
            values[value].call = call
            values[value].node = current
        }
    }

    /// The text of a value; nothing for one that has none.
    private static func read(
        _ node: JSONNode, of call: Int, _ answers: borrowing PartAnswers, into text: inout ByteBuffer
    ) {
        _ = answers[call].appendText(of: node, to: &text)
    }

    private static func readName(
        _ name: ByteRange, of call: Int, _ answers: borrowing PartAnswers, into text: inout ByteBuffer
    ) {
        text.appendDecodedJSONString(answers[call].body.span(name))
    }

    private static func find(
        _ text: borrowing ByteBuffer, in range: Range<Int>, _ values: borrowing FanOutValues
    ) -> Int? {
        values.find(text.span, in: range)
    }
}
