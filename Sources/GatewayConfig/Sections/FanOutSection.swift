package import JSON

/// `each` or `batch` of a part: it is asked for many values that another part's answer has.
package struct FanOutSection: Equatable, Sendable {
    /// The value of `each` or `batch`: where the values stand, `tasks.items[*].user_id`; the room that aggregates compiles
    /// it.
    package var values: String
    /// Whether one call asks for all values (`batch`) or one for each (`each`).
    package var isBatch: Bool
    /// `maxFanOut`: how many distinct values are asked for at most, 1 to 500. Default: 50.
    package var limit = 50
    /// `concurrency`: how many calls of `each` run at the same time, 1 to 64. Default: nil, 8; 1 for a part that writes.
    package var concurrency: Int?
    /// `key`: where an element of a `batch`'s answer has its value, a JSON pointer. Default: `/id`.
    package var key = JSONPointer(["id"])

    /// The keys of a part that belong to it.
    static let keys = ["each", "batch", "maxFanOut", "concurrency", "key"]

    /// Nil where the part asks once. A key without a meaning is reported.
    init?(part: SectionReader) {
        let session = part.session
        let kinds = ["each", "batch"].filter { part.has($0) }
        if kinds.count == 2 {
            session.reportName(part.pointer.appending("batch"), "\"batch\" stands instead of \"each\", not beside it")
        }
        for (key, kind) in [("maxFanOut", "each"), ("concurrency", "each"), ("key", "batch")] where part.has(key) {
            if kinds.contains(kind) || key == "maxFanOut" && !kinds.isEmpty { continue }
            session.reportName(part.pointer.appending(key), "\"\(key)\" needs \"\(kind)\"")
        }
        guard let kind = kinds.first, let values = part.string(kind) else { return nil }
        self.values = values
        isBatch = kind == "batch"
        part.integer("maxFanOut", into: &limit, 1...500)
        if part.has("concurrency") {
            var calls = 8
            part.integer("concurrency", into: &calls, 1...64)
            concurrency = calls
        }
        part.pointer("key", into: &key)
    }

    /// The members of the part.
    var effective: [(String, JSONValue?)] {
        [
            (isBatch ? "batch" : "each", .string(values)), ("maxFanOut", .integer(Int64(limit))),
            ("concurrency", isBatch ? nil : concurrency.map { .integer(Int64($0)) }),
            ("key", isBatch ? .string(key.description) : nil),
        ]
    }
}
