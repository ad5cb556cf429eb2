import Foundation

/// A Markdown file taken apart, as far as the tests need it.
struct Document {
    /// The path, relative to the top folder.
    let path: String
    /// Lines outside of code blocks.
    private(set) var prose: [String] = []
    /// Code blocks by language, in their order.
    private(set) var blocks: [(language: String, text: String)] = []

    /// Reads the document at `path`, relative to the top folder.
    init(_ path: String) throws {
        self.path = path
        var language: String?
        var block: [String] = []
        for line in try Repository.text(path).components(separatedBy: "\n") {
            let trimmed = line.trimmingCharacters(in: .whitespaces)
            if trimmed.hasPrefix("```") {
                if let open = language {
                    blocks.append((open, block.joined(separator: "\n")))
                    language = nil
                    block = []
                } else {
                    language = String(trimmed.dropFirst(3)).trimmingCharacters(in: .whitespaces)
                }
            } else if language != nil {
                block.append(line)
            } else {
                prose.append(line)
            }
        }
    }

    /// A document of these lines, without code blocks.
    init(path: String, prose: [String]) {
        self.path = path
        self.prose = prose
    }

    /// The targets of all links outside of code.
    var links: [String] {
        let text = prose.joined(separator: "\n").replacing(#/`[^`\n]*`/#, with: "code")
        return text.matches(of: #/\]\(([^)\s]+)\)/#).map { String($0.output.1) }
    }

    /// The anchors of the headings, as hosting services make them: lower case, blanks as hyphens, no other punctuation.
    var anchors: Set<String> {
        Set(
            prose.filter { $0.hasPrefix("#") }.map { heading in
                let title = heading.drop { $0 == "#" }.trimmingCharacters(in: .whitespaces).lowercased()
                return String(
                    title.compactMap { character -> Character? in
                        if character == " " { return "-" }
                        return character.isLetter || character.isNumber || character == "-" || character == "_"
                            ? character : nil
                    })
            })
    }

    /// The rows of the first table whose first heading is `first`, without the heading; each row as its cells.
    func table(headed first: String) -> [[String]] {
        var rows: [[String]] = []
        var isInside = false
        for line in prose {
            guard line.hasPrefix("|") else {
                if isInside { break }
                continue
            }
            let cells = Self.cells(line)
            if isInside {
                if cells.allSatisfy({ $0.allSatisfy { $0 == "-" || $0 == ":" || $0 == " " } }) { continue }
                rows.append(cells)
            } else if cells.first == first {
                isInside = true
            }
        }
        return rows
    }

    private static func cells(_ line: String) -> [String] {
        let escaped = line.replacingOccurrences(of: "\\|", with: "\u{1}")
        return escaped.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast().map {
            $0.trimmingCharacters(in: .whitespaces).replacingOccurrences(of: "\u{1}", with: "|")
        }
    }
}

extension String {
    /// What stands between backquotes, in order.
    var codeWords: [String] { matches(of: #/`([^`]+)`/#).map { String($0.output.1) } }
}
