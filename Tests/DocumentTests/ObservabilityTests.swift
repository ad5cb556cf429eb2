import Foundation
import Testing

@Suite struct ObservabilityTests {
    /// Every metric of the page.
    private static func metrics() throws -> [String] {
        try Document("docs/observability.md").prose.filter { $0.hasPrefix("#### `") }.flatMap(\.codeWords)
    }

    @Test func theMetricsAreThoseOfTheCode() throws {
        let metrics = try Self.metrics()
        #expect(Set(metrics).count == metrics.count, "a metric stands twice")
        let text = try Repository.text("Sources/GatewayCore/MetricCatalogue.swift")
        let inCode = text.matches(of: #/MetricFamily\(\s*"(\w+)",/#).map { String($0.output.1) }
        #expect(inCode.count > 25)
        #expect(Set(inCode) == Set(metrics))
    }

    @Test(arguments: ["dashboard.json", "alerts.yml"])
    func queriesNameMetricsThatThereAre(_ file: String) throws {
        let text = try Repository.text("docs/observability/" + file)
        let families = Set(try Self.metrics())
        let names = text.matches(of: #/\b((?:http_(?:server|client)|banyan|process)_\w+)\b/#).map {
            String($0.output.1)
        }
        #expect(names.count > 10)
        // Labels that begin as metrics do.
        let labels: Set = ["http_route", "http_request_method", "http_response_status_code", "http_connection_state"]
        for name in Set(names).subtracting(labels) {
            let family = name.replacing(#/_(?:bucket|sum|count)$/#, with: "")
            #expect(families.contains(name) || families.contains(family), "\(file): \(name)")
        }
    }

    @Test func theErrorsOfAttemptsAreCausesOfRequests() throws {
        let text = try Repository.text("Sources/GatewayCore/AttemptEnd.swift")
        let words = Set(text.matches(of: #/: "(\w+_\w+)"/#).map { String($0.output.1) })
        let causes = Set(try SourceText("Sources/GatewayCore/Cause.swift").words.values)
        #expect(words.count >= 7)
        #expect(words.isSubset(of: causes), "\(words.subtracting(causes))")
    }
}
