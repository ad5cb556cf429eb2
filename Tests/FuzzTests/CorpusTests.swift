import Foundation
import FuzzTargets
import Testing

/// Every input of `Fuzz/Corpus`, seeds as well as what fuzzing has found, through the properties of its target.
@Suite struct CorpusTests {
    private static let corpus = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fuzz/Corpus")

    private static func inputs(of target: String) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(
            at: corpus.appending(path: target), includingPropertiesForKeys: nil
        ).sorted { $0.path < $1.path }
    }

    @Test(arguments: FuzzTarget.all.map(\.name))
    func thePropertiesHoldForEveryInput(_ name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let files = try Self.inputs(of: name)
        #expect(files.count >= 5, "a corpus that is almost empty teaches the fuzzer nothing")
        try target.run([])
        for file in files {
            let input = [UInt8](try Data(contentsOf: file))
            #expect(throws: Never.self, "\(name)/\(file.lastPathComponent)") { try target.run(input) }
        }
    }

    @Test func everyCorpusHasATargetAndAllTogetherAreSmall() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.corpus.path)
        #expect(Set(folders) == Set(FuzzTarget.all.map(\.name)))
        let files = try folders.flatMap { try Self.inputs(of: $0) }
        #expect(files.count < 300)
        for file in files {
            let size = try #require(try file.resourceValues(forKeys: [.fileSizeKey]).fileSize)
            #expect(size <= 4096, "\(file.lastPathComponent)")
        }
    }
}
