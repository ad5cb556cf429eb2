import Foundation
import GatewayConfig
import Testing

/// The real file system behind `FileAccess.system`.
@Suite struct FileAccessTests {
    @Test func readsFiles() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "banyan-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "file")
        let content = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try Data(content).write(to: file)
        let files = FileAccess.system
        #expect(files.obstacle(file.path) == nil)
        #expect(files.contents(file.path) == content)
        #expect(files.obstacle(folder.path) == .folder)
        #expect(files.contents(folder.path) == nil)
        #expect(files.obstacle(folder.appending(path: "none").path) == .missing)
        #expect(files.contents(folder.appending(path: "none").path) == nil)
    }

    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "banyan-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    @Test func aFileAboveTheBoundIsNotRead() throws {
        try withFolder { folder in
            let file = folder + "/large"
            try #require(FileManager.default.createFile(atPath: file, contents: nil))
            try #require(truncate(file, FileAccess.maximumSize + 1) == 0)
            #expect(FileAccess.system.contents(file) == nil)
            #expect(FileAccess.system.obstacle(file) == .tooLarge)
            #expect(FileObstacle.tooLarge.message("a") == #"the file "a" is larger than 16 MiB"#)
            try #require(truncate(file, FileAccess.maximumSize) == 0)
            #expect(FileAccess.system.contents(file)?.count == FileAccess.maximumSize)
            #expect(FileAccess.system.obstacle(file) == nil)
        }
    }

    /// `banyan check -c <(command)` gives a pipe; its writer may take a moment.
    @Test func aPipeIsReadToItsEnd() throws {
        try withFolder { folder in
            let pipe = folder + "/pipe"
            try #require(mkfifo(pipe, 0o600) == 0)
            let writer = open(pipe, O_RDWR)
            #expect(write(writer, "one\n", 4) == 4)
            Thread.detachNewThread {
                // What was written first is taken before the rest comes.
                var held: CInt = 1
                while held > 0, ioctl(writer, UInt(FIONREAD), &held) == 0 { sched_yield() }
                _ = write(writer, "two\n", 4)
                close(writer)
            }
            #expect(FileAccess.system.contents(pipe).map { String(decoding: $0, as: UTF8.self) } == "one\ntwo\n")
        }
    }

    /// Nobody who leaves a pipe silent holds the gateway.
    @Test(.timeLimit(.minutes(1))) func aSilentPipeIsGivenUp() throws {
        try withFolder { folder in
            let pipe = folder + "/pipe"
            try #require(mkfifo(pipe, 0o600) == 0)
            #expect(FileAccess.system.contents(pipe) == [], "without a writer it is at its end")
            let writer = open(pipe, O_RDWR)
            defer { close(writer) }
            #expect(FileAccess.system.contents(pipe) == nil)
        }
    }
}
