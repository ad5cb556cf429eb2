import Foundation
import GRDB
import NIOHTTP1

/// Tasks, and the outbox where the service stands alone.
extension ContextRoutes {
    var taskRoutes: [Route] {
        let pattern = "/tasks/{id}"
        let routes: [Route] = [
            listing(TaskItem.self, at: "/tasks") { _, query in
                var tasks = TaskItem.all()
                if let status = query.choice("status", of: TaskItem.Status.self) {
                    tasks = tasks.filter(Column("status") == status.rawValue)
                }
                if let priority = query.choice("priority", of: TaskItem.Priority.self) {
                    tasks = tasks.filter(Column("priority") == priority.rawValue)
                }
                if let user = query.integer("user_id") { tasks = tasks.filter(Column("user_id") == user) }
                if let creator = query.integer("creator_id") { tasks = tasks.filter(Column("creator_id") == creator) }
                return tasks
            },
            creating(TaskItem.self, at: "/tasks", below: "/tasks") { [now, taskEvents] body, request, db in
                let time = now()
                var task = TaskItem(
                    title: "", description: "", status: .open, priority: .normal, creatorID: 0, createdAt: time,
                    updatedAt: time)
                try Self.read(&body, into: &task)
                task.completedAt = task.status == .done ? time : nil
                try task.insert(db)
                let actor = request.actor ?? task.creatorID
                try taskEvents.record(
                    TaskEvent(action: .created, task: task, actor: actor, assigned: task.userID != nil, at: time),
                    in: db)
                if task.status == .done {
                    try taskEvents.record(TaskEvent(action: .completed, task: task, actor: actor, at: time), in: db)
                }
                return task
            },
            Route(.GET, pattern) { [database, tellsTaskDetails] request in
                let words = request.query["include"].map { $0.split(separator: ",") } ?? []
                let included = Set(words.compactMap { TaskDetails.Inclusion(rawValue: String($0)) })
                return try .json(
                    try await database.read(request, from: TaskItem.databaseTableName) { db in
                        let task = try TaskItem.find(request.identifier, in: db)
                        return try TaskDetails(of: task, including: tellsTaskDetails ? included : [], in: db)
                    })
            },
            deleting(TaskItem.self, at: pattern) { [now, taskEvents] task, request, db in
                try taskEvents.record(TaskEvent(action: .deleted, task: task, actor: request.actor, at: now()), in: db)
            },
            Route(.POST, "/tasks/{id}/complete") { [database, now, taskEvents] request in
                try .json(
                    try await database.write(request, .update, TaskItem.databaseTableName) { db in
                        var task = try TaskItem.find(request.identifier, in: db)
                        let before = task
                        task.status = .done
                        try Self.save(&task, before: before, actor: request.actor, at: now(), sink: taskEvents, in: db)
                        return task
                    })
            },
        ]
        return routes
            + changing(TaskItem.self, at: pattern) { [now, taskEvents] task, body, request, db in
                let before = task
                if request.method == .PUT {
                    // What is left out of a whole replacement falls back to the default of a new task.
                    task = TaskItem(
                        id: task.id, title: "", description: "", status: .open, priority: .normal,
                        creatorID: task.creatorID, createdAt: task.createdAt, updatedAt: task.updatedAt,
                        completedAt: task.completedAt)
                }
                try Self.read(&body, into: &task)
                try Self.save(&task, before: before, actor: request.actor, at: now(), sink: taskEvents, in: db)
            }
    }

    /// Read by whoever delivers, entry by entry; see ``OutboxEntry``.
    var outboxRoutes: [Route] {
        [
            Route(.GET, "/outbox") { [database] request in
                var query = QueryReader(request.query)
                let page = PageRequest(query: &query)
                try query.check()
                return try .json(
                    try await database.read(request, from: OutboxEntry.databaseTableName) { db in
                        try OutboxEntry.all().order(Column("id")).page(page, of: request, in: db)
                    })
            },
            Route(.DELETE, "/outbox/{id}") { [database] request in
                let identifier = request.identifier
                try await database.write(request, .delete, OutboxEntry.databaseTableName) { db in
                    guard try OutboxEntry.deleteOne(db, key: identifier) else {
                        throw Problem.notFound(OutboxEntry.noun, identifier)
                    }
                }
                return .noContent
            },
        ]
    }

    private static func read(_ body: inout BodyReader, into task: inout TaskItem) throws {
        task.title = body.text("title", length: 1...200, old: task.title)
        task.description = body.text("description", length: 0...4000, old: task.description, isOptional: true)
        task.status = body.choice("status", old: task.status)
        task.priority = body.choice("priority", old: task.priority)
        task.userID = body.optionalReference("user_id", old: task.userID)
        task.creatorID = body.reference("creator_id", old: task.creatorID)
        task.dueOn = body.optionalDate("due_on", old: task.dueOn)
        try body.check()
    }

    /// Stores a changed task with its consequences. A task that is done already is not completed again.
    private static func save(
        _ task: inout TaskItem, before: TaskItem, actor: Int64?, at time: String, sink: TaskEventSink, in db: Database
    ) throws {
        guard task != before else { return }
        let completes = task.status == .done && before.status != .done
        if completes {
            task.completedAt = time
        } else if task.status != .done {
            task.completedAt = nil
        }
        task.updatedAt = time
        try task.update(db)
        let assigned = task.userID != nil && task.userID != before.userID
        try sink.record(
            TaskEvent(
                action: completes ? .completed : .updated, task: task, actor: actor, assigned: assigned, at: time),
            in: db)
    }
}
