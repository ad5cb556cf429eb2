/// The order that steps bring into a view: a step starts when every part before it in the file is settled, and every part
/// behind it waits until the step is. Parts between two steps run at the same time.
struct StepOrder {
    /// For each part those that have to be settled before it starts, whatever became of them, one bit each. What these wait
    /// for themselves is left out.
    let predecessors: [UInt64]
    private let steps: [Int]

    /// The order of parts in the file, of which these are steps.
    init(_ isStep: [Bool]) {
        var predecessors: [UInt64] = []
        var last: Int?
        for (number, isStep) in isStep.enumerated() {
            let waitsFor = isStep ? (last ?? 0)..<number : last.map { $0..<($0 + 1) } ?? 0..<0
            predecessors.append(waitsFor.reduce(0) { $0 | 1 << UInt64($1) })
            if isStep { last = number }
        }
        self.predecessors = predecessors
        steps = isStep.indices.filter { isStep[$0] }
    }

    /// The step by which `source`, which stands behind `part`, only starts when `part` is settled; nil where there is none.
    func step(from part: Int, to source: Int) -> Int? {
        steps.first { $0 >= part && $0 <= source }
    }
}
