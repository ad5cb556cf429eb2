/// Whether a worker's loop is so late that it should refuse new requests. It belongs to the worker.
struct WorkerLag {
    private let state: OverloadState
    private(set) var isOver = false

    /// - Parameter state: what is told of it.
    init(_ state: OverloadState) { self.state = state }

    /// Takes how late the loop was, in nanoseconds, and how late it may be.
    mutating func note(_ nanoseconds: UInt64, _ bound: OverloadBound) {
        let isOver = bound.isReached(nanoseconds, before: self.isOver)
        if isOver == self.isOver { return }
        self.isOver = isOver
        if isOver { state.workerIsLate() } else { state.workerIsBack() }
    }
}
