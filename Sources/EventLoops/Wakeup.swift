internal import CLibuv
import Glibc
import Synchronization

/// A way to make another thread's loop run something: the only thing of a loop that other threads may touch.
///
/// Several calls of ``send()`` before the loop comes round are one wake-up. The loop watches an event descriptor of its own:
/// with libuv's way (`uv_async_t`) the woken thread spins until the waking one has gone on, which costs most where both
/// share a core.
package final class Wakeup: @unchecked Sendable {
    // SAFETY: the watch belongs to the loop's thread; other threads touch the descriptor and the flag only, by their lock.
    private let sender: Mutex<CInt?>
    private let isPending = Atomic(false)
    private let watch: WakeupWatch

    /// A wake-up on `loop` that runs `action` there. To be called on the loop's thread.
    ///
    /// - Throws: `EventLoopError` when the system has no descriptor for it.
    package init(loop: EventLoop, _ action: @escaping () -> Void) throws(EventLoopError) {
        let descriptor = banyan_eventfd()
        guard descriptor >= 0 else { throw EventLoopError(code: -errno, doing: "make a wake-up") }
        sender = Mutex(descriptor)
        watch = WakeupWatch(loop: loop, action)
        watch.wakeup = self
        do throws(EventLoopError) {
            try watch.open(descriptor)
        } catch {
            close()
            throw error
        }
        watch.receiver = descriptor
        watch.watch(.readable)
    }

    deinit { close() }

    /// Makes the loop run the action soon. Callable from any thread; nothing happens after ``close()``.
    package func send() {
        if isPending.exchange(true, ordering: .acquiringAndReleasing) { return }
        sender.withLock { descriptor in
            var one: UInt64 = 1
            if let descriptor { _ = write(descriptor, &one, 8) }
        }
    }

    /// What was sent up to now has arrived; what is sent from now on makes another wake-up.
    fileprivate func arrived() { isPending.store(false, ordering: .releasing) }

    /// Ends it. To be called on the loop's thread.
    package func close() {
        watch.end()
        let descriptor = sender.withLock { descriptor in
            defer { descriptor = nil }
            return descriptor
        }
        if let descriptor { _ = Glibc.close(descriptor) }
    }
}

/// The loop's side of a wake-up.
private final class WakeupWatch: Poll {
    unowned(unsafe) var wakeup: Wakeup?
    var receiver: CInt = -1
    private let action: () -> Void

    init(loop: EventLoop, _ action: @escaping () -> Void) {
        self.action = action
        super.init(loop: loop)
    }

    override func ready(_ events: Events) {
        var count: UInt64 = 0
        _ = read(receiver, &count, 8)
        // SAFETY: the wake-up owns this watch, and ends it before it goes.
        wakeup?.arrived()
        action()
    }

    /// Ends the watch, after which the descriptor may be closed.
    func end() {
        release()
        wakeup = nil
    }
}
