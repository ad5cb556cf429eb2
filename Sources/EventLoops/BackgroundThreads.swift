import Synchronization

/// Threads for work that blocks, such as asking the system's resolver: a few at most, made when there is work, and gone when
/// there is none.
///
/// They are no threads of libuv's, for whose end a process waits: whatever still blocks when it ends is left alone.
package final class BackgroundThreads: Sendable {
    private struct State {
        var waiting: [@Sendable () -> Void] = []
        var running = 0
    }

    private let state = Mutex(State())
    private let most: Int

    /// - Parameter most: how many pieces of work may block at a time; further ones wait for their turn.
    package init(most: Int) { self.most = most }

    /// Runs `work` on one of the threads.
    ///
    /// - Returns: whether it will be run; not where the system has no thread for it.
    package func run(_ work: @escaping @Sendable () -> Void) -> Bool {
        let needsThread = state.withLock { state in
            state.waiting.append(work)
            guard state.running < most else { return false }
            state.running += 1
            return true
        }
        if !needsThread { return true }
        if let thread = OwnThread.start(serve) {
            thread.detach()
            return true
        }
        return state.withLock { state in
            state.running -= 1
            // Another thread comes to it.
            if state.running > 0 { return true }
            state.waiting.removeAll()
            return false
        }
    }

    private func serve() {
        while let work = next() { work() }
    }

    private func next() -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.running -= 1
                return nil
            }
            return state.waiting.removeFirst()
        }
    }
}
