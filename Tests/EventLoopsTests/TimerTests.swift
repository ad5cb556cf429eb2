import Glibc
import Testing

@testable import EventLoops

@Suite struct TimerTests {
    final class Recorder: EventLoops.Timer {
        let name: String
        let log: Log
        init(loop: EventLoop, name: String, log: Log) {
            self.name = name
            self.log = log
            super.init(loop: loop)
        }
        override func fire() { log.names.append(name) }
    }

    final class Log { var names: [String] = [] }

    @Test func dueTimersComeInOrderOfTheirDeadlines() throws {
        let loop = try EventLoop()
        let log = Log()
        var heap = TimerHeap()
        let timers = (0..<100).map { Recorder(loop: loop, name: "\($0)", log: log) }
        for (index, timer) in timers.enumerated() { heap.schedule(timer, at: UInt64((index * 37) % 100)) }
        var due: [UInt64] = []
        while let timer = heap.popDue(49) as? Recorder { due.append(UInt64((Int(timer.name) ?? 0) * 37 % 100)) }
        #expect(due == Array(0...49))
        #expect(heap.nextKey == 50)
        for timer in timers { heap.remove(timer) }
        #expect(heap.count == 0)
    }

    @Test func aDeadlineThatMovedLaterIsLookedAtAgainAndNotFired() throws {
        let loop = try EventLoop()
        let log = Log()
        let timer = Recorder(loop: loop, name: "a", log: log)
        timer.schedule(after: 5)
        timer.schedule(after: 30)
        let start = loop.now
        while log.names.isEmpty { loop.runOnce() }
        #expect(loop.now - start >= 30)
        #expect(log.names == ["a"])
    }

    @Test func aCancelledTimerDoesNotFire() throws {
        let loop = try EventLoop()
        let log = Log()
        let cancelled = Recorder(loop: loop, name: "cancelled", log: log)
        let kept = Recorder(loop: loop, name: "kept", log: log)
        cancelled.schedule(after: 1)
        kept.schedule(after: 10)
        cancelled.cancel()
        while log.names.isEmpty { loop.runOnce() }
        #expect(log.names == ["kept"])
    }

    /// After a stop of the process, or a turn that took long, everything is late at once. What has come meanwhile must be
    /// seen before a timer says that it has not.
    @Test func whatHasComeIsSeenBeforeATimerThatIsLate() throws {
        final class Reader: Poll {
            let log: Log
            init(loop: EventLoop, log: Log) {
                self.log = log
                super.init(loop: loop)
            }
            override func ready(_ events: Events) {
                log.names.append("bytes")
                watch([])
            }
        }
        let loop = try EventLoop()
        let log = Log()
        var ends: [CInt] = [-1, -1]
        try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { for end in ends { close(end) } }
        let reader = Reader(loop: loop, log: log)
        try reader.open(ends[0])
        reader.watch(.readable)
        let timer = Recorder(loop: loop, name: "timer", log: log)
        timer.schedule(after: 1)
        _ = [UInt8](repeating: 1, count: 1).withUnsafeBytes { Descriptor.send(ends[1], $0) }
        // The stop itself, not a wait for anything.
        usleep(150_000)
        while log.names.count < 2 { loop.runOnce() }
        #expect(log.names == ["bytes", "timer"])
    }

    @Test func aTimerThatIsReleasedLeavesTheHeap() throws {
        let loop = try EventLoop()
        let log = Log()
        var doomed: Recorder? = Recorder(loop: loop, name: "doomed", log: log)
        doomed?.schedule(after: 1)
        doomed = nil
        let kept = Recorder(loop: loop, name: "kept", log: log)
        kept.schedule(after: 10)
        while log.names.isEmpty { loop.runOnce() }
        #expect(log.names == ["kept"])
    }
}
