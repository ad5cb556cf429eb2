internal import CLibuv
import Synchronization

/// A way to make another thread's loop run something: the only thing of a loop that other threads may touch.
///
/// Several calls of ``send()`` before the loop comes round are one wake-up.
package final class Wakeup: @unchecked Sendable {
    // SAFETY: uv_async_send may be called from any thread while the handle is open; the lock orders it against close.
    private let handle: Mutex<Address?>
    private let action: () -> Void
    private let loop: EventLoop

    private struct Address: @unchecked Sendable {
        // SAFETY: the pointer is only handed to uv_async_send and uv_close, under the lock.
        let pointer: UnsafeMutablePointer<uv_async_t>
    }

    /// A wake-up on `loop` that runs `action` there. To be called on the loop's thread.
    ///
    /// - Throws: `EventLoopError` when the system has no descriptor for it.
    package init(loop: EventLoop, _ action: @escaping () -> Void) throws(EventLoopError) {
        let fresh = UnsafeMutablePointer<uv_async_t>.allocate(capacity: 1)
        self.action = action
        self.loop = loop
        handle = Mutex(Address(pointer: fresh))
        let status = uv_async_init(loop.raw, fresh) { async in
            guard let data = async?.pointee.data else { return }
            // SAFETY: data is set until close(), which runs on the loop's own thread.
            Unmanaged<Wakeup>.fromOpaque(data).takeUnretainedValue().action()
        }
        guard status == 0 else {
            handle.withLock { $0 = nil }
            fresh.deallocate()
            throw EventLoopError(code: status, doing: "make a wake-up")
        }
        fresh.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    }

    deinit { close() }

    /// Makes the loop run the action soon. Callable from any thread; nothing happens after ``close()``.
    package func send() {
        handle.withLock { address in
            if let address { _ = uv_async_send(address.pointer) }
        }
    }

    /// Lets the loop end although this wake-up is open.
    package func doesNotKeepLoopAlive() {
        handle.withLock { address in
            guard let address else { return }
            uv_unref(UnsafeMutableRawPointer(address.pointer).assumingMemoryBound(to: uv_handle_t.self))
        }
    }

    /// Ends it. To be called on the loop's thread.
    package func close() {
        handle.withLock { address in
            guard let open = address else { return }
            address = nil
            open.pointer.pointee.data = nil
            HandleDisposal.close(open.pointer)
        }
    }
}
