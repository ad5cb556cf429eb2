import Foundation
import JSON
import Testing

@testable import FeatureFlags

/// JsonLogic as its reference in JavaScript evaluates it.
@Suite struct JsonLogicTests {
    @Test(arguments: JsonLogicTable.cases)
    func evaluates(_ example: JsonLogicTable.Case) {
        #expect(evaluate(example.rule, example.data) == example.expected)
    }

    @Test func hasACaseForEveryOperator() {
        let rules = JsonLogicTable.cases.map(\.rule).joined()
        for name in RuleOperator.allNames where !["fractional", "sem_ver", "starts_with", "ends_with"].contains(name) {
            #expect(rules.contains("{\"\(name)\":"), "no case for \(name)")
        }
    }

    /// Half of a surrogate pair cannot be written in UTF-8.
    @Test(arguments: [
        (#"{"substr": ["a\ud83d\ude00b", 0, 2]}"#, "\"a\u{FFFD}\""),
        (#"{"substr": ["a\ud83d\ude00b", 2]}"#, "\"\u{FFFD}b\""),
        (#"{"substr": ["a\ud83d\ude00b", 2, 1]}"#, "\"\u{FFFD}\""),
        (#"{"substr": ["\ud83d\ude00", 0, 1]}"#, "\"\u{FFFD}\""),
    ])
    func cutsSurrogatePairs(rule: String, expected: String) {
        #expect(evaluate(rule) == expected)
    }

    /// The cases that the authors of JsonLogic publish, where they lie beside the project.
    @Test(.enabled(if: SharedTestData.has("flags/jsonlogic/tests.json"), "needs ../shared/testdata"))
    func agreesWithTheOfficialCases() throws {
        let text = try SharedTestData.read("flags/jsonlogic/tests.json")
        guard case .array(let entries) = try JSONDocument(parsing: text).value() else {
            Issue.record("the file is no array")
            return
        }
        var runner = RuleRunner()
        var count = 0
        for case .array(let example) in entries {
            try #require(example.count == 3)
            let result = runner.run(example[0], JSONContext(example[1]))
            #expect(result == canonical(example[2]), "\(canonical(example[0])) for \(canonical(example[1]))")
            count += 1
        }
        #expect(count == 277)
    }
}

/// Data from elsewhere, beside the project.
enum SharedTestData {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("shared/testdata")

    static func url(_ path: String) -> URL { folder.appendingPathComponent(path) }

    static func has(_ path: String) -> Bool { FileManager.default.fileExists(atPath: url(path).path) }

    static func read(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: url(path))) }
}
