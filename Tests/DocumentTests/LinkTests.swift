import Foundation
import Testing

@Suite struct LinkTests {
    @Test func theDocumentsAreFound() throws {
        let documents = try Repository.documents()
        for expected in ["README.md", "SECURITY.md", "docs/configuration.md", "certs/README.md"] {
            #expect(documents.contains(expected))
        }
    }

    @Test(arguments: try Repository.documents())
    func everyRelativeLinkLeadsToAFile(_ path: String) throws {
        let document = try Document(path)
        let folder = Repository.root.appending(path: path).deletingLastPathComponent()
        for link in document.links where !link.contains("://") && !link.hasPrefix("mailto:") {
            let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let target = parts[0].isEmpty ? Repository.root.appending(path: path) : folder.appending(path: parts[0])
            #expect(FileManager.default.fileExists(atPath: target.path), "\(path): \(link) leads nowhere")
            guard parts.count == 2, target.pathExtension == "md" else { continue }
            let standard = target.standardizedFileURL.path
            let relative = String(standard.dropFirst(Repository.root.standardizedFileURL.path.count + 1))
            #expect(try Document(relative).anchors.contains(parts[1]), "\(path): no heading for \(link)")
        }
    }

    @Test(arguments: [
        ("[a](b.md) and [c](d.md#e)", ["b.md", "d.md#e"]),
        ("`[a](b.md)` is code", []),
        ("[`a`](b.md)", ["b.md"]),
        ("a (b.md) is none", []),
    ])
    func linksAreRead(_ text: String, _ links: [String]) {
        #expect(Document(path: "example.md", prose: [text]).links == links)
    }

    @Test(arguments: [
        ("## A b", "a-b"), ("# What's new, and why?", "whats-new-and-why"), ("## `gateway`", "gateway"),
    ])
    func anchorsAreMadeOfHeadings(_ heading: String, _ anchor: String) {
        #expect(Document(path: "example.md", prose: [heading]).anchors == [anchor])
    }
}
