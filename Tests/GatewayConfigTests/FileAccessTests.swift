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
}
