import Foundation
import GRDB

/// The database of one process, with the tables of the contexts that it serves.
struct Store: Sendable {
    let database: any DatabaseWriter
    let contexts: [BoundedContext]

    /// Opens or creates the database and brings in the seed data where a context's tables are new.
    ///
    /// - Parameter file: nil keeps everything in memory.
    /// - Throws: `DatabaseError` when the file cannot be opened or is no database.
    init(contexts: [BoundedContext], file: String?) throws {
        self.contexts = contexts
        var configuration = GRDB.Configuration()
        // Two servers of one context may share a file, and a copy may read it meanwhile: wait for each other.
        configuration.busyMode = .timeout(5)
        if let file {
            database = try DatabaseQueue(path: file, configuration: configuration)
        } else {
            database = try DatabaseQueue(configuration: configuration)
        }
        try database.write { db in
            for context in contexts where try !db.tableExists(context.tables[0].name) {
                try Self.create(context, in: db)
            }
            if !contexts.contains(.notifications), contexts.contains(.tasks) {
                try OutboxEntry.createTable(in: db)
            }
        }
    }

    private static func create(_ context: BoundedContext, in db: Database) throws {
        for table in context.tables {
            try db.execute(sql: "CREATE TABLE \(table.name) (\(table.columns))")
            for column in table.indexed {
                try db.execute(sql: "CREATE INDEX \(table.name)_\(column) ON \(table.name)(\(column))")
            }
        }
        try SeedData.insert(context, into: db)
        try ContextOrigin.record(context, source: ContextOrigin.seed, in: db)
    }
}
