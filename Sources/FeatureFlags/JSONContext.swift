import ByteBuffers
package import JSON

/// A context with structure, given as JSON: for the command line, remote evaluation and tests. Allocates as it is read.
package final class JSONContext: EvaluationContext {
    /// Usually an object; its own `$flagd`, if any, is replaced by the evaluator's.
    package let value: JSONValue

    package init(_ value: JSONValue) {
        self.value = value
    }

    override func load(into machine: inout RuleMachine, flagKey: RuleValue, timestamp: Int64) -> RuleValue? {
        guard case .object(let members) = value else { return machine.load(value) }
        var all: [RuleValue] = []
        for member in members where member.name != "$flagd" {
            all.append(machine.load(.string(member.name)))
            all.append(machine.load(member.value))
        }
        all.append(machine.load(.string("$flagd")))
        all.append(machine.flagdProperties())
        let start = machine.cells.count
        machine.cells.append(contentsOf: all)
        return machine.object(from: start)
    }
}

extension RuleMachine {
    /// Copies `value` into the memory of the running evaluation. Recursion is bounded by the depth to which JSON is
    /// read.
    fileprivate mutating func load(_ value: JSONValue) -> RuleValue {
        switch value {
        case .null: return .null
        case .bool(let flag): return RuleValue(flag)
        case .integer(let number): return RuleValue(Double(number))
        case .real(let number): return RuleValue(number)
        case .string(let text):
            let start = scratch.count
            scratch.append(text)
            return RuleValue(.string, ByteRange(start: start, count: scratch.count - start), in: .scratch)
        case .array(let elements):
            let values = elements.map { load($0) }
            let start = cells.count
            cells.append(contentsOf: values)
            if values.isEmpty { cells.append(.undefined) }
            return RuleValue(.array, ByteRange(start: start, count: values.count), in: .scratch)
        case .object(let members):
            var values: [RuleValue] = []
            for member in members {
                values.append(load(.string(member.name)))
                values.append(load(member.value))
            }
            let start = cells.count
            cells.append(contentsOf: values)
            if values.isEmpty { cells.append(.undefined) }
            return RuleValue(.object, ByteRange(start: start, count: values.count), in: .scratch)
        }
    }
}
