import Foundation
import Testing

@Suite struct ReadmeTests {
    @Test func isAtMost220Lines() throws {
        let lines = try Repository.text("README.md").split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count <= 221, "the text ends with a line end")
    }

    @Test func itsJSONParses() throws {
        let blocks = try Document("README.md").blocks.filter { $0.language == "json" }
        #expect(!blocks.isEmpty)
        for block in blocks {
            #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(block.text.utf8)) }
        }
    }

    @Test func theTwoCommandsComeFirst() throws {
        let first = try #require(try Document("README.md").blocks.first)
        #expect(first.language == "sh")
        let commands = first.text.split(separator: "\n").map { $0.prefix { $0 != " " } }
        #expect(commands == ["scripts/run.sh", "scripts/test.sh"])
        for command in commands {
            #expect(FileManager.default.isExecutableFile(atPath: Repository.root.appending(path: command).path))
        }
    }

    @Test func itsMapNamesEveryFolderOfSourcesAndNoOther() throws {
        let named = try Document("README.md").table(headed: "folder").flatMap { $0[0].codeWords }
        #expect(Set(named).count == named.count, "a folder stands twice")
        #expect(Set(named) == (try Repository.folders(in: "Sources")))
    }

    @Test func itPrintsWhatTheDemoPrints() throws {
        let demo = try Repository.text("Sources/banyan/Demo.swift")
        let expected = "is on \\(base), the monolith and the services are behind it. Try, in another terminal:"
        #expect(demo.contains(expected))
        let shown = try Document("README.md").blocks.filter { $0.language == "text" }.map(\.text).joined()
        #expect(shown.contains(expected.replacingOccurrences(of: "\\(base)", with: "http://127.0.0.1:8080")))
    }
}
