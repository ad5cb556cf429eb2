internal import CLibuv

/// One libuv loop: descriptors, timers and wake-ups of one thread.
///
/// What is made on a loop keeps it alive, and belongs to the thread that runs it; only ``Wakeup`` may be touched from elsewhere.
/// The loop is level-triggered: whoever watches a descriptor must read it, or stop watching.
package final class EventLoop {
    let raw: UnsafeMutablePointer<uv_loop_t>
    private let clock: UnsafeMutablePointer<uv_timer_t>
    private let beforePoll: UnsafeMutablePointer<uv_prepare_t>
    private let afterPoll: UnsafeMutablePointer<uv_check_t>
    private var timers = TimerHeap()
    private var armedFor: UInt64 = .max
    private var timersHaveWaited = false
    private let deferred = LoopCell<[DeferredWork]>([])
    private let running = LoopCell<[DeferredWork]>([])
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: EventLoop.scratchSize, alignment: 64)
    private var scratchIsLent = false

    /// How many bytes one read takes at most.
    package static let scratchSize = 65_536
    /// Timers that are later than this let descriptors go first, in milliseconds.
    private static let lateness: UInt64 = 100

    /// A new loop, not running yet.
    ///
    /// - Throws: `EventLoopError` when the system has no descriptor or memory for it.
    package init() throws(EventLoopError) {
        raw = .allocate(capacity: 1)
        clock = .allocate(capacity: 1)
        beforePoll = .allocate(capacity: 1)
        afterPoll = .allocate(capacity: 1)
        let status = uv_loop_init(raw)
        guard status == 0 else {
            raw.deallocate()
            clock.deallocate()
            beforePoll.deallocate()
            afterPoll.deallocate()
            throw EventLoopError(code: status, doing: "create an event loop")
        }
        uv_timer_init(raw, clock)
        uv_prepare_init(raw, beforePoll)
        uv_check_init(raw, afterPoll)
        // SAFETY: the handles are closed in deinit, so libuv never sees this pointer after the loop object is gone.
        let this = Unmanaged.passUnretained(self).toOpaque()
        clock.pointee.data = this
        beforePoll.pointee.data = this
        afterPoll.pointee.data = this
        uv_prepare_start(beforePoll) { EventLoop.of($0?.pointee.data)?.runDeferred() }
        uv_check_start(afterPoll) { EventLoop.of($0?.pointee.data)?.runDeferred() }
        for handle in [UnsafeMutableRawPointer(beforePoll), UnsafeMutableRawPointer(afterPoll)] {
            uv_unref(handle.assumingMemoryBound(to: uv_handle_t.self))
        }
    }

    deinit {
        scratch.deallocate()
        clock.pointee.data = nil
        beforePoll.pointee.data = nil
        afterPoll.pointee.data = nil
        HandleDisposal.close(clock)
        HandleDisposal.close(beforePoll)
        HandleDisposal.close(afterPoll)
        // Handles are released by their close callbacks: give libuv the turns to run them.
        while uv_run(raw, UV_RUN_NOWAIT) != 0 {}
        if uv_loop_close(raw) == 0 { raw.deallocate() }
    }

    private static func of(_ data: UnsafeMutableRawPointer?) -> EventLoop? {
        // SAFETY: data is the loop object until its deinit sets it to nil.
        data.map { Unmanaged<EventLoop>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Runs until ``stop()`` is called, or until nothing is left to wait for.
    package func run() {
        uv_run(raw, UV_RUN_DEFAULT)
        runDeferred()
    }

    /// Runs one turn: waits for at least one event, or, when `waiting` is false, only takes what is there.
    package func runOnce(waiting: Bool = true) {
        uv_run(raw, waiting ? UV_RUN_ONCE : UV_RUN_NOWAIT)
        // libuv skips its prepare and check phases when nothing is left to wait for.
        runDeferred()
    }

    /// Ends ``run()`` after the present turn.
    package func stop() { uv_stop(raw) }

    /// Milliseconds of a monotonic clock, as read at the beginning of this turn.
    package var now: UInt64 { uv_now(raw) }

    /// Reads the clock again after long work inside one turn.
    package func refreshNow() { uv_update_time(raw) }

    /// Nanoseconds of a monotonic clock, read now.
    package static var nanoseconds: UInt64 { uv_hrtime() }

    // MARK: - Reading

    /// Reads once from `source` into memory that all readers of the loop share, and lets `body` look at what came.
    ///
    /// Connections own no read buffer this way: what `body` does not take up is gone. It must not read again before it
    /// returns. `read` does the reading: a `recv`, or libcurl's for a connection that it encrypts.
    package func receive(
        _ read: (UnsafeMutableRawBufferPointer) -> TransferResult, _ body: (Span<UInt8>) -> Void
    ) -> TransferResult {
        precondition(!scratchIsLent, "a read inside a read")
        let result = read(scratch)
        guard case .bytes(let count) = result else { return result }
        scratchIsLent = true
        // SAFETY: `read` has just initialised so many bytes of scratch; the span ends with the call, nobody else writes.
        body(Span(_unsafeBytes: UnsafeRawBufferPointer(rebasing: scratch[..<min(count, scratch.count)])))
        scratchIsLent = false
        return result
    }

    // MARK: - Timers

    func schedule(_ timer: Timer, at deadline: UInt64) {
        timers.schedule(timer, at: deadline)
        arm()
    }

    func forget(_ timer: Timer) { timers.remove(timer) }

    private func arm() {
        let next = timers.nextKey
        guard next < armedFor else { return }
        armedFor = next
        let now = uv_now(raw)
        uv_timer_start(clock, { EventLoop.of($0?.pointee.data)?.fireTimers() }, next > now ? next - now : 0, 0)
    }

    private func fireTimers() {
        let now = uv_now(raw)
        if now &- armedFor > Self.lateness, armedFor < now, !timersHaveWaited {
            // The process was stopped, or got no processor. What it was waited for may have come long since, and lies in
            // the descriptors: they go first, once, so that it does not count as missing.
            timersHaveWaited = true
            armedFor = now + 1
            uv_timer_start(clock, { EventLoop.of($0?.pointee.data)?.fireTimers() }, 1, 0)
            return
        }
        timersHaveWaited = false
        armedFor = .max
        while let timer = timers.popDue(now) { timer.fire() }
        arm()
    }

    // MARK: - Work at the end of a turn

    /// Runs `work` once, after the events of this turn and before the loop waits again.
    package func atEndOfTurn(_ work: DeferredWork) {
        guard !work.isScheduled else { return }
        work.isScheduled = true
        deferred.value.append(work)
    }

    private func runDeferred() {
        // Work may schedule more work: go on until a pass leaves nothing, so that the loop never waits on it.
        while !deferred.value.isEmpty {
            swap(&deferred.value, &running.value)
            for work in running.value {
                work.isScheduled = false
                work.run()
            }
            running.value.removeAll(keepingCapacity: true)
        }
    }
}

/// Work that is put off to the end of a loop turn; subclasses say what it is.
open class DeferredWork {
    fileprivate var isScheduled = false

    /// Work that is not scheduled yet.
    package init() {}

    /// Called once for each time it was scheduled.
    open func run() {}
}

/// Why something could not be set up on a loop: a system error and what was being done.
package struct EventLoopError: Error, CustomStringConvertible {
    /// The negative errno that libuv reports.
    package let code: CInt
    /// What was being done, to follow "cannot".
    package let doing: String

    init(code: CInt, doing: String) {
        self.code = code
        self.doing = doing
    }

    /// Something that a loop needs could not be had for lack of memory.
    package init(outOfMemoryDoing doing: String) { self.init(code: UV_ENOMEM.rawValue, doing: doing) }

    package var description: String {
        // SAFETY: uv_strerror returns a string of static storage for every known code.
        "cannot \(doing): \(String(cString: uv_strerror(code)))"
    }
}

/// Closes libuv handles: their memory goes back only after libuv says that it is done with them.
enum HandleDisposal {
    static func close<Handle>(_ handle: UnsafeMutablePointer<Handle>) {
        let generic = UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self)
        // SAFETY: every libuv handle begins with the fields of uv_handle_t; libuv calls back once, and last.
        uv_close(generic) { UnsafeMutableRawPointer($0)?.deallocate() }
    }
}
