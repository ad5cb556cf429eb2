/// What the history of the seeded tasks left behind in the other contexts.
extension SeedData {
    /// One for each completed task, and for each assignment of the first thirty tasks.
    static let notifications: [UserNotification] = {
        var notifications: [UserNotification] = []
        for task in tasks {
            if let assignee = task.userID, (task.id ?? 0) <= 30 {
                notifications.append(
                    UserNotification(
                        userID: assignee, kind: .taskAssigned, message: "“\(task.title)” is yours now.",
                        taskID: task.id, read: task.status != .open, createdAt: task.createdAt))
            }
            if let completed = task.completedAt {
                notifications.append(
                    UserNotification(
                        userID: task.creatorID, kind: .taskCompleted, message: "“\(task.title)” is done.",
                        taskID: task.id, read: (task.id ?? 0) % 2 == 0, createdAt: completed))
            }
        }
        return numbered(notifications.sorted { ($0.createdAt, $0.taskID ?? 0) < ($1.createdAt, $1.taskID ?? 0) })
    }()

    /// Creation of every task, and completion of those that are done.
    static let auditEntries: [AuditEntry] = {
        let entries = tasks.flatMap { task in
            let created = TaskEvent(action: .created, task: task, actor: task.creatorID, at: task.createdAt)
            guard let time = task.completedAt else { return [created.auditEntry] }
            let completed = TaskEvent(action: .completed, task: task, actor: task.userID, at: time)
            return [created.auditEntry, completed.auditEntry]
        }
        return numbered(entries.sorted { ($0.createdAt, $0.entityID) < ($1.createdAt, $1.entityID) })
    }()

    private static func numbered<Record: ResourceRecord>(_ records: [Record]) -> [Record] {
        records.enumerated().map { index, record in
            var record = record
            record.id = Int64(index + 1)
            return record
        }
    }
}
