import Foundation
import Testing

/// Spans tell what the document says, and nothing else.
@Suite struct SpanDocumentTests {
    @Test func everyAttributeIsDocumentedAndRecorded() throws {
        let code = try Repository.text("Sources/GatewayCore/SpanRecorder.swift")
        let written = Set(
            code.matches(of: /(?:writer\.)?add\(\s*"([a-z_.]+)"/).map { String($0.1) })
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
}
