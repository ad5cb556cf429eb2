import Foundation
import Testing

extension EndToEnd {
    /// docs/aggregation.md, word for word: its routes, its requests, and the answers of the demo system.
    @Suite
    struct AggregationDocument {
        /// A code block of the document.
        private struct Block {
            var language: String
            var text: String
        }

        private static func blocks() throws -> [Block] {
            let place = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appending(path: "../../docs/aggregation.md").standardized
            var blocks: [Block] = []
            var open: Block?
            for line in try String(contentsOf: place, encoding: .utf8).components(separatedBy: "\n") {
                if line.hasPrefix("```") {
                    if let block = open {
                        blocks.append(block)
                        open = nil
                    } else {
                        open = Block(language: String(line.dropFirst(3)), text: "")
                    }
                } else {
                    open?.text += line + "\n"
                }
            }
            return blocks
        }

        @Test("Every example of docs/aggregation.md answers what stands there")
        func examples() throws {
            let monolith = try TaskSystemProcess("monolith")
            let users = try TaskSystemProcess("users")
            let comments = try TaskSystemProcess("comments")
            var setup = GatewaySetup().upstream("monolith", url: monolith.url).upstream("users", url: users.url)
                .upstream("comments", url: comments.url)
                .context(#""tasks": {"off": "monolith"}"#).context(#""notifications": {"off": "monolith"}"#)
            let blocks = try Self.blocks()
            for block in blocks where block.text.contains("\"match\"") { setup = setup.route(block.text) }
            // Where the document says "users" and "comments" it means contexts, which here are services of that name.
            let gateway = try GatewayProcess(setup)
            var compared = 0
            for (index, block) in blocks.enumerated() where block.language == "sh" {
                let words = Self.words(of: block.text.replacing("http://127.0.0.1:8080", with: gateway.url))
                let found = try Curl(words: words.dropFirst().filter { $0 != "-i" })
                let expected = try #require(index + 1 < blocks.count ? blocks[index + 1] : nil, "\(block.text)")
                if expected.language == "text" {
                    let answer = try #require(found.answer, "\(block.text): \(found)")
                    let head = HTTPText(
                        head: Array(expected.text.trimmingCharacters(in: .newlines).replacing("\n", with: "\r\n").utf8)[
                            ...])
                    #expect(answer.status == head.status, "\(block.text): \(found) \(gateway.process.transcript)")
                    for field in head.fields { #expect(answer.values(field.name) == [field.value], "\(answer)") }
                } else {
                    #expect(found.status == 200, "\(block.text): \(found) \(gateway.process.transcript)")
                    #expect(
                        try Self.object(found.body) == Self.object(expected.text), "\(block.text) has \(found)")
                }
                compared += 1
            }
            #expect(compared >= 5)
        }

        /// The words of a command line; what stands between `'` is one.
        private static func words(of line: String) -> [String] {
            line.components(separatedBy: "'").enumerated().flatMap { number, text in
                number % 2 == 1 ? [text] : text.split(whereSeparator: \.isWhitespace).map(String.init)
            }
        }

        private static func object(_ text: String) throws -> NSObject? {
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? NSObject
        }
    }
}
