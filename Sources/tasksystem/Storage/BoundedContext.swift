/// A part of the system with a language and tables of its own. Records of other contexts are known by number only: no
/// foreign key and no join crosses a border, so each context can be moved to a database of its own.
enum BoundedContext: String, CaseIterable, Sendable {
    case users, tasks, comments, notifications, audit

    /// The tables of the context, parents before children.
    var tables: [ContextTable] {
        switch self {
        case .users:
            [
                ContextTable(
                    name: "organizations",
                    columns: """
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        name TEXT NOT NULL,
                        domain TEXT NOT NULL UNIQUE COLLATE NOCASE,
                        created_at TEXT NOT NULL,
                        updated_at TEXT NOT NULL
                        """),
                ContextTable(
                    name: "users",
                    columns: """
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        organization_id INTEGER NOT NULL REFERENCES organizations(id),
                        name TEXT NOT NULL,
                        email TEXT NOT NULL UNIQUE COLLATE NOCASE,
                        role TEXT NOT NULL,
                        created_at TEXT NOT NULL,
                        updated_at TEXT NOT NULL
                        """, indexed: ["organization_id"]),
            ]
        case .tasks:
            [
                ContextTable(
                    name: "tasks",
                    columns: """
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        title TEXT NOT NULL,
                        description TEXT NOT NULL,
                        status TEXT NOT NULL,
                        priority TEXT NOT NULL,
                        user_id INTEGER,
                        creator_id INTEGER NOT NULL,
                        due_on TEXT,
                        created_at TEXT NOT NULL,
                        updated_at TEXT NOT NULL,
                        completed_at TEXT
                        """, indexed: ["user_id", "status"])
            ]
        case .comments:
            [
                ContextTable(
                    name: "comments",
                    columns: """
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        task_id INTEGER NOT NULL,
                        user_id INTEGER NOT NULL,
                        body TEXT NOT NULL,
                        created_at TEXT NOT NULL,
                        updated_at TEXT NOT NULL
                        """, indexed: ["task_id", "user_id"])
            ]
        case .notifications:
            [
                ContextTable(
                    name: "notifications",
                    columns: """
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        user_id INTEGER NOT NULL,
                        kind TEXT NOT NULL,
                        message TEXT NOT NULL,
                        task_id INTEGER,
                        read BOOLEAN NOT NULL,
                        created_at TEXT NOT NULL
                        """, indexed: ["user_id"])
            ]
        case .audit:
            [
                ContextTable(
                    name: "audit_entries",
                    columns: """
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        entity TEXT NOT NULL,
                        entity_id INTEGER NOT NULL,
                        action TEXT NOT NULL,
                        user_id INTEGER,
                        summary TEXT NOT NULL,
                        created_at TEXT NOT NULL
                        """, indexed: ["entity_id"])
            ]
        }
    }
}

/// A table that belongs to one context.
struct ContextTable: Sendable {
    var name: String
    /// Column definitions in SQL.
    var columns: String
    /// Columns by which lists are filtered.
    var indexed: [String] = []
}
