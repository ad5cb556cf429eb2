import GRDB

/// The data that a new database begins with: the same numbers and texts in the monolith and in every service, and the
/// same on every machine. Lists of words and fixed rules give it; there is no clock and no chance in it.
enum SeedData {
    static func insert(_ context: BoundedContext, into db: Database) throws {
        switch context {
        case .users:
            for var organization in organizations { try organization.insert(db) }
            for var user in users { try user.insert(db) }
        case .tasks:
            for var task in tasks { try task.insert(db) }
        case .comments:
            for var comment in comments { try comment.insert(db) }
        case .notifications:
            for var notification in notifications { try notification.insert(db) }
        case .audit:
            for var entry in auditEntries { try entry.insert(db) }
        }
    }

    /// Minutes after Monday, 3 March 2025, 08:00 UTC, as a timestamp of the same month.
    static func time(minutes: Int) -> String {
        let total = 3 * 1440 + 480 + minutes
        return "2025-03-\(padded(total / 1440))T\(padded(total % 1440 / 60)):\(padded(total % 60)):00Z"
    }

    static func padded(_ number: Int) -> String {
        number < 10 ? "0\(number)" : String(number)
    }
}
