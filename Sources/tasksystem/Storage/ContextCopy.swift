import Foundation
import GRDB

/// Takes a context's tables over from the monolith's database: the step of a migration in which a service gets its own
/// data. It may be repeated: each run makes the tables equal to the monolith's, until the service has changed a row
/// itself; from then on the service's data is the truth and is left alone.
struct ContextCopy {
    let context: BoundedContext
    /// The monolith's database. Only read.
    let source: String

    enum Outcome: Equatable {
        case copied(rows: Int)
        /// The rows here were taken over before and changed since.
        case keptOwnChanges
    }

    /// Why nothing was copied, in a line that says what to do.
    struct Failure: Error, Equatable, CustomStringConvertible {
        var description: String
    }

    /// - Throws: ``Failure``, after which the target is as it was.
    func run(into store: Store) throws -> Outcome {
        guard FileManager.default.fileExists(atPath: source) else {
            throw Failure(
                description:
                    "\(source): there is no such file; give the file that `tasksystem monolith --database` writes")
        }
        do {
            return try copy(into: store)
        } catch let error as DatabaseError {
            throw Failure(description: "\(source): \(error.message ?? "cannot be read") (SQLite \(error.resultCode))")
        }
    }

    private func copy(into store: Store) throws -> Outcome {
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        let monolith = try DatabaseQueue(path: source, configuration: configuration)
        return try monolith.read { theirs in
            try store.database.write { ours in
                let columns = try columns(theirs, ours)
                if let origin = try ContextOrigin.find(context, in: ours),
                    try ContextOrigin.currentFingerprint(of: context, in: ours) != origin.fingerprint
                {
                    guard origin.source != ContextOrigin.seed else {
                        throw Failure(
                            description: """
                                the \(context) database was changed before anything was taken over; \
                                give a new --database file to take \(source) over
                                """)
                    }
                    return .keptOwnChanges
                }
                for table in context.tables.reversed() {
                    try ours.execute(sql: "DELETE FROM \(table.name)")
                }
                var rows = 0
                for table in context.tables {
                    rows += try copy(table, columns: columns[table.name] ?? [], from: theirs, to: ours)
                    try copySequence(of: table, from: theirs, to: ours)
                }
                try ContextOrigin.record(context, source: source, in: ours)
                return .copied(rows: rows)
            }
        }
    }

    private func copy(_ table: ContextTable, columns: [String], from theirs: Database, to ours: Database) throws -> Int
    {
        let names = columns.joined(separator: ", ")
        let places = columns.map { _ in "?" }.joined(separator: ", ")
        let insertion = try ours.makeStatement(sql: "INSERT INTO \(table.name) (\(names)) VALUES (\(places))")
        let rows = try Row.fetchCursor(theirs, sql: "SELECT \(names) FROM \(table.name) ORDER BY id")
        var count = 0
        while let row = try rows.next() {
            try insertion.execute(arguments: StatementArguments(row.databaseValues))
            count += 1
        }
        return count
    }

    /// Numbers that the monolith has given and taken back are not given again here.
    private func copySequence(of table: ContextTable, from theirs: Database, to ours: Database) throws {
        let last = try Int64.fetchOne(
            theirs, sql: "SELECT seq FROM sqlite_sequence WHERE name = ?", arguments: [table.name])
        try ours.execute(sql: "DELETE FROM sqlite_sequence WHERE name = ?", arguments: [table.name])
        try ours.execute(
            sql: "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", arguments: [table.name, last ?? 0])
    }

    /// The columns of each table, all of which the monolith must have.
    private func columns(_ theirs: Database, _ ours: Database) throws -> [String: [String]] {
        let missing = try context.tables.map(\.name).filter { try !theirs.tableExists($0) }
        guard missing.isEmpty else {
            throw Failure(
                description: """
                    \(source): has no table \(missing.joined(separator: ", ")); \
                    is it the file that `tasksystem monolith --database` writes?
                    """)
        }
        var columns: [String: [String]] = [:]
        for table in context.tables {
            let wanted = try ours.columns(in: table.name).map(\.name)
            let had = Set(try theirs.columns(in: table.name).map(\.name))
            let lacking = wanted.filter { !had.contains($0) }
            guard lacking.isEmpty else {
                throw Failure(
                    description: "\(source): table \(table.name) has no column \(lacking.joined(separator: ", "))")
            }
            columns[table.name] = wanted
        }
        return columns
    }
}
