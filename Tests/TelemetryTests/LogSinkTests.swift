import ByteBuffers
import Foundation
import Synchronization
import Testing

@testable import Telemetry

/// The sink on real files and pipes.
struct LogSinkTests {
    /// A folder that is gone when the test is over.
    final class Folder: Sendable {
        let path: String
        init() throws {
            var template = Array(
                FileManager.default.temporaryDirectory.appendingPathComponent("log-XXXXXX").path.utf8CString)
            path = try #require(mkdtemp(&template).map { String(cString: $0) })
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }
        subscript(name: String) -> String { path + "/" + name }
    }

    static let patience: UInt64 = 20_000_000_000

    func submit(_ text: String, to sink: LogSink) {
        var buffer = ByteBuffer()
        buffer.append(text)
        sink.submit(&buffer, lines: text.utf8.count { $0 == UInt8(ascii: "\n") })
        #expect(buffer.count == 0)
    }

    /// Waits until `condition` holds; a test that never gets there fails.
    func wait(for condition: () -> Bool, sourceLocation: SourceLocation = #_sourceLocation) {
        for _ in 0..<20_000 {
            if condition() { return }
            usleep(1_000)
        }
        Issue.record("what was waited for did not happen", sourceLocation: sourceLocation)
    }

    func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    @Test("lines of many threads arrive whole and none is lost")
    func threads() async throws {
        let folder = try Folder()
        let sink = try LogSink(.file(folder["access.log"]))
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask {
                    var log = AccessLog(format: .json, sampling: AccessLogSampling(ratio: 1), sink: sink)
                    var record = AccessLogRecord()
                    for number in 0..<2_000 {
                        record.reset()
                        record.set(.requestID, text: "\(worker)-\(number)")
                        log.append(record)
                    }
                    log.flush()
                }
            }
        }
        #expect(sink.close(within: Self.patience))
        #expect(sink.counts == LogSink.Counts(written: 8_000))
        var seen: Set<String> = []
        for line in try text(folder["access.log"]).split(separator: "\n") {
            let object = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            seen.insert(try #require(object["request_id"] as? String))
        }
        #expect(seen.count == 8_000)
    }

    @Test("a file is appended to; a missing one is made, not for everybody to read")
    func appends() throws {
        let folder = try Folder()
        let path = folder["access.log"]
        for round in 1...2 {
            let sink = try LogSink(.file(path))
            submit("round \(round)\n", to: sink)
            #expect(sink.close(within: Self.patience))
        }
        #expect(try text(path) == "round 1\nround 2\n")
        let mode = try #require(FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
        #expect(mode & 0o007 == 0)
    }

    @Test("a file that cannot be opened is an error that names it")
    func cannotOpen() throws {
        let folder = try Folder()
        let error = #expect(throws: LogFileError.self) { try LogSink(.file(folder["no/such.log"])) }
        #expect(error?.code == ENOENT)
        #expect(error?.description == "cannot open the log file \(folder["no/such.log"]): No such file or directory")
        #expect(throws: LogFileError(path: folder.path, code: EISDIR)) { try LogSink(.file(folder.path)) }
    }

    @Test("rotation: after the file was moved away and reopened, lines go to a new one, and none is lost")
    func rotation() throws {
        let folder = try Folder()
        let sink = try LogSink(.file(folder["access.log"]))
        submit("one\n", to: sink)
        wait { sink.counts.written == 1 }
        try FileManager.default.moveItem(atPath: folder["access.log"], toPath: folder["access.log.1"])
        submit("two\n", to: sink)
        wait { sink.counts.written == 2 }
        sink.reopen()
        wait { FileManager.default.fileExists(atPath: folder["access.log"]) }
        submit("three\n", to: sink)
        #expect(sink.close(within: Self.patience))
        #expect(try text(folder["access.log.1"]) == "one\ntwo\n")
        #expect(try text(folder["access.log"]) == "three\n")
    }

    @Test("a reopening that fails keeps the old file and is counted")
    func failedRotation() throws {
        let folder = try Folder()
        try FileManager.default.createDirectory(atPath: folder["logs"], withIntermediateDirectories: false)
        let sink = try LogSink(.file(folder["logs/access.log"]))
        try FileManager.default.moveItem(atPath: folder["logs"], toPath: folder["old"])
        sink.reopen()
        wait { sink.counts.failures == 1 }
        submit("still here\n", to: sink)
        #expect(sink.close(within: Self.patience))
        #expect(sink.counts == LogSink.Counts(written: 1, failures: 1, lastError: ENOENT))
        #expect(try text(folder["old/access.log"]) == "still here\n")
    }

    @Test("a full device: lines are dropped and counted, the log goes on", .enabled(if: access("/dev/full", W_OK) == 0))
    func fullDevice() throws {
        let sink = try LogSink(.file("/dev/full"))
        submit("one\ntwo\n", to: sink)
        wait { sink.counts.failures == 1 }
        submit("three\n", to: sink)
        #expect(sink.close(within: Self.patience))
        #expect(sink.counts == LogSink.Counts(dropped: 3, failures: 2, lastError: ENOSPC))
    }

    @Test("a loss is told once, and again when asked for", .enabled(if: access("/dev/full", W_OK) == 0))
    func tellsLoss() throws {
        let told = Mutex(0)
        let sink = try LogSink(.file("/dev/full")) { told.withLock { $0 += 1 } }
        for failures in 1...3 {
            submit("lost\n", to: sink)
            wait { sink.counts.failures == failures }
        }
        wait { told.withLock { $0 } == 1 }
        sink.tellNextLoss()
        submit("lost\n", to: sink)
        wait { told.withLock { $0 } == 2 }
        #expect(sink.close(within: Self.patience))
        #expect(sink.counts.dropped == 4 && !sink.hasWrittenSinceLoss)
        sink.tellNextLoss()
        submit("too late\n", to: sink)
        #expect(told.withLock { $0 } == 3)
    }

    @Test("a pipe whose reader has gone is an error of the write, not the end of the process")
    func brokenPipe() throws {
        let folder = try Folder()
        #expect(mkfifo(folder["pipe"], 0o600) == 0)
        let reader = open(folder["pipe"], O_RDONLY | O_NONBLOCK)
        #expect(reader >= 0)
        let sink = try LogSink(.file(folder["pipe"]))
        close(reader)
        submit("one\n", to: sink)
        #expect(sink.close(within: Self.patience))
        #expect(sink.counts == LogSink.Counts(dropped: 1, failures: 1, lastError: EPIPE))
    }

    @Test(
        "an output that takes nothing blocks nobody; what does not fit is dropped and counted, the rest arrives whole")
    func slowReader() throws {
        let folder = try Folder()
        #expect(mkfifo(folder["pipe"], 0o600) == 0)
        let reader = open(folder["pipe"], O_RDONLY | O_NONBLOCK)
        #expect(reader >= 0)
        defer { close(reader) }
        let sink = try LogSink(.file(folder["pipe"]), capacity: 1 << 20)
        // Ten times of what fits; the pipe itself takes a little.
        let line = String(repeating: "x", count: 1_023) + "\n"
        for _ in 0..<10_240 { submit(line, to: sink) }
        let dropped = sink.counts.dropped
        #expect(dropped >= 8_000 && dropped < 10_240)
        // The writer still waits for the reader, and a deadline ends the wait for it.
        #expect(!sink.close(within: 1_000_000))
        submit("too late\n", to: sink)
        #expect(sink.counts.dropped == dropped + 1)

        var received: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65_536)
        wait {
            let count = read(reader, &block, block.count)
            if count > 0 { received += block.prefix(count) }
            return sink.close(within: 0)
        }
        while true {
            let count = read(reader, &block, block.count)
            if count <= 0 { break }
            received += block.prefix(count)
        }
        #expect(sink.counts.written == 10_240 - dropped)
        #expect(sink.hasWrittenSinceLoss)
        #expect(received.count == Int(10_240 - dropped) * line.utf8.count)
        #expect(received.split(separator: UInt8(ascii: "\n")).allSatisfy { $0.count == 1_023 })
    }

    @Test("a line that a failure cut in half is ended before the next one begins")
    func tornLine() throws {
        let folder = try Folder()
        #expect(mkfifo(folder["pipe"], 0o600) == 0)
        let first = open(folder["pipe"], O_RDONLY | O_NONBLOCK)
        #expect(first >= 0)
        let sink = try LogSink(.file(folder["pipe"]))
        // More than a pipe holds: the write stops at a whole page, which is in the middle of a line of 1000 bytes.
        submit(String(repeating: String(repeating: "x", count: 999) + "\n", count: 400), to: sink)
        var request = pollfd(fd: first, events: Int16(POLLIN), revents: 0)
        #expect(poll(&request, 1, 20_000) == 1)
        close(first)
        wait { sink.counts.failures == 1 }
        #expect(sink.counts.lastError == EPIPE)

        let second = open(folder["pipe"], O_RDONLY | O_NONBLOCK)
        #expect(second >= 0)
        defer { close(second) }
        var received: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65_536)
        func drain() {
            while true {
                let count = read(second, &block, block.count)
                if count <= 0 { return }
                received += block.prefix(count)
            }
        }
        drain()
        submit("next\n", to: sink)
        #expect(sink.close(within: Self.patience))
        drain()
        let lines = received.split(separator: UInt8(ascii: "\n")).map(\.count)
        #expect(lines.last == 4)
        #expect(lines.dropLast(2).allSatisfy { $0 == 999 } && (1..<999).contains(lines.dropLast().last ?? 0))
        #expect(sink.counts.written == UInt64(lines.count - 1))
        #expect(sink.counts.written + sink.counts.dropped == 401)
    }

    @Test("lines gather until a flush, or until there are enough of them")
    func gathers() throws {
        let folder = try Folder()
        let sink = try LogSink(.file(folder["access.log"]))
        var log = AccessLog(
            format: try AccessLogFormat(parsing: "{status} {path}"), sampling: AccessLogSampling(ratio: 0), sink: sink)
        var record = AccessLogRecord()
        record.status = 404
        record.set(.path, text: String(repeating: "p", count: 1_000))
        var lines: UInt64 = 0
        while sink.counts.written == 0, lines < 100_000 {
            log.append(record)
            lines += 1
            if lines * 1_005 > AccessLog.flushSize { wait { sink.counts.written > 0 } }
        }
        let enough = UInt64(AccessLog.flushSize / 1_005 + 1)
        #expect(lines == enough)
        #expect(sink.counts.written == enough)
        record.status = 500
        log.append(record)
        log.flush()
        #expect(sink.close(within: Self.patience))
        #expect(sink.counts.written == enough + 1)
    }
}
