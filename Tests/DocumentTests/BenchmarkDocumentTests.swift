import Foundation
import Testing

/// What Benchmarks/README.md says of the benchmarks is what they do.
@Suite struct BenchmarkDocumentTests {
    private static let document = "Benchmarks/README.md"

    @Test func theJobsAreThoseOfTheSuite() throws {
        let named = try Document(Self.document).table(headed: "job").map { $0[0].codeWords[0] }
        let source = try Repository.text("Benchmarks/jobs.py")
        let jobs = source.matches(of: #/(?m)^    "(\w+)": Job\(/#).map { String($0.output.1) }
        #expect(jobs.count > 10)
        #expect(named == jobs)
    }

    @Test func whatGrowsIsWhatIsCounted() throws {
        let rows = try Document("docs/performance.md").table(headed: "what grows")
        let named = rows.compactMap { $0[0].codeWords.first }
        let source = try Repository.text("Benchmarks/scaling.py")
        let kinds = try #require(source.firstMatch(of: #/kinds = \(([^)]*)\)/#)).output.1
        let counted = kinds.matches(of: #/"(\w+)"/#).map { String($0.output.1) }
        #expect(counted.count > 5)
        #expect(named == counted)
    }

    @Test func theOperationsAreThoseThatAreCounted() throws {
        let rows = try Document("docs/performance.md").table(headed: "operation")
        let text = Data(try Repository.text("Benchmarks/Micro/thresholds.json").utf8)
        let object = try #require(try JSONSerialization.jsonObject(with: text) as? [String: [String: Any]])
        let counted = try #require(object["x86_64"]?["operations"] as? [String: [String: Int]])
        #expect(counted.count > 20)
        for row in rows {
            let name = row[0].codeWords[0]
            let count = try #require(counted[name]?["instructions"], "\(name) is not counted")
            #expect(row[1].filter(\.isNumber) == String(count), "\(name)")
        }
    }
}
