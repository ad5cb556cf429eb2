import Foundation
import JSON
import Testing

@testable import GatewayConfig

/// Every example of docs/configuration.md is read, and every key stands there.
@Suite struct DocumentationTests {
    /// A fenced block of the document.
    private struct Block {
        let kind: String
        let text: String
        let line: Int
    }

    private static func document() throws -> String {
        try String(contentsOf: Fixture.project.appending(path: "docs/configuration.md"), encoding: .utf8)
    }

    private static func blocks() throws -> [Block] {
        var blocks: [Block] = []
        var open: (kind: String, lines: [Substring], line: Int)?
        for (number, line) in try document().split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if let current = open {
                if line == "```" {
                    blocks.append(
                        Block(kind: current.kind, text: current.lines.joined(separator: "\n"), line: current.line))
                    open = nil
                } else {
                    open?.lines.append(line)
                }
            } else if line.hasPrefix("```") {
                open = (String(line.dropFirst(3)), [], number + 1)
            }
        }
        return blocks
    }

    /// The file that a fragment is a part of; the second word behind the fence says which part.
    private static func file(_ block: Block) -> String? {
        var gateway = #""listeners": [ { "address": "127.0.0.1:0" } ]"#
        var upstreams = #""monolith": "http://a", "users": "http://b", "comments": "http://c""#
        var contexts = #""tasks": { "off": "monolith" }"#
        var routes = #"{ "match": "/", "to": "monolith" }"#
        switch block.kind {
        case "json", "json wrong": return block.text
        case "json gateway": gateway += ", " + block.text
        case "json upstreams": upstreams += ", " + block.text
        case "json contexts": contexts += ", " + block.text
        case "json routes": routes += ", " + block.text
        default: return nil
        }
        return """
            { "flags": "flags.json", "gateway": { \(gateway) }, "upstreams": { \(upstreams) },
              "contexts": { \(contexts) }, "routes": [ \(routes) ] }
            """
    }

    private func read(_ text: String) -> ConfigurationReading {
        ConfigurationReader.read(
            text: Array(text.utf8), file: "routes.json", environment: ["ADMIN_TOKEN": "a-real-secret"],
            files: Fixture.files)
    }

    @Test func readsEveryExample() throws {
        let examples = try Self.blocks().filter { $0.kind.hasPrefix("json") && $0.kind != "json wrong" }
        #expect(examples.count >= 8)
        for example in examples {
            let file = try #require(Self.file(example), "line \(example.line): nobody knows what \(example.kind) is")
            #expect(read(file).lines == [], "line \(example.line)")
        }
    }

    @Test func showsTheErrorsAsTheyAre() throws {
        let blocks = try Self.blocks()
        let wrong = try #require(blocks.firstIndex { $0.kind == "json wrong" })
        let said = try #require(blocks[wrong...].first { $0.kind == "text" })
        #expect(read(blocks[wrong].text).lines.joined(separator: "\n") == said.text)
    }

    /// A key that is read and not documented, or documented as missing and read, fails here.
    @Test(arguments: [
        GatewayConfiguration.keys, GatewaySection.keys, ListenerSection.keys, AdminSection.keys, LimitsSection.keys,
        TimeoutsSection.keys, IdentitySection.keys, AccessLogSection.keys, TracingSection.keys, UpstreamSection.keys,
        ServerSection.keys, UpstreamTLSSection.keys, BalanceSection.keys, ContextSection.keys, RouteSection.keys,
        WhenSection.keys, HeaderEditsSection.keys, PartSection.keys, PartRequestSection.keys, RespondSection.keys,
        RedirectSection.keys, RetrySection.keys, RetrySection.Backoff.keys, HedgeSection.keys, HealthSection.keys,
        OutlierSection.keys, OutlierSection.SuccessRate.keys, OutlierSection.Latency.keys,
        SectionKeys(FallbackSection.keys), OverloadSection.keys, BreakerSection.keys, AdaptiveLimitSection.outerKeys,
        AdaptiveLimitSection.keys,
    ])
    func namesEveryKey(_ keys: SectionKeys) throws {
        let document = try Self.document()
        let end = try #require(document.range(of: "## Not supported yet"))
        let supported = document[..<end.lowerBound]
        let later = document[end.upperBound...]
        for key in keys.known {
            #expect(supported.contains("`\(key)`") || supported.contains("\"\(key)\""), "\(key)")
        }
        for key in keys.later {
            #expect(later.contains("`\(key)`") || later.contains(".\(key)`"), "\(key)")
        }
    }

    /// The defaults in the tables are those of the code.
    @Test(arguments: [
        ("limits", "/gateway/limits"), ("timeouts", "/gateway/timeouts"), ("upstreams", "/upstreams/monolith"),
        ("retry", "/upstreams/monolith/retry"), ("health", "/upstreams/on/health"),
        ("outlier", "/upstreams/monolith/outlier"), ("breaker", "/upstreams/on/breaker"),
    ])
    func namesTheDefaults(_ heading: String, _ pointer: String) throws {
        let text =
            #"""
            { "gateway": { "listeners": [ { "address": "a:0" } ] }, "routes": [],
              "upstreams": { "monolith": "http://a", "on": { "servers": ["http://a"], "health": true, "breaker": true } } }
            """#
        let effective = try #require(read(text).configuration).effective(workers: 1)
        let section = try #require(JSONPointer(parsing: pointer).flatMap { effective.value(at: $0) })
        let lines = try Self.document().split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0.hasPrefix("`\(heading)`") || $0 == "## \(heading)" })
        var compared = 0
        for line in lines[(start + 1)...].prefix(while: {
            !$0.hasPrefix("## ") && !$0.hasPrefix("`") || $0.hasPrefix("`NAME")
        }) {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count >= 3, cells[0].hasPrefix("`"), let value = section[cells[0].trimmingCharacters(in: ["`"])]
            else { continue }
            let written = cells[2].trimmingCharacters(in: ["`", "\""]).replacing(" ", with: "")
            switch value {
            case .string(let text):
                let isSameTime = (try? Milliseconds(parsing: text)).map { $0 == (try? Milliseconds(parsing: written)) }
                #expect(text == written || isSameTime == true, "\(cells[0]): \(text)")
            case .integer(let number): #expect(String(number) == written, "\(cells[0])")
            default: continue
            }
            compared += 1
        }
        #expect(compared >= 3)
    }
}
