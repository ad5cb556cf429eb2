import Foundation
import GRDB

/// Where the rows of a context came from, and what they looked like then: how a copy knows whether it would overwrite
/// changes that were made here.
struct ContextOrigin: Codable, FetchableRecord, PersistableRecord {
    static let databaseTableName = "context_origins"
    /// The source of rows that no monolith gave.
    static let seed = "seed"

    var context: String
    /// The monolith's database file, or ``seed``.
    var source: String
    /// A hash of all rows right after they came.
    var fingerprint: String

    enum CodingKeys: CodingKey {
        case context, source, fingerprint
    }

    static func record(_ context: BoundedContext, source: String, in db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE IF NOT EXISTS context_origins (
                    context TEXT PRIMARY KEY, source TEXT NOT NULL, fingerprint TEXT NOT NULL)
                """)
        let origin = ContextOrigin(
            context: context.rawValue, source: source, fingerprint: try currentFingerprint(of: context, in: db))
        try origin.save(db)
    }

    static func find(_ context: BoundedContext, in db: Database) throws -> ContextOrigin? {
        guard try db.tableExists(databaseTableName) else { return nil }
        return try fetchOne(db, key: ["context": context.rawValue])
    }

    /// FNV-1a, 64 bits, over every value of every row in order of id. It has to notice changes, not to resist an enemy.
    static func currentFingerprint(of context: BoundedContext, in db: Database) throws -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for table in context.tables {
            let rows = try Row.fetchCursor(db, sql: "SELECT * FROM \(table.name) ORDER BY id")
            while let row = try rows.next() {
                for value in row.databaseValues {
                    // The unit separator keeps "ab","c" apart from "a","bc".
                    for byte in "\(value)\u{1F}".utf8 {
                        hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
                    }
                }
            }
        }
        return String(hash, radix: 16)
    }
}
