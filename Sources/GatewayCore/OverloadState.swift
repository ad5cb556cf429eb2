import Synchronization

/// Why new requests are refused: the process has too much to do. Bounded: the words are metric labels and log fields.
enum OverloadReason: Int, CaseIterable, Sendable {
    /// The process has more memory than it should.
    case memory
    /// An event loop is late with its work.
    case lag

    /// The word.
    var word: StaticString {
        switch self {
        case .memory: "memory"
        case .lag: "lag"
        }
    }
}

/// A bound with a way back: reached when a figure is above it, and left when the figure is below nine tenths of it, so that
/// what hovers there does not come and go.
struct OverloadBound: Equatable, Sendable {
    /// The bound; `UInt64.max` for none.
    let most: UInt64

    /// Whether it is reached, now that the figure is this one.
    func isReached(_ figure: UInt64, before wasReached: Bool) -> Bool {
        wasReached ? figure >= most - most / 10 : figure > most
    }
}

/// What all threads know of the overload of the process. Memory is everybody's; a loop that is late is its worker's own
/// matter, the others being there to take its place.
final class OverloadState: Sendable {
    private let memory = Atomic<Bool>(false)
    private let lateWorkers = Atomic<Int>(0)
    private let refused: InlineArray<2, Atomic<UInt64>>

    /// All is well.
    init() { refused = InlineArray { _ in Atomic(0) } }

    /// Whether the process has more memory than it should.
    var isOverMemory: Bool { memory.load(ordering: .relaxed) }
    /// How many workers are late.
    var late: Int { lateWorkers.load(ordering: .relaxed) }

    func noteMemory(isOver: Bool) { memory.store(isOver, ordering: .relaxed) }

    func workerIsLate() { lateWorkers.add(1, ordering: .relaxed) }

    func workerIsBack() { lateWorkers.subtract(1, ordering: .relaxed) }

    func noteRefusal(_ reason: OverloadReason) { refused[reason.rawValue].add(1, ordering: .relaxed) }

    /// How many requests were refused for this reason.
    func refusals(_ reason: OverloadReason) -> UInt64 { refused[reason.rawValue].load(ordering: .relaxed) }
}
