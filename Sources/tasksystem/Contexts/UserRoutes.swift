import Foundation
import GRDB
import NIOHTTP1

/// Users and organizations.
extension ContextRoutes {
    var organizationRoutes: [Route] {
        let pattern = "/organizations/{id}"
        let routes: [Route] = [
            listing(Organization.self, at: "/organizations") { _, _ in Organization.all() },
            creating(Organization.self, at: "/organizations", below: "/organizations") { [now] body, _, db in
                var organization = Organization(name: "", domain: "", createdAt: now(), updatedAt: now())
                try Self.read(&body, into: &organization, db)
                try organization.insert(db)
                return organization
            },
            reading(Organization.self, at: pattern),
            deleting(Organization.self, at: pattern) { organization, _, db in
                let members = try User.filter(Column("organization_id") == organization.id).fetchCount(db)
                if members > 0 {
                    throw Problem(.conflict, "The organization still has \(count(members, "user")).")
                }
            },
        ]
        return routes
            + changing(Organization.self, at: pattern) { [now] organization, body, _, db in
                try Self.read(&body, into: &organization, db)
                organization.updatedAt = now()
                try organization.update(db)
            }
    }

    var userRoutes: [Route] {
        let pattern = "/users/{id}"
        let routes: [Route] = [
            listing(User.self, at: "/users") { _, query in
                var users = User.all()
                if let identifiers = query.identifiers("ids") { users = users.filter(keys: identifiers) }
                if let organization = query.integer("organization_id") {
                    users = users.filter(Column("organization_id") == organization)
                }
                if let role = query.choice("role", of: User.Role.self) {
                    users = users.filter(Column("role") == role.rawValue)
                }
                return users
            },
            creating(User.self, at: "/users", below: "/users") { [now] body, _, db in
                var user = User(
                    organizationID: 0, name: "", email: "", role: .member, createdAt: now(), updatedAt: now())
                try Self.read(&body, into: &user, db)
                try user.insert(db)
                return user
            },
            reading(User.self, at: pattern),
            deleting(User.self, at: pattern),
        ]
        return routes
            + changing(User.self, at: pattern) { [now] user, body, request, db in
                // What is left out of a whole replacement falls back to the default of a new user.
                if request.method == .PUT { user.role = .member }
                try Self.read(&body, into: &user, db)
                user.updatedAt = now()
                try user.update(db)
            }
    }

    private static func read(_ body: inout BodyReader, into organization: inout Organization, _ db: Database) throws {
        organization.name = body.text("name", length: 1...100, old: organization.name)
        organization.domain = body.text("domain", length: 1...253, old: organization.domain)
        let taken = try Organization.filter(Column("domain") == organization.domain).fetchOne(db)
        if let taken, taken.id != organization.id {
            body.refuse("domain", "is taken")
        }
        try body.check()
    }

    private static func read(_ body: inout BodyReader, into user: inout User, _ db: Database) throws {
        user.organizationID = body.reference("organization_id", old: user.organizationID)
        user.name = body.text("name", length: 1...100, old: user.name)
        user.email = body.text("email", length: 1...254, old: user.email)
        user.role = body.choice("role", old: user.role)
        if user.organizationID > 0, try !Organization.exists(db, key: user.organizationID) {
            body.refuse("organization_id", "does not exist")
        }
        if !user.email.isEmpty, !isAddress(user.email) {
            body.refuse("email", "must be an address like ada@example.com")
        }
        let taken = try User.filter(Column("email") == user.email).fetchOne(db)
        if let taken, taken.id != user.id {
            body.refuse("email", "is taken")
        }
        try body.check()
    }

    /// One `@` with something on both sides and no space: whether mail arrives only a mail can tell.
    static func isAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty } && !text.contains(where: \.isWhitespace)
    }
}
