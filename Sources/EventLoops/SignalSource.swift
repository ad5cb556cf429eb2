internal import CLibuv

/// A process signal, delivered on a loop instead of in the middle of anything.
package final class SignalSource {
    private let handle: UnsafeMutablePointer<uv_signal_t>
    private let action: () -> Void
    private let loop: EventLoop

    /// Runs `action` on `loop` each time the process gets signal `number`, which no longer does what it does by default.
    ///
    /// - Throws: `EventLoopError` for a signal that cannot be caught.
    package init(loop: EventLoop, signal number: CInt, _ action: @escaping () -> Void) throws(EventLoopError) {
        handle = .allocate(capacity: 1)
        self.action = action
        self.loop = loop
        let status = uv_signal_init(loop.raw, handle)
        guard status == 0 else {
            handle.deallocate()
            throw EventLoopError(code: status, doing: "listen for signal \(number)")
        }
        let started = uv_signal_start(
            handle,
            { handle, _ in
                guard let data = handle?.pointee.data else { return }
                // SAFETY: data is nil from deinit on.
                Unmanaged<SignalSource>.fromOpaque(data).takeUnretainedValue().action()
            }, number)
        guard started == 0 else {
            handle.pointee.data = nil
            throw EventLoopError(code: started, doing: "listen for signal \(number)")
        }
        handle.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        uv_unref(UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self))
    }

    deinit {
        handle.pointee.data = nil
        uv_signal_stop(handle)
        HandleDisposal.close(handle)
    }
}
