import Foundation
import GRDB
import NIOHTTP1

/// What the routes of every context share.
struct ContextRoutes: Sendable {
    let database: TracedDatabase
    /// The time that new and changed records bear.
    let now: @Sendable () -> String
    /// Where task events go.
    let taskEvents: TaskEventSink
    /// Whether users and comments are here, too, so that a task can be told with them.
    let tellsTaskDetails: Bool

    init(store: Store, now: @escaping @Sendable () -> String) {
        database = TracedDatabase(database: store.database)
        self.now = now
        tellsTaskDetails = store.contexts.contains(.users) && store.contexts.contains(.comments)
        taskEvents = store.contexts.contains(.notifications) && store.contexts.contains(.audit) ? .tables : .outbox
    }

    func routes(of context: BoundedContext) -> [Route] {
        switch context {
        case .users: organizationRoutes + userRoutes
        case .tasks: taskRoutes + (taskEvents == .outbox ? outboxRoutes : [])
        case .comments: commentRoutes
        case .notifications: notificationRoutes
        case .audit: auditRoutes
        }
    }

    /// `GET` of one record.
    func reading<Record: ResourceRecord>(_: Record.Type, at pattern: String) -> Route {
        Route(.GET, pattern) { [database] request in
            let identifier = request.identifier
            return try .json(
                try await database.read(request, from: Record.databaseTableName) { db in
                    try Record.find(identifier, in: db)
                })
        }
    }

    /// `GET` of a list: `filter` turns the query into the records that are asked for.
    func listing<Record: ResourceRecord>(
        _: Record.Type, at pattern: String, newestFirst: Bool = false,
        filter: @escaping @Sendable (HTTPRequest, inout QueryReader) -> QueryInterfaceRequest<Record>
    ) -> Route {
        Route(.GET, pattern) { [database] request in
            var query = QueryReader(request.query)
            // Who names the records wants them all at once.
            let isBatch = request.query["ids"] != nil
            let page = PageRequest(
                query: &query, defaultSize: isBatch ? PageRequest.largestSize : PageRequest.defaultSize)
            let records = filter(request, &query)
            try query.check()
            let order = newestFirst ? [Column("id").desc] : [Column("id").asc]
            return try .json(
                try await database.read(request, from: Record.databaseTableName) { db in
                    try records.order(order).page(page, of: request, in: db)
                })
        }
    }

    /// `PATCH` and `PUT` of one record. `change` reads the body into the record and may refuse.
    func changing<Record: ResourceRecord>(
        _: Record.Type, at pattern: String, methods: [HTTPMethod] = [.PATCH, .PUT],
        change: @escaping @Sendable (inout Record, inout BodyReader, HTTPRequest, Database) throws -> Void
    ) -> [Route] {
        methods.map { method in
            Route(method, pattern) { [database] request in
                let body = try BodyReader(request)
                return try .json(
                    try await database.write(request, .update, Record.databaseTableName) { db in
                        var record = try Record.find(request.identifier, in: db)
                        var body = body
                        try change(&record, &body, request, db)
                        return record
                    })
            }
        }
    }

    /// `POST` to a list. `create` reads the body into a record that it has stored.
    func creating<Record: ResourceRecord>(
        _: Record.Type, at pattern: String, below place: String,
        create: @escaping @Sendable (inout BodyReader, HTTPRequest, Database) throws -> Record
    ) -> Route {
        Route(.POST, pattern) { [database] request in
            let body = try BodyReader(request)
            let record = try await database.write(request, .insert, Record.databaseTableName) { db in
                var body = body
                return try create(&body, request, db)
            }
            return try .created(record, at: "\(place)/\(record.id ?? 0)")
        }
    }

    /// `DELETE` of one record.
    func deleting<Record: ResourceRecord>(
        _: Record.Type, at pattern: String,
        before: @escaping @Sendable (Record, HTTPRequest, Database) throws -> Void = { _, _, _ in }
    ) -> Route {
        Route(.DELETE, pattern) { [database] request in
            try await database.write(request, .delete, Record.databaseTableName) { db in
                let record = try Record.find(request.identifier, in: db)
                try before(record, request, db)
                _ = try record.delete(db)
            }
            return .noContent
        }
    }
}
