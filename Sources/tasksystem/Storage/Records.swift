import Foundation
import GRDB

/// A row that is also the JSON of its resource: member names and column names are the same.
///
/// `encode(to:)` is written out where a value can be null, because the synthesised one leaves such members out and a
/// client could not tell "nobody" from "not told".
protocol ResourceRecord: Codable, FetchableRecord, MutablePersistableRecord, Sendable {
    /// What one of them is called in messages.
    static var noun: String { get }
    /// nil until it is stored.
    var id: Int64? { get set }
}

extension ResourceRecord {
    mutating func didInsert(_ inserted: InsertionSuccess) {
        id = inserted.rowID
    }

    /// - Throws: ``Problem`` 404.
    static func find(_ identifier: Int64, in db: Database) throws -> Self {
        guard let record = try fetchOne(db, key: identifier) else {
            throw Problem.notFound(noun, identifier)
        }
        return record
    }
}

/// A tenant: the people of one company.
struct Organization: ResourceRecord, Equatable {
    static let databaseTableName = "organizations"
    static let noun = "organization"

    var id: Int64?
    var name: String
    var domain: String
    var createdAt: String
    var updatedAt: String

    enum CodingKeys: String, CodingKey {
        case id, name, domain
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }
}

/// A person who works with tasks.
struct User: ResourceRecord, Equatable {
    static let databaseTableName = "users"
    static let noun = "user"

    enum Role: String, Codable, CaseIterable, Sendable {
        case member, manager, admin
    }

    var id: Int64?
    var organizationID: Int64
    var name: String
    var email: String
    var role: Role
    var createdAt: String
    var updatedAt: String

    enum CodingKeys: String, CodingKey {
        case id, name, email, role
        case organizationID = "organization_id"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }
}

/// Something to be done. (Not called Task: that is a word of the language.)
struct TaskItem: ResourceRecord, Equatable {
    static let databaseTableName = "tasks"
    static let noun = "task"

    enum Status: String, Codable, CaseIterable, Sendable {
        case open
        case inProgress = "in_progress"
        case blocked, done
    }

    enum Priority: String, Codable, CaseIterable, Sendable {
        case low, normal, high, urgent
    }

    var id: Int64?
    var title: String
    var description: String
    var status: Status
    var priority: Priority
    /// The assignee; nil while nobody has it.
    var userID: Int64?
    var creatorID: Int64
    var dueOn: String?
    var createdAt: String
    var updatedAt: String
    var completedAt: String?

    enum CodingKeys: String, CodingKey {
        case id, title, description, status, priority
        case userID = "user_id"
        case creatorID = "creator_id"
        case dueOn = "due_on"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
        case completedAt = "completed_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(title, forKey: .title)
        try container.encode(description, forKey: .description)
        try container.encode(status, forKey: .status)
        try container.encode(priority, forKey: .priority)
        try container.encode(userID, forKey: .userID)
        try container.encode(creatorID, forKey: .creatorID)
        try container.encode(dueOn, forKey: .dueOn)
        try container.encode(createdAt, forKey: .createdAt)
        try container.encode(updatedAt, forKey: .updatedAt)
        try container.encode(completedAt, forKey: .completedAt)
    }
}

/// What somebody said about a task.
struct TaskComment: ResourceRecord, Equatable {
    static let databaseTableName = "comments"
    static let noun = "comment"

    var id: Int64?
    var taskID: Int64
    var userID: Int64
    var body: String
    var createdAt: String
    var updatedAt: String

    enum CodingKeys: String, CodingKey {
        case id, body
        case taskID = "task_id"
        case userID = "user_id"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }
}

/// A message to one user that something happened.
struct UserNotification: ResourceRecord, Equatable {
    static let databaseTableName = "notifications"
    static let noun = "notification"

    enum Kind: String, Codable, CaseIterable, Sendable {
        case taskAssigned = "task_assigned"
        case taskCompleted = "task_completed"
        case commentAdded = "comment_added"
        case reminder
    }

    var id: Int64?
    var userID: Int64
    var kind: Kind
    var message: String
    var taskID: Int64?
    var read: Bool
    var createdAt: String

    enum CodingKeys: String, CodingKey {
        case id, kind, message, read
        case userID = "user_id"
        case taskID = "task_id"
        case createdAt = "created_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(userID, forKey: .userID)
        try container.encode(kind, forKey: .kind)
        try container.encode(message, forKey: .message)
        try container.encode(taskID, forKey: .taskID)
        try container.encode(read, forKey: .read)
        try container.encode(createdAt, forKey: .createdAt)
    }
}

/// Who did what to which record. Only ever added.
struct AuditEntry: ResourceRecord, Equatable {
    static let databaseTableName = "audit_entries"
    static let noun = "audit entry"

    enum Action: String, Codable, CaseIterable, Sendable {
        case created, updated, completed, deleted
    }

    var id: Int64?
    /// The kind of record: `task`, `user`, …
    var entity: String
    var entityID: Int64
    var action: Action
    /// Who did it, as far as known.
    var userID: Int64?
    var summary: String
    var createdAt: String

    enum CodingKeys: String, CodingKey {
        case id, entity, action, summary
        case entityID = "entity_id"
        case userID = "user_id"
        case createdAt = "created_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(entity, forKey: .entity)
        try container.encode(entityID, forKey: .entityID)
        try container.encode(action, forKey: .action)
        try container.encode(userID, forKey: .userID)
        try container.encode(summary, forKey: .summary)
        try container.encode(createdAt, forKey: .createdAt)
    }
}
