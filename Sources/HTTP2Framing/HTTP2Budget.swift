/// What a peer may do to its HTTP/2 connection besides sending messages (security.md §1.1): each kind of frame that costs
/// more to take than to send has a bound, and whoever passes one is cut off.
///
/// A value without sockets and clocks: frames and times, in milliseconds, come in as parameters.
package struct HTTP2Budget: Sendable {
    /// Whose frames are counted.
    private let peer: HTTP2Callbacks.Role
    private var resets = Allowance()
    private var answeredResets = 0
    private var streamErrors = Allowance()
    private var settings = Allowance()
    private var pings = Allowance()
    private var unknownFrames = Allowance()
    private var emptyFrames = 0
    private var continuations = 0
    private var windowUpdates = 0
    private var priorities = 0
    private var streams = 0
    private var dataFramesSent = 0
    private var earnedPings = 0
    private var fields = 0
    private var fieldBytes = 0
    private var abandoned = AbandonedWork()
    private var input: UInt64 = 0

    /// Streams that a client may reset within ``resetPeriod``, and that it may make us reset (CVE-2023-44487,
    /// CVE-2025-8671).
    static let mostResets: UInt64 = 200
    static let resetPeriod: UInt64 = 30_000
    /// SETTINGS, PING and frames of unknown types in a second (CVE-2019-9512, CVE-2019-9515).
    static let mostControlFrames: UInt64 = 100
    static let controlPeriod: UInt64 = 1_000
    /// Pings that DATA frames have earned and that are kept for later: peers measure the way while a body comes (gRPC's
    /// do so with each round trip), and such a ping costs less than the frame that caused it.
    static let mostEarnedPings = 1_000
    /// Frames without content in a row, and CONTINUATION frames in a row (CVE-2019-9518, CVE-2024-27316).
    static let mostEmptyFrames = 1
    static let mostContinuations = 5
    /// A server may send larger heads than a client, and empty frames to be seen to live.
    static let mostEmptyFramesOfServer = 100
    static let mostContinuationsOfServer = 16
    /// Fields of one header block, and their bytes as RFC 9113 §6.5.2 counts them: far above what is answered with 431,
    /// what one-byte references to a long field amount to (CVE-2026-49975).
    static let mostFields = 1_000
    static let mostFieldBytes = 262_144

    /// Bytes that may come without being part of a body: this much for each stream, and for the connection (as nginx
    /// counts; CVE-2019-9518). It also bounds frames that are passed over without being counted.
    static let mostInputForStream: UInt64 = 65_536
    static let mostInput: UInt64 = 8_388_608
    /// What a client may say for each DATA frame that it gets, in bytes: two windows and a ping (13, 13 and 17). An answer
    /// without an end would use up any bound otherwise.
    static let inputForData: UInt64 = 43
    /// Bytes before the content of a frame, which count as body where there is content: a body in small pieces may be as long
    /// as any other.
    private static let frameHeader: UInt64 = 9
    /// Frames that wait to be sent: what a client that reads nothing makes us say (CVE-2019-9514, CVE-2019-9517). Far above
    /// an answer, its interim ones and a window for each stream.
    static let mostUnread = 2_000

    /// A budget of which nothing is spent, for the frames of `peer`.
    package init(of peer: HTTP2Callbacks.Role) { self.peer = peer }

    private var mostEmpty: Int { peer == .client ? Self.mostEmptyFrames : Self.mostEmptyFramesOfServer }
    private var mostContinued: Int { peer == .client ? Self.mostContinuations : Self.mostContinuationsOfServer }

    // MARK: - What the peer sends

    /// Counts a frame by its header; says which bound it passes, if any.
    package mutating func received(_ type: UInt8, flags: UInt8, length: Int, at now: UInt64) -> HTTP2Flood? {
        switch HTTP2FrameType(rawValue: type) {
        case .data:
            return empty(length, isEnd: flags & Self.endStream != 0)
        case .headers:
            // Trailers count as a stream, too: there are at most as many of them as of streams. Where the peer is a
            // server, it is we who open streams.
            if peer == .client { streams += 1 }
            continuations = 0
            return empty(length, isEnd: flags & Self.endHeaders != 0)
        case .continuation:
            continuations += 1
            if continuations > mostContinued { return .continuations }
            return empty(length, isEnd: flags & Self.endHeaders != 0)
        case .reset where peer == .server:
            // One for each request, and as many that crossed with ours.
            answeredResets += 1
            return answeredResets > 100 + 2 * streams ? .resets : nil
        case .reset:
            return resets.spend(Self.mostResets, in: Self.resetPeriod, at: now) ? nil : .resets
        case .settings:
            return settings.spend(Self.mostControlFrames, in: Self.controlPeriod, at: now) ? nil : .settings
        case .ping:
            if earnedPings > 0 {
                earnedPings -= 1
                return nil
            }
            return pings.spend(Self.mostControlFrames, in: Self.controlPeriod, at: now) ? nil : .pings
        case .windowUpdate:
            windowUpdates += 1
            return windowUpdates > 5 + 2 * (streams + 10 * dataFramesSent) ? .windowUpdates : nil
        case .priority, .priorityUpdate:
            priorities += 1
            return priorities > 100 * (1 + streams) ? .priorities : nil
        // Nobody may push: we have said so as a client, and clients never may.
        case .pushPromise where peer == .server:
            return .ignoredFrames
        case .pushPromise, .goAway, nil:
            return unknownFrames.spend(Self.mostControlFrames, in: Self.controlPeriod, at: now) ? nil : .ignoredFrames
        }
    }

    /// Counts what has come, whatever it is.
    package mutating func receivedInput(_ count: Int) -> HTTP2Flood? {
        input += UInt64(count)
        return input > Self.mostInput + UInt64(streams) * Self.mostInputForStream ? .ignoredFrames : nil
    }

    /// So much of the input was a piece of a body that was taken.
    package mutating func receivedBody(_ count: Int) { input -= min(input, UInt64(count) + Self.frameHeader) }

    /// A header block begins to be read.
    package mutating func blockBegan() {
        fields = 0
        fieldBytes = 0
    }

    /// Counts a field of the header block under way, also of one that is not read any more.
    package mutating func receivedField(name: Int, value: Int) -> HTTP2Flood? {
        fields += 1
        fieldBytes += name + value + 32
        return fields > Self.mostFields || fieldBytes > Self.mostFieldBytes ? .fields : nil
    }

    private mutating func empty(_ length: Int, isEnd: Bool) -> HTTP2Flood? {
        guard length == 0, !isEnd else {
            emptyFrames = 0
            return nil
        }
        emptyFrames += 1
        return emptyFrames > mostEmpty ? .emptyFrames : nil
    }

    private static let endStream: UInt8 = 1
    private static let endHeaders: UInt8 = 4

    // MARK: - What we do

    /// A request was sent to a server.
    package mutating func requestBegan() { streams += 1 }

    /// A DATA frame was sent: the peer may open windows for it, and send a ping.
    package mutating func dataSent() {
        dataFramesSent += 1
        if earnedPings < Self.mostEarnedPings { earnedPings += 1 }
        input -= min(input, Self.inputForData)
    }

    /// A stream was reset by us for something that the client did.
    package mutating func streamFailed(at now: UInt64) -> HTTP2Flood? {
        streamErrors.spend(Self.mostResets, in: Self.resetPeriod, at: now) ? nil : .streamErrors
    }

    /// So many frames wait to be sent.
    package func unread(_ count: Int) -> HTTP2Flood? { count > Self.mostUnread ? .unreadFrames : nil }

    // MARK: - Work that was begun

    /// The client gave up a request that was in work. Servers behind us may still be busy with it, though we have hung
    /// up on them, so that its place stays taken for a while.
    package mutating func workAbandoned(at now: UInt64) { abandoned.add(at: now) }

    /// Whether one more request may begin beside those that are in work.
    package mutating func mayBegin(beside running: Int, most: Int, at now: UInt64) -> Bool {
        running + abandoned.count(at: now) < most
    }
}

/// A bound that a peer has passed.
public enum HTTP2Flood: UInt8, CaseIterable, Sendable {
    case resets, streamErrors, emptyFrames, continuations, settings, pings, windowUpdates, priorities, ignoredFrames
    case fields, unreadFrames

    /// The word for logs and counters.
    public var name: StaticString {
        switch self {
        case .resets: "resets"
        case .streamErrors: "stream_errors"
        case .emptyFrames: "empty_frames"
        case .continuations: "continuations"
        case .settings: "settings"
        case .pings: "pings"
        case .windowUpdates: "window_updates"
        case .priorities: "priorities"
        case .ignoredFrames: "ignored_frames"
        case .fields: "fields"
        case .unreadFrames: "unread_frames"
        }
    }
}

/// So many events in a period, all at once or spread over it; what was spent comes back evenly.
private struct Allowance: Sendable {
    /// What is spent, in events times the period.
    private var level: UInt64 = 0
    private var seenAt: UInt64 = 0

    /// Whether one more event is within the bound.
    mutating func spend(_ most: UInt64, in period: UInt64, at now: UInt64) -> Bool {
        let elapsed = min(now &- seenAt, period)
        seenAt = now
        level -= min(level, elapsed * most)
        level += period
        return level <= most * period
    }
}

/// Requests that were given up in this and the last second.
private struct AbandonedWork: Sendable {
    private var current = 0
    private var last = 0
    private var began: UInt64 = 0

    private static let period: UInt64 = 1_000

    mutating func add(at now: UInt64) {
        turn(now)
        current += 1
    }

    mutating func count(at now: UInt64) -> Int {
        turn(now)
        return current + last
    }

    private mutating func turn(_ now: UInt64) {
        guard now &- began >= Self.period else { return }
        last = now &- began < 2 * Self.period ? current : 0
        current = 0
        began = now &- (now &- began) % Self.period
    }
}
