import EventLoops
import Logging

/// Looks once a second whether the process has more memory than it should, and tells in the log that requests are refused:
/// when that begins, and when it has been over for a while. It belongs to the control plane's loop.
final class OverloadWatch {
    private let state: OverloadState
    private let log: Logger
    private var timer: ActionTimer?
    private var bound: OverloadBound?
    private var notices: [OverloadNotice]

    /// The time between two looks, in milliseconds.
    private static let period: UInt64 = 1_000

    init(_ state: OverloadState, loop: EventLoop, log: Logger) {
        self.state = state
        self.log = log
        notices = OverloadReason.allCases.map { _ in OverloadNotice() }
        timer = ActionTimer(loop: loop) { [unowned self] in look() }
    }

    /// Looks from now on whether the process has more than so many bytes; nil for any number.
    func use(memory: UInt64?) {
        bound = memory.map { OverloadBound(most: $0) }
        look()
    }

    private func look() {
        timer?.schedule(after: Self.period)
        if let bound {
            // Without a figure, all stays as it is.
            if let memory = ProcessFigures().residentMemory {
                state.noteMemory(isOver: bound.isReached(memory, before: state.isOverMemory))
            }
        } else {
            state.noteMemory(isOver: false)
        }
        tell(.memory, isOver: state.isOverMemory)
        tell(.lag, isOver: state.late > 0)
    }

    private func tell(_ reason: OverloadReason, isOver: Bool) {
        switch notices[reason.rawValue].look(isOver: isOver, refused: state.refusals(reason)) {
        case nil: break
        case .began: log.warning("overloaded: new requests are refused", metadata: ["reason": "\(reason.word)"])
        case .ended(let refused):
            log.info(
                "overload is over: new requests are served",
                metadata: ["reason": "\(reason.word)", "refused": "\(refused)"])
        }
    }
}

/// When something is said about an overload that is looked at now and then: at its first sign, and when there has been none
/// for some looks, so that one that comes and goes does not fill the log.
struct OverloadNotice: Equatable, Sendable {
    /// What is worth saying.
    enum Event: Equatable, Sendable {
        case began
        /// So many requests were refused meanwhile.
        case ended(refused: UInt64)
    }

    private var isOn = false
    private var calmLooks = 0
    private var refusedAtLast: UInt64 = 0
    private var refusedBefore: UInt64 = 0

    /// How many looks without a sign end it.
    static let calm = 5

    /// Takes what is seen now, and how many requests were refused in all.
    mutating func look(isOver: Bool, refused: UInt64) -> Event? {
        // Refusals tell of what was over before anybody looked.
        let isSign = isOver || refused > refusedAtLast
        defer { refusedAtLast = refused }
        guard isOn else {
            guard isSign else { return nil }
            isOn = true
            calmLooks = 0
            refusedBefore = refusedAtLast
            return .began
        }
        calmLooks = isSign ? 0 : calmLooks + 1
        guard calmLooks == Self.calm else { return nil }
        isOn = false
        return .ended(refused: refused - refusedBefore)
    }
}
