import Foundation
import Testing

@Suite struct OperationsTests {
    @Test func theCausesAreThoseOfTheCode() throws {
        let rows = try Document("docs/operations.md").table(headed: "cause")
        let named = rows.flatMap { $0[0].codeWords }
        #expect(Set(named).count == named.count, "a cause stands twice")
        #expect(named.count == rows.count)
        let words = try SourceText("Sources/GatewayCore/Cause.swift").words
        #expect(words.count > 20)
        #expect(Set(named) == Set(words.values))
    }

    @Test func theStatusesAreThoseOfTheCode() throws {
        let words = try SourceText("Sources/GatewayCore/Cause.swift").words
        let statuses = try SourceText("Sources/GatewayCore/FailureResponse.swift").statuses
        #expect(Set(statuses.keys) == Set(words.keys))
        for row in try Document("docs/operations.md").table(headed: "cause") {
            let word = try #require(row[0].codeWords.first)
            let name = try #require(words.first { $0.value == word }?.key)
            #expect(Int(row[1].prefix(3)) == statuses[name], "\(word)")
        }
    }

    @Test func theExitCodesAreThoseOfTheReadme() throws {
        let operations = try Document("docs/operations.md").table(headed: "exit code").map { $0[0] }
        #expect(operations == ["0", "1", "64", "69", "70", "78"])
        let row = try #require(try Document("README.md").prose.first { $0.hasPrefix("| exit codes |") })
        #expect(row.matches(of: #/\b\d+\b/#).map { String($0.output) } == operations)
    }
}

/// A file of Swift, read for the tables in it.
struct SourceText {
    private let text: String

    init(_ path: String) throws { text = try Repository.text(path) }

    /// `case .name: "word"` as a dictionary from the name to the word.
    var words: [String: String] {
        let pairs = text.matches(of: #/case \.(\w+): "(\w+)"/#).map { (String($0.output.1), String($0.output.2)) }
        return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    /// `case .name: self.init(404, ...` as a dictionary from the name to the number.
    var statuses: [String: Int] {
        let pairs = text.matches(of: #/case \.(\w+): self\.init\((\d+),/#).map {
            (String($0.output.1), Int($0.output.2) ?? 0)
        }
        return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    /// The members of `static let name: [...] = [.one, .two]`.
    func list(named name: String) -> [String] {
        guard let start = text.range(of: "static let \(name): [AccessLogField] = ["),
            let end = text.range(of: "]", range: start.upperBound..<text.endIndex)
        else { return [] }
        return text[start.upperBound..<end.lowerBound].matches(of: #/\.(\w+)/#).map { String($0.output.1) }
    }
}
