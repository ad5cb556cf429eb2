import Foundation
import GRDB
import Testing

@testable import tasksystem

@Suite("Seed data")
struct SeedDataTests {
    @Test("there is as much as the guide speaks of")
    func amounts() {
        #expect(SeedData.organizations.count == 3)
        #expect(SeedData.users.count == 12)
        #expect(SeedData.tasks.count == 50)
        #expect(SeedData.comments.count == 200)
        #expect(SeedData.notifications.count > 30)
        #expect(SeedData.auditEntries.count > 50)
    }

    @Test("records are numbered from 1 without gaps")
    func numbers() {
        #expect(SeedData.organizations.map(\.id) == (1...3).map { $0 })
        #expect(SeedData.users.map(\.id) == (1...12).map { $0 })
        #expect(SeedData.tasks.map(\.id) == (1...50).map { $0 })
        #expect(SeedData.comments.map(\.id) == (1...200).map { $0 })
        #expect(SeedData.notifications.map(\.id) == (1...Int64(SeedData.notifications.count)).map { $0 })
        #expect(SeedData.auditEntries.map(\.id) == (1...Int64(SeedData.auditEntries.count)).map { $0 })
    }

    @Test("every number that points to a record points to one, in the same organization")
    func references() {
        for task in SeedData.tasks {
            let people = SeedData.colleagues(of: Int(task.id ?? 0))
            #expect(people.contains(task.creatorID))
            #expect(task.userID.map(people.contains) ?? true)
            #expect((task.status == .done) == (task.completedAt != nil))
        }
        for comment in SeedData.comments {
            #expect((1...50).contains(comment.taskID))
            #expect(SeedData.colleagues(of: Int(comment.taskID)).contains(comment.userID))
            #expect(!comment.body.contains("{"))
        }
        #expect(Set(SeedData.comments.map(\.taskID)).count == 50)
        for notification in SeedData.notifications {
            #expect((1...12).contains(notification.userID))
            #expect(notification.taskID.map { (1...50).contains($0) } ?? false)
        }
        #expect(SeedData.auditEntries.allSatisfy { $0.entity == "task" && (1...50).contains($0.entityID) })
    }

    @Test("tasks show every state, and three have nobody")
    func variety() {
        #expect(Set(SeedData.tasks.map(\.status)) == Set(TaskItem.Status.allCases))
        #expect(Set(SeedData.tasks.map(\.priority)) == Set(TaskItem.Priority.allCases))
        #expect(SeedData.tasks.filter { $0.userID == nil }.map(\.id) == [13, 26, 39])
        #expect(Set(SeedData.users.map(\.email)).count == 12)
        #expect(SeedData.users.allSatisfy { ContextRoutes.isAddress($0.email) })
    }

    @Test("comments of a task are in order of time and none is younger than the tests' clock")
    func order() {
        for (earlier, later) in zip(SeedData.comments, SeedData.comments.dropFirst())
        where earlier.taskID == later.taskID {
            #expect(earlier.createdAt < later.createdAt)
        }
        #expect(SeedData.comments.allSatisfy { $0.createdAt < TestSystem.time })
        #expect(SeedData.tasks.allSatisfy { $0.dueOn.map(Timestamp.isDate) ?? true })
    }

    @Test("a service begins with the rows of the monolith", arguments: BoundedContext.allCases)
    func sameEverywhere(context: BoundedContext) throws {
        let monolith = try Store(contexts: BoundedContext.allCases, file: nil)
        let service = try Store(contexts: [context], file: nil)
        let fingerprints = try [monolith, service].map { store in
            try store.database.read { db in try ContextOrigin.currentFingerprint(of: context, in: db) }
        }
        #expect(fingerprints[0] == fingerprints[1])
        let rows = try service.database.read { db in
            try context.tables.map { try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM \($0.name)") ?? 0 }
        }
        #expect(rows.allSatisfy { $0 > 0 })
    }
}
