import Foundation
import Testing

@testable import EventLoops

@Suite struct FileWatcherTests {
    final class Count { var value = 0 }

    static func folder() throws -> String {
        let path = NSTemporaryDirectory() + "banyan-watch-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    static func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    @Test func aFileWrittenInPlaceIsReported() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = folder + "/flags.json"
        try Self.write("one", file)
        let loop = try EventLoop()
        let count = Count()
        let watcher = try FileWatcher(loop: loop, path: file) { count.value += 1 }
        try Self.write("two, longer", file)
        while count.value == 0 { loop.runOnce() }
        #expect(count.value == 1)
        withExtendedLifetime(watcher) {}
    }

    @Test func aFileReplacedByRenameIsReportedEachTime() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = folder + "/flags.json"
        try Self.write("0", file)
        let loop = try EventLoop()
        let count = Count()
        let watcher = try FileWatcher(loop: loop, path: file) { count.value += 1 }
        for round in 1...3 {
            try Self.write("\(round)", file + ".new")
            rename(file + ".new", file)
            while count.value < round { loop.runOnce() }
        }
        #expect(count.value == 3)
        withExtendedLifetime(watcher) {}
    }

    @Test func aLinkTurnedToAnotherFolderIsReported() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for name in ["v1", "v2"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
            try Self.write(name, "\(folder)/\(name)/flags.json")
        }
        symlink("v1", "\(folder)/current")
        symlink("current/flags.json", "\(folder)/flags.json")
        let loop = try EventLoop()
        let count = Count()
        let watcher = try FileWatcher(loop: loop, path: "\(folder)/flags.json") { count.value += 1 }
        symlink("v2", "\(folder)/next")
        rename("\(folder)/next", "\(folder)/current")
        while count.value == 0 { loop.runOnce() }
        #expect(count.value == 1)
        withExtendedLifetime(watcher) {}
    }

    @Test func aFileThatAppearsLaterIsReported() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let loop = try EventLoop()
        let count = Count()
        let watcher = try FileWatcher(loop: loop, path: "\(folder)/flags.json") { count.value += 1 }
        try Self.write("now", "\(folder)/flags.json")
        while count.value == 0 { loop.runOnce() }
        #expect(count.value == 1)
        withExtendedLifetime(watcher) {}
    }

    /// Some tools take a file away before they bring the new one.
    @Test func aFileThatIsGoneForAMomentIsReportedOnce() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = folder + "/flags.json"
        try Self.write("one", file)
        let loop = try EventLoop()
        var contents: [String] = []
        let watcher = try FileWatcher(loop: loop, path: file) {
            contents.append((try? String(contentsOfFile: file, encoding: .utf8)) ?? "gone")
        }
        unlink(file)
        var isLater = false
        let later = ActionTimer(loop: loop) {
            try? Self.write("two", file)
            isLater = true
        }
        loop.refreshNow()
        later.schedule(after: 300)
        while contents.isEmpty { loop.runOnce() }
        #expect(contents == ["two"] && isLater)
        withExtendedLifetime((watcher, later)) {}
    }

    @Test func aFileThatStaysAwayIsReported() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = folder + "/flags.json"
        try Self.write("one", file)
        let loop = try EventLoop()
        var contents: [String] = []
        let watcher = try FileWatcher(loop: loop, path: file) {
            contents.append((try? String(contentsOfFile: file, encoding: .utf8)) ?? "gone")
        }
        rename(file, file + ".kept")
        while contents.isEmpty { loop.runOnce() }
        // The very same file again is a change, too.
        rename(file + ".kept", file)
        while contents.count < 2 { loop.runOnce() }
        #expect(contents == ["gone", "one"])
        withExtendedLifetime(watcher) {}
    }
}
