import Foundation
import Testing

/// docs/threat-model.md names what is there.
@Suite struct ThreatModelTests {
    @Test func eachFamilyOfAttacksNamesItsTests() throws {
        let suites = Set(
            try Repository.folders(in: "Tests").flatMap { folder in
                try FileManager.default.contentsOfDirectory(
                    atPath: Repository.root.appending(path: "Tests/\(folder)").path)
            }.filter { $0.hasSuffix("Tests.swift") }.map { String($0.dropLast(6)) })
        let targets = try Repository.folders(in: "Tests")
        let rows = try Document("docs/threat-model.md").table(headed: "family")
        #expect(rows.count >= 8)
        for row in rows {
            let named = try #require(row.last).codeWords
            #expect(!named.isEmpty, "\(row[0])")
            for name in named { #expect(suites.contains(name) || targets.contains(name), "\(name)") }
        }
    }

    /// A bound that is called by a key is one that the configuration knows.
    @Test func eachKeyIsOneOfTheConfiguration() throws {
        let schema = try Repository.text("docs/routes.schema.json")
        for row in try Document("docs/threat-model.md").table(headed: "bound") {
            for word in row[0].codeWords {
                let key = word.split(separator: ".").last.map(String.init) ?? word
                #expect(schema.contains("\"\(key)\""), "\(word)")
            }
        }
    }
}
