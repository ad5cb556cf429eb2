import Foundation
import Testing

/// Spans tell what the document says, and nothing else.
@Suite struct SpanDocumentTests {
    @Test func everyAttributeIsDocumentedAndRecorded() throws {
        let folder = "Sources/GatewayCore/"
        let code = try ["SpanDesk", "SpanBlocks"].map { try Repository.text("\(folder)\($0).swift") }.joined()
        let written = Set(code.matches(of: /add(?:Scratch)?\(\s*"([a-z_.]+)"/).map { String($0.1) })
        #expect(written.count > 15, "\(written)")
        let document = try Repository.text("docs/observability.md")
        let start = try #require(document.range(of: "## Spans"))
        let end = try #require(document.range(of: "### Exporting spans"))
        let section = document[start.upperBound..<end.lowerBound]
        let told = Set(
            section.matches(of: /`((?:http|url|error|server|client|network|user_agent|banyan|feature_flag)\.[a-z_.]+)`/)
                .map { String($0.1) })
        #expect(told.subtracting(written).subtracting(["feature_flag.evaluation"]) == [])
        #expect(written.subtracting(told) == [])
    }

    /// The same for the services of the demo.
    @Test func everyAttributeOfTheServicesIsDocumentedAndRecorded() throws {
        let folder = "Sources/tasksystem/Tracing/"
        let code = try ["Tracer", "RequestTrace", "SpanRecord"].map { try Repository.text("\(folder)\($0).swift") }
        let written = Set(code.joined().matches(of: /add\("([a-z_.]+)"/).map { String($0.1) })
        #expect(written.count > 10, "\(written)")
        let document = try Repository.text("docs/observability.md")
        let start = try #require(document.range(of: "### The services' spans"))
        let end = try #require(document.range(of: "## Access log"))
        let section = document[start.upperBound..<end.lowerBound]
        let told = Set(
            section.matches(of: /`((?:http|url|error|server|network|user_agent|db)\.[a-z_.]+)`/).map { String($0.1) })
        #expect(told == written, "\(told.symmetricDifference(written))")
    }

    /// The variables that services heed stand on their page, and no other.
    @Test func everyVariableOfTheServicesIsDocumented() throws {
        let code = try Repository.text("Sources/tasksystem/Tracing/TracingEnvironment.swift")
        let direct = code.matches(of: /"(OTEL_[A-Z_]+[A-Z])"/).map { String($0.1) }
        let signals = code.matches(of: /option\("([A-Z]+)"\)/).flatMap {
            ["OTEL_EXPORTER_OTLP_\($0.1)", "OTEL_EXPORTER_OTLP_TRACES_\($0.1)"]
        }
        let told = try Document("docs/tasksystem.md").table(headed: "variable").flatMap { $0[0].codeWords }
        #expect(Set(told) == Set(direct + signals), "\(Set(told).symmetricDifference(direct + signals))")
    }
}
