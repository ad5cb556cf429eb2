import Foundation
import GRDB
import NIOHTTP1

/// Notifications: written mostly by what happens to tasks.
extension ContextRoutes {
    var notificationRoutes: [Route] {
        let pattern = "/notifications/{id}"
        return [
            listing(UserNotification.self, at: "/notifications", newestFirst: true) { _, query in
                var notifications = UserNotification.all()
                if let user = query.integer("user_id") {
                    notifications = notifications.filter(Column("user_id") == user)
                }
                if let read = query.boolean("read") { notifications = notifications.filter(Column("read") == read) }
                return notifications
            },
            creating(UserNotification.self, at: "/notifications", below: "/notifications") { [now] body, _, db in
                var notification = UserNotification(
                    userID: 0, kind: .reminder, message: "", read: false, createdAt: now())
                notification.userID = body.reference("user_id", old: 0)
                notification.kind = body.choice("kind", old: .reminder)
                notification.message = body.text("message", length: 1...500, old: "")
                notification.taskID = body.optionalReference("task_id", old: nil)
                notification.read = body.boolean("read", old: false)
                try body.check()
                try notification.insert(db)
                return notification
            },
            reading(UserNotification.self, at: pattern),
            deleting(UserNotification.self, at: pattern),
        ]
            // What was told stays told; only whether it was read changes.
            + changing(UserNotification.self, at: pattern, methods: [.PATCH]) { notification, body, _, db in
                notification.read = body.boolean("read", old: notification.read)
                try body.check()
                try notification.update(db)
            }
    }
}
