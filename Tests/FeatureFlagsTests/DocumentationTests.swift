import Foundation
import JSON
import Testing

@testable import FeatureFlags

/// The examples of docs/feature-flags.md: every JSON block is a flag file, and the table below it says what its flags come
/// to for which requests.
@Suite struct DocumentationTests {
    struct Example: Sendable, CustomTestStringConvertible {
        var section: String
        var text: String
        var rows: [[String: String]]

        var testDescription: String { section }
    }

    static let examples: [Example] = {
        let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("docs/feature-flags.md")
        guard let text = try? String(contentsOf: url, encoding: .utf8) else { return [] }
        var examples: [Example] = []
        var section = ""
        var block: [String]?
        var columns: [String]?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if var lines = block {
                if line == "```" {
                    examples.append(Example(section: section, text: lines.joined(separator: "\n"), rows: []))
                    block = nil
                } else {
                    lines.append(line)
                    block = lines
                }
            } else if line == "```json" {
                block = []
            } else if line.hasPrefix("#") {
                section = line.drop { $0 == "#" || $0 == " " }.description
                columns = nil
            } else if line.hasPrefix("| flag |") {
                columns = cells(line)
            } else if line.hasPrefix("| "), let columns, !examples.isEmpty {
                let values = cells(line)
                if values.allSatisfy({ $0 == "---" }) { continue }
                examples[examples.count - 1].rows.append(
                    Dictionary(uniqueKeysWithValues: zip(columns, values)))
            } else if !line.hasPrefix("|") {
                columns = nil
            }
        }
        return examples
    }()

    private static func cells(_ line: String) -> [String] {
        line.split(separator: "|").map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " `")) }
    }

    @Test func findsTheExamples() {
        #expect(Self.examples.count == 11)
        #expect(Self.examples.allSatisfy { !$0.rows.isEmpty })
        #expect(Self.examples.map(\.rows.count).reduce(0, +) == 39)
    }

    @Test(arguments: examples)
    func doesWhatItSays(_ example: Example) throws {
        let file = FlagFile(example.text)
        for row in example.rows {
            let flag = try #require(row["flag"])
            let request = json(try #require(row["request"]))
            let now = Int64(row["time"] ?? "0") ?? -1
            let expected = "\(try #require(row["value"]) == "–" ? "-" : row["value"] ?? "") \(row["reason"] ?? "")"
            #expect(file.evaluate(flag, JSONContext(request), now: now) == expected, "\(row)")
            #expect(file.evaluate(flag, AttributeContext(request), now: now) == expected, "\(row)")
        }
    }

    /// Only the hazards are warned of, and each of them is.
    @Test(arguments: examples)
    func isWarnedOfWhereItSays(_ example: Example) {
        let file = FlagFile(example.text)
        guard example.section == "Hazards" else {
            #expect(file.issues.isEmpty)
            return
        }
        for flag in file.snapshot.definitions {
            let warnings = file.issues.filter { $0.pointer.description.hasPrefix("\(flag.pointer)/") }
            #expect(!warnings.isEmpty, "no warning of \(flag.key)")
        }
    }
}

extension AttributeContext {
    /// The attributes of a request written as JSON.
    convenience init(_ request: JSONValue) {
        var attributes: [(kind: Attribute.Kind, name: String, value: String)] = []
        func add(_ path: String, _ value: JSONValue) {
            switch value {
            case .object(let members):
                for member in members { add(path.isEmpty ? member.name : "\(path).\(member.name)", member.value) }
            case .string(let text):
                let resolved = Attribute.resolve(Array(path.utf8).span)
                let name = String(decoding: path.utf8.dropFirst(resolved.nameStart), as: UTF8.self)
                attributes.append((resolved.kind, name, text))
            default: Issue.record("a request has no \(value.kindName)")
            }
        }
        add("", request)
        self.init(attributes)
    }
}
