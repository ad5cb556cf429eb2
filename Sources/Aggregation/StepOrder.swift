/// The order that steps bring into a view: a step starts when every part before it in the file is settled, and every part
/// behind it waits until the step is. Parts between two steps run at the same time.
struct StepOrder {
    /// For each part those that have to be settled before it starts, whatever became of them, one bit each: for a step all
    /// before it, for others all steps before them. The nearest ones would not do: a part whose input is missing is settled
    /// before its turn.
    let predecessors: [UInt64]
    private let steps: [Int]

    /// The order of parts in the file, of which these are steps.
    init(_ isStep: [Bool]) {
        predecessors = isStep.indices.map { number in
            isStep.indices.reduce(0) { $1 < number && (isStep[$1] || isStep[number]) ? $0 | 1 << UInt64($1) : $0 }
        }
        steps = isStep.indices.filter { isStep[$0] }
    }

    /// The step by which `source`, which stands behind `part`, only starts when `part` is settled; nil where there is none.
    func step(from part: Int, to source: Int) -> Int? {
        steps.first { $0 >= part && $0 <= source }
    }
}
