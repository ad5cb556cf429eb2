internal import CLibuv

/// A descriptor that a loop watches. Subclasses say what to do when it is ready.
///
/// The descriptor stays registered with the kernel for as long as it is watched; asking for what is watched already
/// costs nothing. Whoever owns the object owns the watch: the last release ends it. It does not own the descriptor.
open class Poll {
    /// What a descriptor is watched for, or found to be.
    public struct Events: OptionSet, Sendable {
        /// One bit for each event, as libuv numbers them.
        public let rawValue: Int32
        /// A set of these bits.
        public init(rawValue: Int32) { self.rawValue = rawValue }
        /// Bytes, an end of stream, an error or a new connection can be read.
        public static let readable = Events(rawValue: 1)
        /// Bytes can be written, or a connection attempt has ended.
        public static let writable = Events(rawValue: 2)
        /// The peer will send no more (reported together with `readable` where that is watched).
        public static let disconnect = Events(rawValue: 4)
    }

    /// The loop that it belongs to.
    package let loop: EventLoop
    private var handle: UnsafeMutablePointer<uv_poll_t>?
    /// What is watched now.
    package final var watched: Events { wanted }
    private final var wanted: Events = []
    /// What was watched up to a reset, until somebody says what is to be watched after it.
    private final var lapsed: Events = []

    /// An object that watches nothing yet.
    package init(loop: EventLoop) { self.loop = loop }

    deinit { release() }

    /// Binds it to `descriptor`, which is made non-blocking.
    ///
    /// - Throws: `EventLoopError` when the descriptor cannot be watched (a regular file, or no memory).
    package final func open(_ descriptor: CInt) throws(EventLoopError) {
        release()
        let fresh = UnsafeMutablePointer<uv_poll_t>.allocate(capacity: 1)
        let status = uv_poll_init(loop.raw, fresh, descriptor)
        guard status == 0 else {
            fresh.deallocate()
            throw EventLoopError(code: status, doing: "watch descriptor \(descriptor)")
        }
        // SAFETY: release() sets data to nil before this object goes, so the callback never sees a dead one.
        fresh.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        handle = fresh
    }

    /// Watches for exactly `events`; none pauses the watch.
    open func watch(_ events: Events) {
        lapsed = []
        guard let handle, events != wanted else { return }
        wanted = events
        if events.isEmpty {
            uv_poll_stop(handle)
            return
        }
        uv_poll_start(handle, events.rawValue) { handle, status, events in
            guard let data = handle?.pointee.data else { return }
            // SAFETY: data is set while the object lives and watches.
            let poll = Unmanaged<Poll>.fromOpaque(data).takeUnretainedValue()
            guard status < 0 else { return poll.ready(Events(rawValue: events)) }
            poll.wasReset()
        }
    }

    /// The connection was reset, and libuv has ended the watch by itself. What had come before can still be read, and the
    /// error stands behind it: whoever says nothing else is told again, until it is seen.
    private func wasReset() {
        lapsed = wanted
        wanted = []
        ready([.readable, .writable, .disconnect])
        if !lapsed.isEmpty { watch(lapsed) }
    }

    /// Ends the watch. The descriptor may be closed from now on.
    package final func release() {
        guard let old = handle else { return }
        handle = nil
        wanted = []
        lapsed = []
        old.pointee.data = nil
        uv_poll_stop(old)
        HandleDisposal.close(old)
    }

    /// Called on the loop when the descriptor is ready for some of what is watched.
    open func ready(_ events: Events) {}
}
