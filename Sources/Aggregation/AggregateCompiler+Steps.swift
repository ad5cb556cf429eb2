/// The order of steps, and what stands against it.
extension AggregateCompiler {
    /// Tells each part what it has to wait for because of steps. Reports parts that need the answer of one that can only
    /// start after them, and steps in views that replace parts of another answer.
    mutating func orderSteps(_ parts: inout [PartDraft]) {
        let order = StepOrder(parts.map(\.definition.isStep))
        for number in parts.indices {
            parts[number].predecessors = order.predecessors[number]
            reportSources(behind: number, parts, order)
            if parts[number].definition.isStep, definition.hasBase {
                report(
                    parts[number].definition.name, "method",
                    "a view with a \"base\" only reads: leave the base out, or make this call one that reads")
            }
        }
    }

    private mutating func reportSources(behind number: Int, _ parts: [PartDraft], _ order: StepOrder) {
        let part = parts[number]
        for source in parts.indices.dropFirst(number + 1) where part.dependencies & 1 << UInt64(source) != 0 {
            guard let step = order.step(from: number, to: source) else { continue }
            let (name, wanted) = (part.definition.name, parts[source].definition.name)
            let reason =
                step == number
                ? "which waits for it as all parts behind one that writes"
                : step == source
                    ? "which writes, and so waits for all parts before it"
                    : "which stands behind \"\(parts[step].definition.name)\", and that writes"
            report(
                name, part.key(of: source), "\"\(name)\" needs \"\(wanted)\", \(reason): move \"\(wanted)\" before it")
        }
    }
}

extension PartDraft {
    /// The key of the part under which another part's answer is needed.
    fileprivate func key(of source: Int) -> String {
        let mask: UInt64 = 1 << UInt64(source)
        if path.partMask & mask != 0 { return "path" }
        if headers.contains(where: { $0.value.partMask & mask != 0 }) { return "headers" }
        if let body, body.partMask & mask != 0 { return "body" }
        return definition.fanOut?.isBatch == true ? "batch" : "each"
    }
}
