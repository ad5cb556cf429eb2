/// Where the time of one attempt went, in nanoseconds of the monotonic clock. Stamps are 0 for what has not come.
///
/// A value without a clock: who stamps says when. Only an attempt that is measured has more stamps than ``startedAt`` and
/// ``headAt``.
package struct AttemptTimes: Equatable, Sendable {
    /// When a connection took the request, the last time where one replaced another; 0 before.
    package private(set) var startedAt: UInt64 = 0
    /// When the last byte of the request's body was there to be sent; for a request without a body, when it began.
    package private(set) var requestEndedAt: UInt64 = 0
    /// When the final head of the answer came.
    package private(set) var headAt: UInt64 = 0
    /// When the attempt was over: answered, failed or cancelled.
    package private(set) var endedAt: UInt64 = 0
    /// How long it waited for a place, or for a connection that another request had, or that was lost under it.
    package private(set) var queue: UInt64 = 0
    /// How long a connection was being opened for it: name, TCP, TLS, and the server's SETTINGS in HTTP/2.
    package private(set) var connect: UInt64 = 0
    /// How long the answer was held back because its reader was slow.
    package private(set) var paused: UInt64 = 0
    private var waitingSince: UInt64 = 0
    private var pausedSince: UInt64 = 0
    /// Whether what it waits for is its turn, not a connection that is being opened.
    private var waitsForTurn = false

    /// The times of an attempt that has not begun.
    package init() {}

    // MARK: - Stamps

    /// It has to wait for a connection.
    package mutating func waits(at now: UInt64) {
        if waitingSince == 0 { waitingSince = now }
        waitsForTurn = false
    }

    /// A connection is being opened for it alone.
    package mutating func waitsForOpening(at now: UInt64) {
        if waitingSince > 0, waitsForTurn {
            queue &+= now.since(waitingSince)
            waitingSince = 0
        }
        waits(at: now)
    }

    /// It has waited for its turn, since there was no place for another connection.
    package mutating func waitsInTurn() { waitsForTurn = true }

    /// A connection has taken it: one that was used before, or one that is there only since it waits.
    ///
    /// - Parameters:
    ///   - opened: when the connection began to be opened, and when it was there, `UInt64.max` for now; nil for one that
    ///     was used before.
    ///   - hasBody: whether a body follows, whose end ``requestEnds(at:)`` tells.
    package mutating func starts(
        at now: UInt64, on opened: (began: UInt64, established: UInt64)?, hasBody: Bool
    ) {
        // What was spent on a connection that it was taken from again is time without a connection, too.
        let since = startedAt > 0 ? startedAt : waitingSince
        if since > 0 {
            let wait = now.since(since)
            var opening: UInt64 = 0
            if waitingSince > 0, let opened, opened.established > waitingSince {
                // Whoever waited for a turn waits for the opening from its beginning on; others for a name before it.
                let from = waitsForTurn ? max(opened.began, waitingSince) : waitingSince
                opening = min(opened.established, now).since(from)
            }
            connect &+= opening
            queue &+= wait - opening
        }
        waitingSince = 0
        startedAt = now
        if !hasBody { requestEndedAt = now }
    }

    /// A connection took it, and nobody wants to know where its time goes.
    package mutating func starts(at now: UInt64) { startedAt = now }

    /// The last byte of its body is there.
    package mutating func requestEnds(at now: UInt64) { requestEndedAt = now }

    /// The final head of the answer is there.
    package mutating func headComes(at now: UInt64) { headAt = now }

    /// The answer is held back, until ``resumes(at:)``.
    package mutating func pauses(at now: UInt64) { if pausedSince == 0 { pausedSince = now } }

    /// The answer goes on.
    package mutating func resumes(at now: UInt64) {
        if pausedSince > 0 { paused &+= now.since(pausedSince) }
        pausedSince = 0
    }

    /// It is over.
    package mutating func ends(at now: UInt64) {
        if waitingSince > 0 {
            if waitsForTurn { queue &+= now.since(waitingSince) } else { connect &+= now.since(waitingSince) }
            waitingSince = 0
        }
        resumes(at: now)
        endedAt = now
    }

    // MARK: - Shares of an attempt that is over

    private var sentAt: UInt64 {
        let end = headAt > 0 ? headAt : endedAt
        return requestEndedAt > 0 ? min(max(requestEndedAt, startedAt), end) : end
    }

    /// From the request's head being sent to the last byte of its body, or to the answer that did not wait for it.
    package var upload: UInt64 { startedAt > 0 ? sentAt.since(startedAt) : 0 }

    /// From the whole request being sent to the head of the answer, or to the end without one.
    package var firstByte: UInt64 {
        guard startedAt > 0 else { return 0 }
        return (headAt > 0 ? headAt : endedAt).since(max(sentAt, startedAt))
    }

    /// From the head of the answer to its last byte, without the time for which its reader held it back.
    package var body: UInt64 { headAt > 0 ? endedAt.since(headAt).since(paused) : 0 }
}

extension UInt64 {
    /// The nanoseconds from `earlier` to here; 0 where the two are in the wrong order.
    fileprivate func since(_ earlier: UInt64) -> UInt64 { self > earlier ? self - earlier : 0 }
}
