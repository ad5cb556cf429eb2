import ByteBuffers
import Foundation
import JSON

/// The package `jsonschema` of Python, which shares no line with the validator of these tests.
enum PythonValidator {
    /// Whether python3 can import it.
    static let isInstalled: Bool = (try? run(["-c", "import jsonschema"], input: Data())) != nil

    /// What it says of each document.
    static func verdicts(on documents: [JSONValue], schema: URL) throws -> [Bool] {
        var input = ByteBuffer()
        for document in documents {
            input.appendJSON(document)
            input.append(UInt8(ascii: "\n"))
        }
        let program = """
            import json, jsonschema, sys
            schema = json.load(open(sys.argv[1], encoding="utf-8"))
            jsonschema.Draft7Validator.check_schema(schema)
            validator = jsonschema.Draft7Validator(schema)
            for line in sys.stdin.buffer:
                print("good" if validator.is_valid(json.loads(line)) else "bad")
            """
        let output = try run(["-c", program, schema.path], input: Data(input.text.utf8))
        return String(decoding: output, as: UTF8.self).split(separator: "\n").map { $0 == "good" }
    }

    private struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Input and output go through files: a pipe would fill while the other one is waited for.
    private static func run(_ arguments: [String], input: Data) throws -> Data {
        let folder = FileManager.default.temporaryDirectory.appending(path: "banyan-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (source, target) = (folder.appending(path: "in"), folder.appending(path: "out"))
        try input.write(to: source)
        try Data().write(to: target)
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3"] + arguments
        process.standardInput = try FileHandle(forReadingFrom: source)
        process.standardOutput = try FileHandle(forWritingTo: target)
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(description: "python3 ended with \(process.terminationStatus)")
        }
        return try Data(contentsOf: target)
    }
}
