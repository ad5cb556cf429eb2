/// A deadline on a loop that can be moved as often as one likes at the price of a store.
///
/// Moving a deadline later only writes a field: the loop looks again when the earlier time comes. So a timer that is
/// re-armed for every request costs nothing until it is really near. Subclasses say what happens. Not thread-safe.
open class Timer {
    private let loop: EventLoop
    /// When it fires, in milliseconds of the loop's clock; `UInt64.max` while it is off.
    package final var deadline: UInt64 { due }
    // Not read by other rooms as they are: accesses to what stands in one room alone need no check of their exclusivity.
    fileprivate final var due: UInt64 = .max
    fileprivate final var key: UInt64 = .max
    fileprivate final var slot = -1

    /// A timer that is off.
    package init(loop: EventLoop) { self.loop = loop }

    deinit { if slot >= 0 { loop.forget(self) } }

    /// Fires once, `milliseconds` from the beginning of this turn; replaces an earlier deadline.
    package final func schedule(after milliseconds: UInt64) {
        let (sum, overflow) = loop.now.addingReportingOverflow(milliseconds)
        schedule(at: overflow ? .max - 1 : sum)
    }

    /// Fires once at `deadline`, in milliseconds of the loop's clock; replaces an earlier deadline.
    package final func schedule(at deadline: UInt64) {
        due = deadline
        if deadline < key { loop.schedule(self, at: deadline) }
    }

    /// Turns it off.
    package final func cancel() { due = .max }

    /// Whether it is waiting to fire.
    package final var isScheduled: Bool { due != .max }

    /// Called on the loop when the deadline has come; the timer is off then and may be scheduled again.
    open func fire() {}
}

/// A timer that runs a closure: for the control plane, where a closure's allocation does not matter.
public final class ActionTimer: Timer {
    private let action: () -> Void

    /// A timer on `loop` that will run `action`.
    package init(loop: EventLoop, _ action: @escaping () -> Void) {
        self.action = action
        super.init(loop: loop)
    }

    public override func fire() { action() }
}

/// The timers of one loop, ordered by the time at which each must be looked at again.
///
/// A binary heap over keys that may be earlier than the timer's deadline (never later): ``popDue(_:)`` puts such a
/// timer back at its real place. The heap does not own the timers; a timer takes itself out before it goes.
struct TimerHeap {
    private var entries: [Unmanaged<Timer>] = []

    /// The earliest time at which something may be due, or `UInt64.max`.
    var nextKey: UInt64 { entries.first.map { key($0) } ?? .max }

    /// The number of timers that the heap still looks at.
    var count: Int { entries.count }

    mutating func schedule(_ timer: Timer, at deadline: UInt64) {
        timer.due = deadline
        timer.key = deadline
        if timer.slot < 0 {
            timer.slot = entries.count
            // SAFETY: the timer takes itself out of the heap in its deinit, so the reference never dangles.
            entries.append(.passUnretained(timer))
        }
        siftUp(timer.slot)
        siftDown(timer.slot)
    }

    mutating func remove(_ timer: Timer) {
        let slot = timer.slot
        guard slot >= 0, slot < entries.count else { return }
        let last = entries.count - 1
        if slot != last { place(entries[last], at: slot) }
        entries.removeLast()
        timer.slot = -1
        timer.key = .max
        if slot < entries.count {
            siftUp(slot)
            siftDown(slot)
        }
    }

    /// The next timer whose deadline is at or before `now`, switched off and taken out; nil when none is due.
    mutating func popDue(_ now: UInt64) -> Timer? {
        while let first = entries.first, key(first) <= now {
            let timer = first.takeUnretainedValue()
            if timer.due <= now {
                remove(timer)
                timer.due = .max
                return timer
            }
            if timer.due == .max {
                remove(timer)
            } else {
                timer.key = timer.due
                siftDown(0)
            }
        }
        return nil
    }

    private func key(_ entry: Unmanaged<Timer>) -> UInt64 { entry._withUnsafeGuaranteedRef { $0.key } }

    private mutating func place(_ entry: Unmanaged<Timer>, at slot: Int) {
        entries[slot] = entry
        entry._withUnsafeGuaranteedRef { $0.slot = slot }
    }

    private mutating func siftUp(_ start: Int) {
        var slot = start
        let entry = entries[slot]
        let value = key(entry)
        while slot > 0 {
            let parent = (slot - 1) / 2
            guard key(entries[parent]) > value else { break }
            place(entries[parent], at: slot)
            slot = parent
        }
        place(entry, at: slot)
    }

    private mutating func siftDown(_ start: Int) {
        var slot = start
        let entry = entries[slot]
        let value = key(entry)
        while true {
            var child = 2 * slot + 1
            guard child < entries.count else { break }
            if child + 1 < entries.count, key(entries[child + 1]) < key(entries[child]) { child += 1 }
            guard key(entries[child]) < value else { break }
            place(entries[child], at: slot)
            slot = child
        }
        place(entry, at: slot)
    }
}
