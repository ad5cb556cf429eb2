import Foundation
import Testing

extension EndToEnd {
    /// The same bytes to nginx and to the gateway: what differs has a name in docs/parser-differences.md.
    @Suite
    struct ParserDifferences {
        private static let program = ["", ClientTool.folder.map { "\($0)/nginx" }, "/usr/local"].compactMap(\.self)
            .flatMap { ["\($0)/usr/sbin/nginx", "\($0)/sbin/nginx"] }
            .first { FileManager.default.isExecutableFile(atPath: $0) }

        @Test(
            "What nginx and the gateway treat differently is of a class that is known",
            .enabled(if: program != nil, "needs nginx: scripts/test-tools.sh"))
        func nginx() throws {
            let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent()
            let comparison = try RunningProcess(
                "/usr/bin/env",
                [
                    "python3", root.appending(path: "scripts/compare-heads.py").path, "--banyan",
                    Binaries.path("banyan"), "--nginx", try #require(Self.program),
                ])
            let code = try comparison.end(within: Deadline(.seconds(120)))
            #expect(code == 0, "\(comparison.transcript)")
            #expect(comparison.lines().last?.hasSuffix("0 not as they should be") == true, "\(comparison.transcript)")
        }
    }
}
