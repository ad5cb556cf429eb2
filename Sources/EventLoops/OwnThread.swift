import Glibc

/// A thread of the system's.
///
/// Whoever has it waits for its end (``join()``), or lets it go by itself (``detach()``), once.
package struct OwnThread: Sendable {
    private let thread: pthread_t

    private init(_ thread: pthread_t) { self.thread = thread }

    /// Runs `run` on a new thread; nil when the system has no room for one.
    package static func start(_ run: @escaping @Sendable () -> Void) -> OwnThread? {
        var thread = pthread_t()
        // SAFETY: the thread takes over the reference that is retained here; on failure it is released here.
        let work = Unmanaged.passRetained(Work(run))
        let status = pthread_create(
            &thread, nil,
            { work in
                guard let work else { return nil }
                Unmanaged<Work>.fromOpaque(work).takeRetainedValue().run()
                return nil
            }, work.toOpaque())
        guard status == 0 else {
            work.release()
            return nil
        }
        return OwnThread(thread)
    }

    /// Waits for its end.
    package func join() { pthread_join(thread, nil) }

    /// Lets it go: the system forgets it when it ends, and the process does not wait for that.
    package func detach() { pthread_detach(thread) }

    private final class Work: Sendable {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
}
