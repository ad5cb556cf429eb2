import Glibc
import Testing

@testable import EventLoops

@Suite struct EventLoopTests {
    final class Reader: Poll {
        var seen: [Events] = []
        override func ready(_ events: Events) { seen.append(events) }
    }

    struct SocketPair: ~Copyable {
        let near: Descriptor
        let far: Descriptor

        init() {
            var numbers: [CInt] = [-1, -1]
            socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &numbers)
            _ = fcntl(numbers[0], F_SETFL, O_NONBLOCK)
            near = Descriptor(owning: numbers[0])
            far = Descriptor(owning: numbers[1])
        }

        consuming func closingFar() -> Descriptor { near }
    }

    @Test func aDescriptorIsReportedReadableUntilItIsRead() throws {
        let loop = try EventLoop()
        let pair = SocketPair()
        let reader = Reader(loop: loop)
        try reader.open(pair.near.number)
        reader.watch(.readable)
        let hello: [UInt8] = [1, 2, 3]
        #expect(hello.withUnsafeBytes { pair.far.send($0) } == .bytes(3))
        loop.runOnce()
        loop.runOnce()
        #expect(reader.seen == [.readable, .readable])
        var buffer = [UInt8](repeating: 0, count: 16)
        #expect(buffer.withUnsafeMutableBytes { pair.near.receive(into: $0) } == .bytes(3))
        #expect(buffer.withUnsafeMutableBytes { pair.near.receive(into: $0) } == .wouldBlock)
        loop.runOnce(waiting: false)
        #expect(reader.seen.count == 2)
    }

    @Test func aPausedWatchReportsNothing() throws {
        let loop = try EventLoop()
        let pair = SocketPair()
        let reader = Reader(loop: loop)
        try reader.open(pair.near.number)
        reader.watch(.readable)
        reader.watch([])
        _ = [UInt8](repeating: 7, count: 1).withUnsafeBytes { pair.far.send($0) }
        loop.runOnce(waiting: false)
        #expect(reader.seen.isEmpty)
        reader.watch(.readable)
        loop.runOnce()
        #expect(reader.seen == [.readable])
    }

    @Test func theEndOfAStreamAndAnErrorAreTold() throws {
        let near = SocketPair().closingFar()
        var buffer = [UInt8](repeating: 0, count: 16)
        #expect(buffer.withUnsafeMutableBytes { near.receive(into: $0) } == .ended)
        #expect(buffer.withUnsafeBytes { near.send($0) } == .failed(EPIPE))
    }

    /// Reads what is there with one call each time that it is told, as whoever takes a short read for all there is.
    final class ShortReader: Poll {
        var descriptor: CInt = -1
        var results: [TransferResult] = []
        var pausesAt = -1

        override func ready(_ events: Events) {
            guard events.contains(.readable) else { return }
            var buffer = [UInt8](repeating: 0, count: 16)
            results.append(buffer.withUnsafeMutableBytes { Descriptor.receive(descriptor, into: $0) })
            if results.count == pausesAt { watch([]) }
        }
    }

    private static func read(pausingAt pause: Int, turns: Int) throws -> ShortReader {
        let loop = try EventLoop()
        let pair = SocketPair()
        let reader = ShortReader(loop: loop)
        reader.descriptor = pair.near.number
        reader.pausesAt = pause
        try reader.open(pair.near.number)
        reader.watch(.readable)
        // What the far end has not read makes its closing a reset.
        #expect([UInt8](repeating: 1, count: 1).withUnsafeBytes { pair.near.send($0) } == .bytes(1))
        #expect([UInt8](repeating: 2, count: 3).withUnsafeBytes { pair.far.send($0) } == .bytes(3))
        let near = pair.closingFar()
        for _ in 0..<turns { loop.runOnce(waiting: false) }
        reader.release()
        _ = near
        return reader
    }

    @Test func aResetBehindBytesIsToldAfterThem() throws {
        let reader = try Self.read(pausingAt: 2, turns: 4)
        #expect(reader.results == [.bytes(3), .failed(ECONNRESET)])
    }

    @Test func whoPausesAtAResetIsToldNoMore() throws {
        let reader = try Self.read(pausingAt: 1, turns: 4)
        #expect(reader.results == [.bytes(3)])
    }

    @Test func piecesGoOutInOrder() throws {
        let pair = SocketPair()
        let result = Array("head".utf8).withUnsafeBytes { first in
            Array("body".utf8).withUnsafeBytes { second in
                Array("tail".utf8).withUnsafeBytes { Descriptor.send(pair.near.number, first, second, $0) }
            }
        }
        #expect(result == .bytes(12))
        var buffer = [UInt8](repeating: 0, count: 16)
        #expect(buffer.withUnsafeMutableBytes { pair.far.receive(into: $0) } == .bytes(12))
        #expect(String(decoding: buffer.prefix(12), as: UTF8.self) == "headbodytail")
    }

    @Test func deferredWorkRunsOnceAtTheEndOfTheTurnAndMayScheduleMore() throws {
        final class Work: DeferredWork {
            let loop: EventLoop
            var runs = 0
            init(loop: EventLoop) { self.loop = loop }
            override func run() {
                runs += 1
                if runs < 3 { loop.atEndOfTurn(self) }
            }
        }
        let loop = try EventLoop()
        let work = Work(loop: loop)
        let timer = ActionTimer(loop: loop) {
            loop.atEndOfTurn(work)
            loop.atEndOfTurn(work)
            #expect(work.runs == 0)
        }
        timer.schedule(after: 1)
        withExtendedLifetime(timer) { while work.runs == 0 { loop.runOnce() } }
        #expect(work.runs == 3)
    }

    @Test func anotherThreadWakesTheLoop() throws {
        let loop = try EventLoop()
        final class Count { var value = 0 }
        let count = Count()
        let wakeup = try Wakeup(loop: loop) { count.value += 1 }
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(wakeup).toOpaque()
        pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Wakeup>.fromOpaque(argument).takeRetainedValue().send()
                return nil
            }, argument)
        while count.value == 0 { loop.runOnce() }
        pthread_join(thread, nil)
        #expect(count.value == 1)
        wakeup.close()
        wakeup.send()
    }

    @Test func aSignalArrivesOnTheLoop() throws {
        let loop = try EventLoop()
        final class Count { var value = 0 }
        let count = Count()
        let source = try SignalSource(loop: loop, signal: SIGWINCH) { count.value += 1 }
        let keepAlive = ActionTimer(loop: loop) {}
        keepAlive.schedule(after: 60_000)
        kill(getpid(), SIGWINCH)
        withExtendedLifetime(keepAlive) { while count.value == 0 { loop.runOnce() } }
        #expect(count.value == 1)
        withExtendedLifetime(source) {}
    }
}
