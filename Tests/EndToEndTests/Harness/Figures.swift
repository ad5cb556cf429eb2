import Foundation

/// An answer to a scrape, taken apart without the gateway's own writer.
struct Figures: CustomStringConvertible {
    /// One line with a figure.
    struct Sample {
        var name: String
        var labels: [String: String]
        var value: Double
        /// What stands behind `#`, where something does.
        var exemplar: String?
    }

    private(set) var samples: [Sample] = []
    /// The type of each metric, by the name that stands behind `# TYPE`.
    private(set) var types: [String: String] = [:]
    let description: String

    init(_ text: String) throws {
        description = text
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                types[String(words[2])] = String(words[3])
            } else if !line.hasPrefix("#") {
                samples.append(try Self.sample(line))
            }
        }
    }

    private static func sample(_ line: Substring) throws -> Sample {
        let pattern = #/^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)(?: # (.*))?$/#
        guard let match = try pattern.wholeMatch(in: line), let value = Double(match.3.replacing("Inf", with: "inf"))
        else { throw ExchangeFailure("not a line of figures: \(line)") }
        var labels: [String: String] = [:]
        for label in (match.2 ?? "").matches(of: #/([a-z_]+)="((?:[^"\\]|\\.)*)"/#) {
            labels[String(label.1)] = String(label.2)
        }
        return Sample(name: String(match.1), labels: labels, value: value, exemplar: match.4.map(String.init))
    }

    /// The samples of this name that have all of these labels.
    func all(_ name: String, _ labels: [String: String] = [:]) -> [Sample] {
        samples.filter { sample in
            sample.name == name && labels.allSatisfy { sample.labels[$0.key] ?? "" == $0.value }
        }
    }

    /// The sum over the samples of this name that have all of these labels; 0 where there is none.
    func sum(_ name: String, _ labels: [String: String] = [:]) -> Double {
        all(name, labels).reduce(0) { $0 + $1.value }
    }

    /// Every set of labels that a metric has, which must be as many as the configuration allows, whatever clients send.
    var series: Set<String> {
        Set(
            samples.map { sample in
                sample.name + sample.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.description
            })
    }
}

extension GatewayProcess {
    /// What `/metrics` says.
    ///
    /// - Parameter accept: the formats that are asked for.
    func figures(accept: String = "text/plain") throws -> Figures {
        let answer = try RawClient(adminPlace).exchange("GET /metrics", ["Accept: \(accept)"])
        guard answer.status == 200 else { throw ExchangeFailure("no figures", transcript: "\(answer)") }
        return try Figures(answer.text)
    }

    /// Waits until the figures of this name with these labels add up to `value`: an exchange is counted when it has ended,
    /// which may be a moment after its answer has come.
    @discardableResult
    func figures(
        _ name: String, _ labels: [String: String] = [:], reach value: Double
    ) throws -> Figures {
        var seen = try figures()
        try eventually("\(name) \(labels) is \(value)\n\(seen)") {
            seen = try figures()
            return seen.sum(name, labels) == value
        }
        return seen
    }
}
