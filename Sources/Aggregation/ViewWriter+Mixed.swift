import ByteBuffers
import JSON

/// Objects whose members come from several places.
extension ViewWriter {
    /// A pass over the members of an object.
    private enum Pass {
        /// Their names are entered into the contest.
        case names
        /// Those that have won are written.
        case members
    }

    /// How far a pass has come.
    private struct Cursor {
        var number: Int
        var isFirst = true
    }

    /// Writes an object with members that have other names, or that come out of its members; `reserved` is a name that none
    /// of them gets.
    mutating func appendMixedObject(
        _ place: JSONNodeID, of call: Int, _ shape: Shape, _ run: borrowing AggregateRun,
        reserving reserved: StaticString? = nil, to body: inout ByteBuffer
    ) {
        let first = contest.begin()
        if let reserved { contest.reserve(reserved) }
        var cursor = Cursor(number: first)
        go(.names, place, of: call, shape, run, &cursor, &body)
        cursor = Cursor(number: first)
        body.append("{")
        go(.members, place, of: call, shape, run, &cursor, &body)
        body.append("}")
        contest.end(first)
    }

    /// Writes a view to which several parts give their members.
    mutating func appendMixedView(of run: borrowing AggregateRun, _ plan: AggregatePlan, to body: inout ByteBuffer) {
        let first = contest.begin()
        if hasErrors { contest.reserve("_errors") }
        var cursor = Cursor(number: first)
        go(.names, plan, run, &cursor, &body)
        cursor = Cursor(number: first)
        body.append("{")
        go(.members, plan, run, &cursor, &body)
        body.append("}")
        contest.end(first)
    }

    private mutating func go(
        _ pass: Pass, _ plan: AggregatePlan, _ run: borrowing AggregateRun, _ cursor: inout Cursor,
        _ body: inout ByteBuffer
    ) {
        for (number, part) in plan.parts.enumerated() where part.host == nil {
            if part.isMerged, run.state(of: number) == .answered, let value = run.answers[number].value,
                run.answers[number].index[value].kind == .object
            {
                go(pass, value, of: number, part.shape ?? Shape.plain, run, &cursor, &body)
            } else if part.isMerged, run.state(of: number) != .answered {
                for member in part.defaultMembers where visit(pass, labelled: member.label, &cursor, &body) {
                    body.append(contentsOf: member.text)
                }
            } else if visit(pass, labelled: part.label, &cursor, &body) {
                appendPart(number, of: run, to: &body)
            }
        }
    }

    private mutating func go(
        _ pass: Pass, _ place: JSONNodeID, of call: Int, _ shape: Shape, _ run: borrowing AggregateRun,
        _ cursor: inout Cursor, _ body: inout ByteBuffer
    ) {
        let joins = available(shape, at: place, of: call, run)
        var joined = ~joins
        var child = run.answers[call].index.firstChild(of: place)
        while let current = child, !isTooLarge {
            child = run.answers[call].index.next(after: current)
            let node = run.answers[call].index[current]
            switch Self.fate(of: node, shape, joins, run.answers[call]) {
            case .leftOut: break
            case .kept:
                if visit(pass, node, nil, of: run.answers[call], &cursor, &body) {
                    run.answers[call].appendBytes(of: node, to: &body)
                }
            case .shaped(let inner) where inner.isFlat && node.kind == .object:
                go(pass, current, of: call, inner, run, &cursor, &body)
            case .shaped(let inner):
                if visit(pass, node, inner.label, of: run.answers[call], &cursor, &body) {
                    append(current, of: call, inner, run, to: &body)
                }
            case .joined(let number):
                joined |= 1 << UInt64(number)
                visit(pass, shape.joins[number], at: place, of: call, run, &cursor, &body)
            }
        }
        for number in shape.joins.indices where joined & 1 << UInt64(number) == 0 {
            visit(pass, shape.joins[number], at: place, of: call, run, &cursor, &body)
        }
    }

    private mutating func visit(
        _ pass: Pass, _ join: Shape.Join, at place: JSONNodeID, of call: Int, _ run: borrowing AggregateRun,
        _ cursor: inout Cursor, _ body: inout ByteBuffer
    ) {
        guard visit(pass, labelled: join.label, &cursor, &body) else { return }
        body.truncate(to: body.count - join.label.count)
        append(join, at: place, of: call, run, to: &body)
    }

    /// Enters a member of an answer, or writes its name and colon: then its value is to be written.
    private mutating func visit(
        _ pass: Pass, _ node: JSONNode, _ label: [UInt8]?, of answer: borrowing PartAnswer, _ cursor: inout Cursor,
        _ body: inout ByteBuffer
    ) -> Bool {
        if let label { return visit(pass, labelled: label, &cursor, &body) }
        if pass == .names {
            contest.enter(answer.body.span(node.name))
            return false
        }
        guard beginMember(&cursor, &body) else { return false }
        body.append(answer.body.span(node.name))
        body.append(":")
        return true
    }

    /// The same for a member whose name and colon are ours.
    private mutating func visit(
        _ pass: Pass, labelled label: [UInt8], _ cursor: inout Cursor, _ body: inout ByteBuffer
    ) -> Bool {
        if pass == .names {
            contest.enter(label.span.extracting(0..<(label.count - 1)))
            return false
        }
        guard beginMember(&cursor, &body) else { return false }
        body.append(contentsOf: label)
        return true
    }

    private func beginMember(_ cursor: inout Cursor, _ body: inout ByteBuffer) -> Bool {
        defer { cursor.number += 1 }
        guard contest.keeps(cursor.number) else { return false }
        if !cursor.isFirst { body.append(",") }
        cursor.isFirst = false
        return true
    }

    // MARK: - Templates

    /// Writes a view as its template says.
    mutating func append(
        _ output: OutputTemplate, of run: borrowing AggregateRun, _ plan: AggregatePlan, to body: inout ByteBuffer
    ) {
        let template = output.template
        var text = ByteBuffer()
        var isInString = false
        var pointer = 0
        for piece in template.pieces {
            switch piece {
            case .literal(let range):
                let literal = template.literals.span.slice(range)
                if isInString { text.append(literal) } else { body.append(literal) }
            case .beginString:
                isInString = true
                text.removeAll()
            case .endString:
                isInString = false
                body.appendJSONString(text.span)
            case .input(let slot, let place):
                if place == .jsonString {
                    text.append(run.inputs.value(slot))
                } else if run.inputs.has(slot) {
                    body.appendJSONString(run.inputs.value(slot))
                } else {
                    body.append("null")
                }
            case .body(let number, let place):
                append(template.pointers[number], place, of: run.inputs.body, text: &text, to: &body)
            case .part(let part, let number, let place):
                let shape = output.shapes[pointer]
                pointer += 1
                if place == .jsonString {
                    appendText(of: part, template.pointers[number], run, to: &text)
                } else if template.pointers[number].count == 0 {
                    appendPart(part, of: run, to: &body)
                } else {
                    appendValue(of: part, template.pointers[number], shape, run, to: &body)
                }
            case .each, .eachOfAll: break
            }
        }
    }

    private func append(
        _ pointer: borrowing CompiledPointer, _ place: Template.Place, of input: borrowing ClientBody,
        text: inout ByteBuffer, to body: inout ByteBuffer
    ) {
        let node = input.content.find(pointer)
        if place == .jsonString {
            if let node { _ = input.content.appendText(of: node, to: &text) }
        } else if let node {
            input.content.appendBytes(of: node, to: &body)
        } else {
            body.append("null")
        }
    }

    private mutating func appendValue(
        of part: Int, _ pointer: borrowing CompiledPointer, _ shape: Shape?, _ run: borrowing AggregateRun,
        to body: inout ByteBuffer
    ) {
        guard run.state(of: part) == .answered, let found = Self.find(pointer, shape, run.answers[part]) else {
            body.append("null")
            return
        }
        append(found.place, of: part, found.shape, run, to: &body)
    }

    private func appendText(
        of part: Int, _ pointer: borrowing CompiledPointer, _ run: borrowing AggregateRun, to text: inout ByteBuffer
    ) {
        // Many values are an object, which has no text.
        guard run.state(of: part) == .answered, run.plan?.parts[part].fanOut == nil else { return }
        let found = pointer.count == 0 ? run.answers[part].value : Self.find(pointer, nil, run.answers[part])?.place
        guard let found else { return }
        _ = run.answers[part].appendText(of: run.answers[part].index[found], to: &text)
    }

    /// What a pointer leads to in an answer, and what becomes of that. Who names a place gets it, left out or not.
    private static func find(
        _ pointer: borrowing CompiledPointer, _ shape: Shape?, _ answer: borrowing PartAnswer
    ) -> (place: JSONNodeID, shape: Shape?)? {
        guard var place = answer.index.root else { return nil }
        var shape = shape
        for step in 0..<pointer.count {
            if let number = pointer.arrayIndex(step), answer.index[place].kind == .array {
                guard let found = answer.index.element(number, of: place) else { return nil }
                shape = shape?.element(number)
                place = found
            } else {
                guard let found = answer.index.member(pointer.name(step), of: place, in: answer.body.span) else {
                    return nil
                }
                shape = shape?.member(answer.index[found], in: answer.body.span)
                place = found
            }
        }
        return (place, shape)
    }
}
