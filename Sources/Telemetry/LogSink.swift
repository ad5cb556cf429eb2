package import ByteBuffers

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The one writer of a log: workers hand their lines over, a thread of its own writes them.
///
/// Handing over is a copy of memory under a lock that is never held while something is written. Where the output is
/// slower than the workers, or takes nothing at all, lines beyond the capacity are dropped and counted; a worker never
/// waits. A failed write drops what it could not write, is counted, and does not end the log.
package final class LogSink: @unchecked Sendable {
    // SAFETY: every stored property that changes is read and written only with `mutex` held, but for `file`, which
    // belongs to the thread that writes.

    /// What became of the lines.
    package struct Counts: Equatable, Sendable {
        /// Lines that the output has taken.
        package var written: UInt64 = 0
        /// Lines that were lost, to a full queue or to failed writes.
        package var dropped: UInt64 = 0
        /// Writes and reopenings that failed.
        package var failures: UInt64 = 0
        /// The number of the system's error at the last failure; 0 where there was none.
        package var lastError: Int32 = 0
    }

    /// The bytes that may wait for the writer, unless said otherwise.
    package static let standardCapacity = 4 << 20
    /// The memory that lines gather in, and that stays when they are written.
    package static let keptMemory = 256 << 10

    private let capacity: Int
    private let onLoss: @Sendable () -> Void
    private var lossIsTold = false
    private var writtenAtLoss: UInt64 = 0
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let hasWork: UnsafeMutablePointer<pthread_cond_t>
    private let hasEnded: UnsafeMutablePointer<pthread_cond_t>
    private var pending = ByteBuffer(capacity: LogSink.keptMemory)
    private var pendingLines = 0
    /// Bytes that the writer has taken and not yet written.
    private var inHand = 0
    private var wantsReopen = false
    private var isClosing = false
    private var isEnded = false
    private var totals = Counts()
    private var file: LogFile

    /// Opens the output and starts the writer, which runs until ``close(within:)``.
    ///
    /// - Parameters:
    ///   - capacity: The most bytes that wait for the writer, those in its hands included.
    ///   - onLoss: Called when lines were lost or a file could not be reopened, on the thread that found out: once, until
    ///     ``tellNextLoss()`` asks for the next.
    /// - Throws: ``LogFileError`` where a file cannot be opened, or the system gives no thread (with its error number).
    package init(
        _ output: LogOutput, capacity: Int = standardCapacity, onLoss: @escaping @Sendable () -> Void = {}
    ) throws(LogFileError) {
        file = try LogFile(output)
        self.capacity = capacity
        self.onLoss = onLoss
        mutex = .allocate(capacity: 1)
        hasWork = .allocate(capacity: 1)
        hasEnded = .allocate(capacity: 1)
        // SAFETY: the three are fresh memory, initialised here once and destroyed in deinit, when no thread is left.
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(hasWork, nil)
        initialiseMonotonic(hasEnded)
        let code = startThread()
        if code != 0 { throw LogFileError(path: "(writer thread)", code: code) }
    }

    deinit {
        // SAFETY: the thread holds a reference while it runs, so that nobody waits on these any more.
        pthread_cond_destroy(hasWork)
        pthread_cond_destroy(hasEnded)
        pthread_mutex_destroy(mutex)
        hasWork.deallocate()
        hasEnded.deallocate()
        mutex.deallocate()
    }

    /// Takes the lines in `buffer`, which are whole and so many, and which it has no more afterwards. They are dropped and
    /// counted where they do not fit the capacity, and after the sink was closed.
    package func submit(_ buffer: inout ByteBuffer, lines: Int) {
        pthread_mutex_lock(mutex)
        let fits = !isClosing && pending.count + inHand + buffer.count <= capacity
        let wasEmpty = pending.isEmpty
        if fits {
            // Memory is given for memory where that is all that the writer will find.
            if wasEmpty { swap(&pending, &buffer) } else { pending.append(buffer.span) }
            pendingLines += lines
        } else {
            totals.dropped += UInt64(lines)
            writtenAtLoss = totals.written
        }
        pthread_mutex_unlock(mutex)
        // Without the lock: a writer that is woken at once would only wait for it.
        if fits, wasEmpty { pthread_cond_signal(hasWork) }
        if !fits { tellLoss() }
        buffer.removeAll()
    }

    /// Asks the writer to open its file anew, which it does before it writes the next line: for the rotation of logs.
    package func reopen() {
        pthread_mutex_lock(mutex)
        wantsReopen = true
        pthread_cond_signal(hasWork)
        pthread_mutex_unlock(mutex)
    }

    /// Ends the log: what waits is written, what comes later is dropped.
    ///
    /// - Parameter nanoseconds: How long to wait for the writer at most.
    /// - Returns: Whether the writer has ended; not where the output still blocks.
    @discardableResult
    package func close(within nanoseconds: UInt64) -> Bool {
        var deadline = monotonicNow()
        let whole = Int(clamping: nanoseconds / 1_000_000_000)
        deadline.tv_sec += min(whole, 1 << 30)
        deadline.tv_nsec += Int(nanoseconds % 1_000_000_000)
        if deadline.tv_nsec >= 1_000_000_000 {
            deadline.tv_nsec -= 1_000_000_000
            deadline.tv_sec += 1
        }
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        isClosing = true
        pthread_cond_signal(hasWork)
        while !isEnded {
            if pthread_cond_timedwait(hasEnded, mutex, &deadline) == ETIMEDOUT { break }
        }
        return isEnded
    }

    /// What became of the lines so far.
    package var counts: Counts {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return totals
    }

    /// Whether the output has taken lines since the last loss.
    package var hasWrittenSinceLoss: Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return totals.written > writtenAtLoss
    }

    /// Asks to be told of the next loss.
    package func tellNextLoss() {
        pthread_mutex_lock(mutex)
        lossIsTold = false
        pthread_mutex_unlock(mutex)
    }

    private func tellLoss() {
        pthread_mutex_lock(mutex)
        let isNew = !lossIsTold
        lossIsTold = true
        pthread_mutex_unlock(mutex)
        if isNew { onLoss() }
    }

    // MARK: - The writer

    private func startThread() -> Int32 {
        let context = Unmanaged.passRetained(self)
        // Signals are the main thread's: the writer is started, and runs, with all of them blocked. So a broken pipe is
        // an error of the write, also where nobody has turned SIGPIPE off.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        let code = startDetachedThread(context.toOpaque())
        pthread_sigmask(SIG_SETMASK, &before, nil)
        // SAFETY: where no thread has begun, nobody else takes the reference back.
        if code != 0 { context.release() }
        return code
    }

    fileprivate func run() {
        var lines = ByteBuffer(capacity: Self.keptMemory)
        pthread_mutex_lock(mutex)
        while true {
            while pending.isEmpty, !wantsReopen, !isClosing { pthread_cond_wait(hasWork, mutex) }
            if pending.isEmpty, !wantsReopen { break }
            swap(&pending, &lines)
            inHand = lines.count
            let count = pendingLines
            pendingLines = 0
            let reopens = wantsReopen
            wantsReopen = false
            pthread_mutex_unlock(mutex)

            let outcome = write(lines, count: count, reopens: reopens)
            lines.removeAll(keeping: Self.keptMemory)

            pthread_mutex_lock(mutex)
            inHand = 0
            totals.written += outcome.written
            totals.dropped += outcome.dropped
            if outcome.dropped > 0 { writtenAtLoss = totals.written }
            totals.failures += outcome.failures
            if outcome.lastError != 0 {
                totals.lastError = outcome.lastError
                pthread_mutex_unlock(mutex)
                tellLoss()
                pthread_mutex_lock(mutex)
            }
        }
        isEnded = true
        pthread_cond_broadcast(hasEnded)
        pthread_mutex_unlock(mutex)
    }

    private func write(_ lines: borrowing ByteBuffer, count: Int, reopens: Bool) -> Counts {
        var outcome = Counts()
        if reopens {
            do {
                try file.reopen()
            } catch {
                outcome.failures += 1
                outcome.lastError = error.code
            }
        }
        let (written, code) = file.write(lines.span)
        outcome.written = UInt64(count)
        if code != 0 {
            // Counted only here: looking at every byte costs more than writing the line did.
            outcome.written = lines.span.extracting(0..<written).lineCount
            outcome.dropped = UInt64(count) - min(outcome.written, UInt64(count))
            outcome.failures += 1
            outcome.lastError = code
        }
        return outcome
    }
}

extension Span where Element == UInt8 {
    /// The number of line ends.
    fileprivate var lineCount: UInt64 {
        var lines: UInt64 = 0
        for index in 0..<count where self[unchecked: index] == UInt8(ascii: "\n") { lines += 1 }
        return lines
    }
}

/// Starts a thread that runs the sink behind `context` and gives the reference back at its end.
private func startDetachedThread(_ context: UnsafeMutableRawPointer) -> Int32 {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    #if canImport(Glibc)
        var thread = pthread_t()
        return pthread_create(&thread, &attributes, { runSink($0) }, context)
    #else
        var thread: pthread_t?
        return pthread_create(&thread, &attributes, { runSink($0) }, context)
    #endif
}

private func runSink(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    // SAFETY: the context is the reference that startThread retained for this thread alone.
    Unmanaged<LogSink>.fromOpaque(context).takeRetainedValue().run()
    return nil
}

/// Makes a condition whose deadlines do not move when somebody sets the clock; macOS has none such.
private func initialiseMonotonic(_ condition: UnsafeMutablePointer<pthread_cond_t>) {
    #if canImport(Glibc)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    #else
        pthread_cond_init(condition, nil)
    #endif
}

/// The time on the clock of those deadlines.
private func monotonicNow() -> timespec {
    var now = timespec()
    #if canImport(Glibc)
        clock_gettime(CLOCK_MONOTONIC, &now)
    #else
        clock_gettime(CLOCK_REALTIME, &now)
    #endif
    return now
}
