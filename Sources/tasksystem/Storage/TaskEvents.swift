import Foundation
import GRDB

/// Something that happened to a task, and what other contexts make of it.
struct TaskEvent: Sendable {
    var action: AuditEntry.Action
    var task: TaskItem
    /// Who did it, as far as known.
    var actor: Int64?
    /// The assignee is another one than before.
    var assigned = false
    var at: String

    var auditEntry: AuditEntry {
        AuditEntry(
            entity: TaskItem.noun, entityID: task.id ?? 0, action: action, userID: actor,
            summary: "Task “\(task.title)” was \(action).", createdAt: at)
    }

    /// Completion is told to whoever asked for the task, an assignment to whoever has it now.
    var notification: UserNotification? {
        if action == .completed {
            return UserNotification(
                userID: task.creatorID, kind: .taskCompleted, message: "“\(task.title)” is done.", taskID: task.id,
                read: false, createdAt: at)
        }
        guard assigned, action != .deleted, let assignee = task.userID else { return nil }
        return UserNotification(
            userID: assignee, kind: .taskAssigned, message: "“\(task.title)” is yours now.", taskID: task.id,
            read: false, createdAt: at)
    }
}

/// Where the consequences of a task event are written, always in the transaction of the change itself.
enum TaskEventSink: Sendable {
    /// The monolith: notifications and audit entries are tables of the same database.
    case tables
    /// The single service: the other contexts' tables are elsewhere, so what they need to know is kept in the outbox.
    case outbox

    func record(_ event: TaskEvent, in db: Database) throws {
        var entry = event.auditEntry
        var notification = event.notification
        switch self {
        case .tables:
            try entry.insert(db)
            try notification?.insert(db)
        case .outbox:
            try OutboxEntry.add(entry, for: "/audit", at: event.at, in: db)
            if let notification {
                try OutboxEntry.add(notification, for: "/notifications", at: event.at, in: db)
            }
        }
    }
}
