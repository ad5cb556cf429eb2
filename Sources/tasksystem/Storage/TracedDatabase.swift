import GRDB

/// What a transaction is there for, in SQL's word.
enum DatabaseOperation: String, Sendable {
    case select = "SELECT"
    case insert = "INSERT"
    case update = "UPDATE"
    case delete = "DELETE"
}

/// The database as the answers to requests use it: each transaction is a span of the request's trace. The span begins
/// when the transaction is asked for, since waiting for others is a part of what it costs.
struct TracedDatabase: Sendable {
    let database: any DatabaseWriter

    /// Reads for `request` from `table`.
    func read<Value: Sendable>(
        _ request: HTTPRequest, from table: String, _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws -> Value {
        let start = request.trace?.clock.now ?? 0
        do {
            let value = try await database.read(body)
            request.trace?.asked(.select, table, from: start)
            return value
        } catch {
            request.trace?.asked(.select, table, from: start, error: error)
            throw error
        }
    }

    /// Changes `table` for `request`, and what depends on it, in one transaction.
    func write<Value: Sendable>(
        _ request: HTTPRequest, _ operation: DatabaseOperation, _ table: String,
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws -> Value {
        let start = request.trace?.clock.now ?? 0
        do {
            let value = try await database.write(body)
            request.trace?.asked(operation, table, from: start)
            return value
        } catch {
            request.trace?.asked(operation, table, from: start, error: error)
            throw error
        }
    }
}
