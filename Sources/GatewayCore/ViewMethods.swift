import ByteBuffers
import HTTPMessage

/// The methods of a view's route: whether the view is asked for to change something (RFC 9110 §9.2.1).
struct ViewMethods {
    /// As the pattern names them; empty for all.
    let names: [String]

    /// Whether it is asked for to change something.
    var isWrite: Bool { !names.isEmpty && !names.contains(where: Self.isSafe) }

    /// Whether all its requests may have a body that means something.
    var mayHaveBody: Bool { !names.isEmpty && !names.contains { ["GET", "HEAD", "OPTIONS", "TRACE"].contains($0) } }

    /// What is wrong with them, where parts that are not known to be safe have these names; nil where nothing is.
    func problem(writing parts: [String]) -> String? {
        if !isWrite, let writing = names.first(where: { !Self.isSafe($0) }),
            let reading = names.first(where: Self.isSafe)
        {
            return "a view either reads or writes, and \(reading) does the one, \(writing) the other: write two routes"
        }
        guard names.isEmpty, let part = parts.first else { return nil }
        return
            "does the view change something, or does \"\(part)\" only read? Name the method: \"POST /…\" or the like for "
            + "a view that writes, \"GET /…\" for one that reads; or say \"safe\": true of \"\(part)\""
    }

    /// Whether a request with the method of this name only asks.
    static func isSafe(_ name: String) -> Bool { Method.named(Array(name.utf8).span).isSafe }
}
