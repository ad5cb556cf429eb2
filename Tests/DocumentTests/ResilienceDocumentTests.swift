import Foundation
import Testing

@Suite struct ResilienceDocumentTests {
    @Test func theReasonsAreThoseOfTheCode() throws {
        let document = try Document("docs/resilience.md")
        let named = document.table(headed: "reason").flatMap { $0[0].codeWords }
        let words = try SourceText("Sources/GatewayCore/AttemptTrouble.swift").words
        #expect(Set(named).count == named.count && Set(named) == Set(words.values))
    }

    @Test func theLinesOfTheLogAreThoseOfTheCode() throws {
        let lines = try Document("docs/resilience.md").table(headed: "line").flatMap { row in
            row[0].matches(of: /`([^`]+)`/).map { String($0.output.1) }
        }
        let source = try Repository.text("Sources/GatewayCore/UpstreamWatch.swift")
        #expect(lines.count >= 6)
        for line in lines { #expect(source.contains("\"\(line)\""), "\(line)") }
    }
}
