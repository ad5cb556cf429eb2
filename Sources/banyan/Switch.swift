import ArgumentParser
import JSON

/// `banyan switch`: another pool of an upstream gets its requests.
struct Switch: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make another pool of an upstream active, in the gateway that runs.",
        discussion: """
            New requests go to the other pool at once; those in flight end where they are. The gateway asks the pool's
            servers first, and refuses if more than half of them do not answer: --force switches all the same. To
            switch back, name the pool of before.

            The exit code is 1 where the gateway refuses, and 69 where it cannot be reached.

            EXAMPLES
              banyan switch shop green
              banyan switch shop blue --force --admin 127.0.0.1:9901
            """)

    @Argument(help: "The upstream.")
    var upstream: String

    @Argument(help: "The pool that is to get its requests.")
    var pool: String

    @Flag(help: "Do not ask the pool's servers first.")
    var force = false

    @OptionGroup var options: AdminOptions

    func validate() throws {
        for name in [upstream, pool] where !Self.isName(name) {
            throw ValidationError("a name consists of letters, digits, \".\", \"_\" and \"-\", not '\(name)'")
        }
    }

    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
    }

    func run() throws {
        let answer = try options.client().ask(
            "PUT", "/upstreams/\(upstream)/active", body: "{\"active\":\"\(pool)\",\"force\":\(force)}"
        ).accepted()
        Output.line("\(upstream): \(pool) gets the requests.")
        if case .string(let warning) = answer.body["warning"] { Output.error("warning: \(warning)") }
    }
}
