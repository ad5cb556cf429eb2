import Foundation
import GatewayConfig
import JSON

/// A routes.json of the folder Fixtures with what is expected of it.
///
/// `good` is read without an error. `bad/schema` is refused by the schema, too; `bad/semantic` is what a schema cannot see
/// (dangling names, wrong numbers within text, files that are missing); `bad/syntax` is no JSON. What the reader says
/// stands beside each file in `NAME.expected`, one line an issue; a file without it has nothing to say.
struct Fixture: CustomStringConvertible, Sendable {
    /// A folder of fixtures.
    enum Kind: String, CaseIterable {
        case good
        case schema = "bad/schema"
        case semantic = "bad/semantic"
        case syntax = "bad/syntax"
    }

    let kind: Kind
    let name: String
    let text: [UInt8]
    let expected: [String]

    var description: String { "\(kind.rawValue)/\(name)" }

    /// The folder of this test target.
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

    /// The project's folder.
    static let project = folder.deletingLastPathComponent().deletingLastPathComponent()

    /// All fixtures of a folder in order of their names.
    static func all(_ kind: Kind) throws -> [Fixture] {
        let folder = folder.appending(path: "Fixtures/\(kind.rawValue)")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        return try files.filter { $0.pathExtension == "json" }.sorted { $0.path < $1.path }.map { file in
            let sidecar = file.deletingPathExtension().appendingPathExtension("expected")
            let lines = try? String(contentsOf: sidecar, encoding: .utf8)
            return Fixture(
                kind: kind, name: file.deletingPathExtension().lastPathComponent,
                text: Array(try Data(contentsOf: file)),
                expected: (lines ?? "").split(separator: "\n").map(String.init))
        }
    }

    /// The environment that fixtures are read in.
    static let environment = [
        "HOST": "127.0.0.1", "PORT": "8088", "TOKEN": "a-real-secret", "EMPTY": "", "WORD": "seventeen",
    ]

    /// The files that fixtures can name.
    static let files = FileAccess(inMemory: [
        "flags.json": Array("{}".utf8),
        "certs/client.ocsp": Array("-".utf8), "certs/ca.pem": Array("-".utf8), "certs/client.crt": Array("-".utf8),
        "certs/client.key": Array("-".utf8),
        "secrets/token": Array("a-secret-in-a-file\n".utf8), "secrets/empty": Array("\n".utf8),
        "secrets/lines": Array("one\ntwo\n".utf8),
    ])

    /// The reading of `text` under the fixtures' circumstances.
    static func read(_ text: [UInt8]) -> ConfigurationReading {
        ConfigurationReader.read(text: text, file: "routes.json", environment: environment, files: files)
    }

    var reading: ConfigurationReading { Self.read(text) }
}

extension ConfigurationReading {
    /// The issues as they are shown.
    var lines: [String] { issues.map(\.description) }

    /// Whether the file can be used.
    var isGood: Bool { !issues.contains { $0.severity == .error } }
}
