import Testing

/// What docs/observability.md says of the access log is what the code writes.
@Suite struct AccessLogDocumentTests {
    private static let document = "docs/observability.md"

    @Test func theFieldsAreThoseOfTheCode() throws {
        let rows = try Document(Self.document).table(headed: "field")
        let named = rows.flatMap { $0[0].codeWords }
        #expect(Set(named).count == named.count, "a field stands twice")
        let source = try SourceText("Sources/Telemetry/AccessLogField.swift")
        let words = source.words
        #expect(words.count > 30)
        #expect(Set(named) == Set(words.values))
        let inJSON = rows.filter { $0[2] == "yes" }.flatMap { $0[0].codeWords }
        #expect(inJSON == source.list(named: "json").map { words[$0] })
    }

    @Test func theMarksAreThoseOfTheCode() throws {
        let named = try Document(Self.document).table(headed: "mark").flatMap { $0[0].codeWords }
        #expect(Set(named).count == named.count, "a mark stands twice")
        let words = try SourceText("Sources/Telemetry/AccessLogMark.swift").words
        #expect(words.count > 5)
        #expect(Set(named) == Set(words.values))
    }

    @Test func theSharesAreThoseOfTheCode() throws {
        let document = try Document(Self.document)
        let rows = document.table(headed: "share")
        let source = try SourceText("Sources/Telemetry/TimeSplit.swift")
        let names = source.list(named: "shares")
        let fields = try SourceText("Sources/Telemetry/AccessLogField.swift").words
        #expect(names.count == 7)
        #expect(rows.map { $0[1].codeWords } == names.map { [fields[$0] ?? "no field"] })
        // The word inside of `time_split_ms` is the field's name without its unit.
        #expect(rows.map { $0[0].codeWords[0] + "_ms" } == names.map { fields[$0] })
        let example = try #require(document.blocks.first { $0.text.hasPrefix("\"time_split_ms\"") }).text
        #expect(example.matches(of: #/"(\w+)":\d/#).map { String($0.output.1) } == rows.map { $0[0].codeWords[0] })
    }

    @Test func theFormsOfTraceResponsesAreThoseOfTheConfiguration() throws {
        let forms = try Document(Self.document).table(headed: "form").compactMap { $0[0].codeWords.first }
        #expect(forms.count == 2)
        let configuration = try Document("docs/configuration.md").prose
        for key in ["`respond`", "`traceResponse`"] {
            let row = try #require(configuration.first { $0.hasPrefix("| \(key) |") })
            for form in forms { #expect(row.contains("`\(form)`"), "\(key) \(form)") }
        }
    }
}
