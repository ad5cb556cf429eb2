import Foundation
import GRDB
import Testing

@testable import tasksystem

@Suite("Taking a context's tables over")
struct ContextCopyTests {
    /// A folder that is gone when the test is.
    final class Folder {
        let path: String

        init() throws {
            let folder = FileManager.default.temporaryDirectory.appending(path: "tasksystem-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            path = folder.path
        }

        deinit {
            try? FileManager.default.removeItem(atPath: path)
        }

        func file(_ name: String) -> String { "\(path)/\(name)" }
    }

    private func bodies(_ store: Store) throws -> [String] {
        try store.database.read { db in try String.fetchAll(db, sql: "SELECT body FROM comments ORDER BY id") }
    }

    @Test("each context gets the rows of the monolith, whatever they are by now", arguments: BoundedContext.allCases)
    func copies(context: BoundedContext) throws {
        let folder = try Folder()
        let monolith = try Store(contexts: BoundedContext.allCases, file: folder.file("m.db"))
        try monolith.database.write { db in
            try db.execute(sql: "DELETE FROM \(context.tables.last?.name ?? "") WHERE id = 2")
        }
        let service = try Store(contexts: [context], file: nil)
        let outcome = try ContextCopy(context: context, source: folder.file("m.db")).run(into: service)
        let prints = try [monolith, service].map { store in
            try store.database.read { db in try ContextOrigin.currentFingerprint(of: context, in: db) }
        }
        #expect(prints[0] == prints[1])
        let rows = try service.database.read { db in
            try context.tables.reduce(0) { try $0 + (Int.fetchOne(db, sql: "SELECT COUNT(*) FROM \($1.name)") ?? 0) }
        }
        #expect(outcome == .copied(rows: rows))
    }

    @Test("a second run brings what has changed in the monolith, deletions included")
    func repeats() throws {
        let folder = try Folder()
        let monolith = try Store(contexts: BoundedContext.allCases, file: folder.file("m.db"))
        let copy = ContextCopy(context: .comments, source: folder.file("m.db"))
        let service = try Store(contexts: [.comments], file: folder.file("c.db"))
        #expect(try copy.run(into: service) == .copied(rows: 200))
        #expect(try copy.run(into: service) == .copied(rows: 200))
        try monolith.database.write { db in
            try db.execute(
                sql: "DELETE FROM comments WHERE id > 190; UPDATE comments SET body = 'changed' WHERE id = 1")
        }
        #expect(try copy.run(into: service) == .copied(rows: 190))
        let (ours, theirs) = (try bodies(service), try bodies(monolith))
        #expect(ours == theirs)
        // Numbers of deleted rows are not given to others.
        var comment = TaskComment(taskID: 1, userID: 1, body: "new", createdAt: "", updatedAt: "")
        try service.database.write { db in try comment.insert(db) }
        #expect(comment.id == 201)
    }

    @Test("the service's own changes are never overwritten, also after a restart")
    func keepsOwnChanges() throws {
        let folder = try Folder()
        _ = try Store(contexts: BoundedContext.allCases, file: folder.file("m.db"))
        let copy = ContextCopy(context: .comments, source: folder.file("m.db"))
        do {
            let service = try Store(contexts: [.comments], file: folder.file("c.db"))
            _ = try copy.run(into: service)
            try service.database.write { db in try db.execute(sql: "UPDATE comments SET body = 'ours' WHERE id = 7") }
        }
        let restarted = try Store(contexts: [.comments], file: folder.file("c.db"))
        #expect(try copy.run(into: restarted) == .keptOwnChanges)
        #expect(try bodies(restarted)[6] == "ours")
    }

    @Test("a database with changes that came before any copy is refused and left as it is")
    func refusesChangedSeed() throws {
        let folder = try Folder()
        _ = try Store(contexts: BoundedContext.allCases, file: folder.file("m.db"))
        let service = try Store(contexts: [.comments], file: nil)
        try service.database.write { db in try db.execute(sql: "UPDATE comments SET body = 'ours' WHERE id = 7") }
        #expect(throws: ContextCopy.Failure.self) {
            try ContextCopy(context: .comments, source: folder.file("m.db")).run(into: service)
        }
        #expect(try bodies(service)[6] == "ours")
    }

    @Test(
        "what is no monolith's database is refused with a reason, and nothing changes",
        arguments: [
            ("absent.db", "there is no such file"), ("text.db", "not a database"),
            ("users.db", "has no table comments"),
            ("old.db", "table comments has no column task_id, user_id, created_at, updated_at"),
        ])
    func refuses(file: String, reason: String) throws {
        let folder = try Folder()
        let text = String(repeating: "This is a letter. ", count: 200)
        try text.write(toFile: folder.file("text.db"), atomically: true, encoding: .utf8)
        _ = try Store(contexts: [.users], file: folder.file("users.db"))
        try DatabaseQueue(path: folder.file("old.db")).write { db in
            try db.execute(sql: "CREATE TABLE comments (id INTEGER PRIMARY KEY, body TEXT)")
        }
        let service = try Store(contexts: [.comments], file: nil)
        let failure = #expect(throws: ContextCopy.Failure.self) {
            try ContextCopy(context: .comments, source: folder.file(file)).run(into: service)
        }
        #expect(failure?.description.contains(reason) == true, "\(failure?.description ?? "")")
        #expect(try bodies(service).count == 200)
        #expect(!FileManager.default.fileExists(atPath: folder.file("absent.db")))
    }

    @Test("data in a file is there again after a restart, and two servers share it")
    func persistence() async throws {
        let folder = try Folder()
        let place = try await TestSystem.run([.comments], name: "comments", file: folder.file("c.db")) { first in
            let made = try await first.send("POST", "/tasks/1/comments", #"{"user_id":1,"body":"Still here?"}"#)
            return try #require(made["Location"])
        }
        try await TestSystem.run([.comments], name: "comments", file: folder.file("c.db")) { one in
            try await TestSystem.run([.comments], name: "comments", file: folder.file("c.db")) { other in
                #expect(try await one.send("GET", place).member("body") == .string("Still here?"))
                _ = try await other.send("PATCH", place, #"{"body":"Yes."}"#)
                #expect(try await one.send("GET", place).member("body") == .string("Yes."))
            }
        }
    }
}
