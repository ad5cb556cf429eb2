internal import JSON

/// `gateway.accessLog`: one line for each request; `false` in its place turns it off.
package struct AccessLogSection: Equatable, Sendable {
    /// Where the lines go.
    package enum Output: Equatable, Sendable {
        /// Standard output.
        case standardOutput
        /// The file at this path, resolved against the folder of the configuration; opened anew on SIGUSR1.
        case file(path: String)
    }

    /// How a line looks.
    package enum Format: Equatable, Sendable {
        /// One JSON object.
        case json
        /// The Combined Log Format of Apache and nginx.
        case combined
        /// A template, compiled by the room that writes the log.
        case template(String)
    }

    /// `output`: `"stdout"` or a path. Default: `stdout`. (For a file called stdout: `"./stdout"`.)
    package var output = Output.standardOutput
    /// `format`: `json`, `combined`, or a template. Default: `json`.
    package var format = Format.json
    /// `sample`: the share of the requests that went well that is logged, 0.0 to 1.0. Default: 1.0. All others are logged
    /// in any case.
    package var sample = 1.0
    /// `slow`: what takes longer is logged whatever `sample` says, with where its time went. Default: none.
    package var slow = TimeLimit.none

    static let keys = SectionKeys(["output", "format", "sample", "slow"])

    init() {}

    init(_ section: SectionReader) {
        if let output = section.string("output") {
            if output.isEmpty {
                section.session.report(section.pointer.appending("output"), "expected \"stdout\" or a path, found \"\"")
            } else if output != "stdout", let path = section.path("output") {
                self.output = .file(path: path)
            }
        }
        if let format = section.string("format") { self.format = Self.format(format, section) }
        section.number("sample", into: &sample, 0...1)
        section.timeLimit("slow", into: &slow)
    }

    /// A single word can hardly be meant as a template: every line would be that word.
    private static func format(_ text: String, _ section: SectionReader) -> Format {
        switch text {
        case "json": return .json
        case "combined": return .combined
        default:
            let isWord = text.utf8.allSatisfy { byte in
                switch byte {
                case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "_"): true
                default: false
                }
            }
            if isWord {
                section.session.report(
                    section.pointer.appending("format"),
                    "expected \"json\", \"combined\" or a template, found \(ValueProblem.quoted(text))"
                        + ValueProblem.hint(text, ["json", "combined"]))
            } else if text.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) {
                section.session.report(section.pointer.appending("format"), "a template is one line of text")
            }
            return .template(text)
        }
    }

    var effective: JSONValue {
        let output: String
        switch self.output {
        case .standardOutput: output = "stdout"
        case .file(let path): output = path == "stdout" ? "./stdout" : path
        }
        let format: String
        switch self.format {
        case .json: format = "json"
        case .combined: format = "combined"
        case .template(let text): format = text
        }
        return .section([
            ("output", .string(output)), ("format", .string(format)), ("sample", .real(sample)), ("slow", .text(slow)),
        ])
    }
}
