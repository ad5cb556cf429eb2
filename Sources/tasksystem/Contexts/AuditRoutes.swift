import Foundation
import GRDB
import NIOHTTP1

/// The audit trail: written mostly by what happens to tasks.
extension ContextRoutes {
    /// There is no change and no deletion: a trail that can be edited proves nothing.
    var auditRoutes: [Route] {
        [
            listing(AuditEntry.self, at: "/audit", newestFirst: true) { request, query in
                var entries = AuditEntry.all()
                if let entity = request.query["entity"] { entries = entries.filter(Column("entity") == entity) }
                if let identifier = query.integer("entity_id") {
                    entries = entries.filter(Column("entity_id") == identifier)
                }
                if let user = query.integer("user_id") { entries = entries.filter(Column("user_id") == user) }
                if let action = query.choice("action", of: AuditEntry.Action.self) {
                    entries = entries.filter(Column("action") == action.rawValue)
                }
                return entries
            },
            creating(AuditEntry.self, at: "/audit", below: "/audit") { [now] body, _, db in
                var entry = AuditEntry(entity: "", entityID: 0, action: .updated, summary: "", createdAt: now())
                entry.entity = body.text("entity", length: 1...50, old: "")
                entry.entityID = body.reference("entity_id", old: 0)
                entry.action = body.choice("action", old: .updated)
                entry.userID = body.optionalReference("user_id", old: nil)
                entry.summary = body.text("summary", length: 1...500, old: "")
                try body.check()
                try entry.insert(db)
                return entry
            },
            reading(AuditEntry.self, at: "/audit/{id}"),
        ]
    }
}
