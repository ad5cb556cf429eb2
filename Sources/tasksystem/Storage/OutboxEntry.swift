import Foundation
import GRDB

/// A message of the tasks service to another context, kept until somebody has delivered and deleted it.
///
/// Nothing here delivers: a relay reads `GET /outbox`, posts each `payload` to the service that has `path`, and deletes
/// the entry. That makes delivery at least once, without a transaction over two databases.
struct OutboxEntry: Encodable, FetchableRecord, TableRecord, Sendable {
    static let databaseTableName = "outbox"
    static let noun = "outbox entry"

    let id: Int64
    /// The path to post to.
    let path: String
    let payload: JSONValue
    let createdAt: String

    enum CodingKeys: String, CodingKey {
        case id, path, payload
        case createdAt = "created_at"
    }

    init(row: Row) throws {
        id = row["id"]
        path = row["path"]
        payload = try JSONDecoder().decode(JSONValue.self, from: row["payload"])
        createdAt = row["created_at"]
    }

    static func createTable(in db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE IF NOT EXISTS outbox (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    path TEXT NOT NULL,
                    payload TEXT NOT NULL,
                    created_at TEXT NOT NULL)
                """)
    }

    static func add(_ record: some ResourceRecord, for path: String, at time: String, in db: Database) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try db.execute(
            sql: "INSERT INTO outbox (path, payload, created_at) VALUES (?, ?, ?)",
            arguments: [path, String(decoding: try encoder.encode(record), as: UTF8.self), time])
    }
}
