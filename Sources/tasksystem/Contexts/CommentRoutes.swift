import Foundation
import GRDB
import NIOHTTP1

/// Comments, also as a list below their task.
extension ContextRoutes {
    var commentRoutes: [Route] {
        let pattern = "/comments/{id}"
        return [
            listing(TaskComment.self, at: "/comments") { _, query in
                var comments = TaskComment.all()
                if let task = query.integer("task_id") { comments = comments.filter(Column("task_id") == task) }
                if let user = query.integer("user_id") { comments = comments.filter(Column("user_id") == user) }
                return comments
            },
            creating(TaskComment.self, at: "/comments", below: "/comments") { [now] body, _, db in
                let time = now()
                var comment = TaskComment(taskID: 0, userID: 0, body: "", createdAt: time, updatedAt: time)
                comment.taskID = body.reference("task_id", old: 0)
                try Self.read(&body, into: &comment)
                try comment.insert(db)
                return comment
            },
            reading(TaskComment.self, at: pattern),
            deleting(TaskComment.self, at: pattern),
            // Which tasks exist, only the tasks context knows: the list of an unknown task is empty.
            listing(TaskComment.self, at: "/tasks/{id}/comments") { request, query in
                let comments = TaskComment.filter(Column("task_id") == request.identifier)
                guard let user = query.integer("user_id") else { return comments }
                return comments.filter(Column("user_id") == user)
            },
            creating(TaskComment.self, at: "/tasks/{id}/comments", below: "/comments") { [now] body, request, db in
                let time = now()
                var comment = TaskComment(
                    taskID: request.identifier, userID: 0, body: "", createdAt: time, updatedAt: time)
                if body.optionalReference("task_id", old: comment.taskID) != comment.taskID {
                    body.refuse("task_id", "must be the task of the path, or absent")
                }
                try Self.read(&body, into: &comment)
                try comment.insert(db)
                return comment
            },
        ]
            + changing(TaskComment.self, at: pattern) { [now] comment, body, _, db in
                comment.taskID = body.reference("task_id", old: comment.taskID)
                try Self.read(&body, into: &comment)
                comment.updatedAt = now()
                try comment.update(db)
            }
    }

    private static func read(_ body: inout BodyReader, into comment: inout TaskComment) throws {
        comment.userID = body.reference("user_id", old: comment.userID)
        comment.body = body.text("body", length: 1...4000, old: comment.body)
        try body.check()
    }
}
