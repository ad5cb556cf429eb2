import Foundation
import Testing

/// docs/parser-differences.md has a row for each class of the comparisons, and no other.
@Suite struct ParserDifferenceTests {
    /// The classes of the document, of which the parser in this column has something else to say.
    private func classes(_ column: Int) throws -> [String] {
        let rows = try Document("docs/parser-differences.md").prose.filter { $0.hasPrefix("| `") }
        return try rows.compactMap { row in
            let cells = Document(path: "row", prose: ["| class |", row]).table(headed: "class")
            let cell = try #require(cells.first)
            #expect(cell.count == 6, "\(row)")
            return ["the same", "–"].contains(cell[column]) ? nil : cell[0].codeWords.first
        }
    }

    @Test func theClassesOfLlhttpAreThoseOfItsComparison() throws {
        let source = try Repository.text("Tests/HTTPMessageTests/ParserDifference.swift")
        let compared = source.matches(of: /case \w+ = "([^"]+)"/).map { String($0.output.1) }
        #expect(compared.count > 20)
        #expect(try classes(3).sorted() == compared.sorted())
    }

    @Test func theClassesOfNginxAreThoseOfItsComparison() throws {
        let heads = try Repository.text("Tests/EndToEndTests/Heads/heads.txt").split(separator: "\n")
        let compared = heads.compactMap { line in
            line.prefixMatch(of: /\[([^ \]|]+)/).map { String($0.output.1) }
        }.filter { $0 != "same" }
        #expect(compared.count > 20)
        #expect(try classes(4).sorted() == compared.sorted())
    }
}
