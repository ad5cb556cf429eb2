import Foundation
import JSON
import Testing

@testable import FeatureFlags

/// flagd's own JSON Schema, where it lies beside the project and Python's jsonschema is there to read it.
@Suite struct SchemaTests {
    /// Reads files as JSON texts, one a line, and writes `true` or `false` for each.
    private static let script = """
        import json, sys
        import jsonschema
        flags, targeting = (open(path).read() for path in sys.argv[1:3])
        # One schema without references to files, whichever way this version of jsonschema resolves those.
        flags = json.loads(flags.replace("./targeting.json", "#/definitions/targeting"))
        targeting = json.loads(targeting.replace("#/definitions/", "#/definitions/targeting/definitions/"))
        for schema in (flags, targeting):
            del schema["$id"]
        flags["definitions"]["targeting"] = targeting
        flags["$ref"] = "#/definitions/flagdConfig"
        validator = jsonschema.Draft7Validator(flags)
        for line in sys.stdin:
            print("true" if validator.is_valid(json.loads(line)) else "false")
        """

    private static let isAvailable: Bool =
        SharedTestData.has("flags/flagd-schemas/flags.json")
        && (try? python(["-c", "import jsonschema; jsonschema.Draft7Validator"], input: ""))?.status == 0

    private static func python(_ arguments: [String], input: String) throws -> (status: Int32, output: String) {
        let process = Process()
        let source = FileManager.default.temporaryDirectory.appendingPathComponent("schema-\(UUID().uuidString)")
        try input.write(to: source, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: source) }
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3"] + arguments
        process.standardInput = try FileHandle(forReadingFrom: source)
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    /// Whether the schema accepts each of `files`.
    private func verdicts(_ files: [String]) throws -> [Bool] {
        let lines = files.map { $0.split(separator: "\n").joined(separator: " ") }.joined(separator: "\n")
        let result = try Self.python(
            [
                "-c", Self.script, SharedTestData.url("flags/flagd-schemas/flags.json").path,
                SharedTestData.url("flags/flagd-schemas/targeting.json").path,
            ], input: lines + "\n")
        return result.output.split(separator: "\n").map { $0 == "true" }
    }

    @Test(.enabled(if: isAvailable, "needs ../shared/testdata and Python's jsonschema"))
    func documentedExamplesAreValid() throws {
        let examples = DocumentationTests.examples.filter { $0.section != "Hazards" }.map(\.text)
        #expect(try verdicts(examples) == examples.map { _ in true })
    }

    /// The file that comes with the gateway.
    private static let shipped =
        (try? String(
            contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appendingPathComponent("flags.json"), encoding: .utf8)) ?? ""

    @Test func shippedFileIsFaultless() {
        let file = FlagFile(Self.shipped)
        #expect(file.issues.isEmpty, "\(file.issues)")
        #expect(file.snapshot.count > 0)
    }

    @Test(.enabled(if: isAvailable, "needs ../shared/testdata and Python's jsonschema"))
    func shippedFileIsValid() throws {
        #expect(try verdicts([Self.shipped]) == [true])
    }

    /// Whatever the schema refuses, reading the file complains of, too. (The converse is not so: lists within rules are
    /// not looked into by the schema, nor does it know which evaluators there are.)
    @Test(.enabled(if: isAvailable, "needs ../shared/testdata and Python's jsonschema"))
    func violationsAreReported() throws {
        let rules = JsonLogicTable.cases.map { #"{"if": [\#($0.rule), "on", "off"]}"# }
        var files = rules.map {
            #"{"flags": {"f": {"state": "ENABLED", "variants": {"on": 1, "off": 0}, "targeting": \#($0)}}}"#
        }
        files += [
            #"{"flags": {"f": {"state": "On", "variants": {"on": 1}}}}"#, #"{"flags": {"f": {"variants": {"on": 1}}}}"#,
            #"{"flags": {"f": {"state": "ENABLED"}}}"#, #"{"flags": {"f": {"state": "ENABLED", "variants": {}}}}"#,
            #"{"flags": {"f": {"state": "ENABLED", "variants": {"a": 1, "b": "x"}}}}"#,
            #"{"flags": {"f": {"state": "ENABLED", "variants": {"a": null}}}}"#,
            #"{"flags": {"f": {"state": "ENABLED", "variants": {"a": 1}, "metadata": {"x": []}}}}"#,
            #"{"flags": {"": {"state": "ENABLED", "variants": {"a": 1}}}}"#, #"{"metadata": {"x": {}}, "flags": {}}"#,
            #"{"flags": {"f": {"state": "ENABLED", "variants": {"": 1}}}}"#,
            #"{"flags": [{"key": "", "state": "ENABLED", "variants": {"a": 1}}]}"#,
            #"{"$evaluators": {"e": {"a": 1, "b": 2}}, "flags": {}}"#,
            #"{"$evaluators": {"e": {"==": [1]}}, "flags": {}}"#,
            #"{"$evaluators": {"e": 1}, "flags": {}}"#, #"{"flags": {"f": 1}}"#, #"{"flags": 1}"#, "{}", "[]",
        ]
        let accepted = try verdicts(files)
        try #require(accepted.count == files.count)
        for (file, isAccepted) in zip(files, accepted) where !isAccepted {
            let issues = FlagSnapshot.compile(Array(file.utf8)).issues
            #expect(issues.contains { $0.kind != .hazard }, "\(file)")
        }
        #expect(accepted.contains(true))
        #expect(accepted.suffix(18).allSatisfy { !$0 })
    }
}
