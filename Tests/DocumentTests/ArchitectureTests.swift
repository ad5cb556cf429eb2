import Foundation
import Testing

@Suite struct ArchitectureTests {
    /// The rooms of the table with those that they build on.
    private static func rooms() throws -> [String: Set<String>] {
        let rows = try Document("docs/architecture.md").table(headed: "room")
        let pairs = rows.map { ($0[0].codeWords.first ?? $0[0], Set($0[2].codeWords)) }
        return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    @Test func theRoomsAreTheFoldersOfSources() throws {
        let folders = try Repository.folders(in: "Sources").filter { !Self.isCLibrary($0) }
        #expect(Set(try Self.rooms().keys) == folders)
    }

    @Test func theArrowsAreThoseOfThePackage() throws {
        let package = try PackageText()
        let folders = try Repository.folders(in: "Sources")
        for (room, arrows) in try Self.rooms() {
            let dependencies = try #require(package.dependencies(of: room), "\(room) is no target")
            #expect(arrows == dependencies.intersection(folders), "\(room)")
        }
    }

    @Test func noRoomOfTheGatewayImportsFoundation() throws {
        for room in try Self.rooms().keys where room != "tasksystem" {
            for file in try Self.sources(of: room) {
                let imports = try String(contentsOf: file, encoding: .utf8).matches(of: #/\bimport (\w+)/#)
                #expect(!imports.contains { $0.output.1.hasPrefix("Foundation") }, "\(file.path)")
            }
        }
    }

    @Test func everyFileThatIsNamedIsThere() throws {
        for row in try Document("docs/architecture.md").table(headed: "step") {
            let files = row[1].codeWords.filter { $0.hasSuffix(".swift") }
            #expect(!files.isEmpty, "\(row[0])")
            for file in files {
                let path = Repository.root.appending(path: "Sources/" + file).path
                #expect(FileManager.default.fileExists(atPath: path), "\(file)")
            }
        }
    }

    private static func isCLibrary(_ folder: String) -> Bool {
        let map = Repository.root.appending(path: "Sources/\(folder)/module.modulemap")
        return FileManager.default.fileExists(atPath: map.path)
    }

    private static func sources(of room: String) throws -> [URL] {
        let folder = Repository.root.appending(path: "Sources/\(room)")
        let entries = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        return (entries?.allObjects as? [URL] ?? []).filter { $0.pathExtension == "swift" }
    }
}

/// The manifest of the package, read for its arrows.
struct PackageText {
    private let text: String

    init() throws { text = try Repository.text("Package.swift") }

    /// The names in the dependencies of the target with this name; nil when there is no such target. Products of other
    /// packages are among them.
    func dependencies(of target: String) -> Set<String>? {
        let pattern = "[tT]arget\\(\\s*name: \"\(target)\"(?:,\\s*dependencies: \\[([^\\]]*)\\])?"
        guard let expression = try? NSRegularExpression(pattern: pattern),
            let match = expression.firstMatch(in: text, range: NSRange(text.startIndex..., in: text))
        else { return nil }
        guard let range = Range(match.range(at: 1), in: text) else { return [] }
        return Set(text[range].matches(of: #/"(\w+)"/#).map { String($0.output.1) })
    }
}
