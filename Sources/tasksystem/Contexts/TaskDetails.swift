import Foundation
import GRDB

/// A task as the monolith's own clients like it: with its assignee and its comments, if they ask for them. Only a process
/// that holds all three contexts can tell.
struct TaskDetails: Encodable {
    /// What of other contexts is asked for.
    enum Inclusion: String, CaseIterable {
        case user, comments
    }

    private let task: TaskItem
    private let included: Set<Inclusion>
    private let user: User?
    private let comments: [TaskComment]

    init(of task: TaskItem, including included: Set<Inclusion>, in db: Database) throws {
        self.task = task
        self.included = included
        user = included.contains(.user) ? try task.userID.flatMap { try User.fetchOne(db, key: $0) } : nil
        comments =
            included.contains(.comments)
            ? try TaskComment.filter(Column("task_id") == task.id).order(Column("id").asc).fetchAll(db) : []
    }

    private enum CodingKeys: CodingKey {
        case user, comments
    }

    func encode(to encoder: any Encoder) throws {
        try task.encode(to: encoder)
        var members = encoder.container(keyedBy: CodingKeys.self)
        if included.contains(.user) { try members.encode(user, forKey: .user) }
        if included.contains(.comments) { try members.encode(comments, forKey: .comments) }
    }
}
